"""What an executor and its worker processes agree on besides the messages: tokens, sizes, the stop signal.

A worker has four descriptors from its executor, besides the shared page of ``cells.py``:

- *inbox*: datagrams of frames, work sent ahead. Frames that together exceed ``DATAGRAM_MAX`` travel in an
  unlinked file whose descriptor the datagram carries, so no send ever waits for room.
- *tokens*: a stream of ``TOKEN``; reading a number is what entitles to begin that attempt. The number 0
  asks to empty the inbox.
- *reports*: a stream of frames, from the worker.
- *lifeline*: nothing is ever written; its end of file means that the executor is gone.
"""

import signal
import struct

DATAGRAM_MAX = 32 * 1024
"""Bytes in one datagram of the inbox; small enough for several to fit into a default socket buffer."""

TOKEN = struct.Struct("<I")

STOP: int = getattr(signal, "SIGRTMIN", signal.SIGUSR1)
"""The signal that asks an attempt to stop: real-time where that exists, for programs use the others."""

TIMED_OUT, CANCELLED = 1, 2
"""Why an attempt must stop, as the shared page says it."""
