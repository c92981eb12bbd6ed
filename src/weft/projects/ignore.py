"""Which files a ``.weftignore`` leaves out: the patterns of gitignore(5).

A pattern without a slash, or with one only at its end, counts in every folder; one with a slash counts from
the project's folder. ``*`` and ``?`` stay within a name, ``**`` goes through folders, ``/`` at the end means
folders only, and ``!`` takes back what an earlier pattern left out. The last pattern that fits decides.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple


class _Rule(NamedTuple):
    fits: re.Pattern[str]
    folders: bool
    keeps: bool


class Ignored:
    """A compiled list of patterns.

    Args:
        lines: As in the file; empty lines and comments (``#``) do not count.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self._rules = [rule for line in lines if (rule := _rule(line)) is not None]

    def __call__(self, path: str, *, folder: bool = False) -> bool:
        """Whether a path (with ``/``, relative to the project) is left out, for itself or with a folder."""
        if not self._rules:
            return False
        parts = path.split("/")
        above = ("/".join(parts[:depth]) for depth in range(1, len(parts)))
        return any(self._last(each, True) for each in above) or self._last(path, folder)

    def _last(self, path: str, folder: bool) -> bool:
        for rule in reversed(self._rules):
            if (folder or not rule.folders) and rule.fits.fullmatch(path):
                return not rule.keeps
        return False


def _rule(line: str) -> _Rule | None:
    text = line.rstrip("\n\r").rstrip(" ")
    if not text or text.startswith("#"):
        return None
    keeps = text.startswith("!")
    text = text[keeps:].removeprefix("\\")
    folders = text.endswith("/")
    text = text.rstrip("/")
    if not text:
        return None
    anchored = "/" in text
    pattern = _pattern(text.removeprefix("/"))
    return _Rule(re.compile(pattern if anchored else f"(?:.*/)?{pattern}", re.DOTALL), folders, keeps)


_TOKEN = re.compile(r"\*\*/|/\*\*|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def _pattern(text: str) -> str:
    made: list[str] = []
    for token in _TOKEN.findall(text):
        if token == "**/":
            made.append("(?:.*/)?")
        elif token == "/**":
            made.append("/.*")
        elif token in ("*", "**"):
            made.append("[^/]*")
        elif token == "?":
            made.append("[^/]")
        elif len(token) > 2 and token[0] == "[":
            inside = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            made.append(f"[^{inside[1:]}]" if inside[0] == "!" else f"[{inside}]")
        else:
            made.append(re.escape(token))
    return "".join(made)
