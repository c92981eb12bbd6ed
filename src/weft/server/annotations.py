"""Reading and writing what people add to runs and task runs."""

from collections.abc import Iterable, Sequence

from weft.model.annotations import ANNOTATION, Annotation, annotation_name
from weft.store.protocol import Reader, Store
from weft.store.records import Collection

ANNOTATIONS = Collection(ANNOTATION, Annotation)


def annotation_of(store: Reader, run: str, idx: int | None = None) -> Annotation | None:
    """What people added to a run or a task run."""
    entry = ANNOTATIONS.get(store, annotation_name(run, idx))
    return None if entry is None else entry.value


def of_runs(store: Reader, runs: Sequence[str]) -> dict[str, Annotation]:
    """What people added to these runs, read in one go: ids of runs that are listed together lie together."""
    if not runs:
        return {}
    first, last = min(runs), max(runs)
    found: dict[str, Annotation] = {}
    after = first[:-1]
    while entries := ANNOTATIONS.page(store, after=after):
        found |= {entry.name: entry.value for entry in entries if entry.name <= last}
        after = entries[-1].name
        if after > last:
            break
    return {run: found[run] for run in runs if run in found}


def annotate(
    store: Store,
    run: str,
    idx: int | None,
    *,
    note: str | None,
    tags: tuple[str, ...] | None,
    by: str,
    at: float,
) -> Annotation:
    """Change what people added; ``None`` leaves a part as it is."""
    name = annotation_name(run, idx)
    before = ANNOTATIONS.get(store, name)
    old = before.value if before is not None else Annotation()
    new = Annotation(note=old.note if note is None else note, tags=old.tags if tags is None else tags, by=by)
    ANNOTATIONS.save(store, name, new, at=at, expect=before.revision if before is not None else 0)
    return new


def forget(store: Store, runs: Iterable[str], *, at: float) -> None:
    """Drop what people added to runs that are deleted, and to their task runs."""
    for run in runs:
        names = [entry.name for entry in ANNOTATIONS.all(store, prefix=run)]
        if names:
            ANNOTATIONS.delete(store, names, at=at)
