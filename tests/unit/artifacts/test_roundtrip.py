"""What is stored comes back with the very same types, however it is nested."""

import datetime as dt
import math
import pickle
import sys
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import artifact_classes as classes
import pytest
from artifact_classes import (
    Box,
    Child,
    Colour,
    Frozen,
    Guarded,
    Level,
    Model,
    Open,
    Packet,
    Pair,
    Plain,
    Point,
    Right,
    Sealed,
    Word,
    Wrapper,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
from weft.model.errors import ArtifactCorrupt, NotFound, NotSerializable, UntrustedValue
from weft.model.values import INLINE_MAX, NONE, Result

ARTIFACTS = Artifacts(MemoryBlobs())
UNTRUSTED = Artifacts(ARTIFACTS.blobs, trusted=False)


def same(one: Any, two: Any) -> bool:
    """Equal values of equal types, all the way down, in the same order."""
    if type(one) is not type(two):
        return False
    if isinstance(one, float):
        return repr(one) == repr(two)
    if isinstance(one, complex):
        return same(one.real, two.real) and same(one.imag, two.imag)
    if isinstance(one, Decimal):
        return str(one) == str(two)
    if isinstance(one, dict):
        return len(one) == len(two) and all(
            same(a, b) and same(one[a], two[b]) for a, b in zip(one, two, strict=True)
        )
    if isinstance(one, list | tuple | deque):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, set | frozenset):
        return one == two and sorted(map(repr, map(type, one))) == sorted(map(repr, map(type, two)))
    if isinstance(one, dt.datetime | dt.time):
        return one == two and one.fold == two.fold and same(one.tzinfo, two.tzinfo)
    if isinstance(one, dt.timezone):
        return pickle.dumps(one) == pickle.dumps(two)
    if isinstance(one, Box | Plain):
        return same(vars(one), vars(two))
    if isinstance(one, Packet):
        return same([one.name, one.body], [two.name, two.body])
    if isinstance(one, Frozen):
        return same([one.a, one.b], [two.a, two.b])
    return bool(one == two)


def back(value: Any) -> Any:
    return ARTIFACTS.loads(ARTIFACTS.dumps(value))


