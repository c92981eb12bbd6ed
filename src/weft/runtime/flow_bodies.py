"""The flows whose bodies run in this process, each in a thread of its own: how they run and how they stop.

An exception thrown into a flow's thread could strike while it speaks to the engine, in the middle of a
transaction or of a message. So a flow is stopped through its frame, which raises at the next wait.
"""

from collections.abc import Callable

from weft.model.attempts import Attempt, AttemptId, Ended
from weft.runtime.flows import Frame, run_flow
from weft.runtime.host import Host
from weft.runtime.runner import Runner
from weft.runtime.signals import Interrupt


class FlowBodies:
    """Carries out flows.

    Args:
        host: Where their calls go.
        runner: Gives what runs their bodies.
        suspend_after_s: How long a wait may hold a flow's own thread; ``None``: for ever.
    """

    def __init__(self, host: Host, runner: Callable[[], Runner], *, suspend_after_s: float | None) -> None:
        self._host = host
        self._runner = runner
        self._suspend_after_s = suspend_after_s
        self._frames: dict[AttemptId, Frame] = {}

    def carry_out(self, attempt: Attempt) -> Ended:
        """Carry out a flow in a thread of its own, which a long wait gives back."""
        return self._run(attempt, self._suspend_after_s)

    def carry_out_here(self, attempt: Attempt) -> Ended:
        """Carry out a flow in a thread that waits for it anyway."""
        return self._run(attempt, None)

    def stop(self, attempt_id: AttemptId, kind: type[Interrupt]) -> bool:
        """Let a flow end at its next wait; False if it is not here."""
        frame = self._frames.get(attempt_id)
        if frame is None:
            return False
        frame.stop(kind)
        return True

    def _run(self, attempt: Attempt, suspend_after_s: float | None) -> Ended:
        try:
            return run_flow(attempt, self._host, self._body, suspend_after_s=suspend_after_s)
        finally:
            self._frames.pop(attempt.id, None)

    def _body(self, attempt: Attempt, frame: Frame) -> Ended:
        self._frames[attempt.id] = frame
        return self._runner().run(attempt, frame=frame)
