"""The messages between an executor and its worker processes.

Both ends are the same installation, so a different ``WIRE_VERSION`` means that the package was replaced
under a running engine: the executor then refuses the worker instead of guessing. Whoever changes a struct
here, or one that travels in it, raises the version.

From the executor: one ``Setup``, then attempts as they are, each in a frame with its number. From the worker:
one ``Hello`` once it can take work, then what happens, each in a frame with the attempt's number.
"""

import msgspec

from weft.model.attempts import Attempt, Ended, Shown

WIRE_VERSION = 1


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker has to know before its first attempt.

    Attributes:
        worker: Its name, which attempts carry as ``Ended.worker``.
        home: Folder of the state; logs go below it.
        artifacts: Folder of the artifact store.
        project: Folder of the user's code, for attempts that name none.
        main_file: The script that the engine's process runs as ``__main__``, if any.
        path: The executor's ``sys.path``, so that what it can import the worker can.
        resources: Path of the socket that answers for variables and secrets; "" if none does.
    """

    worker: str
    home: str
    artifacts: str
    project: str = ""
    main_file: str | None = None
    path: tuple[str, ...] = ()
    resources: str = ""


class Hello(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The worker is ready."""

    version: int


class Over(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """An attempt has ended. ``spent_s`` is the time it held the worker, Weft's own part included."""

    ended: Ended
    spent_s: float


class Showed(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A running attempt published something."""

    shown: Shown


Message = Hello | Over | Showed

encode = msgspec.msgpack.Encoder().encode
decode_attempt = msgspec.msgpack.Decoder(Attempt).decode
decode_setup = msgspec.msgpack.Decoder(Setup).decode
decode_message = msgspec.msgpack.Decoder[Message](Message).decode
