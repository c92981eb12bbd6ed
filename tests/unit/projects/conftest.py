"""Fixtures for tests of projects."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from project_home import Home

from weft.projects.discover import Discoverer


@pytest.fixture(scope="session")
def discoverer() -> Iterator[Discoverer]:
    """Processes that load files, for all tests: starting them is what takes longest."""
    with Discoverer(2) as made:
        yield made


@pytest.fixture
def home(tmp_path: Path, discoverer: Discoverer) -> Home:
    """A home of the test's own."""
    return Home(tmp_path, discoverer)
