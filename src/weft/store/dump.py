"""A store as one file that any database can be filled from: backups of PostgreSQL, and moves through a file.

The file is a line that names it, and then a gzip stream of frames, each a length and as much msgpack: a
header (counters, and each table's columns and number of rows), batches of rows in the order of
``tables.TABLES``, and an end with each table's digest, so that a file that was cut or changed is noticed
before anything is kept.
"""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import Any

import msgspec

from weft.model.errors import NotFound, StoreCorrupt, StoreError, StoreFull, StoreReadOnly, StoreTooNew
from weft.store.tables import TABLES, Table
from weft.store.transfer import Counters, Progress, Row, Source

MAGIC = b"WEFT DUMP\n"
FORMAT = 1

_LENGTH = Struct(">I")
_LEVEL = 3
_FULL = 28
"""``ENOSPC``."""


class Contents(msgspec.Struct, frozen=True):
    """What a dump has of a table."""

    columns: tuple[str, ...]
    rows: int


class Header(msgspec.Struct, frozen=True, tag="header", kw_only=True):
    """The first frame."""

    format: int
    weft: str
    at: float
    counters: Counters
    tables: dict[str, Contents]


class Rows(msgspec.Struct, frozen=True, tag="rows", array_like=True):
    """A batch of a table's rows."""

    table: str
    rows: list[tuple[Any, ...]]


class End(msgspec.Struct, frozen=True, tag="end"):
    """The last frame: each table's digest."""

    digests: dict[str, str]


_encode = msgspec.msgpack.Encoder().encode
_decode_header = msgspec.msgpack.Decoder(Header).decode
_decode_rows = msgspec.msgpack.Decoder(Rows).decode
_decode_end = msgspec.msgpack.Decoder(End).decode


def write_dump(
    source: Source, path: Path, *, weft: str, at: float, progress: Progress = lambda *_: None
) -> dict[str, int]:
    """Write a store into a new file, which appears under its name when it is whole.

    Args:
        source: The store at one instant.
        path: The file.
        weft: Version of Weft.
        at: The time.
        progress: Told how far it is.

    Returns:
        How many rows each table has.

    Raises:
        StoreFull, StoreReadOnly, StoreError: It cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Results and sealed secrets are in it: only its owner may read it.
        with open(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(MAGIC)
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
                counts = _write(packed, source, weft, at, progress)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except OSError as exc:
        kind = StoreFull if exc.errno == _FULL else StoreReadOnly if file_is_refused(exc) else StoreError
        raise kind(f"the backup cannot be written: {exc.strerror}", where=str(path)) from exc
    finally:
        fresh.unlink(missing_ok=True)
    return counts


def file_is_refused(exc: OSError) -> bool:
    """Whether the place, and not the disk, is at fault."""
    return isinstance(exc, PermissionError | FileNotFoundError | NotADirectoryError | FileExistsError)


def _write(file: gzip.GzipFile, source: Source, weft: str, at: float, progress: Progress) -> dict[str, int]:
    tables = {each.name: Contents(tuple(source.columns(each)), source.count(each)) for each in TABLES}
    header = Header(format=FORMAT, weft=weft, at=at, counters=source.counters(), tables=tables)
    _put(file, header)
    digests: dict[str, str] = {}
    for table in TABLES:
        digest, done = hashlib.sha256(), 0
        for batch in source.rows(table):
            body = _encode(Rows(table.name, batch))
            digest.update(body)
            file.write(_LENGTH.pack(len(body)) + body)
            done += len(batch)
            progress(table.name, done, tables[table.name].rows)
        digests[table.name] = digest.hexdigest()
    _put(file, End(digests))
    return {name: each.rows for name, each in tables.items()}


def _put(file: gzip.GzipFile, frame: Header | End) -> None:
    body = _encode(frame)
    file.write(_LENGTH.pack(len(body)) + body)


def is_dump(path: Path) -> bool:
    """Whether a file begins as a dump does."""
    return _begins(path, MAGIC)


def is_sqlite(path: Path) -> bool:
    """Whether a file begins as an SQLite database does (https://www.sqlite.org/fileformat.html)."""
    return _begins(path, b"SQLite format 3\0")


def _begins(path: Path, magic: bytes) -> bool:
    """Raises ``NotFound`` if there is no such file."""
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as exc:
        raise NotFound(f"the file cannot be read: {exc.strerror}", where=str(path)) from exc


class Dump:
    """``transfer.Source`` over a dump. Its tables can be read once, in the order of ``TABLES``.

    Attributes:
        header: What it says of itself.
    """

    def __init__(self, file: gzip.GzipFile, where: str) -> None:
        self._file = file
        self._where = where
        self._frame: bytes = b""
        self._digests: dict[str, str] = {}
        body = self._next()
        try:
            self.header = _decode_header(body)
        except msgspec.MsgspecError as exc:
            raise self._damaged() from exc
        if self.header.format > FORMAT:
            raise StoreTooNew(
                f"the dump has format {self.header.format}, this Weft knows {FORMAT}",
                where=where,
                hint="use the newer Weft that wrote it",
            )
        self._frame = self._next()

    def counters(self) -> Counters:
        """See ``Source.counters``."""
        return self.header.counters

    def columns(self, table: Table) -> Sequence[str]:
        """See ``Source.columns``. A table that an older Weft did not have is empty."""
        found = self.header.tables.get(table.name)
        return table.columns if found is None else found.columns

    def count(self, table: Table) -> int:
        """See ``Source.count``."""
        found = self.header.tables.get(table.name)
        return 0 if found is None else found.rows

    def rows(self, table: Table) -> Iterator[list[Row]]:
        """See ``Source.rows``."""
        digest = hashlib.sha256()
        while True:
            try:
                batch = _decode_rows(self._frame)
            except msgspec.MsgspecError:
                break  # The end.
            if batch.table != table.name:
                break
            digest.update(self._frame)
            yield batch.rows
            self._frame = self._next()
        self._digests[table.name] = digest.hexdigest()
        if table.name == TABLES[-1].name:
            self._check_end()

    def _check_end(self) -> None:
        """The last frame must be there, and tell of what was read."""
        try:
            promised = _decode_end(self._frame).digests
        except msgspec.MsgspecError as exc:
            raise self._damaged() from exc
        if any(self._digests.get(name) != digest for name, digest in promised.items()):
            raise self._damaged()

    def _next(self) -> bytes:
        try:
            head = self._file.read(_LENGTH.size)
            size = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else -1
            body = self._file.read(size) if size >= 0 else b""
        except (OSError, EOFError, zlib.error) as exc:
            raise self._damaged() from exc
        if len(body) != size:
            raise self._damaged()
        return body

    def _damaged(self) -> StoreCorrupt:
        return StoreCorrupt(
            "the backup is cut or damaged", where=self._where, hint="nothing was changed; use another one"
        )


@contextmanager
def open_dump(path: Path) -> Iterator[Dump]:
    """A dump as a source.

    Raises:
        StoreCorrupt: It is none, or damaged; which may show only when its end is read.
        StoreTooNew: A newer Weft wrote it.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise StoreCorrupt("this is no backup of a Weft store", where=str(path))
        with gzip.GzipFile(fileobj=file, mode="rb") as packed:
            yield Dump(packed, str(path))
