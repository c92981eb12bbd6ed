"""Weft with bugs put in on purpose: the simulation must see them, or it sees nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from weft.core.changes import Change
from weft.core.commands import Command
from weft.engine.engine import Engine
from weft.store.memory import MemoryStore


class UnfencedStore(MemoryStore):
    """Lets an engine write to runs that another one took over."""

    def _refused(self, changes: Sequence[Change], engine: int, epochs: Mapping[int, int]) -> set[int]:
        return set()


class ForgetfulStore(MemoryStore):
    """Loses the last change of a large commit, as a torn write would."""

    def commit(self, changes: Sequence[Change], *, engine: int, epochs: Mapping[int, int]) -> frozenset[int]:
        kept = changes[:-1] if len(changes) > 6 else changes
        return super().commit(kept, engine=engine, epochs=epochs)


class HastyEngine(Engine):
    """Acts first and commits afterwards."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._put_off: list[Change] = []

    def _commit(self, changes: list[Change]) -> frozenset[int]:
        self._put_off = changes
        return frozenset()

    def _perform(self, commands: list[Command], now: float) -> None:
        changes, self._put_off = self._put_off, []
        super()._perform(commands, now)
        if changes:
            super()._commit(changes)
