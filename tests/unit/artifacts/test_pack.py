"""Values with holes, bound inputs, and errors that name what cannot be stored."""

import functools
import gc
import io
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from artifact_classes import Box, Frozen, Future, Locked, Packet, Plain, Point, Slotted

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs, MemoryBlobs
from weft.artifacts.classes import plan_for
from weft.model import values
from weft.model.bound import decode_bound, encode_bound
from weft.model.errors import (
    ArtifactCorrupt,
    ArtifactMissing,
    NotFound,
    NotSerializable,
    StoreFull,
    SymbolError,
    UntrustedValue,
)
from weft.model.values import Absent, Bound, Packed, Pick, Result, ResultList

ARTIFACTS = Artifacts(MemoryBlobs())
UNTRUSTED = Artifacts(ARTIFACTS.blobs, trusted=False)


def hole(obj: Any) -> Bound | None:
    """A future stands for the text of its number."""
    return values.Plain(ARTIFACTS.dumps(f"value {obj.number}")) if isinstance(obj, Future) else None


def filled(value: Any, artifacts: Artifacts = ARTIFACTS) -> Any:
    """The value as its task would receive it."""
    data, refs = ARTIFACTS.pack(value, hole, what="arguments")
    return artifacts.resolve(Packed(data, refs))


ONE, TWO = Future(1), Future(2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (((ONE,), {}), (("value 1",), {})),
        (
            ((), {"a": ONE, "b": [TWO, {"c": (ONE,)}]}),
            ((), {"a": "value 1", "b": ["value 2", {"c": ("value 1",)}]}),
        ),
        (ONE, "value 1"),
        ([ONE, TWO], ["value 1", "value 2"]),
        ({ONE, 5}, {"value 1", 5}),
        ({ONE: TWO}, {"value 1": "value 2"}),
        (Box(ONE, ["n"]), Box("value 1", ["n"])),
        (Frozen((ONE,), TWO), Frozen(("value 1",), "value 2")),
        (Point(ONE, 2), Point("value 1", 2)),
        (Packet("p", {"k": ONE}), Packet("p", {"k": "value 1"})),
        (Plain([ONE, 1]), Plain(["value 1", 1])),
        ([Plain(ONE), ONE], [Plain("value 1"), "value 1"]),
    ],
)
def test_holes_are_found_and_filled_wherever_they_are(value: Any, expected: Any) -> None:
    """Leaves that stand for later values are filled in containers, records and pickled objects alike."""
    assert filled(value) == expected


def test_holes_in_what_msgpack_cannot_hold() -> None:
    """A circular value with holes is pickled whole, and its holes are filled too."""
    value: list[Any] = [ONE]
    value.append(value)
    again = filled(value)
    assert again[0] == "value 1"
    assert again[1] is again


def test_the_same_leaf_twice_is_one_hole() -> None:
    """References are collected once each, in the order of their numbers, and give one object."""
    data, refs = ARTIFACTS.pack(((ONE, TWO, [ONE]), {"k": Plain(ONE)}), hole, what="x")
    assert refs == (hole(ONE), hole(TWO))
    (args, kwargs) = ARTIFACTS.resolve(Packed(data, refs))
    assert args[0] is args[2][0] is kwargs["k"].value


def test_equal_leaves_that_are_two_objects_are_two_holes() -> None:
    """Holes go by identity, also for objects that exist only while they are packed."""

    def many(obj: Any) -> Bound | None:
        return values.Plain(ARTIFACTS.dumps(obj.number)) if isinstance(obj, Future) else None

    data, refs = ARTIFACTS.pack([Future(i) for i in range(50)], many, what="x")
    assert len(refs) == 50
    assert ARTIFACTS.resolve(Packed(data, refs)) == list(range(50))


def test_without_holes_packing_is_dumping() -> None:
    """A value without holes has the same bytes as without looking for any."""
    for value in (((1, "x"), {"k": [2]}), 5, {"a": (1,)}, Box(1), Plain(1)):
        assert ARTIFACTS.pack(value, hole, what="x") == (ARTIFACTS.dumps(value), ())


def test_plain_data_is_not_asked_about() -> None:
    """``hole`` sees only leaves that are no plain data."""
    asked: list[Any] = []

    def ask(obj: Any) -> Bound | None:
        asked.append(obj)
        return hole(obj)

    odd = Plain([1, ("a",), {"k": 2.5}])
    ARTIFACTS.pack((([1, {"k": (2.5, {b"x"})}], ONE, odd), {}), ask, what="x")
    assert asked[0] is ONE
    assert all(each is odd for each in asked[1:])


