"""Fixtures for tests of workflows. Pytest loads this everywhere, so it imports nothing of Weft by itself."""

from pathlib import Path

import pytest


@pytest.fixture
def weft_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``WEFT_HOME`` of the test's own: no run, cache record or setting of another one is seen."""
    home = tmp_path / "weft-home"
    home.mkdir()
    monkeypatch.setenv("WEFT_HOME", str(home))
    return home
