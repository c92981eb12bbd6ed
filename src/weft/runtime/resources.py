"""What code may ask the service for by name while it runs: variables, secrets and connections.

Workers have no way to the store. They ask the process that started them, over a socket that only they are
told of; a task in that process itself asks directly. Nothing is kept here: each question gets the value of
the moment. What is secret is hidden from logs and errors from then on (``masking.py``).
"""

import os
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from weft.model import errors
from weft.model.errors import ExecutorError, NotFound, UsageError, WeftError
from weft.runtime import masking

TIMEOUT_S = 30.0
"""How long an answer may take."""

_MISSING = object()


class Question(msgspec.Struct, frozen=True):
    """What a worker asks: one line of JSON."""

    kind: str
    name: str


class Reply(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The answer: one line of JSON. ``code`` is that of an error, "" if there is none."""

    value: Any = None
    code: str = ""
    what: str = ""
    where: str = ""
    hint: str = ""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection, with its password.

    Attributes:
        name: Its name.
        type: What it leads to: ``postgres``, ``http``, ``s3``...
        host, port, path, login: Where, and as whom.
        password: "" if it has none.
        extra: Whatever else its type needs.
    """

    name: str
    type: str
    host: str = ""
    port: int | None = None
    path: str = ""
    login: str = ""
    password: str = ""
    extra: dict[str, Any] = {}

    @property
    def url(self) -> str:
        """``type://login:password@host:port/path``, quoted."""
        who = quote(self.login, safe="")
        if self.password:
            who += f":{quote(self.password, safe='')}"
        port = "" if self.port is None else f":{self.port}"
        at = f"{who}@" if who else ""
        return f"{self.type}://{at}{self.host}{port}/{quote(self.path.lstrip('/'))}"

    def __repr__(self) -> str:
        return f"Connection({self.name!r}, {self.type!r}, {self.host!r})"


class Source(Protocol):
    """Where resources are."""

    def find(self, kind: str, name: str) -> Any:
        """The ``variable``'s value, the ``secret``'s text, or the fields of the ``connection``.

        Raises:
            NotFound: There is none of this name.
        """


_sources: list[Callable[[], Source]] = []


def set_source(opener: Callable[[], Source]) -> None:
    """Say where this process finds resources. Composition roots and workers do this."""
    _sources[:] = [opener]


def variable(name: str, default: Any = _MISSING) -> Any:
    """The value of a variable.

    Args:
        name: Its name.
        default: What to return if there is none; without it that is an error.

    Raises:
        NotFound: There is none, and no default.
    """
    try:
        return _source().find("variable", name)
    except NotFound:
        if default is _MISSING:
            raise
        return default


def secret(name: str) -> str:
    """The value of a secret, which is hidden from logs and errors of this process from now on.

    Raises:
        NotFound: There is none of this name.
    """
    value: str = _source().find("secret", name)
    masking.hide(value)
    return value


def connection(name: str) -> Connection:
    """A connection; its password is hidden as a secret is.

    Raises:
        NotFound: There is none of this name.
    """
    found = msgspec.convert({"name": name, **_source().find("connection", name)}, Connection)
    masking.hide(found.password)
    return found


def _source() -> Source:
    if not _sources:
        raise UsageError(
            "there is nothing here to ask for variables and secrets",
            hint="they are for tasks and flows that Weft runs",
        )
    return _sources[0]()


class SocketSource:
    """Asks the process that started this one.

    Args:
        path: Of its socket.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stream: Any = None
        self._owner = 0

    def find(self, kind: str, name: str) -> Any:
        """See ``Source.find``.

        Raises:
            NotFound: As there.
            ExecutorError: The process does not answer.
        """
        question = msgspec.json.encode(Question(kind, name)) + b"\n"
        with self._lock:
            try:
                reply = self._ask(question)
            except OSError as exc:
                self._close()
                raise ExecutorError(
                    f"the engine's process does not tell the {kind} {name!r}: {exc.strerror or exc}",
                    hint="it has ended, or is stopping",
                ) from exc
        if reply.code:
            raise _error_of(reply)
        return reply.value

    def _ask(self, question: bytes) -> Reply:
        if self._stream is None or self._owner != os.getpid():
            # A forked child must not read the answers of its parent.
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(TIMEOUT_S)
            connection.connect(self._path)
            self._stream = connection.makefile("rwb")
            connection.close()
            self._owner = os.getpid()
        self._stream.write(question)
        self._stream.flush()
        line = self._stream.readline()
        if not line:
            raise ConnectionResetError("it closed the connection")
        return msgspec.json.decode(line, type=Reply)

    def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None and self._owner == os.getpid():
            try:
                stream.close()
            except OSError:
                pass  # It is gone already.


def _error_of(reply: Reply) -> WeftError:
    known = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, WeftError)]
    kind = next((each for each in known if each.code == reply.code), WeftError)
    return kind(reply.what, where=reply.where, hint=reply.hint)
