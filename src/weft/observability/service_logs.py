"""The log lines of service processes: one place that says how they look and where they go.

They go to standard error, one line each, as text for people or as JSON for machines (setting ``log_format``).
Every line tells what is known of its place: run, task and attempt, the request, an error's code. A logging
call gives them as ``extra={"run": ...}``; whoever serves a request gives them once, with ``log_fields``.

The lines that user code writes are not these: they belong to attempts and go to attempts' logs.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from weft.model.errors import WeftError
from weft.settings import Settings

FIELDS = ("run", "task", "attempt", "workflow", "engine", "request_id")
"""What a line tells of its place, where it is known."""

_fields: ContextVar[Mapping[str, Any]] = ContextVar("weft_log_fields", default={})  # noqa: B039 - never changed
_NOISY = ("httpx", "httpcore", "urllib3", "asyncio", "opentelemetry", "uvicorn")
"""Libraries whose ordinary lines say nothing about Weft."""


@contextmanager
def log_fields(**fields: Any) -> Iterator[None]:
    """Add these fields to every line that is logged in this context (thread or task) meanwhile."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``message``, and what else is known.

    ``code`` is the Weft code of the error that is logged, ``exception`` its traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": _moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= _known(record)
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        return json.dumps(line, default=str, ensure_ascii=False)


class TextLines(logging.Formatter):
    """Time, level, logger and message; then what else is known, as ``name=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and below it the traceback if there is one."""
        # A message of several lines (a coded error with its hint) stays one line of the log.
        message = " | ".join(part.strip() for part in record.getMessage().splitlines())
        known = "".join(f" {name}={value}" for name, value in _known(record).items())
        text = f"{_moment(record.created)} {record.levelname:<7} {record.name}: {message}{known}"
        if record.exc_info and record.exc_info[1] is not None:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        return text


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Have every logger of this process write as the settings say; repeated, the latest call counts.

    Give servers that bring a configuration of their own none (``uvicorn.Config(log_config=None)``): their
    loggers then write here too.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    root = logging.getLogger()
    for each in list(root.handlers):
        if isinstance(each.formatter, JsonLines | TextLines):
            root.removeHandler(each)
    root.addHandler(handler)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    root.setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.captureWarnings(True)


def _known(record: logging.LogRecord) -> dict[str, Any]:
    """What the line, the context and the error in it tell."""
    context = _fields.get()
    known = {name: value for name, value in context.items() if value not in (None, "")}
    for name in FIELDS:
        value = getattr(record, name, None)
        if value not in (None, ""):
            known[name] = value
    code = getattr(record, "code", None) or _code(record)
    if code:
        known["code"] = code
    return known


def _code(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, WeftError):
        return error.code
    arguments = record.args if isinstance(record.args, tuple) else ()
    return next((each.code for each in arguments if isinstance(each, WeftError)), "")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
