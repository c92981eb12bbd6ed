"""The documents say what is so: their code runs, their links lead somewhere, and nothing public is left out.

What is run, page by page, in a folder and a ``WEFT_HOME`` of the page's own:

- ``python run``: a Python block. The blocks of a page up to the next command make one script, one process.
- ``sh run``: commands, one process a line.
- the README's Python blocks.
- a block (of any kind) that begins with ``# name.py`` is first saved under that name; as a Python block with
  ``run`` it is then run as a script of its own.

``# -> text`` behind a line of Python is checked: against what ``print`` printed there, or against the
expression's ``repr``. Behind a command, or on the lines after it, each must be in what the command printed.
``# exit N`` behind a command is its exit code. A script has the line numbers of its page.
"""

import ast
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from itertools import groupby
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from cyclopts import CycloptsError

import weft
from weft.cli.app import root
from weft.cli.main import take_global
from weft.dialects.native.dag import DagOptions
from weft.dialects.native.options import TaskOptions
from weft.dialects.native.schedules import ScheduleOptions, TickOptions
from weft.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted(DOCS.rglob("*.md"))]
PREAMBLE = "from documents_check import expect, printed"

CHECK = '''
"""What the code of a page is checked with."""


def expect(wanted, found):
    assert repr(found) == wanted, f"the page says {wanted}, and it is {found!r}"


def printed(wanted, *found):
    text = " ".join(map(str, found))
    assert text == wanted, f"the page says {wanted}, and it prints {text}"
    print(text)
'''


class Block(NamedTuple):
    """A fenced block: its language and tags, the line of its first line of code, and the code."""

    tags: tuple[str, ...]
    line: int
    code: str

    @property
    def file(self) -> str:
        """The name that it is saved under; "" if it is not."""
        found = re.match(r"# ([\w/]+\.(?:py|toml))\n", self.code)
        return found[1] if found else ""

    @property
    def runs(self) -> bool:
        """Whether it is run."""
        return "run" in self.tags and self.tags[0] in ("python", "sh")


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        if lines[at].startswith("```") and lines[at] != "```":
            end = lines.index("```", at)
            tags = (
                *lines[at][3:].split(),
                *(["run"] if page.name == "README.md" and lines[at] == "```python" else []),
            )
            found.append(Block(tags, at + 2, "\n".join(lines[at + 1 : end]) + "\n"))
            at = end
        at += 1
    return found


def script(parts: list[Block]) -> str:
    """Blocks as one script whose lines have the numbers that they have in the page."""
    lines = [PREAMBLE]
    for part in parts:
        lines += [""] * (part.line - 1 - len(lines))
        lines += checked(part.code).splitlines()
    return "\n".join(lines) + "\n"


def checked(code: str) -> str:
    """Code whose ``# ->`` comments are checks."""
    lines = code.splitlines()
    for statement in ast.walk(ast.parse(code)):
        if not isinstance(statement, ast.Expr) or statement.lineno != statement.end_lineno:
            continue
        at = statement.lineno - 1
        found = re.fullmatch(r"(\s*)(.*?)\s+# -> (.*)", lines[at])
        if found is None:
            continue
        indent, text, wanted = found.groups()
        call = statement.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "print":
            arguments = "".join(f", {ast.unparse(each)}" for each in call.args)
            lines[at] = f"{indent}printed({wanted!r}{arguments})"
        else:
            lines[at] = f"{indent}expect({wanted!r}, ({text}))"
    return "\n".join(lines) + "\n"


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a page's folder; what it prints and says is its output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    environment |= {
        "WEFT_HOME": str(folder / "home"),
        "PYTHONPATH": str(folder),
        "PATH": path,
        "NO_COLOR": "1",
    }
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )


def run_script(name: str, folder: Path) -> None:
    """Run a script that must succeed."""
    done = run([sys.executable, name], folder)
    assert done.returncode == 0, done.stdout


