"""Which code a workflow's file takes in, and one digest of it.

What counts is what the file imports of the project, directly or through others, at the top of a module or
inside a function, and the project's files that are read while it is imported. Not what tasks read when they
run: a new run always has the newest files, and the version only tells whether the *definition* is another.

Of Python the meaning counts: its syntax tree without positions, so that comments and formatting make no
version. Of every other file the bytes count.
"""

import ast
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from weft.runtime.load import module_name

_CACHE_MAX = 20_000


class Code:
    """The code of one snapshot.

    Args:
        root: The folder of its files.
        digests: Each file's digest.
    """

    def __init__(self, root: Path, digests: Mapping[str, str]) -> None:
        self._root = root
        self._digests = digests
        self._modules = {module_name(path): path for path in digests if path.endswith(".py")}

    def files(self, start: Iterable[str]) -> set[str]:
        """These files and all of the project that they import."""
        found: set[str] = set()
        pending = [each for each in start if each in self._digests]
        while pending:
            file = pending.pop()
            if file not in found:
                found.add(file)
                pending.extend(self._imports(file))
        return found

    def digest(self, file: str) -> str:
        """A file's meaning."""
        return _meaning(self._root, file, self._digests[file])[0]

    @staticmethod
    def digest_of(meanings: Mapping[str, str]) -> str:
        """The meaning of several files, given that of each."""
        hashed = sha256()
        for file, meaning in sorted(meanings.items()):
            hashed.update(f"{file}\0{meaning}\n".encode())
        return hashed.hexdigest()

    def _imports(self, file: str) -> Iterable[str]:
        package = module_name(file)
        if not file.endswith("__init__.py"):
            package = package.rpartition(".")[0]
        folder = file.rpartition("/")[0]
        near = f"{folder.removeprefix('src/').replace('/', '.')}." if folder else ""
        for level, name in _meaning(self._root, file, self._digests[file])[1]:
            if level:
                base = package.split(".")[: len(package.split(".")) - level + 1]
                names = [".".join([*base, name] if name else base)]
            else:
                names = [name, near + name]  # Of the project, or a neighbour in the file's own folder.
            for each in names:
                yield from self._found(each)

    def _found(self, name: str) -> Iterable[str]:
        """The files of a dotted name, with its packages; its last part may be no module but a name in one."""
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            file = self._modules.get(".".join(parts[:depth]))
            if file is not None:
                yield file


_Imports = tuple[tuple[int, str], ...]
_meanings: dict[str, tuple[str, _Imports]] = {}


def _meaning(root: Path, file: str, digest: str) -> tuple[str, _Imports]:
    """The digest of a file's meaning and the names that it imports, by its content."""
    if not file.endswith(".py"):
        return digest, ()
    known = _meanings.get(digest)
    if known is None:
        if len(_meanings) >= _CACHE_MAX:
            _meanings.clear()
        known = _meanings[digest] = _read(root / file, digest)
    return known


def _read(path: Path, digest: str) -> tuple[str, _Imports]:
    try:
        tree = ast.parse(path.read_bytes())
        text = ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError):
        return digest, ()  # What cannot be read counts as it is.
    names: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(0, each.name) for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names += [
                (node.level, f"{base}.{each.name}" if base else each.name)
                for each in node.names
                if each.name != "*"
            ] or [(node.level, base)]
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), tuple(dict.fromkeys(names))
