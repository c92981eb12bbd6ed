"""What the executor expects of attempts."""

from weft.executors.pace import UNKNOWN_S, Pace
from weft.model.attempts import Attempt
from weft.model.calls import PythonCall


def attempt(name: str) -> Attempt:
    """An attempt of the task of this name."""
    return Attempt((1, 1, 1), "run_1", "flow", name, name, PythonCall("tasks", name))


def test_unknown() -> None:
    """A task that never ended is expected to be long."""
    pace = Pace()
    pace.learn(attempt("short"), 0.001)
    assert pace.expected_s(attempt("other")) == UNKNOWN_S
    assert pace.expected_s(attempt("short")) == 0.001


def test_follows() -> None:
    """The expectation moves to what the task takes now."""
    pace = Pace()
    for _ in range(50):
        pace.learn(attempt("task"), 0.001)
    for _ in range(50):
        pace.learn(attempt("task"), 1.0)
    assert 0.9 < pace.expected_s(attempt("task")) <= 1.0


def test_one_stall() -> None:
    """One stall does not make a short task look long."""
    pace = Pace()
    for _ in range(50):
        pace.learn(attempt("task"), 0.0001)
    pace.learn(attempt("task"), 1.0)
    assert pace.expected_s(attempt("task")) < 0.001


def test_backlog() -> None:
    """The backlog is about 20 ms of work, and grows with the workers."""
    pace = Pace()
    for _ in range(100):
        pace.learn(attempt("task"), 0.001)
    assert pace.backlog(1) == 20
    assert pace.backlog(4) == 80
