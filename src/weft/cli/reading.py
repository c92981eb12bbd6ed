"""What reading commands open: the store and the results, without an engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.model.errors import NotFound, UsageError
from weft.model.rows import RunRow, TaskRow
from weft.settings import Settings, load_settings
from weft.store.open import open_store
from weft.store.protocol import Store

PAGE = 1000


class Home:
    """Weft's folder as a reader sees it.

    Attributes:
        settings: Those in force.
        store: Where runs live.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store: Store = open_store(settings.store_url, durability=settings.durability)

    @cached_property
    def artifacts(self) -> Artifacts:
        """The results. Not trusted: a list of runs must not run what a pickle says."""
        return Artifacts(FileBlobs(self.settings.home_path / "artifacts"), trusted=False)

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


@contextmanager
def home() -> Iterator[Home]:
    """Open Weft's folder for the length of a command."""
    opened = Home(load_settings())
    try:
        yield opened
    finally:
        opened.store.close()
