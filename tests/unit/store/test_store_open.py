"""Which store a name means."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weft.model.errors import UsageError
from weft.store.memory import MemoryStore
from weft.store.open import open_store
from weft.store.sqlite import SqliteStore


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_path_is_an_sqlite_file(tmp_path: Path, form: str) -> None:
    """Plain, or as a URL with four slashes; the folder is made."""
    path = tmp_path / "some" / "weft.db"
    store = open_store(form.format(path))
    assert isinstance(store, SqliteStore)
    assert store.path == path
    assert path.exists()
    store.close()


def test_a_url_with_three_slashes_is_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in every other tool that takes such URLs."""
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///weft.db", durability="relaxed").close()
    assert os.listdir(tmp_path) == ["weft.db"]


def test_memory_and_no_durability_keep_nothing(tmp_path: Path) -> None:
    """Neither touches the disk."""
    assert isinstance(open_store("memory:"), MemoryStore)
    assert isinstance(open_store(tmp_path / "weft.db", durability="none"), MemoryStore)
    assert isinstance(open_store("postgresql://nowhere/weft", durability="none"), MemoryStore)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("url", "durability", "told"),
    [
        ("mysql://db/weft", "full", "postgresql://"),
        ("mysql://db", "none", "sqlite:///PATH"),
        ("sqlite://weft.db", "full", "sqlite:///PATH"),
        ("sqlite:///", "full", "memory:"),
        ("", "full", "memory:"),
        ("weft.db", "fast", "relaxed"),
        ("memory:", "fast", "relaxed"),
    ],
)
def test_what_is_not_supported_is_told_with_what_is(url: str, durability: str, told: str) -> None:
    """The error names the forms that work."""
    with pytest.raises(UsageError) as caught:
        open_store(url, durability=durability)
    assert told in caught.value.hint


def test_opening_loads_only_what_it_needs(tmp_path: Path) -> None:
    """A run in a file does not pay for the memory store, nor for the query language."""
    code = (
        "import sys; from weft.store.open import open_store\n"
        f"store = open_store({str(tmp_path / 'weft.db')!r}); store.runs()\n"
        "others = {'weft.store.memory', 'weft.store.query', 'sqlite3', 'psycopg', 'asyncio'}\n"
        "print(sorted(set(sys.modules) & others))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_the_driver_it_is_told_what_to_install() -> None:
    """The driver is an extra: who keeps to SQLite has none."""
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from weft.store.open import open_store\n"
        "try: open_store('postgres://db/weft')\n"
        "except Exception as exc: print(exc.code, exc.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "W1000 install it: pip install 'weft[postgres]'\n"
