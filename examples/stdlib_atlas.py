"""An atlas of the Python standard library: parse every module, measure it, and rank what is found.

    python examples/stdlib_atlas.py            # every module
    weft run examples/stdlib_atlas.py -p limit=200

The files are real, and some of them do not parse on purpose (the test suite keeps broken ones): a module that
cannot be read is counted and named, and stops nothing. Parsing is work for processors, so it runs on the
process executor; the rest runs in threads.
"""

import ast
import sysconfig
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from weft import current, flow, task

BATCH = 25


@dataclass
class Module:
    """What was measured of one module."""

    name: str
    lines: int = 0
    functions: int = 0
    classes: int = 0
    complexity: int = 0
    imports: list[str] = field(default_factory=list)
    problem: str = ""


@task
def find_modules(limit: int) -> list[list[str]]:
    """Every Python file of the standard library, in batches."""
    root = Path(sysconfig.get_path("stdlib"))
    files = sorted(str(path) for path in root.rglob("*.py") if "site-packages" not in path.parts)
    files = files[:limit] if limit else files
    current().logger.info("found %d files under %s", len(files), root)
    return [files[at : at + BATCH] for at in range(0, len(files), BATCH)]


@task(executor="process", retries=1, cache="inputs", cache_ttl="1d")
def measure(paths: list[str]) -> list[Module]:
    """Parse some files."""
    return [measure_one(Path(path)) for path in paths]


def measure_one(path: Path) -> Module:
    """Parse one file; a file that cannot be parsed says why."""
    module = Module(path.stem if path.stem != "__init__" else path.parent.name)
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source, filename=str(path))
    except (SyntaxError, UnicodeDecodeError, ValueError, RecursionError) as exc:
        module.problem = f"{path.name}: {type(exc).__name__}"
        return module
    module.lines = source.count("\n") + 1
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            module.functions += 1
        elif isinstance(node, ast.ClassDef):
            module.classes += 1
        elif isinstance(node, ast.Import):
            module.imports += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            module.imports.append(node.module.partition(".")[0])
        elif isinstance(node, ast.If | ast.For | ast.While | ast.Try | ast.With | ast.BoolOp | ast.IfExp):
            module.complexity += 1
    return module


@task
def summarise(batches: list[list[Module]]) -> dict[str, int]:
    """Add everything up, and show it."""
    modules = [module for batch in batches for module in batch]
    parsed = [module for module in modules if not module.problem]
    imports = Counter(name for module in parsed for name in set(module.imports))
    largest = sorted(parsed, key=lambda module: -module.lines)[:15]
    context = current()
    context.table(
        [
            {"module": m.name, "lines": m.lines, "functions": m.functions, "complexity": m.complexity}
            for m in largest
        ],
        title="Largest modules",
    )
    context.table(
        [{"module": name, "imported by": count} for name, count in imports.most_common(15)],
        title="Most imported",
    )
    context.table(
        [{"file": module.problem} for module in modules if module.problem] or [{"file": "none"}],
        title="Files that do not parse",
    )
    context.image(bars(imports.most_common(12)).encode(), title="Most imported")
    return {
        "files": len(modules),
        "parsed": len(parsed),
        "broken": len(modules) - len(parsed),
        "lines": sum(module.lines for module in parsed),
        "functions": sum(module.functions for module in parsed),
        "classes": sum(module.classes for module in parsed),
    }


def bars(counts: list[tuple[str, int]]) -> str:
    """A bar chart as SVG."""
    most = max((count for _, count in counts), default=1)
    rows = "".join(
        f'<text x="110" y="{22 * at + 16}" text-anchor="end">{name}</text>'
        f'<rect x="118" y="{22 * at + 4}" width="{420 * count / most:.0f}" height="15" fill="#4c72b0"/>'
        f'<text x="{124 + 420 * count / most:.0f}" y="{22 * at + 16}">{count}</text>'
        for at, (name, count) in enumerate(counts)
    )
    size = f'width="600" height="{22 * len(counts) + 8}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">{rows}</svg>'
    )


@flow
def stdlib_atlas(limit: int = 0) -> dict[str, int]:
    """Find, measure and rank the modules of the standard library."""
    batches = find_modules(limit)
    return summarise(measure.map(batches))


if __name__ == "__main__":
    for name, number in stdlib_atlas().items():
        print(f"{name:>10} {number:>9,}")
