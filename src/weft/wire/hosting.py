"""Messages between the ``thread`` executor of a service and the processes that host its flows and threads.

Both directions are streams of frames (``frames.py``) whose number is unused. A *token* names one request of
the host's process: a call of a flow, or a run that user code starts. Everything the engine then learns of it
comes back under the same token, until it has settled, was refused or halted.

A node travels once for each connection and is named by its digest afterwards: the engine keeps what it knows
of a node beside the object, and a map's node may be large. ``Anew`` lets both sides forget them.

``messages.WIRE_VERSION`` covers these structs too.
"""

from typing import Any

import msgspec

from weft.model import errors
from weft.model.attempts import Attempt, AttemptId, Ended, Started
from weft.model.errors import ErrorInfo, WeftError
from weft.model.graph import Graph, Node
from weft.model.inputs import Input
from weft.model.states import TaskState
from weft.model.values import Result
from weft.wire.messages import Hello, Showed

_PLAIN = (str, int, float, bool, type(None))


class HostSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What a host's process has to know first.

    Attributes:
        worker: Its name, which attempts carry as ``Ended.worker``.
        home: Folder of the state; logs go below it.
        artifacts: Folder of the artifact store.
        project: Folder of the user's code; first on ``sys.path``.
        path: The engine's ``sys.path``.
        executor: The engine's default executor.
        threads: Most threads for plain tasks; ``None`` chooses by the machine.
        suspend_after_s: How long a flow's wait may hold its thread; ``None``: for ever.
        grace_s: How long an attempt past its timeout may take to stop.
        resources: Path of the socket that answers for variables and secrets; "" if none does.
    """

    worker: str
    home: str
    artifacts: str
    project: str
    path: tuple[str, ...]
    executor: str
    threads: int | None
    suspend_after_s: float | None
    grace_s: float
    resources: str = ""


class Carry(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """Carry this attempt out."""

    attempt: Attempt


class StopThese(msgspec.Struct, frozen=True, array_like=True, tag=11):
    """Ask these attempts to stop, and give them up after the grace."""

    ids: tuple[AttemptId, ...]
    grace_s: float


class CloseDown(msgspec.Struct, frozen=True, array_like=True, tag=12):
    """Stop everything and exit."""

    grace_s: float


class CallAccepted(msgspec.Struct, frozen=True, array_like=True, tag=13):
    """A call has its index, or a run is durable; fields as in ``runtime.host.Pending``."""

    token: int
    run: int
    idx: int
    base: int
    count: int
    replayed: bool
    more: bool
    uid: str


class CallRefused(msgspec.Struct, frozen=True, array_like=True, tag=14):
    """A call was not made."""

    token: int
    error: ErrorInfo


ItemEnd = tuple[int, TaskState, Result | None, ErrorInfo | None]
"""The index of a map's item, and how it ended."""


class ItemsSettled(msgspec.Struct, frozen=True, array_like=True, tag=15):
    """Items of a map have ended."""

    token: int
    base: int
    count: int
    items: list[ItemEnd]


class CallSettled(msgspec.Struct, frozen=True, array_like=True, tag=16):
    """What was called, or the run that was started, has ended."""

    token: int
    state: TaskState
    result: Result | None
    error: ErrorInfo | None


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """A ``WeftError``; ``kind`` is its class in ``model.errors``."""

    kind: str
    what: str
    where: str
    hint: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, error: WeftError) -> "Fault":
        """The error as data; fields that are more than plain data become text."""
        fields = {
            name: value if isinstance(value, _PLAIN) else str(value) for name, value in error.fields.items()
        }
        return cls(type(error).__name__, error.what, error.where, error.hint, fields)

    def error(self) -> WeftError:
        """The error as an exception again."""
        kind = getattr(errors, self.kind, WeftError)
        found: WeftError = kind(self.what, where=self.where, hint=self.hint, **self.fields)
        return found


class CallHalted(msgspec.Struct, frozen=True, array_like=True, tag=17):
    """The engine stopped, or the run here: nothing more comes for this token."""

    token: int
    fault: Fault


ToHost = Carry | StopThese | CloseDown | CallAccepted | CallRefused | ItemsSettled | CallSettled | CallHalted


class Began(msgspec.Struct, frozen=True, array_like=True, tag=30):
    """An attempt is under way."""

    started: Started


class Finished(msgspec.Struct, frozen=True, array_like=True, tag=31):
    """An attempt has ended."""

    ended: Ended


class Calls(msgspec.Struct, frozen=True, array_like=True, tag=32):
    """A flow calls something; fields as in ``core.events.Called``. ``node`` is ``None`` where it is known."""

    token: int
    run: int
    parent: int
    attempt: int
    key: str
    ordinal: int
    digest: str
    node: Node | None
    fingerprint: str
    inputs: dict[str, Input]
    items: tuple[Result, ...] | None
    items_ref: Result | None
    result: Result | None


class Wants(msgspec.Struct, frozen=True, array_like=True, tag=33):
    """User code starts a run; fields as in ``runtime.host.RunRequest``."""

    token: int
    graph: Graph
    params: dict[str, Result]
    tags: tuple[str, ...]
    project: str
    key: str | None
    facts: dict[str, Any]


class Leaves(msgspec.Struct, frozen=True, array_like=True, tag=34):
    """A flow cannot go on with its run, which is left to be resumed."""

    run: int
    fault: Fault


class Room(msgspec.Struct, frozen=True, array_like=True, tag=35):
    """How many attempts the process wants to hold."""

    capacity: int


class Anew(msgspec.Struct, frozen=True, array_like=True, tag=36):
    """Nodes that were sent are forgotten on both sides from here on."""


FromHost = Hello | Showed | Began | Finished | Calls | Wants | Leaves | Room | Anew

encode = msgspec.msgpack.Encoder().encode
decode_setup = msgspec.msgpack.Decoder(HostSetup).decode
decode_to_host = msgspec.msgpack.Decoder[ToHost](ToHost).decode
decode_from_host = msgspec.msgpack.Decoder[FromHost](FromHost).decode
