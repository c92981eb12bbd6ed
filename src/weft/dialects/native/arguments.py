"""How an argument is meant: the same for every item, or accepted even if it failed."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from weft.dialects.native.futures import Future, FutureList

T = TypeVar("T")
U = TypeVar("U")


class unmapped(Generic[T]):
    """An argument of ``.map`` that is the same for every item, even if it is a list."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


class allow_failure(Generic[T]):
    """A future as an argument whose failure does not keep the task from running: it then gets ``None``.

    In a ``@dag`` it takes what a task call gives.
    """

    __slots__ = ("future",)

    @overload
    def __init__(self: "allow_failure[U]", future: "Future[U]") -> None: ...
    @overload
    def __init__(self: "allow_failure[list[U]]", future: "FutureList[U]") -> None: ...
    @overload
    def __init__(self, future: T) -> None: ...
    def __init__(self, future: Any) -> None:
        self.future = future
