"""What templates may name: an occasion as plain data, with what can be read of its run beside it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.preview import preview_of
from weft.model.deliveries import Delivery, Occasion
from weft.model.errors import NotFound, WeftError
from weft.model.values import Result
from weft.notifications.protocol import Logs
from weft.notifications.timing import seconds
from weft.store.protocol import Reader

LOG_BYTES = 4000
"""How much of the end of a log a message can show."""

_PARAM_MAX = 500
_LISTED_MAX = 120
_SECRET = re.compile(r"pass(word|wd|phrase)?|secret|token|api_?key|credential|private_?key", re.IGNORECASE)
_BAD = frozenset({"failed", "lost", "upstream_failed", "cancelled"})

NAMES = (
    "automation",
    "delivery",
    "what",
    "at",
    "workflow",
    "run",
    "state",
    "tags",
    "project",
    "created",
    "started",
    "ended",
    "duration",
    "duration_s",
    "task",
    "task_name",
    "task_state",
    "attempt",
    "error",
    "value",
    "suppressed",
    "params",
    "parameters",
    "log",
    "link",
)
"""Every name of the first level; documented in ``docs/how-to/notifications.md``."""


class Contexts:
    """Makes contexts.

    Args:
        store: Where runs are read.
        artifacts: Opens parameters; must not be trusted, because nothing here may run what a pickle says.
        logs: What attempts printed; ``None``: nothing.
        base_url: Where people see runs; "" gives no links.
    """

    def __init__(
        self, store: Reader, artifacts: Artifacts, logs: Logs | None = None, base_url: str = ""
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._logs = logs
        self._base_url = base_url.rstrip("/")

    def of(self, name: str, delivery: Delivery) -> dict[str, Any]:
        """The context of a delivery: a value for each of ``NAMES``."""
        occasion = delivery.occasion
        params = self._params(occasion)
        duration_s = _duration_s(occasion)
        error = occasion.error
        return {
            "automation": delivery.automation,
            "delivery": name,
            "what": occasion.what,
            "at": moment(occasion.at),
            "workflow": occasion.workflow,
            "run": occasion.run,
            "state": occasion.state,
            "tags": list(occasion.tags),
            "project": occasion.project,
            "created": moment(occasion.created_at),
            "started": moment(occasion.started_at),
            "ended": moment(occasion.ended_at),
            "duration": "" if duration_s is None else seconds(duration_s),
            "duration_s": duration_s,
            "task": occasion.task,
            "task_name": occasion.task_name,
            "task_state": occasion.task_state,
            "attempt": occasion.attempt or None,
            "error": None
            if error is None
            else {
                "type": error.type,
                "message": error.message,
                "code": error.code,
                "traceback": error.traceback,
                "exit_code": error.exit_code,
            },
            "value": occasion.value,
            "suppressed": occasion.suppressed or None,
            "params": params,
            "parameters": [{"name": key, "value": value} for key, value in params.items()],
            "log": self._tail(occasion),
            "link": self.link(occasion),
        }

    def link(self, occasion: Occasion) -> str:
        """Where people see what it is about."""
        if not self._base_url or not occasion.workflow:
            return ""
        if not occasion.run:
            return f"{self._base_url}/workflows/{quote(occasion.workflow, safe='')}"
        task = f"/tasks/{occasion.idx}" if occasion.idx >= 0 else ""
        return f"{self._base_url}/runs/{occasion.run}{task}"

    def _params(self, occasion: Occasion) -> dict[str, Any]:
        if occasion.run_id < 0:
            return {}
        try:
            row = self._store.run_by_id(occasion.run_id)
        except NotFound:
            return {}  # It was deleted since.
        return {name: self._param(name, result) for name, result in row.params.items()}

    def _param(self, name: str, result: Result) -> Any:
        if _SECRET.search(name):
            return "***"
        if result.inline is not None:
            try:
                value = self._artifacts.loads(result)
            except WeftError:
                value = None
            else:
                simple = _simple(value)
                if simple is not _NOT_SIMPLE:
                    return simple
        return preview_of(result, self._artifacts.blobs, trusted=False, limit=_PARAM_MAX)

    def _tail(self, occasion: Occasion) -> str:
        if self._logs is None or occasion.idx < 0 or not occasion.attempt:
            return ""
        return self._logs.tail(occasion.run, occasion.idx, occasion.attempt, LOG_BYTES)


def bad(occasion: Occasion) -> bool:
    """Whether it is about something that went wrong, as far as colours and sounds are concerned."""
    return bool(_BAD & {occasion.state, occasion.task_state}) or " not " in f" {occasion.what} "


def moment(at: float | None) -> str:
    """A time for people and machines alike."""
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_NOT_SIMPLE = object()


def _simple(value: Any) -> Any:
    """A value as JSON has it, or ``_NOT_SIMPLE``; secrets inside mappings are masked too."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= _PARAM_MAX else _NOT_SIMPLE
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Mapping) and len(value) <= _LISTED_MAX:
        items = {
            key: "***" if isinstance(key, str) and _SECRET.search(key) else _simple(each)
            for key, each in value.items()
        }
        fits = all(isinstance(key, str) for key in items) and _NOT_SIMPLE not in items.values()
        return items if fits else _NOT_SIMPLE
    if isinstance(value, list | tuple) and len(value) <= _LISTED_MAX:
        listed = [_simple(each) for each in value]
        return _NOT_SIMPLE if any(each is _NOT_SIMPLE for each in listed) else listed
    return _NOT_SIMPLE


def _duration_s(occasion: Occasion) -> float | None:
    if occasion.task_started_at is not None:
        return occasion.at - occasion.task_started_at
    if occasion.started_at is None:
        return None
    return (occasion.ended_at or occasion.at) - occasion.started_at
