"""Files without a name: memory that is handed to another process as a descriptor."""

import os


def unnamed_file() -> int:
    """A new, empty file that only its descriptor leads to; in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("weft")
    import tempfile  # noqa: PLC0415 - 4 ms of a worker's start, for the systems that need it only

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
