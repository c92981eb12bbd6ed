"""What ``weft check`` finds by reading a workflow file, without running it.

A flow's body runs again from the top when it is resumed, so it must decide by its arguments and by what it
calls. These rules name what breaks that, where it can be seen in the text. They look at bodies of ``@flow``
functions, at the body of a ``@dag`` for what would be fixed when it is traced, and at the file's end.
"""

import ast
from collections.abc import Iterator

import msgspec

RULES = {
    "W1151": "time or chance in a flow's or dag's body: another value when the flow is resumed",
    "W1152": "a flow goes through a set: in another order in another process",
    "W1153": "time.sleep in a flow: it is slept again when the flow is resumed",
    "W1154": "files, network or processes in a flow's body: done again when the flow is resumed",
    "W1155": "a workflow is called while the file is loaded: what is defined below is not seen",
}
"""Code to what it warns of. They are never reused, and are no errors: the workflow runs."""

_CHANCE = {
    "random": "weft.random()",
    "secrets": "weft.random()",
    "uuid.uuid1": "weft.random(), or current().run_id",
    "uuid.uuid4": "weft.random(), or current().run_id",
    "os.urandom": "weft.random()",
    "time.time": "weft.now()",
    "time.time_ns": "weft.now()",
    "time.monotonic": "weft.now()",
    "time.perf_counter": "weft.now()",
    "datetime.datetime.now": "weft.now()",
    "datetime.datetime.utcnow": "weft.now()",
    "datetime.datetime.today": "weft.now()",
    "datetime.date.today": "weft.now()",
}
_OUTSIDE = ("open", "subprocess", "os.system", "os.popen", "requests", "httpx", "urllib.request", "shutil")
_PURE = ("random.Random", "random.SystemRandom", "shutil.which", "shutil.get_terminal_size")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding."""

    code: str
    line: int
    what: str
    hint: str = ""


def lint(source: str) -> list[Finding]:
    """The findings in a file that parses, by line."""
    tree = ast.parse(source)
    names = _imports(tree)
    found: list[Finding] = []
    workflows: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kinds = {_dotted(_called(each), names) for each in node.decorator_list}
            is_flow, is_dag = bool(kinds & _named("flow")), bool(kinds & _named("dag"))
            if is_flow or is_dag or kinds & _named("task"):
                workflows.add(node.name)
            if is_flow or is_dag:
                found += _body(node, names, is_flow=is_flow)
    found += _unguarded(tree, workflows)
    return sorted(found, key=lambda each: (each.line, each.code))


def _named(word: str) -> set[str]:
    return {f"weft.{word}", f"weft.dialects.native.task.{word}", f"weft.dialects.native.dag.{word}"}


def _body(
    function: ast.FunctionDef | ast.AsyncFunctionDef, names: dict[str, str], *, is_flow: bool
) -> Iterator[Finding]:
    for node in _inside(function):
        if isinstance(node, ast.Call):
            yield from _call(node, names, function.name, is_flow=is_flow)
        elif is_flow and isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            source = node.iter
            is_set = isinstance(source, ast.Set | ast.SetComp) or (
                isinstance(source, ast.Call) and _dotted(source.func, names) in ("set", "frozenset")
            )
            if is_set:
                yield Finding(
                    code="W1152",
                    line=source.lineno,
                    what=f"{function.name} goes through a set, whose order differs between processes",
                    hint="sorted(...) gives it one order",
                )


def _call(node: ast.Call, names: dict[str, str], function: str, *, is_flow: bool) -> Iterator[Finding]:
    called = _dotted(node.func, names)
    if called in _PURE or not called:
        return
    chance = _CHANCE.get(called) or _CHANCE.get(called.partition(".")[0] if "." in called else "")
    if chance is not None:
        again = "differs when the flow is resumed" if is_flow else "is fixed when the dag is traced"
        yield Finding(
            code="W1151",
            line=node.lineno,
            what=f"{called}() in {function} {again}",
            hint=f"use {chance}, or call it in a task",
        )
    elif is_flow and called == "time.sleep":
        yield Finding(
            code="W1153",
            line=node.lineno,
            what=f"time.sleep() in {function} is slept again when the flow is resumed",
            hint="use weft.sleep()",
        )
    elif is_flow and any(called == each or called.startswith(each + ".") for each in _OUTSIDE):
        yield Finding(
            code="W1154",
            line=node.lineno,
            what=f"{called}() in {function} is done again when the flow is resumed",
            hint="put it into a task",
        )


def _inside(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """The nodes of a body, without those of functions and classes defined in it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield node
            pending.extend(ast.iter_child_nodes(node))


def _unguarded(tree: ast.Module, workflows: set[str]) -> Iterator[Finding]:
    """A call of a workflow in the file's own text with definitions after it."""
    for at, statement in enumerate(tree.body):
        if isinstance(statement, ast.If | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            after = [
                each.name
                for each in tree.body[at + 1 :]
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            ]
            if node.func.id in workflows and after:
                yield Finding(
                    code="W1155",
                    line=node.lineno,
                    what=f"{node.func.id}() is called while the file is loaded, before {after[0]} is defined",
                    hint='put the call at the end, under: if __name__ == "__main__":',
                )
                return


def _imports(tree: ast.Module) -> dict[str, str]:
    """What each name at hand stands for, in full."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                names[each.asname or each.name.partition(".")[0]] = (
                    each.name if each.asname else each.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                names[each.asname or each.name] = f"{node.module}.{each.name}"
    return names


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full name of a name or attribute chain; "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([names.get(node.id, node.id), *reversed(parts)])
