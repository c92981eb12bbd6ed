"""The records of one transaction in the making: what was read, and what shall be written.

Whatever was read before it is written is written on the condition that it is still so, which is what lets
several processes decide beside each other.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec

from weft.store.protocol import Reader, Write
from weft.store.records import Collection, Entry

T = TypeVar("T", bound=msgspec.Struct)


class Kept(NamedTuple):
    """A record's value as it will be, or is."""

    value: Any
    due_at: float | None


class Book:
    """See the module.

    Args:
        store: Where records are read.
    """

    def __init__(self, store: Reader) -> None:
        self.store = store
        self._read: dict[tuple[str, str], Entry[Any] | None] = {}
        self._new: dict[tuple[str, str], tuple[Collection[Any], Kept | None]] = {}

    def get(self, of: Collection[T], name: str) -> Kept | None:
        """The record as it will be."""
        identity = of.kind, name
        if identity in self._new:
            return self._new[identity][1]
        if identity not in self._read:
            self._read[identity] = of.get(self.store, name)
        entry = self._read[identity]
        return None if entry is None else Kept(entry.value, entry.due_at)

    def under(self, of: Collection[T], prefix: str) -> Iterator[tuple[str, Kept]]:
        """Every record whose name begins so, as it will be."""
        for entry in of.all(self.store, prefix=prefix):
            self._read.setdefault((of.kind, entry.name), entry)
        names = {
            name: None
            for kind, name in (*self._read, *self._new)
            if kind == of.kind and name.startswith(prefix)
        }
        for name in names:
            kept = self.get(of, name)
            if kept is not None:
                yield name, kept

    def put(self, of: Collection[T], name: str, value: T, *, due_at: float | None = None) -> None:
        """Write it."""
        self._new[of.kind, name] = of, Kept(value, due_at)

    def drop(self, of: Collection[T], name: str) -> None:
        """Delete it."""
        self._new[of.kind, name] = of, None

    def expect(self, of: Collection[T], entry: Entry[T]) -> None:
        """Remember that it was read as ``entry``."""
        self._read[of.kind, entry.name] = entry

    def writes(self) -> list[Write]:
        """The transaction."""
        made: list[Write] = []
        for identity, (of, kept) in self._new.items():
            expect: int | None = None
            if identity in self._read:
                entry = self._read[identity]
                expect = 0 if entry is None else entry.revision
            if kept is not None:
                made.append(of.put(identity[1], kept.value, due_at=kept.due_at, expect=expect))
            elif expect != 0:
                made.append(of.drop(identity[1], expect=expect))
        return made
