"""A flow's body as a script: it posts the calls that a real body would post, and waits as that would.

A body is deterministic by its journal: the n-th step is the n-th step, however often it is run from the top.
"""

from hashlib import blake2b

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.items import pack_items
from weft.core.events import Called
from weft.core.turn import digest_of
from weft.engine.engine import Engine
from weft.model.attempts import Attempt, Ended
from weft.model.errors import ErrorInfo
from weft.model.inputs import Input, TaskOutput
from weft.model.states import TaskState
from weft.model.values import Result
from weft.model.waits import ChildrenWait
from weft.runtime.host import Pending
from weft.testing.workload import Op

_DONE = Result("msgpack", b"\x01", None, 1)
_FAILED = ErrorInfo("builtins.RuntimeError", "a step of the flow failed")


class Body:
    """One attempt of a flow, step by step.

    Args:
        engine: Which it calls.
        attempt: Which it carries out.
        script: Its steps.
        artifacts: Where it stores its calls' items.
    """

    def __init__(
        self, engine: Engine, attempt: Attempt, script: tuple[Op, ...], artifacts: Artifacts
    ) -> None:
        self.engine = engine
        self.attempt = attempt
        self.script = script
        self.artifacts = artifacts
        self.handles: dict[int, Pending] = {}
        self.at = 0
        self.ordinal = 0

    @property
    def waits_for(self) -> tuple[Pending, ...]:
        """What the body waits for now, if it does."""
        if self.at >= len(self.script):
            return ()
        joined = self.script[self.at].joins
        return tuple(self.handles[each] for each in joined if not self.handles[each].over)

    def suspend(self, at: float) -> Ended:
        """Give back the thread until one of those that it waits for has ended."""
        wait = ChildrenWait(tuple(each.idx for each in self.waits_for))
        return Ended(self.attempt.id, TaskState.WAITING, wait=wait, ended_at=at)

    def advance(self, now: float) -> Ended | None:
        """Take the next step; the body's end if that was the last, or it failed.

        Only when nothing is in ``waits_for``.
        """
        if self.at >= len(self.script):
            return Ended(
                self.attempt.id, TaskState.SUCCEEDED, Result("msgpack", b"\x01", None, 1), ended_at=now
            )
        op = self.script[self.at]
        ended = self._join(op, now) if op.node is None else self._call(op, now)
        self.at += 1
        return ended

    def _join(self, op: Op, now: float) -> Ended | None:
        for each in op.joins:
            outcome = self.handles[each].settled
            if outcome is None or (not outcome.state.ok and not op.tolerant):
                return Ended(self.attempt.id, TaskState.FAILED, error=_FAILED, ended_at=now)
        return None

    def _call(self, op: Op, now: float) -> Ended | None:
        node = op.node
        assert node is not None
        inputs: dict[str, Input] = dict(node.inputs)
        for each in op.reads:
            inputs[f"r{each}"] = TaskOutput(self.handles[each].idx, allow_failure=op.tolerant)
        ordinal = -1
        if op.numbered:
            ordinal, self.ordinal = self.ordinal, self.ordinal + 1
        items_ref = None if op.items is None else pack_items(op.items, self.artifacts.blobs)
        run, parent, attempt = self.attempt.id

        def make(token: int) -> Called:
            return Called(
                run,
                parent,
                attempt,
                token,
                op.key,
                ordinal,
                node,
                digest_of(node),
                blake2b(repr(op.reads).encode(), digest_size=8).hexdigest(),
                inputs,
                op.items,
                items_ref,
                Result("msgpack", b"\x05", None, 1),
            )

        pending = self.handles[self.at] = self.engine.call(make)
        if pending.refused is None:
            return None
        cancelled = pending.refused.code == "W2003"
        state = TaskState.CANCELLED if cancelled else TaskState.FAILED
        return Ended(self.attempt.id, state, error=pending.refused, ended_at=now)
