"""Files without a name: memory that is handed to another process as a descriptor."""

import os
import tempfile


def unnamed_file() -> int:
    """A new, empty file that only its descriptor leads to; in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("weft")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
