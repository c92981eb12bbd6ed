"""How a worker process dies with the one that started it.

Both kinds of worker (``worker.py`` and the hosts of flows) lead a process group and hold one end of a pipe in
which nothing is ever written: its end of file means that the other process is gone, in whatever way.
"""

import fcntl
import os
import select
import signal
import sys
import threading

_F_SETSIG = 10  # Linux's fcntl command, which the standard library does not name.


def die_with(lifeline: int) -> None:
    """Have the kernel kill this whole process group when the lifeline's other end closes.

    On Linux the descriptor's owner is told of a change by a signal of our choice (fcntl(2), ``F_SETOWN`` and
    ``F_SETSIG``), and the owner may be a group and the signal ``SIGKILL``: no thread has to watch, and user
    code that never lets go of the interpreter's lock cannot put it off. ``PR_SET_PDEATHSIG`` would reach
    this process only, not its children. Elsewhere a thread watches.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, _F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    else:
        threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    if select.select([lifeline], [], [], 0)[0]:
        os._exit(0)  # It closed before we listened.


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(os.getpgrp(), signal.SIGKILL)
