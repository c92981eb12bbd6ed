"""What a project's code runs with, as far as a change of it makes a new version: Python and the packages.

The file that pins the packages tells; where none does, what the project says it needs.
"""

import hashlib
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from weft.model.errors import ProjectError
from weft.model.projects import Environment

LOCKS = (
    "uv.lock",
    "pylock.toml",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "conda-lock.yml",
    "requirements.lock",
    "requirements.txt",
    "environment.yml",
    "environment.yaml",
)
"""Files that say which packages a project has; the first that is there counts."""


def environment(root: Path) -> Environment:
    """What the project in this folder runs with, in the Python that asks."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in LOCKS:
        path = root / name
        if path.is_file():
            return _environment(python, name, path.read_bytes())
    needed = pyproject(root).get("project", {}).get("dependencies")
    if isinstance(needed, list):
        return _environment(python, "pyproject.toml", msgspec.json.encode(sorted(map(str, needed))))
    return _environment(python, "", b"")


def _environment(python: str, name: str, data: bytes) -> Environment:
    digest = hashlib.sha256(b"\0".join((python.encode(), name.encode(), data))).hexdigest()
    return Environment(python=python, requirements=name, digest=digest)


def pyproject(root: Path) -> dict[str, Any]:
    """The project's ``pyproject.toml``; empty if there is none. Raises ``ProjectError`` for a broken one."""
    return _toml(root / "pyproject.toml")


def options(root: Path) -> dict[str, Any]:
    """What the project says of itself to Weft: ``weft.toml``, else ``[tool.weft]``."""
    own = _toml(root / "weft.toml")
    if own:
        return own
    section = pyproject(root).get("tool", {}).get("weft", {})
    return section if isinstance(section, dict) else {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise ProjectError(f"{path.name} cannot be read: {exc}", where=str(path)) from exc