def test_untrusted_processes_fill_holes_of_plain_values() -> None:
    """Holes in plain data need no trust."""
    assert filled([ONE, (1,)], UNTRUSTED) == ["value 1", (1,)]
    with pytest.raises(UntrustedValue):
        filled([Plain(ONE)], UNTRUSTED)


def test_an_error_of_the_hole_is_passed_on() -> None:
    """What ``hole`` raises reaches the caller as it is."""

    def refuse(_obj: Any) -> Bound | None:
        raise SymbolError("not here")

    for value in ([ONE], [Plain(ONE)]):
        with pytest.raises(SymbolError):
            ARTIFACTS.pack(value, refuse, what="x")
    assert filled([ONE]) == ["value 1"]


def test_an_unhashable_fill_is_a_coded_error() -> None:
    """A list in place of a set's element cannot be, and says so."""
    data, _ = ARTIFACTS.pack({ONE}, hole, what="x")
    with pytest.raises(ArtifactCorrupt) as caught:
        ARTIFACTS.resolve(Packed(data, (values.Plain(ARTIFACTS.dumps([1])),)))
    assert "unhashable" in caught.value.what


def plain(value: Any) -> values.Plain:
    return values.Plain(ARTIFACTS.dumps(value))


RESULTS = ResultList((ARTIFACTS.dumps({"a": 1}), None, ARTIFACTS.dumps([7])))


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        (plain((1, 2)), (1, 2)),
        (RESULTS, [{"a": 1}, None, [7]]),
        (Absent("skipped"), None),
        (Pick(plain({"a": [1, {"b": 2}]}), ("a", 1, "b")), 2),
        (Pick(plain(Box([5, 6])), ("content", -1)), 6),
        (Pick(plain({1: "one"}), (1,)), "one"),
        (Pick(plain({"keys": "mine"}), ("keys",)), "mine"),
        (Pick(plain("text"), (1,)), "e"),
        (Pick(plain(3), ()), 3),
        (Pick(RESULTS, (2, 0)), 7),
        (Pick(RESULTS, (-3, "a")), 1),
        (Pick(RESULTS, (1,)), None),
        (Pick(Absent("failed", "boom"), ("a",)), None),
        (Pick(Pick(plain([[1, 2]]), (0,)), (1,)), 2),
        (Packed(ARTIFACTS.dumps([1]), ()), [1]),
    ],
)
def test_bound_trees_are_resolved(bound: Bound, expected: Any) -> None:
    """Every shape of input gives the value that the task receives, directly and as a stored result."""
    assert ARTIFACTS.resolve(bound) == expected
    assert ARTIFACTS.loads(encode_bound(bound)) == expected
    assert decode_bound(encode_bound(bound)) == bound


@pytest.mark.parametrize(
    ("value", "path", "where"),
    [
        ({"a": 1}, ("b",), "result.b"),
        ({"a": {}}, ("a", "c"), "result.a.c"),
        ([1], (3,), "result[3]"),
        (Box(1), ("nothing",), "result.nothing"),
        (5, (0,), "result[0]"),
        (None, ("x",), "result.x"),
        ([1], ("x",), "result.x"),
        ({1, 2}, (0,), "result[0]"),
    ],
)
def test_a_step_that_leads_nowhere_is_named(value: Any, path: tuple[str | int, ...], where: str) -> None:
    """A missing key, attribute or index raises W1001 with the step."""
    with pytest.raises(NotFound) as caught:
        ARTIFACTS.resolve(Pick(plain(value), path))
    assert caught.value.where == where


def test_one_item_of_a_map_is_read_alone() -> None:
    """Picking an item of a map does not read the others, and a missing item is an error."""
    gone = Result("msgpack", None, "0" * 64, 5000)
    bound = ResultList((gone, ARTIFACTS.dumps(5)))
    assert ARTIFACTS.resolve(Pick(bound, (1,))) == 5
    with pytest.raises(NotFound):
        ARTIFACTS.resolve(Pick(bound, (2,)))
    with pytest.raises(ArtifactMissing):
        ARTIFACTS.resolve(bound)


def _closure() -> Callable[[], Any]:
    handle = threading.Lock()
    return lambda: handle


