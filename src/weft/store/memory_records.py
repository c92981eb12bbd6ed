"""Records in memory."""

import threading
from collections.abc import Sequence

from msgspec.structs import replace

from weft.store.protocol import Record, Write
from weft.store.query import ASCII_LOWER
from weft.store.records import conflict


class MemoryRecords:
    """The part of ``Store`` that keeps records."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._revision = 0
        self._records_lock = threading.Lock()

    def record(self, kind: str, name: str) -> Record | None:
        """See ``Reader.record``."""
        with self._records_lock:
            found = self._records.get((kind, name))
            return None if found is None else replace(found)

    def records(self, kind: str, *, prefix: str = "", after: str = "", limit: int = 1000) -> list[Record]:
        """See ``Reader.records``."""
        with self._records_lock:
            found = [
                each
                for each in self._records.values()
                if each.kind == kind and each.name.startswith(prefix) and each.name > after
            ]
            found.sort(key=lambda each: each.name.encode())
            return [replace(each) for each in found[: max(limit, 0)]]

    def last_records(
        self, kind: str, *, prefix: str = "", before: str = "", limit: int = 1000
    ) -> list[Record]:
        """See ``Reader.last_records``."""
        with self._records_lock:
            found = [
                each
                for each in self._records.values()
                if each.kind == kind and each.name.startswith(prefix) and (not before or each.name < before)
            ]
            found.sort(key=lambda each: each.name.encode(), reverse=True)
            return [replace(each) for each in found[: max(limit, 0)]]

    def some_records(self, kind: str, names: Sequence[str]) -> list[Record]:
        """See ``Reader.some_records``."""
        with self._records_lock:
            found = [self._records.get((kind, name)) for name in sorted(set(names), key=str.encode)]
            return [replace(each) for each in found if each is not None]

    def names_with(self, kind: str, text: str, *, limit: int) -> list[str]:
        """See ``Reader.names_with``."""
        with self._records_lock:
            names = [name for of, name in self._records if of == kind]
        found = [(name.translate(ASCII_LOWER).find(text), name.encode(), name) for name in names]
        return [name for at, _, name in sorted(found) if at >= 0][: max(limit, 0)]

    def due(self, kind: str, *, before: float, limit: int = 100) -> list[Record]:
        """See ``Reader.due``."""
        with self._records_lock:
            found = [
                (each.due_at, each.name.encode(), each)
                for each in self._records.values()
                if each.kind == kind and each.due_at is not None and each.due_at <= before
            ]
            found.sort(key=lambda each: each[:2])
            return [replace(each) for _, _, each in found[: max(limit, 0)]]

    def write(self, writes: Sequence[Write], *, at: float) -> list[int]:
        """See ``Store.write``."""
        with self._records_lock:
            new = dict(self._records)
            revision = self._revision
            revisions: list[int] = []
            for each in writes:
                identity = each.kind, each.name
                before = new.get(identity)
                found = 0 if before is None else before.revision
                if each.expect is not None and each.expect != found:
                    raise conflict(each, found)
                revision += 1
                revisions.append(revision)
                if each.body is None:
                    new.pop(identity, None)
                else:
                    new[identity] = Record(
                        kind=each.kind,
                        name=each.name,
                        body=each.body,
                        revision=revision,
                        at=at,
                        due_at=each.due_at,
                    )
            self._records, self._revision = new, revision
            return revisions
