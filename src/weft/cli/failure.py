"""How a command's failure is shown, and which exit code it gets."""

import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from weft.model.errors import WeftError
from weft.observability.terminal import paint

BUG = 70


def report(exc: Exception) -> int:
    """Show an exception that ends the command; returns the exit code."""
    if isinstance(exc, WeftError):
        show(exc)
        return exc.exit_code
    where = _save(exc)
    what = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    _lines("W9000", f"Weft failed unexpectedly: {what}", where, "please report it together with that file")
    return BUG


def show(error: WeftError) -> None:
    """One error, for people."""
    _lines(error.code, error.what, error.where, error.hint)


def _lines(code: str, what: str, where: str, hint: str) -> None:
    lines = [f"{paint('error:', 'red')} {code}: {what}"]
    if where:
        lines.append(f"  {paint('where:', 'dim')} {where}")
    if hint:
        lines.append(f"  {paint('hint:', 'dim')} {hint}")
    print("\n".join(lines), file=sys.stderr)


def _save(exc: Exception) -> str:
    """Keep the traceback where the user can find it; the path, or "" if nothing can be written."""
    text = "".join(traceback.format_exception(exc))
    name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
    for folder in (os.environ.get("WEFT_HOME", ""), tempfile.gettempdir()):
        if not folder:
            continue
        path = Path(folder, name)
        try:
            path.write_text(f"weft {' '.join(sys.argv[1:])}\n\n{text}", encoding="utf-8")
        except OSError:
            continue
        return str(path)
    return ""
