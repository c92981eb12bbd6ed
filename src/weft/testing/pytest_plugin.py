"""Fixtures for tests of workflows. Pytest loads this everywhere, so it imports nothing of Weft by itself."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def weft_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A ``WEFT_HOME`` of the test's own: no run, cache record or setting of another one is seen."""
    home = tmp_path / "weft-home"
    home.mkdir()
    monkeypatch.setenv("WEFT_HOME", str(home))
    _close_host()
    yield home
    _close_host()


def _close_host() -> None:
    """Let the next workflow open an engine of its own; none is open unless the module was loaded."""
    embedded = sys.modules.get("weft.embedded")
    if embedded is not None:
        embedded.close_host()
