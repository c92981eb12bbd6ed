"""Finds the function that a ``PythonCall`` names, in the process that will run it.

In this order: an object that this process itself registered (a script that runs its own tasks needs no second
import), the pickled function for one that no name leads to, the script file, the module.

A script is known as ``__main__`` to the process that started it. Here it is executed once as the module
``__weft_main__``, as multiprocessing does with ``__mp_main__``, and each name answers for the other: a value
whose class was pickled under either name opens in both processes.

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
from weft.model.errors import UnknownReference, WorkflowImportError
from weft.model.values import Result

SCRIPT = "__weft_main__"

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
        found = module(call.module) if call.file is None else script(call.file)
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
            where=_last_line(exc) or name,
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
        where, what = _last_line(exc) or name, f"importing it failed: {type(exc).__name__}: {exc}"
    if isinstance(exc, ModuleNotFoundError):
        hint = f"install {(exc.name or 'the module').partition('.')[0]!r} where the worker runs"
    return WorkflowImportError(what, where=where, hint=hint, module=name)


def _last_line(exc: BaseException) -> str:
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


def _add_project(project: str) -> None:
    if project not in _projects:
        _projects.add(project)
        if project not in sys.path:
            sys.path.insert(0, project)
            importlib.invalidate_caches()
