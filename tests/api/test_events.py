"""Live events over a socket: nothing missed, nothing told twice, and slow readers cost nothing."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from api_service import Service, client_of, serving
from litestar import Litestar
from litestar.testing import TestClient

from weft.core.events import Sent
from weft.model.values import NONE
from weft.server.live import RING, Live

EVENTS = "/api/v1/events"


class Stream:
    """What a client reads of server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def next(self) -> tuple[str, str, Any]:
        """The next event: its name, id and data."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "data" in fields:
                return fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])
            else:
                fields = {}
        return "closed", "", None

    def changes(self, until: tuple[str, str]) -> list[dict[str, Any]]:
        """Changes up to the first of this kind and state."""
        found: list[dict[str, Any]] = []
        while True:
            name, _, data = self.next()
            assert name == "changes", name
            found += data.get("changes", [])
            if any((each["kind"], each.get("state")) == until for each in found):
                return found


@contextmanager
def listening(url: str, headers: dict[str, str] | None = None, **params: Any) -> Iterator[Stream]:
    """A client that listens, once it has been told that it does."""
    with (
        httpx.Client(base_url=url, timeout=20, trust_env=False) as client,
        client.stream("GET", EVENTS, params=params, headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = Stream(response)
        assert stream.next()[0] == "ready"
        yield stream


def test_committed_changes_come_as_they_happen(service: Service) -> None:
    """In the log's order, with the run's id and workflow, up to the run's end."""
    with serving(service) as url, listening(url) as stream:
        run = service.start("doubled")
        found = stream.changes(("run", "succeeded"))
    assert {each["run"] for each in found} == {run}
    assert {each["workflow"] for each in found} == {"doubled"}
    numbers = [each["seq"] for each in found]
    assert numbers == sorted(set(numbers))
    row = service.store.run(run)
    assert numbers == [each.seq for each in service.store.events(row.run)]


def test_a_client_that_was_away_misses_nothing(service: Service) -> None:
    """``Last-Event-ID`` goes on after the last message that it saw."""
    with serving(service) as url:
        with listening(url) as stream:
            first = service.start("doubled")
            stream.changes(("run", "succeeded"))
            seq = str(service.store.last_seq())
        second = service.start("doubled")
        service.ended(second)
        with listening(url, {"Last-Event-ID": seq}) as stream:
            found = stream.changes(("run", "succeeded"))
        with listening(url, after=0) as stream:
            both = stream.changes(("run", "succeeded"))
    assert {each["run"] for each in found} == {second}
    assert both[0]["run"] == first


def test_filters_leave_out_the_rest(service: Service) -> None:
    """By workflow, by run, by kind; unknown kinds and runs are errors, not silence."""
    with serving(service) as url:
        with listening(url, workflow="chain", kinds="run,run_added") as stream:
            service.ended(service.start("doubled"))
            mine = service.start("chain")
            found = stream.changes(("run", "succeeded"))
        assert {(each["run"], each["kind"]) for each in found} == {(mine, "run_added"), (mine, "run")}
        with listening(url, run=mine, after=0) as stream:
            assert {each["run"] for each in stream.changes(("run", "succeeded"))} == {mine}
    with client_of(service.app()) as client:
        assert client.get(EVENTS, params={"kinds": "colour"}).status_code == 422
        assert client.get(EVENTS, params={"run": "run_none"}).status_code == 404


def test_messages_are_paced_and_brought_together(service: Service) -> None:
    """However much happens, a client gets a few messages a second, and each change at most once."""
    with serving(service) as url, listening(url) as stream:
        began = time.monotonic()
        runs = [service.start("doubled") for _ in range(40)]
        for each in runs:
            service.ended(each)
        ended: set[str] = set()
        messages = 0
        while ended != set(runs):
            name, _, data = stream.next()
            assert name == "changes"
            messages += 1
            for each in data.get("changes", []):
                if (each["kind"], each.get("state")) == ("run", "succeeded"):
                    assert each["run"] not in ended
                    ended.add(each["run"])
        assert messages <= 4 * (time.monotonic() - began) + 2


def test_who_wants_every_change_gets_each(service: Service) -> None:
    """``whole`` leaves nothing out."""
    with serving(service) as url:
        runs = [service.start("doubled") for _ in range(20)]
        for each in runs:
            service.ended(each)
        last = service.store.last_seq()
        seen: list[int] = []
        with listening(url, after=0, whole=True) as stream:
            while not seen or seen[-1] < last:
                seen += [each["seq"] for each in stream.next()[2]["changes"]]
    assert seen == [each.seq for each in service.store.events_since(0, limit=10_000)]


def test_a_slow_reader_is_let_go_and_costs_no_memory(service: Service) -> None:
    """It gets no buffer of its own, is dropped when it takes nothing, and others do not notice."""
    live = service.services.live
    with serving(service) as url, socket.socket() as slow:
        host, port = url.removeprefix("http://").split(":")
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((host, int(port)))
        request = f"GET {EVENTS}?whole=true&after=0 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        slow.sendall(request.encode())
        assert slow.recv(16).startswith(b"HTTP/1.1 200")
        with listening(url, workflow="doubled") as stream:
            waiting = service.store.run(service.start("waiting"))
            # It reads no more: twenty megabytes are more than the kernel takes for it.
            service.engine.tell(Sent(waiting.run, "n" * 5000, NONE, f"id{each}") for each in range(4000))
            while live.clients > 1:
                service.ended(service.start("doubled"))
                stream.changes(("run", "succeeded"))
            assert live.held <= RING
    service.services.control.ask(waiting, "cancel")
    service.ended(waiting.uid)


def test_without_news_there_are_signs_of_life(service: Service) -> None:
    """A comment now and then, by which proxies and clients know that the connection lives."""
    live = Live(service.store, heartbeat_s=0.05)
    with (
        serving(service, live=live) as url,
        httpx.Client(timeout=20, trust_env=False) as client,
        client.stream("GET", url + EVENTS) as response,
    ):
        lines = (line for line in response.iter_lines() if line.startswith(":"))
        assert [next(lines).strip() for _ in range(3)] == [":"] * 3


def test_streams_end_when_the_service_goes_down(service: Service) -> None:
    """Clients are not left hanging, and the service does not wait for them."""
    with httpx.Client(timeout=20, trust_env=False) as client:
        with serving(service) as url:
            response = client.send(client.build_request("GET", url + EVENTS), stream=True)
            stream = Stream(response)
            assert stream.next()[0] == "ready"
        assert stream.next()[0] == "closed"
        response.close()


def test_too_many_listeners_are_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clear error, and a hint when to come again."""
    monkeypatch.setattr("weft.server.live.CLIENTS_MAX", 0)
    with client_of(service.app()) as client:
        _refused(client)


def _refused(client: TestClient[Litestar]) -> None:
    answer = client.get(EVENTS)
    assert (answer.status_code, answer.json()["code"]) == (429, "W1515")
    assert answer.headers["retry-after"] == "1"
