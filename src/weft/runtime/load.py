"""Finds the function that a ``PythonCall`` names, in the process that will run it.

In this order: an object that this process itself registered (a script that runs its own tasks needs no second
import), the pickled function for one that no name leads to, the script file, the module.

A script is known as ``__main__`` to the process that started it. Here it is executed once as the module
``__weft_main__``, as multiprocessing does with ``__mp_main__``, and each name answers for the other: a value
whose class was pickled under either name opens in both processes.

A call of a deployed project names its file relative to the project's folder, whatever version that holds. A
process that meets such a call belongs to that folder from then on (``enter``): each of its files is a module
by the name under which the project's other files would import it, and no second project is let in.

A script may call its workflow at the top, without asking whether it is the main one. Where it is only loaded
that call must not start a run: it ends the loading (``ScriptEnd``), and what is defined above it counts.
"""

import difflib
import importlib
import importlib.util
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextvars import Context
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

from weft.model.calls import PythonCall
from weft.model.errors import ModuleClash, UnknownReference, WorkflowImportError
from weft.model.values import Result

SCRIPT = "__weft_main__"

_SOURCE = "src"
"""The folder of a project whose packages are imported without its name, by convention."""

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class ScriptEnd(BaseException):
    """A script that is executed only for its functions starts its own workflow: enough is known."""


class _Executing(threading.local):
    depth = 0


_executing = _Executing()

generation = 0
"""Grows with every registration: whoever remembers what ``load`` found looks again when this has changed."""

LOCAL = "local"
"""The format of the payload of a function that cannot be pickled: only the process that made it finds it."""

_registered: dict[tuple[str, str], Any] = {}
_pickled: WeakValueDictionary[Result, Any] = WeakValueDictionary()
_local: dict[Result, Any] = {}
_scripts: dict[str, tuple[int, ModuleType]] = {}
_projects: set[str] = set()
_home = ""
_paths: list[str] = []
_lock = threading.RLock()

sys.modules.setdefault(SCRIPT, sys.modules["__main__"])


def register(module: str, qualname: str, fn: Any, *, payload: Result | None = None) -> None:
    """Let this process find ``fn`` without importing anything.

    Args:
        module: As the ``PythonCall`` will say.
        qualname: As the ``PythonCall`` will say.
        fn: The function, or the decorated object whose ``.fn`` it is.
        payload: The call's ``payload``, for a closure: several may share one qualified name, so within the
            process that made it a closure is told apart by this. Held weakly.
    """
    global generation
    generation += 1
    _registered[module, qualname] = fn
    if payload is None:
        return
    if payload.format == LOCAL:
        _local[payload] = fn
    else:
        _pickled[payload] = fn


def pickled(payload: Result) -> Any:
    """What this process registered under a payload and still holds; ``None`` if there is nothing."""
    return _pickled.get(payload)


def load(call: PythonCall, *, project: str = "", unpickle: Callable[[Result], Any]) -> Any:
    """The object that the call names: a function, or a decorated object with ``.fn``.

    Args:
        call: What to find.
        project: Folder to put on ``sys.path`` first.
        unpickle: Opens the call's payload.

    Raises:
        WorkflowImportError: The module or script is missing or failed to import.
        UnknownReference: It imported, but the name is not in it.
    """
    if project and _is_deployed(call):
        enter(project)
    if call.payload is not None and call.payload.format == LOCAL:
        # Another process may have made its own by the same name, as a script does that is run again.
        found = _local.get(call.payload) or _registered.get((call.module, call.qualname))
        if found is None:
            raise _unknown(call, "cannot be pickled, so only the process that made it can run it")
        return found
    if call.payload is not None:
        found = _pickled.get(call.payload)
        if found is None and "<locals>" not in call.qualname:
            found = _registered.get((call.module, call.qualname))
        return unpickle(call.payload) if found is None else found
    found = _registered.get((call.module, call.qualname))
    if found is not None:
        return found
    with _lock:
        if project:
            _add_project(project)
        if call.file is None:
            found = module(call.module)
        else:
            found = project_module(call.file) if _is_deployed(call) else script(call.file)
    return _pick(found, call)


def refuse_while_loading() -> None:
    """Stop a script that is executed only for its functions from running its workflow once more.

    Raises:
        ScriptEnd: This thread is executing such a script.
    """
    if _executing.depth:
        raise ScriptEnd


def callable_of(found: Any) -> Callable[..., Any]:
    """The plain function of a decorated object, or the object itself."""
    fn: Callable[..., Any] = getattr(found, "fn", found)
    return fn


