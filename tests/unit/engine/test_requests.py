"""What other processes ask of an engine's runs, through the store."""

import threading
import time
from typing import Any

import pytest
from embedded_weft import Weft

from weft import approval, flow, wait_for_event
from weft.core.changes import Cause
from weft.core.events import Answered, CancelRun, CancelTask, PauseRun, ResumeRun, Sent
from weft.engine.requests import event_of
from weft.model.values import NONE
from weft.store.protocol import Request

KINDS: list[tuple[dict[str, Any], object]] = [
    ({"kind": "send", "name": "go"}, Sent(1, "go", NONE, "r")),
    ({"kind": "answer", "idx": 3, "by": "me"}, Answered(1, 3, NONE, "me")),
    ({"kind": "cancel", "force": True, "by": "me"}, CancelRun(1, True, "asked by me")),
    ({"kind": "pause"}, PauseRun(1, Cause.PAUSED)),
    ({"kind": "resume"}, ResumeRun(1)),
    ({"kind": "cancel_task", "idx": 3}, CancelTask(1, 3)),
    ({"kind": "of a newer Weft"}, None),
]


@pytest.mark.parametrize(("fields", "event"), KINDS)
def test_each_kind_is_an_event(fields: dict[str, Any], event: object) -> None:
    """What this Weft does not know is no event, and harms nobody."""
    assert event_of(Request(request_id="r", run=1, at=1.0, **fields)) == event


@flow
def waiter() -> list[object]:
    """Waits for two events of one name, then for a person."""
    return [wait_for_event("go"), wait_for_event("go"), bool(approval("?"))]


def test_requests_reach_a_waiting_flow_once_each(weft: Weft) -> None:
    """Repeated ids count once; the engine forgets a request once its effect is durable."""
    host = weft.host
    dumps = host.artifacts.dumps
    result: list[object] = []
    thread = threading.Thread(target=lambda: result.extend(waiter()))
    thread.start()
    run = _wait(lambda: host.store.runs(limit=1))[0]

    def ask(request_id: str, value: object, **fields: Any) -> None:
        host.store.ask(Request(request_id=request_id, run=run.run, at=1.0, payload=dumps(value), **fields))

    ask("one", 1, kind="send", name="go")
    _wait(lambda: not host.store.requests(host.engine.id))
    ask("one", 2, kind="send", name="go")  # forgotten by the store, but the run remembers it
    _wait(lambda: not host.store.requests(host.engine.id))
    assert len(host.store.signals(run.run)) == 1
    ask("two", 3, kind="send", name="go")
    task = _wait(
        lambda: [each for each in host.store.tasks(run.run, "state:waiting") if each.name == "approval"]
    )
    ask("three", {"approved": True}, kind="answer", idx=task[0].idx)
    thread.join(20)
    assert result == [1, 3, True]
    _wait(lambda: not host.store.requests(host.engine.id))


def _wait(found: Any) -> Any:
    deadline = time.monotonic() + 20
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value
