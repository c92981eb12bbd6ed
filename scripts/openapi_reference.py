"""Writes docs/reference/openapi.json from the server's routes, so that a change of the API is seen in a diff.

``--check`` writes nothing and fails when the file differs (``tests/api/test_openapi.py`` does the same).
"""

import argparse
import sys
from pathlib import Path

from weft.server.app import description

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "openapi.json"


def main() -> int:
    """Write the file, or with ``--check`` compare it; returns the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/reference/openapi.json.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file differs")
    text = description() + b"\n"
    if not parser.parse_args().check:
        PAGE.write_bytes(text)
        return 0
    if PAGE.is_file() and PAGE.read_bytes() == text:
        return 0
    print(f"{PAGE.name} is out of date: run `make docs`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
