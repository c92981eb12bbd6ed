"""Records as structs: one typed collection for each kind.

A kind of record is a name and a msgspec struct. Whoever keeps records makes a ``Collection`` of its kind and
never meets bytes. A struct may gain fields with defaults; a reader ignores the fields that it does not know.
"""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from weft.model.errors import Conflict, NotFound, StoreCorrupt
from weft.store.protocol import Reader, Record, Store, Write

T = TypeVar("T", bound=msgspec.Struct)

PAGE = 1000
"""Records read at once."""


class Entry(msgspec.Struct, Generic[T], frozen=True):
    """A record with its body opened.

    Attributes:
        name: Unique in its kind.
        value: The body.
        revision: For ``expect`` of the next write, and as an ETag.
        at: When it was last written, Unix seconds.
        due_at: When somebody has to look at it.
    """

    name: str
    value: T
    revision: int
    at: float
    due_at: float | None = None


class Collection(Generic[T]):
    """The records of one kind.

    Args:
        kind: Its name in the store.
        shape: The struct of its bodies.
    """

    def __init__(self, kind: str, shape: type[T]) -> None:
        self.kind = kind
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(shape).decode

    def get(self, store: Reader, name: str) -> Entry[T] | None:
        """The record of this name; ``None`` if there is none."""
        found = store.record(self.kind, name)
        return None if found is None else self._open(found)

    def some(self, store: Reader, names: Sequence[str]) -> dict[str, Entry[T]]:
        """Those of these names that there are, in one question."""
        return {each.name: self._open(each) for each in store.some_records(self.kind, names)}

    def require(self, store: Reader, name: str) -> Entry[T]:
        """The record of this name.

        Raises:
            NotFound: There is none.
        """
        found = self.get(store, name)
        if found is None:
            raise NotFound(f"there is no {self.kind} {name!r}", where=name)
        return found

    def page(self, store: Reader, *, prefix: str = "", after: str = "", limit: int = PAGE) -> list[Entry[T]]:
        """By name; ``after`` is the last name of the page before."""
        found = store.records(self.kind, prefix=prefix, after=after, limit=limit)
        return [self._open(each) for each in found]

    def last_page(
        self, store: Reader, *, prefix: str = "", before: str = "", limit: int = PAGE
    ) -> list[Entry[T]]:
        """By name, the last first; ``before`` is the last name of the page before."""
        found = store.last_records(self.kind, prefix=prefix, before=before, limit=limit)
        return [self._open(each) for each in found]

    def all(self, store: Reader, *, prefix: str = "") -> Iterator[Entry[T]]:
        """Every one, by name, read in pages."""
        after = ""
        while found := self.page(store, prefix=prefix, after=after):
            yield from found
            after = found[-1].name

    def due(self, store: Reader, *, before: float, limit: int = 100) -> list[Entry[T]]:
        """Those that somebody has to look at, the earliest first."""
        return [self._open(each) for each in store.due(self.kind, before=before, limit=limit)]

    def put(self, name: str, value: T, *, due_at: float | None = None, expect: int | None = None) -> Write:
        """The write of one record, for ``Store.write``; see ``Write``."""
        return Write(kind=self.kind, name=name, body=self._encode(value), due_at=due_at, expect=expect)

    def drop(self, name: str, *, expect: int | None = None) -> Write:
        """The write that deletes one record, for ``Store.write``."""
        return Write(kind=self.kind, name=name, body=None, expect=expect)

    def save(
        self,
        store: Store,
        name: str,
        value: T,
        *,
        at: float,
        due_at: float | None = None,
        expect: int | None = None,
    ) -> Entry[T]:
        """Write one record. Raises ``Conflict`` if its revision is not ``expect``."""
        (revision,) = store.write([self.put(name, value, due_at=due_at, expect=expect)], at=at)
        return Entry(name, value, revision, at, due_at)

    def delete(self, store: Store, names: Sequence[str], *, at: float) -> None:
        """Forget records; those that are not there are no error."""
        store.write([self.drop(name) for name in names], at=at)

    def _open(self, record: Record) -> Entry[T]:
        try:
            value = self._decode(record.body)
        except msgspec.MsgspecError as exc:
            raise StoreCorrupt(
                f"the {record.kind} {record.name!r} cannot be read: {exc}",
                hint="a newer Weft may have written it: use that one, or write it again",
            ) from exc
        return Entry(record.name, value, record.revision, record.at, record.due_at)


def conflict(write: Write, found: int) -> Conflict:
    """The error of a write that expected another revision than ``found`` (0: no record)."""
    what = "is gone" if not found else "exists already" if write.expect == 0 else "was changed meanwhile"
    return Conflict(
        f"{write.kind} {write.name!r} {what}",
        hint="read it again, and decide anew",
        expected=write.expect,
        found=found,
    )
