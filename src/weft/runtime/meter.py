"""CPU time and peak memory of an attempt.

Asking the kernel costs more than a trivial task does, so attempts shorter than ``CLOSE_LOOK_S`` only read a
clock: in so short a time a process cannot take memory worth reporting, nor fork, run and reap a child.
"""

import resource
import sys
import time

CLOSE_LOOK_S = 0.0005
_RESET_ABOVE = 8 << 20
_UNIT = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS and KiB elsewhere.


class ThreadMeter:
    """Measures an attempt that shares its process: the thread's CPU time, the whole process's memory peak."""

    __slots__ = ("_peak",)

    def __init__(self) -> None:
        self._peak = _maxrss()

    def begin(self) -> float:
        """The mark that ``end`` wants back."""
        return time.thread_time()

    def end(self, mark: float, wall_s: float) -> tuple[float, int]:
        """CPU seconds since ``begin`` and the peak of resident memory in bytes."""
        cpu = time.thread_time() - mark
        if wall_s > CLOSE_LOOK_S:
            self._peak = _maxrss()
        return cpu, self._peak


class ProcessMeter:
    """Measures an attempt that has its process to itself, with the children it waited for.

    On Linux the peak is read from ``/proc/self/status``, since ``ru_maxrss`` of a process that was started by
    a bigger one begins with the bigger one's peak.
    """

    __slots__ = ("_children_cpu", "_children_peak", "_peak", "_resettable")

    def __init__(self) -> None:
        self._resettable = sys.platform == "linux"
        self._children_cpu = 0.0
        self._children_peak = 0
        self._peak = _high_water()
        self._children()

    def begin(self) -> float:
        """The mark that ``end`` wants back."""
        return time.process_time()

    def end(self, mark: float, wall_s: float) -> tuple[float, int]:
        """CPU seconds since ``begin`` and the attempt's own peak of resident memory in bytes."""
        cpu = time.process_time() - mark
        if wall_s <= CLOSE_LOOK_S:
            return cpu, self._peak
        children_cpu, children_peak = self._children()
        peak = _high_water()
        if peak > self._peak + _RESET_ABOVE and self._resettable:
            self._reset()
        else:
            self._peak = peak
        return cpu + children_cpu, max(peak, children_peak)

    def _children(self) -> tuple[float, int]:
        """CPU of the children reaped since last asked, and their peak when one of them set a new one."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        total, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _UNIT
        cpu, self._children_cpu = total - self._children_cpu, total
        raised = peak if peak > self._children_peak else 0
        self._children_peak = max(peak, self._children_peak)
        return cpu, raised

    def _reset(self) -> None:
        """Let the kernel forget the peak, so that the next attempt's is its own (proc(5), ``clear_refs``)."""
        try:
            with open("/proc/self/clear_refs", "w") as refs:
                refs.write("5")
        except OSError:
            self._resettable = False
        self._peak = _high_water()


def _maxrss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def _high_water() -> int:
    """Peak of resident memory since it was last reset, in bytes."""
    try:
        with open("/proc/self/status", "rb", buffering=0) as status:
            text = status.read(4096)
        at = text.index(b"VmHWM:")
        return int(text[at + 6 : text.index(b"kB", at)]) * 1024
    except (OSError, ValueError):  # Not Linux, or a kernel that does not say.
        return _maxrss()
