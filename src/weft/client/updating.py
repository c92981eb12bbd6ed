"""Read, change, write: the safe way to change a document that others may change too."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from weft.client.call import Call, Steps
from weft.client.patience import Patience, exchange
from weft.model.errors import NotFound, PreconditionFailed

B_contra = TypeVar("B_contra", contravariant=True)
B = TypeVar("B")


class Document(Protocol):
    """What has an ETag."""

    etag: str


V = TypeVar("V", bound=Document)

_TRIES = 10


class Put(Protocol[B_contra, V]):
    """An operation that writes a document."""

    def __call__(
        self, name: str, body: B_contra, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Call[V]:
        """The call."""


def update(
    show: Callable[[str], Call[V]],
    put: Put[B, V],
    name: str,
    change: Callable[[V | None], B],
    patience: Patience,
) -> Steps[V]:
    """Read a document, have it changed, and write it, unless somebody else wrote it meanwhile: then anew.

    Args:
        show: Reads it.
        put: Writes it.
        name: Which.
        change: Gets it as it is (``None``: there is none yet) and returns what it shall be. It may be called
            several times.
        patience: Of each call.

    Raises:
        PreconditionFailed: Others wrote it again and again meanwhile.
    """
    tries = 0
    while True:
        try:
            found: V | None = yield from exchange(show(name), patience)
        except NotFound:
            found = None
        body = change(found)
        tries += 1
        try:
            if found is None:
                return (yield from exchange(put(name, body, if_none_match="*"), patience))
            return (yield from exchange(put(name, body, if_match=found.etag), patience))
        except (PreconditionFailed, NotFound):
            if tries >= _TRIES:
                raise
