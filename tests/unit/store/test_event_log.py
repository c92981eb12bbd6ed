"""The log's layouts, which are for ever."""

from msgspec.structs import replace

from weft.core.changes import Cached, Cause, Change, NodeAdded, RunChanged, TaskAdded, TaskChanged
from weft.model.calls import PythonCall
from weft.model.errors import ErrorInfo
from weft.model.graph import Node
from weft.model.inputs import Const
from weft.model.states import RunState, TaskState
from weft.model.values import Result
from weft.model.waits import TimerWait
from weft.store.event_log import EMPTY, bounds, encode_block, pack, unpack

ONE = Result("msgpack", b"\x01", None, 1)
FULL = TaskChanged(
    run=1,
    idx=2,
    state=TaskState.FAILED,
    attempt=3,
    at=4.0,
    cause=Cause.RAISED,
    by=5,
    generation=6,
    failures=7,
    result=None,
    error=ErrorInfo("a.B", "c", pickled=b"\x00"),
    due_at=8.0,
    wait=TimerWait(9.0),
    worker="w",
    started_at=10.0,
    cpu_s=11.0,
    rss_peak=12,
    log_size=13,
    chosen=("d",),
    detail="e",
)


def told(*changes: Change, after: int = 0, limit: int = 100, idx: int | None = None) -> list[Change]:
    """What a block of these changes says."""
    block = encode_block([pack(change) for change in changes])
    return [each.change for each in unpack([(len(changes), 1, block)], after=after, limit=limit, idx=idx)]


def test_the_fields_of_the_hot_kinds_are_those_of_the_layout() -> None:
    """A field added to either needs a layout with a new tag, because old logs stay readable."""
    assert TaskChanged.__struct_fields__ == (
        *("run", "idx", "state", "attempt", "at", "cause", "by", "generation", "failures", "result"),
        *("error", "due_at", "wait", "worker", "started_at", "cpu_s", "rss_peak", "log_size"),
        *("chosen", "detail"),
    )
    assert TaskAdded.__struct_fields__ == (
        *("run", "idx", "key", "name", "at", "kind", "node", "parent", "map_index", "ordinal"),
        *("fingerprint", "inputs"),
    )


def test_bytes_written_by_the_first_version_are_read() -> None:
    """A log written long ago says what it said then."""
    block = bytes.fromhex(
        "93"  # three changes
        # TaskChanged: idx 2, failed, attempt 3, at 4.0, raised, by 5 ...
        "dc001301"
        "02a66661696c656403cb4010000000000000a67261697365640506"
        "0782a474797065a3612e42a76d657373616765a163"
        "cb402000000000000082a474797065a574696d6572a7756e74696c5f73cb4022000000000000"
        "a177cb4024000000000000cb40260000000000000c0d91a164a165"
        # TaskAdded: idx 3, key k, name n, at 1.0, the rest at its defaults
        "9c0203a16ba16ecb3ff0000000000000a46e6f6465a0ffffffa080"
        # a RunChanged, whole
        "9303ff85a474797065a372756ea372756e01a57374617465a772756e6e696e67a261"
        "74cb3ff0000000000000a56361757365a97375626d6974746564"
    )
    first, second, third = (each.change for each in unpack([(3, 1, block)], after=0, limit=9))
    assert first == replace(FULL, error=ErrorInfo("a.B", "c"))
    assert second == TaskAdded(1, 3, "k", "n", 1.0)
    assert third == RunChanged(1, RunState.RUNNING, 1.0, Cause.SUBMITTED)


def test_a_change_comes_back_as_it_was() -> None:
    """Every field of the hot kinds, set and unset."""
    added = TaskAdded(1, 2, "k", "n", 3.0, "call", "n1", 4, 5, 6, "f", {"x": Const(ONE)})
    least = TaskChanged(1, 0, TaskState.QUEUED, 1, 2.0, Cause.UPSTREAM)
    assert told(FULL, added, least, TaskAdded(1, 0, "", "", 0.0)) == [
        FULL,
        added,
        least,
        TaskAdded(1, 0, "", "", 0.0),
    ]


def test_results_stay_out_of_the_log() -> None:
    """A success's bytes are left out; a cache record keeps where they are."""
    success = TaskChanged(1, 0, TaskState.SUCCEEDED, 1, 2.0, Cause.RETURNED, result=ONE)
    ended = RunChanged(1, RunState.SUCCEEDED, 2.0, Cause.CHILDREN, ONE)
    cached = Cached(1, 0, "k", Result("arrow", b"x", "abc", 7), 2.0)
    one, two, three = told(success, ended, cached)
    assert isinstance(one, TaskChanged)
    assert isinstance(two, RunChanged)
    assert isinstance(three, Cached)
    assert one.result is None
    assert two.result is None
    assert three.result == Result("arrow", None, "abc", 7)


def test_a_block_is_cut_by_place_and_by_task_run() -> None:
    """Sequence numbers count back from the block's last."""
    changes = [TaskAdded(1, idx, "", "", 0.0) for idx in (4, 2, 4)]
    packed = [pack(change) for change in changes]
    assert bounds(packed) == (2, 4)
    blocks = [(10, 1, encode_block(packed)), (12, 1, encode_block(packed[:2]))]
    rows = unpack(blocks, after=8, limit=3)
    assert [(row.seq, row.idx) for row in rows] == [(9, 2), (10, 4), (11, 4)]
    assert [row.seq for row in unpack(blocks, after=0, limit=9, idx=4)] == [8, 10, 11]
    assert unpack(blocks, after=12, limit=9) == []
    assert unpack([(5, 0, EMPTY)], after=0, limit=9) == []


def test_a_node_has_the_time_of_the_call_that_it_came_with() -> None:
    """It has none of its own."""
    node = NodeAdded(1, "n1", Node(key="a", call=PythonCall("m", "a")))
    for other, at in (
        (TaskAdded(1, 0, "", "", 5.0), 5.0),
        (RunChanged(1, RunState.RUNNING, 6.0, Cause.SUBMITTED), 6.0),
        (node, 0.0),
    ):
        block = encode_block([pack(node), pack(other)])
        assert unpack([(2, 1, block)], after=0, limit=1)[0].at == at
