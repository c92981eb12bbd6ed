"""Collecting garbage: forgetting bytes that nothing refers to any more.

Rules:

1. *Conservative.* Whatever looks like a digest in what the store holds keeps the bytes of that name, wherever
   it stands: a kind of reference that is added later is never overlooked. A text that happens to look like
   one keeps too much, which costs room and nothing else.
2. *Young bytes stay.* A value is put before the store names it, so bytes are let alone for a grace after they
   were last put; and they count as new whenever they are put again (``blobs.py``).
3. *The oldest first, then the references.* What is old is listed before the references are read: what is put
   meanwhile is not in the list, or is seen to be new when its turn comes (``FileBlobs.discard``).
"""

import re
from collections.abc import Iterable

import msgspec

from weft.artifacts.blobs import REFRESH_S, FileBlobs
from weft.model.errors import UsageError

GRACE_S = 86_400.0
"""How long bytes that nothing refers to are kept: longer than any value waits to be named in the store."""

GRACE_MIN_S = 2 * REFRESH_S
"""The least that is safe: bytes that are put again may be older than they seem by ``REFRESH_S``."""

# Also inside longer runs of such letters, so that no alignment is missed.
_NAMED = re.compile(rb"(?=([0-9a-f]{64}))")


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What a collection did, or would do.

    Attributes:
        looked: Old blobs that were looked at.
        kept: Those of them that something refers to.
        removed: Those that went.
        freed: Their bytes.
        folders: Unpacked projects that went.
    """

    looked: int = 0
    kept: int = 0
    removed: int = 0
    freed: int = 0
    folders: int = 0


def collect(
    blobs: FileBlobs,
    references: Iterable[bytes],
    *,
    now: float,
    grace_s: float = GRACE_S,
    dry_run: bool = False,
) -> Collected:
    """Forget the bytes that nothing refers to.

    Args:
        blobs: Where they are.
        references: Whatever may name digests: everything that the store holds, and what is in blobs that list
            others. It is asked for only after the old blobs are listed.
        now: The time by which files are dated.
        grace_s: Younger bytes stay; at least ``GRACE_MIN_S``.
        dry_run: Remove nothing; ``freed`` is then what it would be.

    Raises:
        UsageError: The grace is too short.
        StoreError: A file cannot be removed. What was removed before is gone.
    """
    if grace_s < GRACE_MIN_S:
        raise UsageError(
            f"a grace of {grace_s:g} s is too short", hint=f"give at least {GRACE_MIN_S / 3600:g} hours"
        )
    before = now - grace_s
    unnamed = {bytes.fromhex(each) for each in blobs.older(before)}
    looked = len(unnamed)
    for text in references:
        if not unnamed:
            break
        for found in _NAMED.finditer(text):
            unnamed.discard(bytes.fromhex(found[1].decode()))
    kept, removed, freed = looked - len(unnamed), 0, 0
    for each in unnamed:
        digest = each.hex()
        size = _size(blobs, digest) if dry_run else blobs.discard(digest, before)
        if size is not None:
            removed += 1
            freed += size
    if not dry_run:
        blobs.sweep(before)
    return Collected(looked=looked, kept=kept, removed=removed, freed=freed)


def _size(blobs: FileBlobs, digest: str) -> int | None:
    try:
        return blobs.path(digest).stat().st_size
    except FileNotFoundError:
        return None