@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        (threading.Lock(), "result", "_thread.lock"),
        ([1, [threading.Lock()]], "result[1][0]", "_thread.lock"),
        ({"a": {"b": threading.Lock()}}, "result['a']['b']", "_thread.lock"),
        (Locked(), "result.lock", "_thread.lock"),
        ([Slotted(threading.Lock())], "result[0].handle", "_thread.lock"),
        (Point(1, threading.Lock()), "result.y", "_thread.lock"),
        (Box((Locked(),)), "result.content[0].lock", "_thread.lock"),
        ((i for i in range(3)), "result", "generator"),
        (_closure(), "variable 'handle' that result uses", "_thread.lock"),
        (SimpleNamespace(f=io.StringIO, g=(x for x in "ab")), "result.g", "generator"),
        ({threading.Lock(): 1}, "key <", "_thread.lock"),
        ({(1, threading.Lock())}, "an element of result", "_thread.lock"),
    ],
)
def test_the_part_that_cannot_be_stored_is_named(value: Any, path: str, kind: str) -> None:
    """The error leads to the innermost part, with its type and a hint."""
    with pytest.raises(NotSerializable) as caught:
        ARTIFACTS.dumps(value)
    assert caught.value.fields["path"].startswith(path)
    assert caught.value.fields["type"] == kind
    assert kind in caught.value.what
    assert caught.value.hint


def test_an_open_file_is_named(tmp_path: Path) -> None:
    """An open file gets a hint of its own."""
    with (tmp_path / "f").open("w") as file, pytest.raises(NotSerializable) as caught:
        ARTIFACTS.dumps({"out": file}, what="value of 'cfg'")
    assert caught.value.fields["path"] == "value of 'cfg'['out']"
    assert "open it inside the task" in caught.value.hint


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ((([1, Locked()],), {}), "argument 'conn'[1].lock"),
        (((1, 2, threading.Lock()), {}), "argument 3"),
        (((1,), {"other": {"k": Locked()}}), "argument 'other'['k'].lock"),
        (((ONE, functools.partial(print, threading.Lock())), {}), "argument 'second'"),
    ],
)
def test_the_argument_that_cannot_be_sent_is_named(call: Any, path: str) -> None:
    """An error about a call's arguments begins with the parameter, by name where it is known."""
    with pytest.raises(NotSerializable) as caught:
        ARTIFACTS.pack(call, hole, what="arguments of load", names=("conn", "second"))
    assert caught.value.fields["path"].startswith(path)
    assert caught.value.where == "arguments of load"


def test_a_circular_value_with_a_bad_part_ends_in_an_error() -> None:
    """The search for the bad part does not run in circles."""
    value: list[Any] = [1]
    value.append(value)
    value.append(threading.Lock())
    with pytest.raises(NotSerializable):
        ARTIFACTS.dumps(value)


class Failing:
    def __getstate__(self) -> Any:
        raise RuntimeError("no state today")


def test_an_objects_own_error_is_told() -> None:
    """What an object's ``__getstate__`` raises is in the message."""
    with pytest.raises(NotSerializable) as caught:
        ARTIFACTS.dumps([Failing()])
    assert "no state today" in caught.value.what


def test_a_failure_leaves_no_trace() -> None:
    """After a value that could not be stored the next one is stored right."""
    good = {"a": (1, {2}), "b": Box((3,))}
    before = ARTIFACTS.dumps(good)
    for bad in ([(1, (2, threading.Lock()))], Box(Failing()), {"k": ({Locked()},)}):
        with pytest.raises(NotSerializable):
            ARTIFACTS.dumps(bad)
        assert ARTIFACTS.dumps(good) == before


def test_a_full_disk_reaches_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value whose bytes cannot be kept raises the store's error."""

    def full(_self: Any, *_parts: Any) -> str:
        raise StoreFull("the disk is full")

    monkeypatch.setattr(FileBlobs, "put", full)
    artifacts = Artifacts(FileBlobs(tmp_path))
    assert artifacts.loads(artifacts.dumps("small")) == "small"
    with pytest.raises(StoreFull):
        artifacts.dumps("large" * 2000)


def test_classes_that_come_and_go_do_not_pile_up() -> None:
    """What is remembered about classes keeps only so many of them alive."""
    seen = []
    for _ in range(1100):
        made = type("Made", (Box,), {})
        plan_for(made)
        seen.append(weakref.ref(made))
    del made
    gc.collect()
    assert seen[0]() is None
