"""Imports are not cut short by a cancel that comes in the middle."""

import threading

import pytest

from weft.runtime.signals import Cancelled
from weft.runtime.undisturbed import put_off, undisturbed


def test_an_interrupt_waits_until_the_block_is_left() -> None:
    """It strikes then, once; outside such a block it is not put off at all."""
    me = threading.get_ident()
    assert not put_off(me, Cancelled)
    done: list[str] = []

    def load() -> None:
        with undisturbed():
            assert put_off(me, Cancelled)
            done.append("to the end")

    with pytest.raises(Cancelled):
        load()
    assert done == ["to the end"]
    with undisturbed():
        pass
    assert not put_off(me, Cancelled)
