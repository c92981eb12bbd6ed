"""A mapped call's arguments: which of them are gone through item by item, and where their items go."""

from typing import Any

from weft.dialects.native.arguments import allow_failure, unmapped
from weft.dialects.native.futures import Future, FutureList
from weft.model.errors import UsageError
from weft.model.inputs import Item


def columns_of(name: str, args: Any, kwargs: Any) -> tuple[list[Any], tuple[list[Any], dict[str, Any]]]:
    """The arguments to go through, and the call with holes where their items go.

    Raises:
        UsageError: There is nothing to go through; ``name`` is the task's, for the message.
    """
    columns: list[Any] = []
    spots: list[_Spot] = []

    def place(value: Any) -> Any:
        if isinstance(value, unmapped):
            return value.value
        if isinstance(value, Future | FutureList):
            value = value.result()
        if isinstance(value, str | bytes | bytearray) or hasattr(value, "keys"):
            return value
        if not hasattr(value, "__iter__"):
            return value
        columns.append(_values(value))
        spots.append(_Spot())
        return spots[-1]

    fixed_args = [place(each) for each in args]
    fixed_kwargs = {key: place(each) for key, each in kwargs.items()}
    if not columns:
        whole = any(hasattr(each, "keys") for each in (*args, *kwargs.values()))
        raise UsageError(
            f"{name}.map has nothing to map over",
            hint="a dict is passed whole to every item: map over its .items() or list(...)"
            if whole
            else "pass a list, or call it instead",
        )
    for number, spot in enumerate(spots):
        spot.item = Item() if len(spots) == 1 else Item((number,))
    return columns, (fixed_args, fixed_kwargs)


def hole_of(value: Any) -> Any:
    """The task run that an argument of a flow's call stands for; ``None`` for a plain value."""
    if isinstance(value, Future | FutureList):
        return value.output()
    if isinstance(value, allow_failure):
        return value.future.output(allow_failure=True)
    return None


def map_hole_of(value: Any) -> Any:
    """As ``hole_of``, and for the places where a mapped call's items go."""
    return value.item if isinstance(value, _Spot) else hole_of(value)


class _Spot:
    """Where an item goes in a mapped call."""

    __slots__ = ("item",)

    item: Item


def _values(column: Any) -> Any:
    """A column to go through, with futures in it replaced by their values."""
    if not hasattr(column, "__len__") or isinstance(column, list | tuple | set | frozenset):
        return [each.result() if isinstance(each, Future | FutureList) else each for each in column]
    return column