def script(path: str) -> ModuleType:
    """The script as a module; executed once for each state of the file.

    Raises:
        WorkflowImportError: It is missing or failed.
    """
    path = os.path.abspath(path)
    main = sys.modules["__main__"]
    # Its own, not what ``_main_fallback`` answers for another script.
    main_file = main.__dict__.get("__file__")
    if main_file is not None and os.path.abspath(main_file) == path:
        return main
    try:
        mtime = os.stat(path).st_mtime_ns
    except OSError as exc:
        raise WorkflowImportError(
            f"the workflow file cannot be read: {exc.strerror}",
            where=path,
            hint="the worker needs the file at the same path as the process that started the run",
        ) from exc
    with _lock:
        known = _scripts.get(path)
        if known is not None and known[0] == mtime:
            return known[1]
        executed = _execute(path)
        _scripts[path] = mtime, executed
        return executed


def _execute(path: str) -> ModuleType:
    """Run the file from its source: a stale ``.pyc`` of a file edited within a second must not win."""
    folder = os.path.dirname(path)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = ModuleType(SCRIPT)
    module.__file__ = path
    before = sys.modules.get(SCRIPT)
    sys.modules[SCRIPT] = module
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec", dont_inherit=True)
        _executing.depth += 1
        try:
            # In no task's context, or a call at the script's top would be a step of the flow that loads it.
            Context().run(exec, code, module.__dict__)
        except ScriptEnd:
            pass  # An unguarded call at the script's end: what it defined before is what is wanted.
        finally:
            _executing.depth -= 1
    except BaseException as exc:
        if before is not None:
            sys.modules[SCRIPT] = before
        if not isinstance(exc, Exception):
            raise
        raise _import_error(path, exc) from exc
    main = sys.modules["__main__"]
    main.__dict__["__getattr__"] = _main_fallback
    return module


def _main_fallback(name: str) -> Any:
    """``__main__.name`` for pickles made by the process whose ``__main__`` the script is."""
    module = sys.modules[SCRIPT]
    own = name.startswith("__")
    if not own and module is not sys.modules["__main__"] and name in module.__dict__:
        return module.__dict__[name]
    raise AttributeError(f"module '__main__' has no attribute {name!r}")


def module(name: str) -> ModuleType:
    """The module of this name, imported.

    Raises:
        WorkflowImportError: It is missing (the field ``missing`` is then true) or failed.
    """
    _executing.depth += 1
    try:
        return Context().run(importlib.import_module, name)
    except ScriptEnd as exc:
        raise WorkflowImportError(
            "it runs a workflow while it is imported",
            where=last_line(exc) or name,
            hint='put the call under: if __name__ == "__main__":',
            module=name,
        ) from exc
    except ModuleNotFoundError as exc:
        if exc.name is not None and (name == exc.name or name.startswith(exc.name + ".")):
            raise WorkflowImportError(
                f"there is no module {exc.name!r}",
                where=", ".join(sys.path[:3]),
                hint="run from the project's folder, or install the project where the worker runs",
                module=name,
                missing=True,
            ) from exc
        raise _import_error(name, exc) from exc
    except Exception as exc:
        raise _import_error(name, exc) from exc
    finally:
        _executing.depth -= 1


def _import_error(name: str, exc: Exception) -> WorkflowImportError:
    """Say what failed and in which line, from whatever importing raised."""
    if isinstance(exc, WorkflowImportError):
        return exc
    hint = ""
    if isinstance(exc, SyntaxError):
        where, what = f"{exc.filename}:{exc.lineno}", f"syntax error: {exc.msg}"
    else:
        where, what = last_line(exc) or name, f"importing it failed: {type(exc).__name__}: {exc}"
    if isinstance(exc, ModuleNotFoundError):
        hint = f"install {(exc.name or 'the module').partition('.')[0]!r} where the worker runs"
    return WorkflowImportError(what, where=where, hint=hint, module=name)


def last_line(exc: BaseException) -> str:
    """The last line of user code that an exception came through; of any code, if there is none."""
    where = inner = ""
    for frame, line in traceback.walk_tb(exc.__traceback__):
        file = frame.f_code.co_filename
        if file.startswith("<frozen") or file == __file__:
            continue
        inner = f"{file}:{line}"
        if not file.startswith(_OURS):
            where = inner
    return where or inner


