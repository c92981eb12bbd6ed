"""Lists, page by page: what both faces know of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from weft.client.call import Call, Page

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pages(Generic[T]):
    """A list that is asked for page by page.

    Attributes:
        at: The call for the page with this token; ``None`` is the first page.
    """

    at: Callable[[str | None], Call[Page[T]]]
