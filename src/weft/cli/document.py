"""``--params-json``: parameters as one JSON object."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from weft.model.errors import NotFound, UsageError


def document(text: str) -> dict[str, Any]:
    """The object that a word means: itself, ``@file``, or ``-`` for standard input."""
    if text == "-":
        text = sys.stdin.read()
    elif text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except OSError as exc:
            raise NotFound(f"the parameters cannot be read: {exc.strerror}", where=text[1:]) from exc
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise UsageError(
            f"--params-json is not a JSON object: {exc}", hint="""write --params-json '{"name": 1}'"""
        ) from exc
