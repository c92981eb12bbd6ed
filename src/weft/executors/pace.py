"""How long attempts take, learnt from those that ended: the measure of how much to send ahead."""

from weft.model.attempts import Attempt

UNKNOWN_S = 3600.0
"""Expected of a task that has not ended once: nothing is sent ahead of it, nothing behind it."""

_WEIGHT = 0.2
_STEP_MAX = 10.0
"""A duration counts as this many times the mean at most: a stall of the machine must not look like work."""
_TASKS_MAX = 10_000
_BACKLOG_S = 0.02
_BACKLOG_MAX = 4096


class Pace:
    """Exponentially weighted means of durations, by task and over all."""

    def __init__(self) -> None:
        self._by_task: dict[tuple[str, str], float] = {}
        self._mean_s = _BACKLOG_S

    def expected_s(self, attempt: Attempt) -> float:
        """How long this attempt will hold a worker, by experience."""
        return self._by_task.get((attempt.workflow, attempt.name), UNKNOWN_S)

    def learn(self, attempt: Attempt, spent_s: float) -> None:
        """An attempt held its worker for so long."""
        key = attempt.workflow, attempt.name
        known = self._by_task.get(key)
        if known is None:
            if len(self._by_task) >= _TASKS_MAX:
                self._by_task.clear()
            known = spent_s
        self._by_task[key] = _moved(known, spent_s)
        self._mean_s = _moved(self._mean_s, spent_s)

    def backlog(self, workers: int) -> int:
        """How many waiting attempts are about 20 ms of work for so many workers."""
        return min(_BACKLOG_MAX, round(_BACKLOG_S * workers / max(self._mean_s, 1e-6)))


def _moved(mean_s: float, spent_s: float) -> float:
    return mean_s + (min(spent_s, mean_s * _STEP_MAX) - mean_s) * _WEIGHT
