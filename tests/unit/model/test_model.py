"""The nouns: ids that sort by time, errors that travel, values that come back as they were."""

import pickle
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.model import errors
from weft.model.bound import BOUND, decode_bound, encode_bound
from weft.model.errors import ArtifactCorrupt, ErrorInfo, UnknownReference, UsageError, WeftError, WorldError
from weft.model.ids import ulid
from weft.model.states import LIVE, RUN_TERMINAL, TERMINAL, RunState, TaskState
from weft.model.values import NONE, Absent, Bound, Named, Packed, Pick, Plain, Result, ResultList

TREE = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, WeftError)]


@given(st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
def test_an_id_is_its_prefix_and_26_characters_of_base32(time_ms: int, randomness: bytes) -> None:
    """Without the letters that look like digits."""
    assert re.fullmatch(r"run_[0-7][0-9A-HJKMNP-TV-Z]{25}", ulid("run", time_ms, randomness))


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**48 - 1), st.binary(min_size=20, max_size=20))
def test_ids_sort_by_time(one: int, two: int, randomness: bytes) -> None:
    """Whatever their randomness."""
    first, second = ulid("run", one, randomness[:10]), ulid("run", two, randomness[10:])
    assert one == two or (first < second) is (one < two)


def test_ids_of_one_moment_differ_by_their_randomness() -> None:
    """All of it counts."""
    assert ulid("run", 5, bytes(10)) != ulid("run", 5, bytes(9) + b"\x01")


def test_every_error_has_a_code_of_its_own() -> None:
    """Codes are for ever, so none is shared."""
    codes = [each.code for each in TREE]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"W\d{4}", code) for code in codes)


@pytest.mark.parametrize("kind", TREE)
def test_an_error_survives_a_process(kind: type[WeftError]) -> None:
    """With its text, place, hint and fields."""
    error = pickle.loads(pickle.dumps(kind("what", where="here", hint="do", name="x")))
    assert (type(error), error.what, error.where, error.hint) == (kind, "what", "here", "do")
    assert error.fields == {"name": "x"}


def test_an_error_says_what_where_and_how_to_mend_it() -> None:
    """What is not given leaves no line."""
    error = UnknownReference("no such task", where="etl.py:3", hint="did you mean 'load'?")
    assert str(error) == "W1103: no such task\n  where: etl.py:3\n  hint: did you mean 'load'?"
    assert str(UsageError("no")) == "W1000: no"


def test_the_callers_faults_and_the_worlds_are_apart() -> None:
    """No error is both."""
    assert not [each for each in TREE if issubclass(each, UsageError) and issubclass(each, WorldError)]


def test_states_are_told_apart() -> None:
    """What has ended, what has an attempt, and what gives a result."""
    assert {state for state in TaskState if state.terminal} == TERMINAL
    assert not LIVE & TERMINAL
    assert {state for state in TaskState if state.ok} == {TaskState.SUCCEEDED, TaskState.CACHED}
    assert {state for state in RunState if state.terminal} == RUN_TERMINAL


RESULTS = st.builds(
    Result, st.sampled_from(["msgpack", "arrow"]), st.binary(max_size=8), st.none(), st.integers(0, 9)
)
BOUNDS: st.SearchStrategy[Bound] = st.recursive(
    st.one_of(
        st.builds(Plain, RESULTS),
        st.builds(ResultList, st.lists(st.one_of(st.none(), RESULTS), max_size=3).map(tuple)),
        st.builds(Absent, st.sampled_from(["skipped", "failed"]), st.text(max_size=5)),
    ),
    lambda inner: st.one_of(
        st.builds(
            Pick, inner, st.lists(st.one_of(st.text(max_size=3), st.integers(0, 5)), max_size=2).map(tuple)
        ),
        st.builds(Packed, RESULTS, st.lists(inner, max_size=2).map(tuple)),
        st.builds(Named, st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    ),
    max_leaves=6,
)


@given(BOUNDS)
def test_a_bound_tree_travels_as_a_result(bound: Bound) -> None:
    """Any tree comes back as it was."""
    result = encode_bound(bound)
    assert (result.format, result.size) == (BOUND, len(result.inline or b""))
    assert decode_bound(result) == bound


def test_damaged_bytes_are_no_bound_tree() -> None:
    """They are refused with a code."""
    with pytest.raises(ArtifactCorrupt):
        decode_bound(Result(BOUND, b"\xff", None, 1))


def test_none_is_the_value_none() -> None:
    """As every reader of msgpack sees it."""
    assert NONE.inline is not None
    assert msgspec.msgpack.decode(NONE.inline) is None
    assert len(NONE.inline) == NONE.size


def test_an_error_as_data_keeps_what_it_was() -> None:
    """Through msgpack and through JSON."""
    info = ErrorInfo("my.Boom", "no", "W2000", "Traceback", ("my.Boom", "builtins.Exception"), -9, b"\x80")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(info), type=ErrorInfo) == info
    assert msgspec.json.decode(msgspec.json.encode(info), type=ErrorInfo) == info
