"""Code of deployed projects: which module a file is, and one project to a process."""

import subprocess
import sys
from pathlib import Path

import pytest

from weft.runtime.load import module_name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("etl.py", "etl"),
        ("flows/etl.py", "flows.etl"),
        ("src/pkg/etl.py", "pkg.etl"),
        ("src.py", "src"),
        ("flows/__init__.py", "flows"),
        ("src/pkg/__init__.py", "pkg"),
        ("my-flow.v2.py", "my-flow_v2"),
    ],
)
def test_a_files_module_is_what_imports_call_it(file: str, name: str) -> None:
    """So a class has one name, whoever imports its file first."""
    assert module_name(file) == name


def run(text: str) -> str:
    """Run Python in a process of its own; what it prints."""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_process_belongs_to_one_project(tmp_path: Path) -> None:
    """A second version of the same modules is refused, and the first one stays what it was."""
    for version in ("1", "2"):
        (tmp_path / version / "src" / "pkg").mkdir(parents=True)
        (tmp_path / version / "src" / "pkg" / "__init__.py").write_text("")
        (tmp_path / version / "src" / "pkg" / "etl.py").write_text(f"def version(): return {version}\n")
    text = f"""
from weft.model.calls import PythonCall
from weft.model.errors import WorkflowImportError
from weft.runtime import load

call = PythonCall("pkg.etl", "version", "src/pkg/etl.py")
print(load.load(call, project={str(tmp_path / "1")!r}, unpickle=None)())
try:
    load.load(call, project={str(tmp_path / "2")!r}, unpickle=None)
except WorkflowImportError as exc:
    print(exc.what)
import pkg.etl
print(pkg.etl.version(), load.project_file("pkg.etl"), load.project_file("sys"))
"""
    assert run(text).splitlines() == [
        "1",
        "this process works for another project, or another version of it",
        "1 src/pkg/etl.py None",
    ]
