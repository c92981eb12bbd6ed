"""What every generator of a page does with it: write it or, with ``--check``, compare it."""

import argparse
import sys
from pathlib import Path


def write_page(path: Path, text: str) -> int:
    """Write a page; with ``--check`` on the command line compare it instead.

    Returns:
        The exit code: 1 if the page differs.
    """
    parser = argparse.ArgumentParser(description=f"Write {path.name}.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page differs")
    if not parser.parse_args().check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return 0
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    print(f"{path.name} is out of date: run `make docs`", file=sys.stderr)
    return 1
