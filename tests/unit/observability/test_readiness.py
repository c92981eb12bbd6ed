"""Checks of health and readiness."""

from weft.model.errors import StoreBusy
from weft.observability.readiness import Checked, Readiness


def test_all_is_well() -> None:
    """Without problems a process is ready and healthy, also when nothing is checked."""
    readiness = Readiness()
    assert readiness.ready
    readiness.add("store", lambda: "")
    assert readiness.ready
    assert readiness.healthy
    assert readiness.ask() == [Checked(name="store")]


def test_only_vital_problems_are_a_matter_of_health() -> None:
    """A database that is away makes a process unready; a restart would not help, so it stays healthy."""
    readiness = Readiness()
    readiness.add("store", lambda: "it does not answer")
    readiness.add("engine", lambda: "", vital=True)
    assert not readiness.ready
    assert readiness.healthy
    readiness.add("engine", lambda: "it has stopped", vital=True)
    assert not readiness.healthy


def test_a_check_that_raises_is_a_problem() -> None:
    """Coded errors keep their code; others tell their class."""
    readiness = Readiness()

    def busy() -> str:
        raise StoreBusy("another process writes")

    def broken() -> str:
        raise OSError("gone")

    readiness.add("store", busy)
    readiness.add("disk", broken)
    assert readiness.ask() == [
        Checked(name="store", problem="another process writes", code=StoreBusy.code),
        Checked(name="disk", problem="OSError: gone"),
    ]
    readiness.remove("store")
    assert [each.name for each in readiness.ask()] == ["disk"]