def run_commands(block: Block, folder: Path) -> None:
    """Run the commands of a block, one after the other."""
    output = ""
    for number, line in enumerate(block.code.splitlines(), block.line):
        where = f"line {number}: {line}"
        command, _, comment = line.partition("  #")
        comment = comment.strip()
        if command and not line.startswith("#"):
            code = int(comment.split()[1].rstrip(":")) if comment.startswith("exit ") else 0
            done = run(["bash", "-c", command], folder)
            output = done.stdout
            assert done.returncode == code, f"{where}\nexit code {done.returncode}\n{output}"
        elif line.startswith("# -> "):
            comment = line[2:]
        if comment.startswith("-> "):
            assert comment[3:] in output, f"{where}\n{output}"


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.runs for block in blocks(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_code_of_page_runs(page: Path, tmp_path: Path) -> None:
    """Every block of the page that is tagged ``run`` does what the page says."""
    (tmp_path / "documents_check.py").write_text(CHECK)
    waiting: list[Block] = []

    def flush() -> None:
        if waiting:
            (tmp_path / "page.py").write_text(script(waiting), encoding="utf-8")
            waiting.clear()
            run_script("page.py", tmp_path)

    for block in blocks(page):
        if block.file:
            flush()
            text = script([block]) if block.runs else block.code
            (tmp_path / block.file).write_text(text, encoding="utf-8")
            if block.runs:
                run_script(block.file, tmp_path)
        elif block.runs and block.tags[0] == "python":
            waiting.append(block)
        elif block.runs:
            flush()
            run_commands(block, tmp_path)
    flush()


def test_check_finds_a_wrong_value() -> None:
    """The checks themselves can fail: a wrong value behind an expression and behind ``print`` is found."""
    namespace: dict[str, object] = {}
    exec(CHECK, namespace)
    exec(checked("1 + 1  # -> 2\nprint('a', 1)  # -> a 1\n"), namespace)
    for wrong in ("1 + 1  # -> 3\n", "print('a')  # -> b\n"):
        with pytest.raises(AssertionError, match="the page says"):
            exec(checked(wrong), namespace)


def test_python_of_every_page_compiles() -> None:
    """Also Python that is not run is Python."""
    for page in PAGES:
        for block in blocks(page):
            if block.tags[0] == "python" and "reference" not in page.parts:
                compile(block.code, f"{page.name}:{block.line}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_page_are_understood(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a command that is not run is one that there is, with options that it has."""
    monkeypatch.setattr(os, "environ", dict(os.environ))  # Options that every command takes are put there.
    wrong = []
    for block in blocks(page):
        if block.tags[:1] not in (("sh",), ("bash",)):
            continue
        for line in block.code.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            for operator, words in groupby(lexer, key=lambda word: set(word) <= set("();<>|&")):
                found = list(words)
                if operator or found[0] != "weft" or found[1] in ("--version", "--help"):
                    continue
                try:
                    root().parse_args(take_global(found[1:]), exit_on_error=False, print_error=False)
                except CycloptsError as exc:
                    wrong.append(f"{line}: {exc}")
    assert wrong == []


# --- links ------------------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The headings of a page as they are linked to."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    heads = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the repository names one that is there, and a heading that it has."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_linked_to_from_the_index() -> None:
    """A reader who begins at docs/index.md can reach every page of docs."""
    reached, open_pages = set(), [DOCS / "index.md"]
    while open_pages:
        page = open_pages.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+)", page.read_text(encoding="utf-8"))
        open_pages += [(page.parent / link).resolve() for link in links if not re.match(r"[a-z]+:", link)]
    assert [str(page) for page in PAGES if DOCS in page.parents and page not in reached] == []


# --- completeness -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that writes the generated pages."""
    spec = importlib.util.spec_from_file_location("api_reference", ROOT / "scripts" / "api_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["python-api.md", "states.md"])
def test_generated_page_is_up_to_date(generator: ModuleType, name: str) -> None:
    """The page in the repository is what the script writes; `make docs` brings it up to date."""
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == generator.PAGES[name]()


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("public name", set(weft.__all__) - {"__version__"}),
        ("setting", set(Settings.__struct_fields__)),
        ("option of @task", set(TaskOptions.__annotations__)),
        ("option of @flow", set(ScheduleOptions.__annotations__)),
        ("option of @dag", set(DagOptions.__annotations__)),
        ("option of a schedule", set(TickOptions.__annotations__)),
    ],
    ids=lambda each: each.replace(" ", "-") if isinstance(each, str) else "",
)
def test_nothing_public_is_left_out(what: str, names: set[str]) -> None:
    """Every public name, setting and option is written about on some page, as code."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if DOCS in page.parents)
    heads = set(re.findall(r"^### (\w+)$", text, flags=re.MULTILINE))
    written = set(re.findall(r"`(\w+)`", text)) | heads
    assert sorted(names - written) == [], f"{what} without a word about it"
