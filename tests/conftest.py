"""Fixtures for tests that run workflows in this process."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_weft import Said, Weft
from postgres_server import PostgresElsewhere, PostgresServer, open_postgres

from weft.embedded import close_host
from weft.engine.verify import verify


def pytest_configure() -> None:
    """Hear Ctrl-C even if a shell started this in the background; processes of the tests inherit it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Put the environment back: the command line's ``--quiet`` and others set it for their process."""
    before = dict(os.environ)
    yield
    # Pytest itself sets and drops this one around each phase of a test.
    kept = os.environ.get("PYTEST_CURRENT_TEST")
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)
    if kept is not None:
        os.environ["PYTEST_CURRENT_TEST"] = kept


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer | PostgresElsewhere]:
    """A PostgreSQL database for the whole session; its ``url()`` is a new, empty store's."""
    made = open_postgres()
    yield made
    made.close()
