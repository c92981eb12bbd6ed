"""What people add to runs and task runs: a note and tags. Nothing in an engine reads them."""

import msgspec

ANNOTATION = "annotation"
"""The kind of record. Its name is the run's public id, and for a task run ``/`` and its index after that."""


class Annotation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A person's addition.

    Attributes:
        note: Markdown.
        tags: Beside those that the run was submitted with.
        by: Who wrote it last.
    """

    note: str = ""
    tags: tuple[str, ...] = ()
    by: str = ""


def annotation_name(run: str, idx: int | None = None) -> str:
    """The record's name for a run, or for one of its task runs."""
    return run if idx is None else f"{run}/{idx}"
