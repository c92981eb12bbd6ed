"""Values in, results out: the one door to serialised values, for everything beside user code.

A result holds at most ``INLINE_MAX`` bytes itself; more go to the blobs, durably, before the result exists.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from weft.artifacts.blobs import Blobs, Data
from weft.artifacts.codes import BYTES, MSGPACK
from weft.artifacts.preview import preview_of
from weft.artifacts.serialize import SCALARS, decode, encode, encode_with_holes, pack_scalar
from weft.artifacts.split import split_bytes, split_value
from weft.model.bound import BOUND, decode_bound
from weft.model.errors import ArtifactMissing, NotFound
from weft.model.values import INLINE_MAX, NONE, Absent, Bound, Named, Packed, Pick, Plain, Result, ResultList

_VIEW_MIN = 1 << 20
"""Smaller blobs are read, not mapped: a process may hold only so many maps."""


class Artifacts:
    """Serialises values and finds them again.

    Args:
        blobs: Where the bytes go that are too many for a result.
        trusted: Whether pickles and objects of named classes are opened. Only processes that run the
            project's code anyway are trusted.
    """

    def __init__(self, blobs: Blobs, trusted: bool = True) -> None:
        self.blobs = blobs
        self.trusted = trusted

    def dumps(self, value: Any, *, what: str = "result") -> Result:
        """Serialise a value.

        Args:
            value: Anything; what cannot be stored raises.
            what: What the value is to the user, for the error.

        Raises:
            NotSerializable: It, or a part that the error names, cannot be stored.
            StoreFull, StoreReadOnly, StoreError: Its bytes could not be kept.
        """
        if value is None:
            return NONE
        kind = type(value)
        if kind in SCALARS and (kind is not str or len(value) <= INLINE_MAX):
            try:
                data = pack_scalar(value)
            except (OverflowError, UnicodeEncodeError):
                pass  # A big integer, or text with lone surrogates.
            else:
                size = len(data)
                if size <= INLINE_MAX:
                    return Result(MSGPACK, data, None, size)
        format, parts = encode(value, what)  # noqa: A001 - the name of Result's field
        return self.store(format, *parts)

    def loads(self, result: Result) -> Any:
        """The value of a result. Arrays and tables may share memory with a private map of their blob.

        Raises:
            ArtifactMissing, ArtifactCorrupt: Its bytes are gone or damaged.
            UntrustedValue: Opening it would run code, and this process is not trusted.
            NotFound, NotSerializable: Its class is not here, or refuses to be rebuilt.
        """
        if result.format == BOUND:
            return self.resolve(decode_bound(result))
        return self._load(result, ())

    def store(self, format: str, *parts: Data) -> Result:  # noqa: A002 - as above
        """A result of bytes that are serialised already; the parts are joined."""
        size = 0
        for part in parts:
            size += len(part)
        if size <= INLINE_MAX:
            return Result(format, b"".join(parts), None, size)
        return Result(format, None, self.blobs.put(*parts), size)

    def resolve(self, bound: Bound) -> Any:
        """The value of a bound input.

        Raises:
            NotFound: A step of a ``Pick`` leads nowhere.
            Others as ``loads``.
        """
        kind = type(bound)
        if kind is Plain:
            return self.loads(bound.result)  # type: ignore[union-attr]
        if isinstance(bound, Packed):
            return self._load(bound.data, [self.resolve(ref) for ref in bound.refs])
        if isinstance(bound, ResultList):
            return [None if each is None else self.loads(each) for each in bound.items]
        if isinstance(bound, Pick):
            return self._pick(bound)
        if isinstance(bound, Named):
            return {name: self.resolve(each) for name, each in bound.items.items()}
        return None

    def pack(
        self, value: Any, hole: Callable[[Any], Bound | None], *, what: str, names: Sequence[str] = ()
    ) -> tuple[Result, tuple[Any, ...]]:
        """Serialise a value in which some leaves stand for values that come later.

        Args:
            value: Usually a call's ``(args, kwargs)``.
            hole: Gives the reference for such a leaf, wherever it is in nested containers and objects, and
                ``None`` for every other object. It is not asked about plain data, functions and classes.
            what: What the value is to the user.
            names: The positional parameters' names, if the value is such a pair: errors then say
                ``argument 'conn'``.

        Returns:
            The result, and the references: hole number i is the i-th. The same leaf twice is one hole.
        """
        (format, parts), refs = encode_with_holes(value, hole, what, names)  # noqa: A001 - as above
        return self.store(format, *parts), tuple(refs)

    def split(self, result: Result) -> list[Result]:
        """The items of a stored iterable value, each as its own result.

        A map's skipped or failed items give ``None``.

        Raises:
            UsageError: The value cannot be mapped over.
        """
        if result.format == BOUND:
            bound = decode_bound(result)
            if isinstance(bound, ResultList):
                return [NONE if each is None else each for each in bound.items]
            if isinstance(bound, Plain):
                return self.split(bound.result)
        elif result.format == MSGPACK:
            items = split_bytes(self._data(result), self.store)
            if items is not None:
                return items
        return self.split_value(self.loads(result))

    def split_value(self, value: Any) -> list[Result]:
        """The items of a live iterable, generators included, each as its own result."""
        return split_value(value, self.dumps)

    def preview(self, result: Result, limit: int = 2000) -> str:
        """A short text for people. It runs none of the value's code unless this process is trusted."""
        return preview_of(result, self.blobs, trusted=self.trusted, limit=limit)

    @staticmethod
    def fingerprint(result: Result) -> str:
        """16 hex digits that equal values share, for journals and cache keys.

        Equal plain values, sets included, have equal bytes if their dictionaries have the same order. Pickles
        are only likely to: they may depend on object identity, on the order of sets and on versions.
        """
        data = result.inline if result.inline is not None else (result.digest or "").encode()
        kind = b"\0" if result.inline is not None else b"\1"
        return blake2b(kind + result.format.encode() + kind + data, digest_size=8).hexdigest()

    def _load(self, result: Result, fills: Sequence[Any]) -> Any:
        data = result.inline if result.inline is not None else self._data(result)
        return decode(result.format, data, trusted=self.trusted, fills=fills)

    def _data(self, result: Result) -> Data:
        if result.inline is not None:
            return result.inline
        if result.digest is None:
            raise ArtifactMissing("a result has neither bytes nor a digest", where=result.format)
        if result.size < _VIEW_MIN or result.format == BYTES:
            return self.blobs.get(result.digest)
        return self.blobs.view(result.digest)

    def _pick(self, pick: Pick) -> Any:
        of, path = pick.of, pick.path
        if isinstance(of, ResultList) and path and isinstance(path[0], int):
            # One item of a map: the others need not be read.
            if not -len(of.items) <= path[0] < len(of.items):
                raise _no_step(list(of.items), path[0], path[:1])
            item = of.items[path[0]]
            of, path = (Absent("skipped") if item is None else Plain(item)), path[1:]
        value = self.resolve(of)
        if isinstance(of, Absent):
            return None
        for i, step in enumerate(path):
            value = _step(value, step, path[: i + 1])
        return value


def _step(value: Any, step: str | int, path: tuple[str | int, ...]) -> Any:
    """One step into a value: a mapping's key, else an attribute, else an index."""
    try:
        if isinstance(value, Mapping):
            if step in value:
                return value[step]
        elif isinstance(step, str) and hasattr(value, step):
            return getattr(value, step)
        elif hasattr(value, "__getitem__"):
            return value[step]
    except (LookupError, TypeError, ValueError):
        pass
    raise _no_step(value, step, path)


def _no_step(value: Any, step: str | int, path: tuple[str | int, ...]) -> NotFound:
    return NotFound(
        f"a result of type {type(value).__qualname__} has no {step!r}",
        where="result" + "".join(f".{each}" if isinstance(each, str) else f"[{each}]" for each in path),
        hint=_choices(value),
    )


def _choices(value: Any) -> str:
    if isinstance(value, Mapping):
        return "it has " + (", ".join(repr(key) for key in list(value)[:10]) or "no keys")
    if isinstance(value, list | tuple):
        return f"it has {len(value)} items"
    if value is None:
        return "the task returned nothing"
    return ""
