"""Whether two graphs of one workflow differ by more than noise.

A file that is loaded twice may define two graphs: a default is random or is the time, a list is made from a
set, a name has an address in it. That is *noise*, and makes no version. It is told by looking again: where
several looks at the same code disagree with each other, the difference from the graph before means nothing.

A moment (date, time) in a value means nothing either, as long as the code is the same: what the code itself
says of it, the digest of the code covers, and ``date.today()`` is the same in all looks of one day.
"""

from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

import msgspec

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.codes import MSGPACK
from weft.model.calls import PythonCall
from weft.model.errors import WeftError
from weft.model.graph import Graph
from weft.model.values import Result


def same_but_for_noise(before: Graph, looks: Sequence[Graph], artifacts: Artifacts) -> bool:
    """Whether the graph before and the graph now are one definition.

    Args:
        before: Of the version that is deployed.
        looks: What loading the same code gave, several times.
        artifacts: Opens values; it need not be trusted.
    """
    return _Comparison(artifacts).same(before, looks)


class _Comparison:
    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    def same(self, before: Any, looks: Sequence[Any]) -> bool:
        first = looks[0]
        if any(type(each) is not type(first) for each in looks):
            return True
        if isinstance(first, Result):
            return self._same_values(before, looks)
        if isinstance(first, msgspec.Struct):
            return type(before) is type(first) and all(
                self.same(getattr(before, name), [getattr(each, name) for each in looks])
                for name in first.__struct_fields__
                # A digest of code and defaults: the code is the same, and defaults are compared themselves.
                if not (name == "version" and isinstance(first, PythonCall))
            )
        if isinstance(first, Mapping):
            keys = first.keys()
            if any(each.keys() != keys for each in looks):
                return True
            return (
                isinstance(before, Mapping)
                and before.keys() == keys
                and all(self.same(before[key], [each[key] for each in looks]) for key in keys)
            )
        if isinstance(first, list | tuple):
            if any(len(each) != len(first) for each in looks):
                return True
            return (
                isinstance(before, list | tuple)
                and len(before) == len(first)
                and all(self.same(*each) for each in zip(before, zip(*looks, strict=True), strict=True))
            )
        if any(not _equal(each, first) for each in looks):
            return True
        if isinstance(first, date | time) and isinstance(before, date | time):
            return True
        return _equal(before, first)

    def _same_values(self, before: Any, looks: Sequence[Result]) -> bool:
        if not isinstance(before, Result):
            return False
        if any(each != looks[0] for each in looks) or before == looks[0]:
            return True
        try:
            return self.same(self._open(before), [self._open(looks[0])])
        except WeftError:
            return False  # What cannot be opened here is compared by its bytes.

    def _open(self, value: Result) -> Any:
        return self._artifacts.loads(value) if value.format == MSGPACK else msgspec.to_builtins(value)


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
