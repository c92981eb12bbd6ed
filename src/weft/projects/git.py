"""What Weft asks of git, through its command.

Nothing here prompts, runs hooks or filters of a stranger's choosing, or follows an unusual transport: an
address may come from whoever may deploy.
"""

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft.model.errors import GitFailed

TIMEOUT_S = 300.0
"""The longest that one command may take."""

_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


def listed(folder: Path) -> list[str] | None:
    """A work tree's files that are tracked, or new and not ignored; ``None`` if the folder is in none."""
    try:
        found = _git("-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    except GitFailed:
        return None
    return [os.fsdecode(name) for name in found.split(b"\0") if name]


@contextmanager
def checkout(address: str, revision: str, folder: str = "") -> Iterator[tuple[Path, str]]:
    """A revision's files in a temporary folder, and the commit that it is.

    Args:
        address: A repository's address or path.
        revision: A branch, tag or commit; "" is what the repository has checked out.
        folder: Only this folder of it.

    Raises:
        GitFailed: Git is missing, or cannot reach the repository or find the revision.
    """
    if revision.startswith("-") or address.startswith("-"):
        raise GitFailed(f"{revision or address!r} is no revision", where=address)
    with tempfile.TemporaryDirectory(prefix="weft-git-") as made:
        root = Path(made)
        repository = root / "repository.git"
        _git("init", "--quiet", "--bare", str(repository))
        commit = _fetch(repository, address, revision or "HEAD")
        files = root / "files"
        files.mkdir()
        _extract(repository, commit, folder, files)
        yield files, commit


def _fetch(repository: Path, address: str, revision: str) -> str:
    at = ("-C", str(repository))
    local = Path(address).expanduser()
    where = str(local.resolve()) if local.is_dir() else address
    try:
        _git(*at, "fetch", "--quiet", "--depth", "1", "--", where, revision)
    except GitFailed as exc:
        # A server may refuse commits that no branch ends with; then all of it has to come.
        try:
            _git(*at, "fetch", "--quiet", "--", where, "+refs/*:refs/*")
            found = _git(
                *at, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
            )
        except GitFailed:
            raise exc from None
    else:
        found = _git(*at, "rev-parse", "--verify", "FETCH_HEAD^{commit}")
    return found.decode().strip()


def _extract(repository: Path, commit: str, folder: str, into: Path) -> None:
    archive = repository.parent / "files.tar"
    tree = f"{commit}:{folder}" if folder else commit
    _git("-C", str(repository), "archive", "--format=tar", f"--output={archive}", tree)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(into, filter="data")
    except tarfile.TarError as exc:
        raise GitFailed(f"the revision's files cannot be unpacked: {exc}", where=commit) from exc


def _git(*words: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, **_ENVIRONMENT},
        )
    except FileNotFoundError as exc:
        raise GitFailed("there is no git command", hint="install git, or deploy a folder") from exc
    except subprocess.TimeoutExpired as exc:
        raise GitFailed(f"git took longer than {TIMEOUT_S:g} s", where=words[-1]) from exc
    if done.returncode:
        said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        what = said[-1].removeprefix("fatal: ").removeprefix("error: ") if said else "it said nothing"
        raise GitFailed(f"git failed: {what}", where=words[-1], hint="check the address and the revision")
    return done.stdout