def _pick(module: ModuleType, call: PythonCall) -> Any:
    where = call.file or call.module
    if "<locals>" in call.qualname:
        raise _unknown(call, "was made inside a function, so no import leads to it")
    found: Any = module
    for part in call.qualname.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as exc:
            near = difflib.get_close_matches(part, dir(found), n=1)
            raise UnknownReference(
                f"there is no {call.qualname!r}",
                where=where,
                hint=f"did you mean {near[0]!r}?" if near else "was it renamed since the run began?",
                qualname=call.qualname,
            ) from exc
    return found


def _unknown(call: PythonCall, why: str) -> UnknownReference:
    return UnknownReference(
        f"{call.qualname!r} {why}",
        where=call.file or call.module,
        hint="move it to the top of its module",
        qualname=call.qualname,
    )


def put_first(project: str) -> None:
    """Make a project's folder the first of ``sys.path``: for a process that belongs to the project."""
    if project in sys.path:
        sys.path.remove(project)
    sys.path.insert(0, project)
    _projects.add(project)


# --- deployed projects ------------------------------------------------------------------------------------


def _is_deployed(call: PythonCall) -> bool:
    return call.file is not None and call.module != "__main__" and not os.path.isabs(call.file)


def enter(project: str) -> None:
    """Make this process belong to a deployed project's folder; its modules come before all others.

    Raises:
        WorkflowImportError: It belongs to another one: two versions of a module cannot live in one process.
    """
    global _home
    if project == _home:
        return
    folder = os.path.realpath(project)
    if folder == _home:
        return
    if _home:
        raise WorkflowImportError(
            "this process works for another project, or another version of it",
            where=folder,
            hint=f"it belongs to {_home}: run the two in processes of their own",
        )
    _home = folder
    _paths[:] = [folder]
    source = os.path.join(folder, _SOURCE)
    if os.path.isdir(source):
        _paths.insert(0, source)
    for each in reversed(_paths):
        put_first(each)
    importlib.invalidate_caches()


def module_name(file: str) -> str:
    """The name by which the project's files import this one of theirs (``flows/etl.py``: ``flows.etl``)."""
    parts = file.removesuffix(".py").split("/")
    if parts[0] == _SOURCE and len(parts) > 1:
        del parts[0]
    if parts[-1] == "__init__" and len(parts) > 1:
        del parts[-1]
    return ".".join(part.replace(".", "_") for part in parts)


def project_file(module: str) -> str | None:
    """The file of a loaded module, relative to the project that this process belongs to; else ``None``."""
    if not _home:
        return None
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is None or not path.startswith(_home + os.sep):
        return None
    return os.path.relpath(path, _home).replace(os.sep, "/")


def project_module(file: str) -> ModuleType:
    """The module of a file of the project that this process belongs to, executed once.

    Raises:
        WorkflowImportError: It is missing or failed, or its name belongs to another module.
    """
    path = os.path.normpath(os.path.join(_home, file))
    if not path.startswith(_home + os.sep):
        raise WorkflowImportError("the file is outside its project", where=file)
    with _lock:
        folder = os.path.dirname(path)
        name = module_name(file)
        if folder not in sys.path:
            # Behind the project's own, so that the file's neighbours do not hide the project's packages.
            sys.path.insert(len(_paths), folder)
        known = sys.modules.get(name)
        if known is not None:
            if os.path.realpath(getattr(known, "__file__", None) or "") != os.path.realpath(path):
                raise ModuleClash(
                    f"its module would be called {name!r}, as another one is",
                    where=file,
                    hint=f"give the file another name: {getattr(known, '__file__', None) or 'Python'} has it",
                )
            return known
        if not os.path.isfile(path):
            raise WorkflowImportError(
                "the workflow file is not in its project", where=path, hint="deploy the project again"
            )
        parent, _, leaf = name.rpartition(".")
        package = module(parent) if parent else None
        loaded = _execute_project_file(path, name)
        if package is not None:
            setattr(package, leaf, loaded)
        return loaded


def _execute_project_file(path: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # It is a file that ends in .py.
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    _executing.depth += 1
    try:
        Context().run(spec.loader.exec_module, loaded)
    except ScriptEnd:
        pass  # An unguarded call at its end, as in a script.
    except BaseException as exc:
        del sys.modules[name]
        if not isinstance(exc, Exception):
            raise
        raise _import_error(path, exc) from exc
    finally:
        _executing.depth -= 1
    return loaded


def _add_project(project: str) -> None:
    if project not in _projects:
        _projects.add(project)
        if project not in sys.path:
            sys.path.insert(0, project)
            importlib.invalidate_caches()
