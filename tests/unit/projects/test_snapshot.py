"""Snapshots: which files are taken, how they are named, and how they become a folder again."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from weft.artifacts.blobs import Data, MemoryBlobs
from weft.model.errors import ArtifactMissing, ProjectError, ProjectTooLarge, UnsafePath, UsageError
from weft.projects.snapshot import File, Manifest, fingerprint, read, take
from weft.projects.unpack import folder_of, restore, unpack

HOUR_NS = 3_600_000_000_000


class CountingBlobs(MemoryBlobs):
    """Counts what is put."""

    puts = 0

    def put(self, *parts: Data) -> str:
        self.puts += 1
        return super().put(*parts)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a few files."""
    folder = tmp_path / "code"
    for name, text in {"a.py": "1", "pkg/b.py": "2", "pkg/data.csv": "3"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def age(folder: Path) -> None:
    """Give every file a modification time long ago."""
    for path in folder.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))


def test_equal_files_have_one_name(code: Path, tmp_path: Path) -> None:
    """The name depends on paths, contents and modes, and on nothing else."""
    other = tmp_path / "other"
    subprocess.run(["cp", "-r", str(code), str(other)], check=True)
    age(other)
    first = take(code, MemoryBlobs()).digest
    assert take(other, MemoryBlobs()).digest == first
    (other / "a.py").chmod(0o755)
    assert take(other, MemoryBlobs()).digest != first


def test_what_is_no_part_of_a_project_is_left_out(code: Path) -> None:
    """Environments, caches and what ``.weftignore`` names are not taken."""
    for name in (".git/HEAD", "pkg/__pycache__/a.pyc", "node_modules/x/y.js", "my env/lib/x.py"):
        (code / name).parent.mkdir(parents=True)
        (code / name).write_text("x")
    (code / "my env" / "pyvenv.cfg").write_text("")
    (code / ".weftignore").write_text("*.csv\n")
    assert set(take(code, MemoryBlobs()).files) == {".weftignore", "a.py", "pkg/b.py"}


def test_git_says_what_is_ignored(code: Path) -> None:
    """In a repository its own rules count, also for files that are not tracked yet."""
    subprocess.run(["git", "init", "-q", str(code)], check=True)
    (code / ".gitignore").write_text("*.csv\n")
    assert set(take(code, MemoryBlobs()).files) == {".gitignore", "a.py", "pkg/b.py"}


def test_a_folder_that_its_repository_ignores_is_taken_all_the_same(code: Path, tmp_path: Path) -> None:
    """Whoever deploys an ignored folder means it."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("code/\n")
    assert set(take(code, MemoryBlobs()).files) == {"a.py", "pkg/b.py", "pkg/data.csv"}


def test_a_project_that_is_too_large_names_the_largest(code: Path) -> None:
    """The error says which files make it so."""
    (code / "huge.bin").write_bytes(b"x" * 5000)
    with pytest.raises(ProjectTooLarge) as caught:
        take(code, MemoryBlobs(), bytes_max=4000)
    assert "huge.bin (5,000 B)" in caught.value.hint


def test_an_empty_folder_is_no_project(tmp_path: Path) -> None:
    """There is nothing to take."""
    with pytest.raises(ProjectError):
        take(tmp_path, MemoryBlobs())


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "pkg/../../outside", "pkg/b.py/../../x"])
def test_a_link_out_of_the_project_is_refused(code: Path, target: str) -> None:
    """A snapshot never reaches beyond its folder."""
    (code / "link").symlink_to(target)
    with pytest.raises(UnsafePath):
        take(code, MemoryBlobs())


def test_what_was_taken_comes_back(code: Path, tmp_path: Path) -> None:
    """Contents, modes and links are the same in the unpacked folder."""
    (code / "run.sh").write_text("#!/bin/sh\n")
    (code / "run.sh").chmod(0o700)
    (code / "pkg" / "link").symlink_to("../a.py")
    blobs = MemoryBlobs()
    digest = take(code, blobs).digest
    folder = unpack(tmp_path / "home", blobs, digest)
    assert (folder / "pkg" / "b.py").read_text() == "2"
    assert (folder / "pkg" / "link").read_text() == "1"
    assert os.access(folder / "run.sh", os.X_OK)
    assert os.stat(folder / "a.py").st_mode & 0o111 == 0
    assert take(folder, MemoryBlobs()).digest == digest


def test_many_may_unpack_at_once(code: Path, tmp_path: Path) -> None:
    """All get the one folder, and nothing is left lying about."""
    blobs = MemoryBlobs()
    digest = take(code, blobs).digest
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: unpack(home, blobs, digest), range(16)))
    assert folders == {folder_of(home, digest)}
    assert [each.name for each in (home / "projects").iterdir()] == [digest]


def test_a_run_of_another_machine_gets_its_files(code: Path, tmp_path: Path) -> None:
    """A project folder that is a snapshot's is unpacked where it is missing; another is left alone."""
    blobs = MemoryBlobs()
    folder = folder_of(tmp_path / "home", take(code, blobs).digest)
    assert (restore(str(folder), blobs) / "a.py").read_text() == "1"
    assert restore("/somewhere/else", blobs) == Path("/somewhere/else")


