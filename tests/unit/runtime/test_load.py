"""How the function of a call is found, and what is said when it is not."""

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from weft.model.calls import PythonCall
from weft.model.errors import UnknownReference, WorkflowImportError
from weft.model.values import Result
from weft.runtime import load

Write = Callable[[str, str], Path]


def unpickle(result: Result) -> Any:
    assert result.inline is not None
    return cloudpickle.loads(result.inline)


def find(call: PythonCall, project: str = "") -> Any:
    return load.callable_of(load.load(call, project=project, unpickle=unpickle))


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Put the import path, the modules, ``__main__`` and what is registered back as they were."""
    registered = dict(load._registered)
    load._registered.clear()  # What other tests registered for ``__main__`` must not be found here.
    path, modules, main = list(sys.path), dict(sys.modules), sys.modules["__main__"]
    yield
    load._registered.clear()
    load._registered.update(registered)
    sys.path[:] = path
    main.__dict__.pop("__getattr__", None)
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules[load.SCRIPT] = modules[load.SCRIPT]


def test_a_registered_object_needs_no_import() -> None:
    """What this process registered is found without importing its module, and unwrapped."""

    class Task:
        fn = staticmethod(len)

    load.register("no.such.module", "f", Task())
    assert find(PythonCall("no.such.module", "f")) is len


def test_a_module_of_the_project(write: Write, tmp_path: Path) -> None:
    """A module in the project's folder is imported, and nested names are followed."""
    write("project_module_a.py", "class Model:\n    @staticmethod\n    def train():\n        return 1\n")
    assert find(PythonCall("project_module_a", "Model.train"), str(tmp_path))() == 1


def test_a_missing_module() -> None:
    """A module that does not exist is named."""
    with pytest.raises(WorkflowImportError, match="no module 'absent_module'") as caught:
        find(PythonCall("absent_module.part", "f"))
    assert caught.value.fields["module"] == "absent_module.part"


def test_a_missing_dependency(write: Write, tmp_path: Path) -> None:
    """A module that imports something that is not installed gets the line and what to install."""
    write("project_module_b.py", "x = 1\nimport absent_dependency.sub\n")
    with pytest.raises(WorkflowImportError) as caught:
        find(PythonCall("project_module_b", "f"), str(tmp_path))
    assert caught.value.where.endswith("project_module_b.py:2")
    assert "absent_dependency" in caught.value.hint


@pytest.mark.parametrize("script", [True, False])
def test_a_syntax_error(write: Write, tmp_path: Path, script: bool) -> None:
    """A syntax error is reported with file and line."""
    file = write("project_module_c.py", "ok = 1\ndef broken(:\n    pass\n")
    call = PythonCall("project_module_c", "f", file=str(file) if script else None)
    with pytest.raises(WorkflowImportError, match="syntax error") as caught:
        find(call, str(tmp_path))
    assert caught.value.where == f"{file}:2"


def test_an_import_that_fails(write: Write, tmp_path: Path) -> None:
    """An exception on import is reported with its type and the line that raised."""
    file = write("project_module_d.py", "def go():\n    return 1 / 0\n\ngo()\n")
    with pytest.raises(WorkflowImportError, match="ZeroDivisionError") as caught:
        find(PythonCall("project_module_d", "f"), str(tmp_path))
    assert caught.value.where == f"{file}:2"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_name_that_is_missing(write: Write, tmp_path: Path) -> None:
    """A name that is not in the module comes with the nearest that is."""
    write("project_module_e.py", "def transform(): pass\n")
    with pytest.raises(UnknownReference) as caught:
        find(PythonCall("project_module_e", "transfrom"), str(tmp_path))
    assert caught.value.hint == "did you mean 'transform'?"


def test_a_local_function_without_a_pickle() -> None:
    """A function made inside another one has no name to find it by, and that is said."""
    with pytest.raises(UnknownReference, match="inside a function"):
        find(PythonCall("os", "outer.<locals>.inner"))


def test_a_script_runs_once(write: Write) -> None:
    """A script is executed once, as ``__weft_main__``, and again when the file has changed."""
    file = write("script_a.py", "import os\nname = __name__\ntoken = object()\ndef f(): return token\n")
    call = PythonCall("__main__", "f", file=str(file))
    first = find(call)()
    assert find(call)() is first
    assert load.script(str(file)).name == load.SCRIPT
    size = file.stat().st_size
    file.write_text(file.read_text().replace("object()", "list(())")[:size])
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))
    assert find(call)() is not first


def test_a_script_that_is_missing(tmp_path: Path) -> None:
    """A script file that is not there is named."""
    with pytest.raises(WorkflowImportError, match="cannot be read") as caught:
        find(PythonCall("__main__", "f", file=str(tmp_path / "gone.py")))
    assert caught.value.where == str(tmp_path / "gone.py")


def test_classes_of_the_script_open_under_both_names(write: Write) -> None:
    """A pickle that names ``__main__`` or ``__weft_main__`` finds the script's class."""
    file = write("script_b.py", "class Row:\n    pass\n")
    row = load.script(str(file)).Row
    for module in ("__main__", load.SCRIPT):
        assert pickle.loads(b"c" + module.encode() + b"\nRow\n.") is row


def test_the_running_script_itself(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """In the process whose ``__main__`` is the script, it is not executed a second time."""
    file = write("script_c.py", "raise SystemExit('executed')\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(file), raising=False)
    assert load.script(str(file)) is sys.modules["__main__"]


def test_a_failed_script_leaves_the_old_one(write: Write) -> None:
    """A script that fails does not take the place of the one that was loaded."""
    good = load.script(str(write("script_d.py", "x = 1\n")))
    with pytest.raises(WorkflowImportError):
        load.script(str(write("script_e.py", "raise ValueError('no')\n")))
    assert sys.modules[load.SCRIPT] is good


def make(number: int) -> Callable[[], int]:
    def inner() -> int:
        return number

    return inner


def test_closures_of_one_name_are_told_apart() -> None:
    """Two closures with the same qualified name are each found by their own payload."""
    one, two = make(1), make(2)
    calls = []
    for fn in (one, two):
        payload = Result("pickle", cloudpickle.dumps(fn), None, 1)
        load.register(fn.__module__, fn.__qualname__, fn, payload=payload)
        calls.append(PythonCall(fn.__module__, fn.__qualname__, payload=payload))
    assert find(calls[0]) is one
    assert find(calls[1]) is two


def test_a_closure_from_elsewhere_is_unpickled() -> None:
    """A closure that another process made comes out of its payload."""
    payload = Result("pickle", cloudpickle.dumps(make(3)), None, 1)
    assert find(PythonCall("gone", "make.<locals>.inner", payload=payload))() == 3
