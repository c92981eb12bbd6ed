"""Serving the application: bind, say that it is ready, and go down in good order.

The socket is bound before anything else, so that a taken port is a clear error and not a message in a log. On
the way down no new connection is taken, live streams are ended (their clients go on elsewhere with
``Last-Event-ID``), and answers that are under way get ``grace_s``.
"""

import errno
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn
from litestar import Litestar

from weft.model.errors import PortTaken
from weft.server.auth.authority import check_bind
from weft.server.services import Services

STALLED_MS = 30_000
"""After how long the kernel lets go of a client that takes no bytes (Linux)."""

BACKLOG = 512


class HttpServer:
    """One listening socket and what answers on it.

    Args:
        app: The application.
        services: What it stands on.
        host: The address to listen on.
        port: The port; 0 chooses a free one.
        uds: Path of a Unix socket, instead of host and port.
        grace_s: How long answers that are under way may take when the service goes down.
        on_ready: Called when requests are answered.

    Raises:
        PortTaken: The address cannot be listened on.
        OpenToAll: Others could reach it, and nobody would have to say who they are.
    """

    def __init__(
        self,
        app: Litestar,
        services: Services,
        *,
        host: str = "127.0.0.1",
        port: int = 4200,
        uds: str | None = None,
        grace_s: float = 5.0,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        check_bind(None if uds is not None else host, services.store, services.clock.now())
        self._uds = uds
        self._socket = _listen_unix(uds) if uds is not None else _listen(host, port)
        self._server = _Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=max(int(grace_s), 1),
            ),
            services,
            on_ready,
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        if self._uds is not None:
            return f"unix:{self._uds}"
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> None:
        """Serve in this thread until ``stop``, or until a signal when it is the main one."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._release()

    def start(self) -> None:
        """Serve in a thread of its own; returns when requests are answered."""
        self._thread = threading.Thread(target=self.run, name="weft-http", daemon=True)
        self._thread.start()
        self._server.ready.wait()

    def stop(self) -> None:
        """Go down; returns when a thread that ``start`` made has ended. Any thread may call it."""
        self._server.should_exit = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _release(self) -> None:
        self._server.ready.set()  # Nobody shall wait for what does not come.
        self._socket.close()
        if self._uds is not None:
            Path(self._uds).unlink(missing_ok=True)


class _Server(uvicorn.Server):
    """Uvicorn, with something to do when it is up and before it goes down."""

    def __init__(
        self, config: uvicorn.Config, services: Services, on_ready: Callable[[], None] | None
    ) -> None:
        super().__init__(config)
        self.ready = threading.Event()
        self._services = services
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()
        if self._on_ready is not None:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._services.live.close()
        await super().shutdown(sockets)


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port < 1 << 16:
        raise PortTaken(
            f"{port} is no port", where=f"{host}:{port}", hint="1024 to 65535, or 0 for a free one"
        )
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as exc:
        raise PortTaken(f"there is no address {host!r}: {exc.strerror}", where=f"{host}:{port}") from exc
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Connections inherit it: what a client never takes is let go of by the kernel too.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_MS)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise _taken(exc, f"{host}:{port}") from exc
    return listener


def _listen_unix(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_abandoned(path):
            os.unlink(path)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(BACKLOG)
    except OSError as exc:
        listener.close()
        raise _taken(exc, path) from exc
    return listener


def _is_abandoned(path: str) -> bool:
    """Whether a socket is there that nobody listens on any more."""
    if not Path(path).is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == errno.ECONNREFUSED


def _taken(exc: OSError, where: str) -> PortTaken:
    if exc.errno == errno.EADDRINUSE:
        return PortTaken(
            f"another process listens on {where}",
            where=where,
            hint="it may be Weft already; choose another one with --port",
        )
    if exc.errno in (errno.EACCES, errno.EPERM):
        return PortTaken(f"{where} may not be listened on by this user", where=where, hint="ports below 1024")
    return PortTaken(f"{where} cannot be listened on: {exc}", where=where)