@pytest.mark.parametrize(
    "file",
    [
        File("../evil", 0o644, "", 0),
        File("/etc/evil", 0o644, "", 0),
        File("a//b", 0o644, "", 0),
        File("a/./b", 0o644, "", 0),
        File("", 0o644, "", 0),
        File("link", 0, "", 0, "../../evil"),
        File("link", 0, "", 0, "/etc"),
        File("suid", 0o4755, "", 0),
    ],
    ids=lambda file: f"{file.path}-{file.link}-{file.mode:o}",
)
def test_a_hostile_manifest_writes_nothing(tmp_path: Path, file: File) -> None:
    """A path that leads out of the folder is refused before anything is written."""
    blobs = MemoryBlobs()
    digest = blobs.put(msgspec.msgpack.encode(Manifest((file,))))
    with pytest.raises(UsageError):
        unpack(tmp_path / "home", blobs, digest)
    assert not (tmp_path / "home").exists()


def test_what_is_no_snapshot_is_refused() -> None:
    """A digest of other bytes, and one of nothing."""
    blobs = MemoryBlobs()
    with pytest.raises(ProjectError):
        read(blobs.put(b"something else"), blobs)
    with pytest.raises(ArtifactMissing):
        read("0" * 64, blobs)


def test_unchanged_files_are_not_read_again(code: Path, tmp_path: Path) -> None:
    """Digests are remembered by time, inode and size, and a changed file is noticed."""
    later = time.time_ns() + HOUR_NS
    blobs = CountingBlobs()
    first = take(code, blobs, cache=tmp_path / "cache", now_ns=later).digest
    assert blobs.puts == 4
    assert take(code, blobs, cache=tmp_path / "cache", now_ns=later).digest == first
    assert blobs.puts == 4
    kept = os.stat(code / "a.py")
    (code / "a.py").write_text("9")
    os.utime(code / "a.py", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    assert take(code, blobs, cache=tmp_path / "cache", now_ns=later).digest != first
    assert blobs.puts == 6


def test_a_young_file_is_read_again(code: Path, tmp_path: Path) -> None:
    """One that was written just now may change again without a new time, so it is not remembered."""
    blobs = CountingBlobs()
    take(code, blobs, cache=tmp_path / "cache")
    before = blobs.puts
    take(code, blobs, cache=tmp_path / "cache")
    assert blobs.puts == before + 3


def test_another_store_gets_everything(code: Path, tmp_path: Path) -> None:
    """What is remembered of files does not keep their contents from a store that has none of them."""
    later = time.time_ns() + HOUR_NS
    digest = take(code, MemoryBlobs(), cache=tmp_path / "cache", now_ns=later).digest
    other = MemoryBlobs()
    assert take(code, other, cache=tmp_path / "cache", now_ns=later).digest == digest
    assert (unpack(tmp_path / "home", other, digest) / "a.py").read_text() == "1"


def test_the_fingerprint_follows_changes(code: Path) -> None:
    """It differs once a file is changed, added or removed, and not otherwise."""
    first = fingerprint(code)
    assert fingerprint(code) == first
    (code / "new.py").write_text("")
    second = fingerprint(code)
    (code / "new.py").unlink()
    assert (second != first, fingerprint(code)) == (True, first)
