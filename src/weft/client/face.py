"""How one description becomes methods of both clients.

A face carries steps out: ``Sync`` at once, ``Async`` when it is awaited. A ``Group`` belongs to a face, and
the descriptors below turn a function that only describes (a ``Call``, ``Pages``, a ``Stream``, ``Steps``)
into a method with the same parameters that does it, so that type checkers know for ``Runs[Sync]`` that
``show`` returns a run, and for ``Runs[Async]`` that it returns an awaitable of one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from weft.client.call import Call, Page, Steps
from weft.client.paging import Pages
from weft.client.streams import Event, Stream
from weft.client.updating import Document, Put, update

P = ParamSpec("P")
T = TypeVar("T")
B = TypeVar("B")
V = TypeVar("V", bound=Document)


class Pager(Protocol[T]):
    """A list; iterating goes through all its pages, and asks for each when it is reached."""

    def __iter__(self) -> Iterator[T]:
        """Every item."""

    def page(self, token: str | None = None) -> Page[T]:
        """One page: the first, or that of a token."""


class AsyncPager(Protocol[T]):
    """A list; ``async for`` goes through all its pages, and asks for each when it is reached."""

    def __aiter__(self) -> AsyncIterator[T]:
        """Every item."""

    async def page(self, token: str | None = None) -> Page[T]:
        """One page: the first, or that of a token."""


class Sync(Protocol):
    """Carries steps out while the caller waits."""

    def perform(self, steps: Steps[T]) -> T:
        """Carry steps out."""

    def ask(self, call: Call[T]) -> T:
        """Send a call, again if need be; returns what is answered."""

    def pages(self, pages: Pages[T]) -> Pager[T]:
        """A list."""

    def follow(self, stream: Stream[T]) -> Iterator[Event[T]]:
        """Events, as they come."""


class Async(Protocol):
    """Carries steps out when awaited."""

    async def perform(self, steps: Steps[T]) -> T:
        """Carry steps out."""

    async def ask(self, call: Call[T]) -> T:
        """Send a call, again if need be; returns what is answered."""

    def pages(self, pages: Pages[T]) -> AsyncPager[T]:
        """A list."""

    def follow(self, stream: Stream[T]) -> AsyncIterator[Event[T]]:
        """Events, as they come."""


F = TypeVar("F", Sync, Async)


class Group(Generic[F]):
    """Operations of one noun.

    Args:
        face: Who carries them out.
    """

    def __init__(self, face: F) -> None:
        self._face: F = face


class operation(Generic[P, T]):
    """A method that asks once."""

    def __init__(self, make: Callable[P, Call[T]]) -> None:
        self.make = make

    @overload
    def __get__(self, group: Group[Sync], owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, group: Group[Async], owner: Any) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, group: Any, owner: Any) -> Any:
        return _method(self.make, lambda call: group._face.ask(call)) if group is not None else self.make


class listing(Generic[P, T]):
    """A method that gives a list of any length."""

    def __init__(self, make: Callable[P, Pages[T]]) -> None:
        self.make = make

    @overload
    def __get__(self, group: Group[Sync], owner: Any) -> Callable[P, Pager[T]]: ...
    @overload
    def __get__(self, group: Group[Async], owner: Any) -> Callable[P, AsyncPager[T]]: ...
    def __get__(self, group: Any, owner: Any) -> Any:
        return _method(self.make, lambda pages: group._face.pages(pages)) if group is not None else self.make


class following(Generic[P, T]):
    """A method that gives events as they come."""

    def __init__(self, make: Callable[P, Stream[T]]) -> None:
        self.make = make

    @overload
    def __get__(self, group: Group[Sync], owner: Any) -> Callable[P, Iterator[Event[T]]]: ...
    @overload
    def __get__(self, group: Group[Async], owner: Any) -> Callable[P, AsyncIterator[Event[T]]]: ...
    def __get__(self, group: Any, owner: Any) -> Any:
        return (
            _method(self.make, lambda stream: group._face.follow(stream)) if group is not None else self.make
        )


class updating(Generic[B, V]):
    """A method that reads a document, has it changed, and writes it: see ``updating.update``."""

    def __init__(self, show: Callable[[str], Call[V]], put: Put[B, V]) -> None:
        self.show = show
        self.put = put

    @overload
    def __get__(self, group: Group[Sync], owner: Any) -> Callable[[str, Callable[[V | None], B]], V]: ...
    @overload
    def __get__(
        self, group: Group[Async], owner: Any
    ) -> Callable[[str, Callable[[V | None], B]], Awaitable[V]]: ...
    def __get__(self, group: Any, owner: Any) -> Any:
        def changed(name: str, change: Callable[[V | None], B]) -> Any:
            return group._face.perform(update(self.show, self.put, name, change, group._face.patience))

        changed.__doc__ = update.__doc__
        return changed


class Handle(Generic[F]):
    """Something of the service that is known by its id.

    Args:
        face: Who carries its methods out.
        id: Its id.
    """

    def __init__(self, face: F, id: str) -> None:  # noqa: A002 - the API's word
        self._face: F = face
        self.id = id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"


class procedure(Generic[P, T]):
    """A method of a handle that takes several steps."""

    def __init__(self, make: Callable[Concatenate[Any, P], Steps[T]]) -> None:
        self.make = make

    @overload
    def __get__(self, handle: Handle[Sync], owner: Any) -> Callable[P, T]: ...
    @overload
    def __get__(self, handle: Handle[Async], owner: Any) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, handle: Any, owner: Any) -> Any:
        def method(*args: Any, **kwargs: Any) -> Any:
            return handle._face.perform(self.make(handle, *args, **kwargs))

        method.__doc__ = self.make.__doc__
        return method


def _method(make: Callable[..., Any], carry_out: Callable[[Any], Any]) -> Callable[..., Any]:
    @wraps(make)
    def method(*args: Any, **kwargs: Any) -> Any:
        return carry_out(make(*args, **kwargs))

    return method
