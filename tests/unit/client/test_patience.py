"""When the client asks again: never what might be done twice."""

import httpx
import pytest
from carriers import RUN, Reply, problem, scripted

from weft.client import operations
from weft.client.call import Answer, Lost
from weft.client.models import NewRun
from weft.client.patience import Patience
from weft.client.streams import Listening
from weft.model.errors import NotAllowed, ServiceUnreachable, StoreBusy, TimedOut

BUSY: Reply = (503, problem("W3101"))


def test_a_reading_call_is_sent_again() -> None:
    """Lost connections and a busy service are nobody's error if the next try is answered."""
    slept: list[float] = []
    client, script = scripted(
        httpx.ConnectError("x"), httpx.ReadError("x"), BUSY, (200, RUN), slept=slept.append
    )
    assert client.runs.show("run_1").id == "run_1"
    assert len(script.requests) == 4
    assert len(slept) == 3
    assert slept == sorted(slept)


def test_a_creation_is_sent_again_with_the_same_key() -> None:
    """The client gives it an idempotency key, so that two requests make one run."""
    client, script = scripted(httpx.ReadError("x"), (201, RUN))
    assert client.runs.create(NewRun(workflow="etl")).id == "run_1"
    keys = [each.headers["idempotency-key"] for each in script.requests]
    assert keys[0] == keys[1]
    assert keys[0] != operations.create_run(NewRun(workflow="etl")).request.headers["Idempotency-Key"]


def test_what_may_have_been_done_is_not_sent_again() -> None:
    """A trigger whose answer was lost may have made its run; one that never arrived is tried again."""
    client, script = scripted(httpx.ConnectError("x"), httpx.ReadError("x"))
    with pytest.raises(ServiceUnreachable):
        client.schedules.trigger("etl#daily")
    assert len(script.requests) == 2
    client, script = scripted(BUSY)
    with pytest.raises(StoreBusy):
        client.schedules.trigger("etl#daily")


def test_patience_ends() -> None:
    """A service that never answers is said to be unreachable, with the transport's words."""
    client, script = scripted(*[httpx.ConnectError("refused")] * 5)
    with pytest.raises(ServiceUnreachable, match="refused"):
        client.system.health()
    assert len(script.requests) == 5


def test_a_refusal_is_not_sent_again() -> None:
    """What the service refuses it refuses the second time too."""
    client, script = scripted((403, problem("W1511")))
    with pytest.raises(NotAllowed):
        client.runs.show("run_1")
    assert len(script.requests) == 1


def test_pauses_double_and_keep_to_what_was_asked() -> None:
    """Between half of the doubled pause and all of it, at most the longest, at least what was asked."""
    patience = Patience(first_s=1.0, longest_s=4.0)
    for tries, most in ((0, 1.0), (1, 2.0), (2, 4.0), (9, 4.0)):
        assert most / 2 <= patience.pause_s(tries) <= most
    assert patience.pause_s(0, asked_s=9.0) == 9.0


def test_wait_ends_with_the_run_or_with_its_time() -> None:
    """A run is asked for until it has ended; a timeout leaves it alone."""
    client, _ = scripted((200, RUN), (200, RUN), (200, RUN | {"state": "failed"}))
    assert client.handle("run_1").wait().state == "failed"
    client, script = scripted((200, RUN))
    with pytest.raises(TimedOut):
        client.handle("run_1").wait(timeout_s=0)
    assert len(script.requests) == 1


def stream(body: bytes) -> httpx.Response:
    """An answer of events that ends."""
    return httpx.Response(200, content=body)


def test_a_lost_stream_goes_on_where_it_was() -> None:
    """The last id is sent along when the connection is made anew, and no event is told twice."""
    chunk = (
        b'data: {"attempt":1,"start":0,"end":%d,"size":9,"line":1,"lines":1,"text":"%s","finished":false}\n\n'
    )
    client, script = scripted(
        stream(b"retry: 1000\n\nid: 4\nevent: log\n" + chunk % (4, b"one") + b"id: 8\nevent: lo"),
        httpx.ReadError("gone"),
        stream(b": \n\nid: 8\r\nevent: log\r\n" + (chunk % (8, b"two")).replace(b"\n", b"\r\n")),
        stream(b"id: 9\nevent: end\n" + chunk % (9, b"")),
    )
    told = [(each.name, each.data.text) for each in client.logs.follow("run_1", 1)]
    assert told == [("log", "one"), ("log", "two"), ("end", "")]
    assert [each.headers.get("last-event-id") for each in script.requests] == [None, "4", "4", "8"]


def test_a_refused_stream_is_the_refusal() -> None:
    """Too many listeners is worth another try; no such run is not."""
    client, _ = scripted((429, problem("W1515")), (403, problem("W1511")))
    with pytest.raises(NotAllowed):
        next(client.events.follow())


def test_events_come_however_the_bytes_are_cut() -> None:
    """A message is told when it is whole, byte by byte or all at once; signs of life are not told."""
    body = b'event: ready\nid: 3\ndata: {"seq":3}\n\n: beat\n\nid: 5\nevent: changes\ndata: {"skipped":2}\n\n'
    whole = list(Listening(operations.follow_events(), Patience()).feed(body))
    listening = Listening(operations.follow_events(), Patience())
    cut = [each for at in range(len(body)) for each in listening.feed(body[at : at + 1])]
    assert cut == whole
    assert [(each.id, each.data.skipped) for each in whole] == [("5", 2)]
    assert listening.request.headers["Last-Event-ID"] == "5"


def test_a_stream_that_is_lost_again_and_again_ends() -> None:
    """Without any news in between, as often as a call is sent; news begin the count anew."""
    listening = Listening(operations.follow_events(), Patience(retries=1))
    listening.lost(Lost("x", True))
    listening.lost(Answer(200, {}, b""))
    with pytest.raises(ServiceUnreachable):
        listening.lost(Lost("x", True))
