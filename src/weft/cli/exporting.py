"""``weft runs export``: everything the store has of a run, as JSON lines that need no Weft to be read."""

import sys
from typing import Any, TextIO

import msgspec

from weft.cli.outcome import whole
from weft.cli.reading import Home
from weft.cli.style import say
from weft.model.errors import StoreReadOnly
from weft.model.rows import RunRow
from weft.runtime.logs import log_path

FORMAT = 1
_PAGE = 5000
_encoder = msgspec.json.Encoder()


def write(opened: Home, row: RunRow, output: str) -> None:
    """Write the run to a file, or to standard output for ``-``.

    Lines are objects with a ``kind``: ``export`` (the first), ``run``, ``graph``, ``node``, ``event``,
    ``published`` and ``log``.
    """
    if output == "-":
        _write(opened, row, sys.stdout)
        return
    try:
        with open(output, "w", encoding="utf-8") as file:
            lines = _write(opened, row, file)
    except OSError as exc:
        raise StoreReadOnly(f"the export cannot be written: {exc.strerror}", where=output) from exc
    say(f"{lines:,} lines in {output}")


def _write(opened: Home, row: RunRow, file: TextIO) -> int:
    store = opened.store
    lines = 0

    def put(kind: str, **fields: Any) -> None:
        nonlocal lines
        lines += 1
        file.write(_encoder.encode({"kind": kind, **fields}).decode() + "\n")

    put("export", format=FORMAT, id=row.uid)
    put("run", **whole(row, store, opened.artifacts), facts=msgspec.to_builtins(row.facts, str_keys=True))
    put("graph", digest=row.graph, graph=store.graph(row.graph))
    for digest, node in store.nodes(row.run).items():
        put("node", digest=digest, node=node)
    after = 0
    while events := store.events(row.run, after=after, limit=_PAGE):
        for each in events:
            put("event", seq=each.seq, idx=each.idx, at=each.at, change=each.change)
        after = events[-1].seq
    for shown in store.published(row.run):
        put("published", idx=shown.idx, attempt=shown.attempt, at=shown.at, published=shown.published)
    for idx, attempt in opened.logs(row):
        path = log_path(opened.settings.home_path, row.uid, idx, attempt)
        put("log", idx=idx, attempt=attempt, text=path.read_text(encoding="utf-8", errors="replace"))
    return lines
