"""Fixtures for tests of notifications."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from notified import Receiver, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A store and what watches over it."""
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web service that takes everything."""
    made = Receiver()
    yield made
    made.close()
