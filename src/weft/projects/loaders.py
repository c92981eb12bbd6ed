"""Which dialect a file is written in: the seam at which dialects meet discovery.

A loader says from a file's name and text whether it claims the file, in the process that deploys and without
running anything. What is in the file it finds out in a process of the file's own, where its ``module`` is
imported and its ``load`` called.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from weft.artifacts.artifacts import Artifacts
from weft.model.projects import FoundWorkflow, Problem


class Load(Protocol):
    """A loader's work, beside user code."""

    def __call__(
        self, file: str, artifacts: Artifacts, *, tasks: bool
    ) -> tuple[list[FoundWorkflow], list[Problem]]:
        """What a file of the project that this process belongs to defines.

        Args:
            file: Relative to the project.
            artifacts: Keeps what graphs refer to.
            tasks: Whether lone tasks count as workflows.

        Raises:
            WeftError: The file did not load.
        """


class Loader(NamedTuple):
    """One dialect.

    Attributes:
        dialect: Its name.
        suffixes: Of the files that it may claim.
        claims: Whether it claims a file with this path and text.
        module: Has the function ``load``, a ``Load``.
    """

    dialect: str
    suffixes: tuple[str, ...]
    claims: Callable[[str, str], bool]
    module: str

    def open(self) -> Load:
        """Its ``load``."""
        load: Load = importlib.import_module(self.module).load
        return load


def uses_weft(path: str, text: str) -> bool:
    """Whether Python imports weft: other people's scripts are not run for a look at them."""
    if "weft" not in text:
        return False
    return any(line.lstrip().startswith(("import weft", "from weft")) for line in text.splitlines())


LOADERS = (Loader("native", (".py",), uses_weft, "weft.projects.native"),)
"""Every dialect, the one that is asked first first."""


def loader_of(root: Path, file: str) -> Loader | None:
    """The dialect that claims a file; ``None`` if none does."""
    fitting = [each for each in LOADERS if file.endswith(each.suffixes)]
    if not fitting:
        return None
    try:
        text = (root / file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return next((each for each in fitting if each.claims(file, text)), None)


def named(dialect: str) -> Loader:
    """The loader of a dialect. Raises ``LookupError``."""
    for each in LOADERS:
        if each.dialect == dialect:
            return each
    raise LookupError(dialect)
