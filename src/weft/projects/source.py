"""Where a project comes from: a folder, or a revision of a git repository.

``path``, ``path@revision``, ``git+https://host/repository@revision#subdirectory=folder``.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from weft.model.errors import NotFound, ProjectError
from weft.projects.git import checkout


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A project's files as they are now, for as long as ``opened`` lasts.

    Attributes:
        folder: Where they are.
        address: Where they come from, without a revision.
        revision: The commit; "" for a folder as it is.
        name: What the project may be called.
    """

    folder: Path
    address: str
    revision: str = ""
    name: str = ""


@contextmanager
def opened(text: str) -> Iterator[Source]:
    """The files that ``text`` names.

    Raises:
        NotFound: There is no such folder.
        ProjectError: It is no folder.
        GitFailed: Git cannot give the revision.
    """
    if text.startswith("git+"):
        address, revision, folder = _split(text.removeprefix("git+"))
        with checkout(address, revision, folder) as (files, commit):
            name = folder.rpartition("/")[2] or _stem(address)
            yield Source(folder=files, address=f"git+{address}", revision=commit, name=name)
        return
    path, at, revision = text.rpartition("@")
    if at and revision and not os.path.exists(text) and os.path.isdir(path):
        with checkout(path, revision) as (files, commit):
            found = Path(path).resolve()
            yield Source(folder=files, address=str(found), revision=commit, name=found.name)
        return
    folder_path = Path(text).expanduser()
    if folder_path.is_file():
        raise ProjectError(
            f"{text} is a file",
            where=str(folder_path.resolve()),
            hint=f"deploy its folder: {folder_path.parent}",
        )
    if not folder_path.is_dir():
        raise NotFound(
            f"there is no folder {text}", where=os.getcwd(), hint="give a folder, or git+https://..."
        )
    found = folder_path.resolve()
    yield Source(folder=found, address=str(found), name=found.name)


def _split(text: str) -> tuple[str, str, str]:
    """A git address into the repository, the revision and the folder."""
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http", "ssh", "git", "file"):
        raise ProjectError(
            f"git+{text} is no address of a repository",
            hint="write git+https://host/repository@revision, or git+ssh://...",
        )
    path, _, revision = parts.path.partition("@")
    options = dict(each.partition("=")[::2] for each in parts.fragment.split("&") if each)
    folder = options.pop("subdirectory", "").strip("/")
    if options or ".." in folder.split("/"):
        raise ProjectError(f"#{parts.fragment} is not known", where=text, hint="write #subdirectory=folder")
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, "")), revision, folder


def _stem(address: str) -> str:
    return urlsplit(address).path.rstrip("/").rpartition("/")[2].removesuffix(".git")
