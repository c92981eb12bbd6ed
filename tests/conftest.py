"""Fixtures for tests that run workflows in this process."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_weft import Said, Weft

from weft.embedded import close_host
from weft.engine.verify import verify


@pytest.fixture
def weft(tmp_path: Path) -> Iterator[Weft]:
    """A Weft of the test's own, opened when it is first used. Its store must be healthy in the end."""
    made = Weft(tmp_path / "home")
    close_host()
    made.open()
    try:
        yield made
        if not made.broken:
            assert verify(made.host.store, blobs=made.host.artifacts.blobs) == []
    finally:
        with contextlib.suppress(Exception if made.broken else ()):
            close_host()


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """A list in a file, for what tasks of any process want to tell."""
    return Said(tmp_path / "said")
