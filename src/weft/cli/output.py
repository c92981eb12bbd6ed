"""What commands print for machines: one JSON object a line, always in the same shape.

A stored value is shown as JSON where it has one. What has none, or is larger than ``INLINE_MAX`` and was not
asked for in full, is shown as ``{"$type", "size", "preview"}``; so no reading command opens a pickle.
"""

import sys
from typing import Any

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.cli.style import iso
from weft.model.errors import ErrorInfo, WeftError
from weft.model.rows import RunRow, TaskRow
from weft.model.values import Result

_encoder = msgspec.json.Encoder()


NOT_SENT = Result("not-sent")
"""Stands for the values of a row whose list came without them; they are left out, not shown as none."""


def emit(value: object) -> None:
    """Print one JSON value on a line of its own."""
    sys.stdout.write(_encoder.encode(value).decode() + "\n")


def value_of(result: Result | None, artifacts: Artifacts, *, whole: bool = False) -> Any:
    """A stored value as JSON can show it.

    Args:
        result: The reference; ``None`` for no value.
        artifacts: Finds the bytes.
        whole: Also what is too large for a list of values.
    """
    if result is None or result is NOT_SENT:
        return None
    if result.inline is not None or whole:
        try:
            plain = artifacts.loads(result)
            return msgspec.json.decode(_encoder.encode(msgspec.to_builtins(plain, str_keys=True)))
        except (WeftError, TypeError, ValueError, OverflowError):
            pass  # No JSON for it, or not ours to open: shown by its preview.
    return {
        "$type": result.format,
        "size": result.size,
        "preview": artifacts.preview(result, limit=200),
    }


def error_of(error: ErrorInfo | None) -> dict[str, Any] | None:
    """A failure as JSON."""
    if error is None:
        return None
    shown: dict[str, Any] = {"type": error.type, "message": error.message}
    if error.code:
        shown["code"] = error.code
    if error.exit_code is not None:
        shown["exit_code"] = error.exit_code
    if error.traceback:
        shown["traceback"] = error.traceback
    return shown


def run_object(row: RunRow, artifacts: Artifacts, *, whole: bool = False) -> dict[str, Any]:
    """A run as JSON, without its task runs."""
    shown = {
        "id": row.uid,
        "workflow": row.workflow,
        "dialect": row.dialect,
        "version": row.version,
        "state": str(row.state),
        "params": {name: value_of(each, artifacts, whole=whole) for name, each in row.params.items()},
        "result": value_of(row.result, artifacts, whole=whole),
        "error": error_of(row.error),
        "tags": list(row.tags),
        "created": iso(row.created_at),
        "started": iso(row.started_at),
        "ended": iso(row.ended_at),
    }
    return _without(shown, "params", "result") if row.result is NOT_SENT else shown


def task_object(row: TaskRow, artifacts: Artifacts, *, whole: bool = False) -> dict[str, Any]:
    """A task run as JSON."""
    shown = {
        "key": row.key,
        "name": row.name,
        "map_index": row.map_index if row.map_index >= 0 else None,
        "state": str(row.state),
        "attempts": row.attempt,
        "started": iso(row.started_at),
        "ended": iso(row.ended_at),
        "result": value_of(row.result, artifacts, whole=whole),
        "error": error_of(row.error),
    }
    return _without(shown, "result") if row.result is NOT_SENT else shown


def _without(shown: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in names}
