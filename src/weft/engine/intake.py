"""What a run is given when it is accepted: its ids, and a graph that is in the store."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from weft.compile.fingerprint import digest as graph_digest
from weft.core.changes import RunAdded
from weft.engine.clock import Clock
from weft.model.graph import Graph
from weft.model.ids import ulid
from weft.runtime.host import RunRequest
from weft.store.protocol import Store

RUN_IDS = 64
"""Internal run ids reserved at a time."""


class Intake:
    """Turns requests into the changes that accept them. Any thread may use it.

    Args:
        store: Where runs live.
        clock: Time.
        entropy: Ten random bytes a call, for public ids.
        writing: Held around its own writes, by who has a reason to keep others out.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Callable[[], bytes],
        *,
        writing: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._writing: AbstractContextManager[Any] = writing or nullcontext()
        self._stored: set[str] = set()
        self._digests: dict[int, tuple[Graph, str]] = {}
        self._lock = threading.Lock()
        self._ids = iter(range(0))

    def accept(self, request: RunRequest, facts: dict[str, Any]) -> RunAdded:
        """The change that makes the run; its graph is in the store by then.

        Args:
            request: What is wanted.
            facts: Of the run, beside the request's own.

        Raises:
            StoreError: The graph could not be stored, or no id be reserved.
        """
        graph = request.graph
        now = self._clock.now()
        digest = self._digest(graph)
        with self._lock:
            if digest not in self._stored:
                with self._writing:
                    self._store.put_graph(digest, graph, at=now)
                self._stored.add(digest)
            run = next(self._ids, None)
            if run is None:
                with self._writing:
                    first = self._store.reserve_runs(RUN_IDS)
                self._ids = iter(range(first, first + RUN_IDS))
                run = next(self._ids)
        return RunAdded(
            run,
            ulid("run", int(now * 1000), self._entropy()),
            graph.workflow,
            digest,
            now,
            graph.dialect,
            request.params,
            request.tags,
            request.project,
            request.key,
            facts={**facts, **request.facts},
            queue=request.queue,
        )

    def _digest(self, graph: Graph) -> str:
        known = self._digests.get(id(graph))
        if known is not None and known[0] is graph:
            return known[1]
        digest = graph_digest(graph)
        self._digests = {id(graph): (graph, digest)}
        return digest
