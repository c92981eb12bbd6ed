"""Typed records, over a store that is tested elsewhere."""

import msgspec
import pytest

from weft.model.errors import Conflict, NotFound, StoreCorrupt
from weft.store.memory import MemoryStore
from weft.store.protocol import Write
from weft.store.records import Collection


class Pool(msgspec.Struct):
    """A body."""

    slots: int
    note: str = ""


POOLS = Collection("pool", Pool)


def test_a_struct_is_kept_by_name() -> None:
    """What was saved is found again, with what is needed to change it."""
    store = MemoryStore()
    saved = POOLS.save(store, "gpu", Pool(2), at=1.0, due_at=4.0)
    assert POOLS.get(store, "gpu") == saved == POOLS.require(store, "gpu")
    assert POOLS.due(store, before=4.0) == [saved]
    with pytest.raises(Conflict):
        POOLS.save(store, "gpu", Pool(3), at=2.0, expect=saved.revision + 1)
    POOLS.delete(store, ["gpu", "gone"], at=3.0)
    assert POOLS.get(store, "gpu") is None
    with pytest.raises(NotFound, match="pool 'gpu'"):
        POOLS.require(store, "gpu")


def test_all_reads_past_a_page() -> None:
    """However many there are."""
    store = MemoryStore()
    store.write([POOLS.put(f"{n:05}", Pool(n)) for n in range(2345)], at=1.0)
    assert [each.value.slots for each in POOLS.all(store)] == list(range(2345))
    assert [each.name for each in POOLS.page(store, prefix="0234", after="02342")] == ["02343", "02344"]


def test_a_body_of_another_shape_is_an_error_that_names_the_record() -> None:
    """Nothing is guessed."""
    store = MemoryStore()
    store.write([Write(kind="pool", name="gpu", body=msgspec.msgpack.encode({"slots": "two"}))], at=1.0)
    with pytest.raises(StoreCorrupt, match="pool 'gpu'"):
        POOLS.get(store, "gpu")
