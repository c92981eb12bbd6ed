"""``current()``: what a task may know and do about its own attempt.

The context lives in a ``contextvars.ContextVar``, so threads and coroutines each see their own. Making one
is part of every attempt, so it holds two references and looks everything else up when asked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

from weft.artifacts import publish
from weft.artifacts.artifacts import Artifacts
from weft.model.attempts import Attempt, Published, Shown
from weft.model.errors import UsageError

TASK_LOGGER = logging.getLogger("weft.task")


class Carrier(Protocol):
    """What a context needs of whatever carries out its attempt."""

    artifacts: Artifacts
    show: Callable[[Shown], None]
    worker: str


class Context:
    """The attempt that is being carried out.

    Attributes:
        spec: All that was sent to the worker.
        frame: A slot for the dialect: a flow keeps its journal here.
    """

    __slots__ = ("_host", "_logger", "frame", "spec")

    _logger: logging.LoggerAdapter[logging.Logger]

    def __init__(self, spec: Attempt, host: Carrier, frame: Any = None) -> None:
        self.spec = spec
        self.frame = frame
        self._host = host

    def __repr__(self) -> str:
        return f"<Context {self.run_id} {self.key} attempt {self.attempt}>"

    @property
    def run_id(self) -> str:
        """The run's public id."""
        return self.spec.run

    @property
    def workflow(self) -> str:
        """The workflow's name."""
        return self.spec.workflow

    @property
    def key(self) -> str:
        """The task run's key, unique in the run."""
        return self.spec.key

    @property
    def name(self) -> str:
        """The task's name."""
        return self.spec.name

    @property
    def map_index(self) -> int:
        """The item's index in its map; -1 for a task that is not mapped."""
        return self.spec.map_index

    @property
    def attempt(self) -> int:
        """The attempt's number; grows with every attempt, lost ones included."""
        return self.spec.id[2]

    @property
    def try_number(self) -> int:
        """1 for the first try that counts for the retry limit, and so on."""
        return self.spec.try_number

    @property
    def max_tries(self) -> int:
        """Tries allowed in all; -1 is no limit."""
        return self.spec.max_tries

    @property
    def idempotency_key(self) -> str:
        """The same for every try of this task run: give it to services that must not act twice."""
        return self.spec.idempotency_key

    @property
    def worker(self) -> str:
        """The name of the worker that carries out the attempt."""
        return self._host.worker

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts about the run: logical date, tags and so on."""
        return self.spec.facts

    @property
    def params(self) -> Mapping[str, Any]:
        """The run's parameters, where the dialect sends them along."""
        params: Mapping[str, Any] = self.spec.facts.get("params", {})
        return params

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines go to the attempt's log."""
        try:
            return self._logger
        except AttributeError:
            extra = {"run": self.spec.run, "task": self.spec.key}
            self._logger = logging.LoggerAdapter(TASK_LOGGER, extra)
            return self._logger

    def publish(self, published: Published) -> None:
        """Show something to people; a later one with the same key replaces it."""
        self._host.show(Shown(self.spec.id, published))

    def markdown(self, text: str, *, title: str = "", key: str = "") -> None:
        """Publish Markdown text. For all of these see ``weft.artifacts.publish``."""
        self.publish(publish.markdown(self._host.artifacts, text, title=title, key=key))

    def table(self, rows: Any, *, title: str = "", key: str = "") -> None:
        """Publish a table: a data frame, a mapping of columns, or an iterable of rows."""
        self.publish(publish.table(self._host.artifacts, rows, title=title, key=key))

    def image(self, source: Any, *, title: str = "", key: str = "") -> None:
        """Publish a picture or a plot: bytes, a path, a Pillow image or a matplotlib figure."""
        self.publish(publish.image(self._host.artifacts, source, title=title, key=key))

    def link(self, url: str, text: str = "", *, key: str = "") -> None:
        """Publish a link to a web page."""
        self.publish(publish.link(self._host.artifacts, url, text, key=key))

    def progress(self, fraction: float, label: str = "", *, key: str = "") -> None:
        """Publish how far the task is, from 0 to 1."""
        self.publish(publish.progress(self._host.artifacts, fraction, label, key=key))


CURRENT: ContextVar[Context | None] = ContextVar("weft_current", default=None)
"""Set by the runner for the length of an attempt."""


def current() -> Context:
    """The attempt that this code is part of.

    Raises:
        UsageError: Called outside a task, or in a thread that the task started by itself.
    """
    context = CURRENT.get()
    if context is None:
        raise UsageError(
            "current() was called outside a task",
            hint="call it inside a task or flow; a thread of your own needs contextvars.copy_context().run",
        )
    return context
