"""Where the ``weft`` command begins, and where everything that goes wrong in it ends.

Rules, and why:

1. ``--version`` and ``--help`` load nothing: people and scripts ask for them all the time. A command loads
   only its own file.
2. Standard output is data, standard error is for people.
3. An error that Weft raises on purpose is shown as ``error: code: what`` with ``where:`` and ``hint:``, and
   ends with the exit code of its class. Anything else is a bug of ours: it is shown in short, its traceback
   is saved, and the exit code is 70.
"""

import os
import sys
from collections.abc import Sequence

from weft._version import __version__

INTERRUPTED = 130
BUG = 70

HERE = "http://127.0.0.1:4200"
"""What ``--server`` means without an address: a service on this machine."""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line; returns its exit code.

    Args:
        argv: The words after ``weft``; those of the process by default.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["-V"]):
        print(f"weft {__version__}")
        return 0
    words = take_global(words)
    try:
        if not words or words in (["--help"], ["-h"], ["help"]):
            from weft.cli.index import overview  # noqa: PLC0415 - rule 1

            print(overview())
            return 0 if words else 2
        from weft.cli.app import run_app  # noqa: PLC0415 - rule 1

        code = run_app(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as exc:
        from weft.cli.failure import report  # noqa: PLC0415 - nothing has gone wrong yet

        return report(exc)


def take_global(words: list[str]) -> list[str]:
    """Act on the options that every command takes, and return the other words."""
    end = words.index("--") if "--" in words else len(words)
    kept: list[str] = []
    given = words[:end][::-1]
    while given:
        word = given.pop()
        if word == "--server":
            named = bool(given) and not given[-1].startswith("-")
            os.environ["WEFT_SERVER"] = given.pop() if named else HERE
        elif word.startswith("--server="):
            os.environ["WEFT_SERVER"] = word.removeprefix("--server=")
        elif word == "--no-color":
            os.environ["NO_COLOR"] = "1"
        elif word in ("--quiet", "-q"):
            os.environ["WEFT_QUIET"] = "1"
            os.environ["WEFT_PROGRESS"] = "off"
        else:
            kept.append(word)
    return kept + words[end:]
