"""``weft db`` and ``weft status``, in this process."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from embedded_weft import Weft

from weft import flow, task
from weft.artifacts.collect import GRACE_S
from weft.cli.main import main
from weft.store.open import open_store, shown

Run = Callable[..., Any]


@task
def big(number: int) -> bytes:
    """More than fits into a row."""
    return bytes([number]) * 10_000


@task
def fails() -> None:
    """Never well."""
    raise ValueError("boom")


@flow
def bigs() -> int:
    """Two large results."""
    return len(big(1)) + len(big(2))


@flow
def broken() -> None:
    """A run that fails."""
    fails()


@pytest.fixture
def home(weft: Weft, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one run that succeeded."""
    monkeypatch.setenv("WEFT_HOME", str(weft.home))
    weft.open()
    assert bigs() == 20_000
    weft.close()
    return weft.home


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Run:
    """Types a command; gives the JSON lines that it printed, or what it said when it failed."""

    def run(*words: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main([*words, *(["--json"] if code == 0 else [])]) == code
        out, err = capsys.readouterr()
        return [json.loads(line) for line in out.splitlines()] if code == 0 else err

    return run


def runs(path: Path) -> list[str]:
    """The runs of a store."""
    store = open_store(path)
    try:
        return [each.uid for each in store.all_runs()]
    finally:
        store.close()


def test_a_move_takes_all_and_needs_an_empty_place(home: Path, typed: Run, tmp_path: Path) -> None:
    """The new store has the same runs, is healthy, and is not filled a second time."""
    new = tmp_path / "new.db"
    (told,) = typed("db", "migrate-to", str(new))
    assert told["problems"] == []
    assert told["rows"]["run"] == 1
    assert runs(new) == runs(home / "weft.db")
    assert "W3110" in typed("db", "migrate-to", str(new), code=1)
    assert "memory" in typed("db", "migrate-to", "memory:", code=2)


@pytest.mark.parametrize("portable", [True, False])
def test_a_backup_is_restored(home: Path, typed: Run, tmp_path: Path, portable: bool) -> None:
    """What came after the backup is gone with it; without --yes nothing is."""
    file = tmp_path / "backup"
    typed("db", "backup", str(file), *(["--portable"] if portable else []))
    assert "--yes" in typed("db", "backup", str(file), code=2)
    kept = runs(home / "weft.db")
    main(["variables", "set", "later", "1"])
    assert "--yes" in typed("db", "restore", str(file), code=2)
    assert len(typed("variables", "list")) == 1
    typed("db", "restore", str(file), "--yes")
    assert typed("variables", "list") == []
    assert runs(home / "weft.db") == kept
    assert main(["verify"]) == 0


def test_what_is_no_backup_is_refused(home: Path, typed: Run, tmp_path: Path) -> None:
    """A file of another kind, and none at all, change nothing."""
    other = tmp_path / "other"
    other.write_bytes(b"text")
    assert "W3104" in typed("db", "restore", str(other), "--yes", code=1)
    assert "W1001" in typed("db", "restore", str(tmp_path / "none"), "--yes", code=3)
    assert len(runs(home / "weft.db")) == 1


def test_a_store_that_engines_use_is_not_moved(home: Path, typed: Run, tmp_path: Path) -> None:
    """Unless that is said; what they do afterwards would be left behind."""
    store = open_store(home / "weft.db")
    now = time.time()
    store.open_engine(
        name="busy", host="elsewhere", pid=1, process_started="1", at=now, expires_at=now + 1000
    )
    new = str(tmp_path / "new.db")
    assert "1 engine at work: busy" in typed("db", "migrate-to", new, code=1)
    (told,) = typed("db", "migrate-to", new, "--force")
    assert told["rows"]["run"] == 1
    store.close()


def test_results_of_deleted_runs_go(home: Path, typed: Run) -> None:
    """Collected are those that nothing refers to and that are old, and a dry run tells of them."""
    folder = home / "artifacts"
    files = list(folder.glob("??/*"))
    old = time.time() - 2 * GRACE_S
    for each in files:
        os.utime(each, (old, old))
    assert typed("db", "gc")[0]["removed"] == 0
    main(["runs", "delete", *runs(home / "weft.db"), "--yes"])
    assert typed("db", "gc", "--dry-run")[0]["removed"] == len(files) >= 2
    assert all(each.exists() for each in files)
    assert typed("db", "gc")[0]["removed"] == len(files)
    assert not any(each.exists() for each in files)
    assert "too short" in typed("db", "gc", "--grace", "1", code=2)


def test_damage_is_found(home: Path, typed: Run) -> None:
    """A result whose bytes changed is told of when results are read."""
    assert main(["db", "check", "--artifacts"]) == 0
    file = next((home / "artifacts").glob("??/*"))
    file.chmod(0o600)
    file.write_bytes(b"other")
    assert main(["db", "check"]) == 0
    assert main(["db", "check", "--artifacts"]) == 1


def test_info_tells_what_there_is(home: Path, typed: Run) -> None:
    """Kind, schema, rows and results."""
    (told,) = typed("db", "info")
    assert (told["kind"], told["rows"]["run"], told["results"]) == (
        "sqlite",
        1,
        len(list(home.glob("artifacts/??/*"))),
    )


def test_status_tells_of_failures_and_of_what_is_late(
    weft: Weft, home: Path, typed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs that failed are shown; an event that nobody looks at needs somebody."""
    monkeypatch.setenv("WEFT_PORT", "9")
    weft.open()
    with pytest.raises(ValueError, match="boom"):
        broken()
    weft.close()
    (told,) = typed("status")
    assert told["server"]["answers"] is False
    assert (told["engines"], told["runs"], told["warnings"]) == ([], {}, [])
    assert "boom" in told["failed"][0]["error"]
    monkeypatch.setattr("weft.cli.events.SystemClock", _Past)
    main(["events", "send", "x"])
    assert main(["status"]) == 1


class _Past:
    """A clock of an hour ago."""

    def now(self) -> float:
        return time.time() - 3600


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:secret@h:5/db?schema=s", "postgresql://me@h:5/db?schema=s"),
        ("postgresql://h/db?password=secret&user=me", "postgresql://h/db?user=me"),
        ("/var/weft.db", "/var/weft.db"),
    ],
)
def test_passwords_are_not_shown(url: str, told: str) -> None:
    """A store's name for people has none."""
    assert shown(url) == told