ZONES = st.sampled_from(
    [
        None,
        dt.UTC,
        ZoneInfo("Europe/Stockholm"),
        ZoneInfo("UTC"),
        dt.timezone(dt.timedelta(hours=-3, minutes=30)),
        dt.timezone(dt.timedelta(seconds=1, microseconds=5)),
        dt.timezone(dt.timedelta(hours=2), "named"),
    ]
)
HASHABLE_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=ZONES)
    | st.times()
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.uuids()
    | st.builds(range, st.integers(-5, 5), st.integers(-5, 5), st.integers(1, 4))
    | st.sampled_from([Colour.BLUE, Level.HIGH, Word.YES, Right.READ | Right.RUN, Right(0)])
    | st.sampled_from([Path("/a/b"), PurePosixPath("x"), PureWindowsPath("C:\\x"), Path(".")])
)
LEAVES = (
    HASHABLE_LEAVES
    | st.floats()
    | st.complex_numbers()
    | st.builds(bytearray, st.binary())
    | st.builds(Plain, st.integers())
    | st.decimals(allow_nan=True)
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = HASHABLE_LEAVES | st.tuples(HASHABLE_LEAVES, HASHABLE_LEAVES)
    return (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.tuples(st.lists(inner, max_size=3).map(tuple), st.dictionaries(st.text(), inner, max_size=3))
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
        | st.builds(Box, inner, st.lists(st.text(), max_size=2))
        | st.builds(Point, inner, inner)
        | st.builds(Packet, st.text(), inner)
        | st.builds(Frozen, inner, inner)
        | st.builds(Plain, inner)
        | st.lists(inner, max_size=3).map(deque)
        | st.dictionaries(keys, inner, max_size=3).map(OrderedDict)
    )


@settings(max_examples=400, deadline=None)
@given(st.recursive(LEAVES, containers, max_leaves=12))
def test_any_nested_value_comes_back_the_same(value: Any) -> None:
    """Values of every kind, nested in each other, return with equal values and types."""
    assert same(back(value), value)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.uuids(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(PLAIN)
def test_plain_data_needs_no_trust(value: Any) -> None:
    """Data without named classes is read by an untrusted process as well."""
    assert same(UNTRUSTED.loads(ARTIFACTS.dumps(value)), value)


class _Local:
    """A class that a name leads to only in this module."""


EXAMPLES: dict[str, Any] = {
    "big integers": [2**64, -(2**64), 2**63, -(2**63) - 1, 10**500, 255, 256, -256],
    "floats": [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324],
    "complex": complex(-0.0, math.nan),
    "decimals": [Decimal("1.10"), Decimal("sNaN12"), Decimal("-0"), Decimal("1e-400"), Decimal("-Infinity")],
    "zones": [dt.UTC, ZoneInfo("Asia/Tokyo"), dt.timezone(dt.timedelta(0), "nought")],
    "fold": dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Stockholm")),
    "time": dt.time(1, 2, 3, 4, tzinfo=dt.timezone(dt.timedelta(hours=1)), fold=1),
    "early": [dt.date(1, 1, 1), dt.datetime(1, 1, 1), dt.timedelta.min, dt.timedelta.max],
    "uuid": uuid4(),
    "paths": [Path("a/../b"), PureWindowsPath("C:/x"), Path("\udcff")],
    "range": range(10**30, 0, -7),
    "surrogates": ["\ud800", {"\udfff": "\ud800x"}, ("\ud800",), {"\ud800"}],
    "buffers": [bytearray(b"ab"), {"k": (bytearray(b"c"), b"c")}, b"\xc4\xc5\xc6"],
    "keys": {
        1: "int",
        True + 1: "two",
        (1, (2, "x")): 3,
        None: 4,
        b"b": 5,
        frozenset({1}): 6,
        1.5: 7,
        Level.HIGH: 8,
    },
    "collections": [
        OrderedDict(b=1, a=2),
        Counter("aab"),
        deque([1, 2], maxlen=5),
        defaultdict(list, {"a": [1]}),
    ],
    "sets": [set(), frozenset(), {1, 2**70, "x", (1, 2)}, {frozenset({1}), frozenset()}],
    "pairs": ((), {}),
    "near pairs": [((), {}, 1), ([], {}), ((1,), {"a": ((), {})}), ((),), ()],
    "enums": [Colour.RED, Level.LOW, Word.YES, Right.READ | Right.WRITE, Right(0), {Colour.BLUE: Level.HIGH}],
    "named tuples": [Point(1, (2, Pair(3, [4]))), Pair({1}, None)],
    "dataclasses": [Box([1]), Frozen(1, Frozen((2,))), Child(1, ["n"], extra={2}), Guarded(5)],
    "structs": [Packet("a", (1, Packet("b"))), Sealed(long_name={1}, other=4)],
    "pydantic": [
        Model(name="a", inner=Model(name="b"), anything=(1, {2})),
        Open.model_validate({"a": 1, "b": (2,)}),
    ],
    "generic models": Wrapper[int](item=3),
    "exceptions": Plain(1),
    "namespace": SimpleNamespace(a=(1, 2)),
    "types": [int, Box, Level, dict[str, int]],
    "functions": [len, math.sqrt, classes.Box.__init__],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_come_back_the_same(name: str) -> None:
    """Corner cases of each type return as they were."""
    assert same(back(EXAMPLES[name]), EXAMPLES[name])


def test_memoryviews_keep_shape_and_format() -> None:
    """A memoryview comes back as one, of the same elements."""
    view = memoryview(bytes(range(24))).cast("I", shape=[2, 3])
    one, two = back([view, memoryview(b"ab")])
    assert (one.format, one.shape, one.tolist()) == ("I", (2, 3), view.tolist())
    assert two == memoryview(b"ab")
    assert isinstance(back(view), memoryview)


def test_state_beyond_the_fields_is_kept() -> None:
    """A dataclass keeps fields that are no arguments, cached properties and loose attributes."""
    box = Box(2)
    box.hidden = 9
    box.loose = "more"  # type: ignore[attr-defined]
    assert box.doubled == 4
    assert vars(back(box)) == vars(box)


def test_a_pydantic_model_keeps_what_was_set_and_private() -> None:
    """A model's set fields and private attributes survive, and nothing is validated again."""
    model = Model(name="a")
    model._private = 42
    again = back(model)
    assert again.model_fields_set == {"name"}
    assert again._private == 42


def test_exceptions_come_back() -> None:
    """An exception is a value like any other."""
    again = back([ValueError("x", 1), KeyError("k")])
    assert [(type(each), each.args) for each in again] == [(ValueError, ("x", 1)), (KeyError, ("k",))]


def test_closures_and_local_classes_come_back() -> None:
    """What no name leads to is copied, code and all."""
    step = 3

    class Local:
        def __init__(self) -> None:
            self.value = 5

    result = ARTIFACTS.dumps([lambda x: x + step, Local()])
    add, obj = ARTIFACTS.loads(result)
    assert add(4) == 7
    assert obj.value == 5
    assert type(obj) is Local


def test_many_objects_of_a_local_class_are_copied_once() -> None:
    """A hundred objects whose class must be copied become one pickle, not a hundred copies of the class."""

    class Local:
        pass

    result = ARTIFACTS.dumps([Local() for _ in range(100)])
    assert result.format == "pickle"
    assert result.size < 10_000
    assert len({type(each) for each in ARTIFACTS.loads(result)}) == 1


def test_circular_and_deep_values_come_back() -> None:
    """Values that msgpack cannot hold, because they are circular or deep, are pickled."""
    circle: list[Any] = [1]
    circle.append(circle)
    again = back(circle)
    assert again[1] is again
    deep: Any = "bottom"
    for _ in range(600):
        deep = [deep]
    again = back(deep)
    for _ in range(600):
        (again,) = again
    assert again == "bottom"


def test_an_odd_leaf_does_not_pickle_the_whole() -> None:
    """One object that only pickle keeps is embedded; the value around it stays msgpack."""
    result = ARTIFACTS.dumps({"data": [1, 2], "odd": Plain(3)})
    assert result.format == "msgpack"
    assert ARTIFACTS.loads(result)["odd"] == Plain(3)
    assert ARTIFACTS.dumps(Plain(3)).format == "pickle"


@pytest.mark.parametrize(
    "value", [Plain(1), [Plain(1)], Box(1), Colour.RED, (1, [Point(1)]), Packet("x"), Model(name="x")]
)
def test_code_is_not_run_without_trust(value: Any) -> None:
    """Pickles and named classes, at the top or deep inside, raise W1301 in an untrusted process."""
    with pytest.raises(UntrustedValue):
        UNTRUSTED.loads(ARTIFACTS.dumps(value))


class _Bomb:
    def __reduce__(self) -> Any:
        return _explode, ()


exploded: list[int] = []


def _explode() -> None:
    exploded.append(1)


def test_a_pickle_never_runs_in_an_untrusted_process() -> None:
    """Loading, splitting and previewing a hostile pickle runs none of it."""
    for value in (_Bomb(), [_Bomb(), _Bomb()], {"k": (_Bomb(),)}, Box(_Bomb())):
        result = ARTIFACTS.dumps(value)
        UNTRUSTED.preview(result)
        with pytest.raises(UntrustedValue):
            UNTRUSTED.loads(result)
    assert len(UNTRUSTED.split(ARTIFACTS.dumps([_Bomb(), _Bomb()]))) == 2
    assert exploded == []


def test_small_values_are_inline_and_large_ones_are_blobs() -> None:
    """Up to 4096 bytes stay in the result; more go to the blobs, once."""
    blobs = MemoryBlobs()
    artifacts = Artifacts(blobs)
    small = artifacts.dumps(b"x" * (INLINE_MAX - 3))
    assert (small.digest, small.size) == (None, INLINE_MAX)
    large = [artifacts.dumps(value) for value in (b"x" * INLINE_MAX, b"x" * INLINE_MAX, list(range(5000)))]
    assert all(each.inline is None and each.digest is not None for each in large)
    assert len(list(blobs)) == 2
    assert artifacts.loads(large[0]) == b"x" * INLINE_MAX
    assert artifacts.loads(large[2]) == list(range(5000))


def test_none_is_the_shared_result() -> None:
    """``None`` is the constant of the model."""
    assert ARTIFACTS.dumps(None) is NONE
    assert ARTIFACTS.loads(NONE) is None


def test_equal_sets_have_equal_fingerprints() -> None:
    """A set's bytes do not depend on the order in which it was built; a dictionary's do."""
    one, two = set(), set()
    for i in range(100):
        one.add(f"item {i}")
        two.add(f"item {99 - i}")
    assert ARTIFACTS.dumps(one) == ARTIFACTS.dumps(two)
    assert ARTIFACTS.fingerprint(ARTIFACTS.dumps(one)) == ARTIFACTS.fingerprint(ARTIFACTS.dumps(two))
    ordered = [ARTIFACTS.fingerprint(ARTIFACTS.dumps(each)) for each in ({1: 1, 2: 2}, {2: 2, 1: 1})]
    assert ordered[0] != ordered[1]


def test_fingerprints_tell_values_and_types_apart() -> None:
    """Different values, types and formats have different fingerprints, the same in every process."""
    values = [1, 1.0, True, "1", b"1", [1], (1,), {1}, None, b"x" * 5000, "x" * 5000, 2**70]
    prints = [ARTIFACTS.fingerprint(ARTIFACTS.dumps(value)) for value in values]
    assert len(set(prints)) == len(values)
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in prints)
    assert prints[0] == "42973a396fa1d0cf"


@pytest.mark.parametrize(
    "result",
    [
        Result("msgpack", b"", None, 0),
        Result("msgpack", b"\x93\x01", None, 2),
        Result("msgpack", b"\xc7\x02\x63ab", None, 5),
        Result("msgpack", b"\xd4\x00\x05", None, 3),
        Result("msgpack", b"\xc7\x03\x0cabc", None, 6),
        Result("pickle-of-the-future", b"x", None, 1),
        Result("numpy", b"not an array", None, 12),
        Result("arrow", b"not a table", None, 11),
        Result("json", b"{", None, 1),
        Result("text", b"\xff", None, 1),
        Result("bound", b"\x01", None, 1),
    ],
)
def test_damaged_bytes_are_a_coded_error(result: Result) -> None:
    """Bytes that are not of their format raise W3201, trusted or not."""
    for artifacts in (ARTIFACTS, UNTRUSTED):
        with pytest.raises(ArtifactCorrupt):
            artifacts.loads(result)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_no_bytes_confuse_the_reader(data: bytes) -> None:
    """Whatever bytes an untrusted process is given, it raises coded errors or reads plain data."""
    for result in (Result("msgpack", data, None, len(data)), Result("numpy", data, None, len(data))):
        try:
            UNTRUSTED.loads(result)
        except (ArtifactCorrupt, UntrustedValue):
            pass
        assert isinstance(UNTRUSTED.preview(result), str)


def test_a_class_that_is_gone_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value whose class was renamed raises an error with the class's name."""
    result = ARTIFACTS.dumps(Box(1))
    monkeypatch.delattr(classes, "Box")
    with pytest.raises(NotFound) as caught:
        ARTIFACTS.loads(result)
    assert "artifact_classes.Box" in caught.value.what


class OneWay(Exception):
    """An exception that pickles but cannot be unpickled, a common mistake."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} {b}")


def test_an_object_that_cannot_be_rebuilt_is_a_coded_error() -> None:
    """A pickle that fails to load says so instead of leaking the error of the class."""
    with pytest.raises(NotSerializable):
        ARTIFACTS.loads(ARTIFACTS.dumps(OneWay(1, 2)))


def test_a_notebooks_classes_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes of a ``__main__`` without a file are copied, because no other process could import them."""
    main = sys.modules["__main__"]
    made = type("Cell", (), {"__module__": "__main__", "value": 4})
    record = classes.dataclass(type("Record", (), {"__module__": "__main__", "__annotations__": {"a": int}}))
    monkeypatch.setattr(main, "Cell", made, raising=False)
    monkeypatch.setattr(main, "Record", record, raising=False)
    monkeypatch.setattr(main, "__file__", "script.py", raising=False)
    by_name = [ARTIFACTS.dumps(made()).size, ARTIFACTS.dumps(record(1)).size]
    monkeypatch.delattr(main, "__file__")
    copied = [ARTIFACTS.dumps(made()), ARTIFACTS.dumps(record(1))]
    assert [each.format for each in copied] == ["pickle", "pickle"]
    assert all(copy.size > 5 * name for copy, name in zip(copied, by_name, strict=True))
    monkeypatch.delattr(main, "Cell")
    assert ARTIFACTS.loads(copied[0]).value == 4


def test_threads_share_a_facade() -> None:
    """Many threads that write and read nested values at once get their own values back."""
    errors: list[Any] = []

    def work(number: int) -> None:
        for i in range(300):
            value = {"n": (number, i), "s": {number, i}, "b": Box((number, i))}
            if not same(back(value), value):
                errors.append(value)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_value_stored_while_another_is_being_stored() -> None:
    """An object that stores something else while it is being stored disturbs nothing."""

    class Nosy:
        def __reduce__(self) -> Any:
            inner = ARTIFACTS.dumps([(1, 2), {3}])
            return UUID, ("12345678123456781234567812345678",) if inner.size else ()

    value = [(1, Nosy(), {2}), Nosy()]
    assert back(value) == [
        (1, UUID(int=0x12345678123456781234567812345678), {2}),
        UUID(int=0x12345678123456781234567812345678),
    ]
