"""What reading commands open: the store and the results, without an engine, here or at a service elsewhere.

``home`` opens the store on this machine, and ``anywhere`` also a service's (``--server``): commands that work
with both ask the same questions of either. The few things that are no questions to a store go through
``Home.service`` or a method of ``Home`` that ``there.ThereHome`` has too.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.model.errors import NotFound, NotRemote, UsageError
from weft.model.rows import RunRow, TaskRow
from weft.settings import Settings, load_settings
from weft.store.open import open_store
from weft.store.protocol import Store

if TYPE_CHECKING:
    from weft.client import Client

PAGE = 1000


class Home:
    """Weft's folder as a reader sees it.

    Attributes:
        settings: Those in force.
        store: Where runs live.
        service: The service that is asked instead of a store; ``None`` is this machine.
    """

    service: "Client | None" = None

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store: Store = open_store(settings.store_url, durability=settings.durability)

    @cached_property
    def artifacts(self) -> Artifacts:
        """The results. Not trusted: a list of runs must not run what a pickle says."""
        return Artifacts(FileBlobs(self.settings.home_path / "artifacts"), trusted=False)

    @property
    def me(self) -> str:
        """Who asks."""
        return me()

    def logs(self, run: RunRow) -> list[tuple[int, int]]:
        """Index and attempt of every log that a run has, in order of their beginning."""
        found = []
        for path in (self.settings.home_path / "logs" / run.uid).glob("*.log"):
            idx, dot, attempt = path.stem.partition(".")
            if dot and idx.isdecimal() and attempt.isdecimal():
                found.append((path.stat().st_ctime_ns, int(idx), int(attempt)))
        return [(idx, attempt) for _, idx, attempt in sorted(found)]

    def lines(
        self, run: RunRow, idx: int, attempt: int, at: int, *, whole: bool
    ) -> Iterator[tuple[str, int]]:
        """The lines of a log after a place, each with the place to go on from.

        Args:
            run, idx, attempt: Whose log.
            at: The place; 0 is the beginning.
            whole: Also a line that has no end yet.
        """
        from weft.runtime.logs import log_path  # noqa: PLC0415 - only logs need it

        return _lines(log_path(self.settings.home_path, run.uid, idx, attempt), at, whole=whole)

    def forget(self, runs: Sequence[RunRow]) -> int:
        """Delete ended runs with their logs; returns how many."""
        import shutil  # noqa: PLC0415 - only this needs it

        deleted = self.store.delete_runs([each.run for each in runs])
        for each in runs:
            shutil.rmtree(self.settings.home_path / "logs" / each.uid, ignore_errors=True)
        return deleted

    def tasks(self, run: int, where: str = "", *, parent: int | None = None) -> Iterator[TaskRow]:
        """Every task run that a query picks, page by page."""
        after = -1
        while rows := self.store.tasks(run, where, after=after, limit=PAGE, parent=parent):
            yield from rows
            after = rows[-1].idx
            if len(rows) < PAGE:
                return

    def task(self, run: RunRow, ref: str) -> TaskRow:
        """A task run by its key, its number, or the only one of a task's name.

        Raises:
            NotFound: There is none.
            UsageError: There are several of that name.
        """
        try:
            return self.store.task_by_key(run.run, ref)
        except NotFound as missing:
            if ref.isdecimal():
                return self.store.task(run.run, int(ref))
            if '"' in ref or "*" in ref:
                raise
            found = self.store.tasks(run.run, f'name:"{ref}"', limit=3)
            if not found:
                near = self._near(run, ref)
                hint = f"did you mean {near!r}?" if near else f"list them: weft tasks list {run.uid}"
                raise NotFound(f"run {run.uid} has no task run {ref!r}", where=ref, hint=hint) from missing
        if len(found) > 1:
            keys = ", ".join(each.key for each in found[:2])
            raise UsageError(
                f"task {ref!r} has more than one task run", where=run.uid, hint=f"name one: {keys}..."
            )
        return found[0]

    def _near(self, run: RunRow, ref: str) -> str:
        import difflib  # noqa: PLC0415 - only a mistake needs it

        names = {name for row in self.store.tasks(run.run, limit=PAGE) for name in (row.key, row.name)}
        return next(iter(difflib.get_close_matches(ref, sorted(names), n=1)), "")


def me() -> str:
    """Who asks, on this machine."""
    import getpass  # noqa: PLC0415 - only what changes something needs it

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _lines(path: Path, at: int, *, whole: bool) -> Iterator[tuple[str, int]]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(at)
        for data in file:
            if not data.endswith(b"\n") and not whole:
                return
            at += len(data)
            yield data.decode("utf-8", "replace").rstrip("\r\n"), at


def settings_here() -> Settings:
    """The settings, for a command that works on this machine only.

    Raises:
        NotRemote: A service elsewhere was asked for.
    """
    settings = load_settings()
    if settings.server:
        raise NotRemote(
            "this command works on the machine of the store, not through a service",
            where=settings.server,
            hint="type it there, without --server and with WEFT_SERVER unset",
        )
    return settings


@contextmanager
def home() -> Iterator[Home]:
    """Open Weft's folder for the length of a command.

    Raises:
        NotRemote: A service elsewhere was asked for.
    """
    opened = Home(settings_here())
    try:
        yield opened
    finally:
        opened.store.close()


@contextmanager
def anywhere() -> Iterator[Home]:
    """Open Weft's folder, or the service that ``--server`` names, for the length of a command."""
    settings = load_settings()
    if settings.server:
        from weft.cli.there import ThereHome  # noqa: PLC0415 - brings the HTTP client

        opened: Home = ThereHome(settings, settings.server)
    else:
        opened = Home(settings)
    try:
        yield opened
    finally:
        opened.store.close()
