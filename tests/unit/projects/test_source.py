"""Where projects come from."""

import subprocess
from pathlib import Path

import pytest

from weft.model.errors import GitFailed, NotFound, ProjectError
from weft.projects.source import opened


def git(folder: Path, *words: str) -> str:
    """Run git as somebody."""
    who = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *who, "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two commits, the first of which is tagged."""
    folder = tmp_path / "repository"
    (folder / "sub").mkdir(parents=True)
    git(folder, "init", "-q")
    for number in ("1", "2"):
        (folder / "sub" / "a.py").write_text(number)
        git(folder, "add", ".")
        git(folder, "commit", "-qm", number)
        if number == "1":
            git(folder, "tag", "v1")
    (folder / "sub" / "a.py").write_text("not committed")
    return folder


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("{folder}", "not committed"),
        ("{folder}@v1", "1"),
        ("{folder}@main", "2"),
        ("{folder}@{first}", "1"),
        ("git+file://{folder}", "2"),
        ("git+file://{folder}@v1", "1"),
        ("git+file://{folder}@{first}", "1"),
    ],
)
def test_forms_of_a_source(repository: Path, form: str, text: str) -> None:
    """A folder is taken as it is, a revision as it was committed."""
    first = git(repository, "rev-parse", "v1")
    with opened(form.format(folder=repository, first=first)) as found:
        assert (found.folder / "sub" / "a.py").read_text() == text
        assert found.name == "repository"
        assert found.revision in ("", git(repository, "rev-parse", "HEAD"), first)
        assert bool(found.revision) == (text != "not committed")


def test_a_folder_of_a_repository(repository: Path) -> None:
    """``#subdirectory=`` takes only a part."""
    with opened(f"git+file://{repository}@v1#subdirectory=sub") as found:
        assert [each.name for each in found.folder.iterdir()] == ["a.py"]
        assert found.name == "sub"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ("{folder}@no-such", GitFailed),
        ("git+file://{folder}/nowhere", GitFailed),
        ("git+file://{folder}@v1#subdirectory=../x", ProjectError),
        ("git+ext::sh -c true", ProjectError),
        ("git+file://{folder}@--upload-pack=x", GitFailed),
        ("{folder}/nowhere", NotFound),
        ("{folder}/sub/a.py", ProjectError),
    ],
)
def test_what_cannot_be_opened(repository: Path, form: str, error: type[Exception]) -> None:
    """Each has a clear error."""
    with pytest.raises(error), opened(form.format(folder=repository)):
        pass
