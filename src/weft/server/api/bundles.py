"""Bundles: a run with everything, out of one store and into another."""

from typing import Any

from anyio import to_thread
from litestar import Request
from litestar.response import Stream

from weft.model.errors import RequestTooLarge
from weft.model.tokens import Role
from weft.server.bundles import Importer, export
from weft.server.context import Given
from weft.server.parameters import RunRef
from weft.server.routing import NDJSON, create, read
from weft.server.views import RunDetail, run_detail

IMPORT_MAX = 1 << 30
"""Bytes of a bundle."""

_PIECE = 1 << 20


@read("/runs/{run:str}/export", media_type=NDJSON)
def export_run(context: Given, run: RunRef) -> Stream:
    """Give a run with everything, as JSON lines: its rows, graph, events, values and logs."""
    row = context.store.run(run)
    lines = export(context.store, context.artifacts, context.services.logs, row)
    name = f'attachment; filename="{row.uid}.jsonl"'
    return Stream(lines, media_type=NDJSON, headers={"content-disposition": name})


@create("/runs/import", Role.ADMIN, takes=NDJSON, request_max_body_size=IMPORT_MAX)
async def import_run(context: Given, request: Request[Any, Any, Any]) -> RunDetail:
    """Take in a run that another store exported, under the id that it had there.

    It must have ended. Only administrators may: whoever retries such a run runs what it says.
    """
    importer = Importer(context.store, context.artifacts, context.services.logs)
    piece = bytearray()
    taken = 0
    async for data in request.stream():
        taken += len(data)
        if taken > IMPORT_MAX:
            raise RequestTooLarge("the bundle is larger than the service takes", where="body")
        piece += data
        if len(piece) >= _PIECE:
            await to_thread.run_sync(importer.feed, bytes(piece))
            piece.clear()
    await to_thread.run_sync(importer.feed, bytes(piece))
    return await to_thread.run_sync(_finish, context, importer)


def _finish(context: Given, importer: Importer) -> RunDetail:
    uid = importer.finish(at=context.now)
    return run_detail(context.store.run(uid), context.artifacts)


ROUTES = [export_run, import_run]
