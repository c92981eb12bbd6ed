"""Serving: a socket that is taken, Unix sockets, going up and down."""

import socket
import threading
from pathlib import Path

import httpx
import pytest
from api_service import Service

from weft.model.errors import OpenToAll, PortTaken
from weft.server.app import create_app
from weft.server.serve import HttpServer


def server_of(service: Service, **options: object) -> HttpServer:
    """A server that is not started."""
    return HttpServer(create_app(service.services), service.services, **{"port": 0, **options})  # type: ignore[arg-type]


def test_a_taken_port_is_a_clear_error(service: Service) -> None:
    """Before anything is started, with the port and a hint."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            server_of(service, port=port)
    assert str(port) in caught.value.where
    assert "--port" in caught.value.hint


@pytest.mark.parametrize(("host", "port"), [("nobody.invalid", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be_is_one_too(service: Service, host: str, port: int) -> None:
    """A host that does not exist (which is no loopback either), a port that is no port."""
    with pytest.raises((PortTaken, OpenToAll)):
        server_of(service, host=host, port=port)


def test_it_says_when_it_is_ready_and_lets_go_of_its_port(service: Service) -> None:
    """The callback comes when requests are answered; after ``stop`` the port is free."""
    ready = threading.Event()
    server = server_of(service, on_ready=ready.set)
    server.start()
    assert ready.wait(10)
    port = int(server.url.rpartition(":")[2])
    assert httpx.get(f"{server.url}/api/v1/health", trust_env=False).status_code == 200
    server.stop()
    again = server_of(service, port=port)
    again.start()
    again.stop()


def test_a_unix_socket_is_for_its_user_only(service: Service, tmp_path: Path) -> None:
    """Nobody else may open it; an abandoned one is replaced, a live one is not; it goes with the server."""
    path = tmp_path / "weft.sock"
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))
    server = server_of(service, uds=str(path))
    server.start()
    assert path.stat().st_mode & 0o777 == 0o600
    transport = httpx.HTTPTransport(uds=str(path))
    with httpx.Client(transport=transport, base_url="http://any.name.at.all") as client:
        assert client.get("/api/v1/me").json()["method"] == "local"
    with pytest.raises(PortTaken):
        server_of(service, uds=str(path))
    server.stop()
    assert not path.exists()
