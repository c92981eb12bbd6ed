"""What a task knows of itself, where its output goes, its hooks, and how it is stopped."""

import threading
import time
from typing import Any

import pytest
from embedded_weft import Said, Weft

import weft as w
from weft import Skip, flow, task
from weft.model.errors import (
    TaskCancelled,
    TaskLost,
    UsageError,
)
from weft.model.states import RunState, TaskState
from weft.model.waits import ApprovalWait

# --- the context, output ------------------------------------------------------------------------------------


def test_current_tells_about_the_attempt(weft: Weft) -> None:
    """``current()`` knows the run, the task, the item, the try and the key of idempotency."""

    @task(retries=1)
    def tells() -> dict[str, Any]:
        context = w.current()
        if context.attempt == 1:
            raise OSError("once")
        return {
            "run": context.run_id,
            "workflow": context.workflow,
            "key": context.key,
            "name": context.name,
            "attempt": context.attempt,
            "try": context.try_number,
            "idempotency": context.idempotency_key,
        }

    @task
    def item(x: int) -> int:
        return w.current().map_index

    @flow
    def main() -> tuple[dict[str, Any], list[int]]:
        assert w.current().key == "main"
        return tells(), item.map("abc".upper().split() * 3).result()

    told, indexes = main()
    uid = weft.run().uid
    assert told == {
        "run": uid,
        "workflow": "main",
        "key": "tells-0",
        "name": "tells",
        "attempt": 2,
        "try": 2,
        "idempotency": f"{uid}/{weft.task('tells-0').idx}",
    }
    assert indexes == [0, 1, 2]
    with pytest.raises(UsageError, match="outside a task"):
        w.current()


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_output_lands_in_the_right_log(weft: Weft, executor: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What an attempt prints and logs is in its own file."""
    weft.open(executor=executor)

    @task(retries=1)
    def talks(name: str) -> None:
        context = w.current()
        print(f"printed by {name} in attempt {context.attempt}")
        context.logger.warning("logged by %s", name)
        if context.attempt == 1:
            raise OSError("once")

    @flow
    def main() -> None:
        print("the flow speaks")
        talks("a")
        talks("b")

    main()
    first, second = weft.log("talks-0", 1), weft.log("talks-0", 2)
    assert "printed by a in attempt 1" in first
    assert "printed by a in attempt 2" not in first
    assert "printed by a in attempt 2" in second
    assert "WARNING weft.task: logged by a" in second
    assert "by a" not in weft.log("talks-1", 2)
    assert "by b" in weft.log("talks-1", 2)
    run = weft.run()
    own = weft.home / "logs" / run.uid / "0.1.log"
    assert own.read_text() == "the flow speaks\n"


# --- hooks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_hooks_at_every_moment(weft: Weft, said: Said, executor: str) -> None:
    """Hooks are told of each moment, with what happened."""
    weft.open(executor=executor)

    def hook(moment: str) -> Any:
        def on(event: dict[str, Any]) -> None:
            told = [event[name] for name in ("key", "state", "attempt", "error", "result")]
            said.say(" ".join(map(str, [moment, *told])))

        return on

    moments = ("success", "failure", "retry", "skip", "end")
    hooks: Any = {f"on_{moment}": hook(moment) for moment in moments}

    @task(**hooks)
    def good() -> int:
        return 5

    @task(retries=1, **hooks)
    def bad() -> None:
        raise ValueError("b")

    @task(**hooks)
    def skips() -> None:
        raise Skip("s")

    @flow
    def main() -> None:
        good()
        bad.submit().exception()
        skips.submit().wait()

    main()
    weft.close()
    assert sorted(said.lines) == [
        "end bad-0 failed 2 b None",
        "end good-0 succeeded 1 None 5",
        "end skips-0 skipped 1 s None",
        "failure bad-0 failed 2 b None",
        "retry bad-0 retrying 1 b None",
        "skip skips-0 skipped 1 s None",
        "success good-0 succeeded 1 None 5",
    ]


def test_failing_hook_changes_nothing(weft: Weft) -> None:
    """A hook that fails is recorded; task and run succeed."""

    def broken(event: dict[str, Any]) -> None:
        raise RuntimeError("the hook is broken")

    @task(on_success=broken)
    def good() -> int:
        return 5

    @flow
    def main() -> int:
        return good()

    assert main() == 5
    assert weft.run().state is RunState.SUCCEEDED
    assert TaskState.FAILED in weft.states().values()


def test_flow_hooks(weft: Weft, said: Said) -> None:
    """Hooks of the flow itself run when it ends, before the caller goes on."""

    def told(event: dict[str, Any]) -> None:
        said.say(f"{event['name']} {event['state']}")

    @flow(on_success=told, on_failure=told)
    def main(good: bool) -> None:
        if not good:
            raise ValueError("no")

    main(True)
    with pytest.raises(ValueError):
        main(False)
    weft.close()
    assert said.lines == ["main succeeded", "main failed"]


def test_rollbacks_run_last_first_after_a_failure(weft: Weft, said: Said) -> None:
    """When the run fails, what had succeeded is rolled back in reverse order; nothing else is."""

    def undo(event: dict[str, Any]) -> None:
        said.say(f"undo {event['key']} {event['result']}")

    @task(on_rollback=undo)
    def book(x: int) -> int:
        if x == 3:
            raise ValueError("full")
        return x

    @flow
    def main(n: int) -> None:
        for each in range(1, n + 1):
            book(each)

    with pytest.raises(ValueError):
        main(3)
    assert said.lines == ["undo book-1 2", "undo book-0 1"]
    main(2)
    assert len(said.lines) == 2


# --- the ends of tasks --------------------------------------------------------------------------------------


def test_cancelled_run(weft: Weft) -> None:
    """A run that is cancelled stops its tasks; the caller sees ``TaskCancelled``."""
    started = threading.Event()

    @task
    def long() -> None:
        started.set()
        while True:
            time.sleep(0.005)

    @flow
    def main() -> None:
        long.submit().result()

    def stop() -> None:
        assert started.wait(10)
        weft.host.engine.cancel(weft.run().run)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(TaskCancelled):
        main()
    stopper.join()
    assert weft.run().state is RunState.CANCELLED


def test_task_that_kills_its_worker(weft: Weft) -> None:
    """A task whose process dies again and again ends as lost; the flow goes on."""
    import os

    weft.open(executor="process")

    @task
    def dies() -> None:
        os._exit(3)

    @flow
    def main() -> str:
        with pytest.raises(TaskLost, match="exit"):
            dies()
        return "went on"

    assert main() == "went on"


def test_approval_wait_is_not_a_task(weft: Weft) -> None:
    """An approval inside a flow waits without a worker and takes the person's answer."""

    @flow
    def main() -> tuple[bool, str]:
        answer = w.approval("Deploy?")
        return bool(answer), answer.by

    def answer() -> None:
        store = weft.host.store
        while True:
            runs = store.runs()
            waiting = [t for r in runs for t in store.tasks(r.run) if isinstance(t.wait, ApprovalWait)]
            if waiting:
                break
            time.sleep(0.002)
        result = weft.host.artifacts.dumps({"approved": True, "by": "ada"})
        weft.host.engine.answer(waiting[0].run, waiting[0].idx, result, "ada")

    person = threading.Thread(target=answer)
    person.start()
    assert main() == (True, "ada")
    person.join()
