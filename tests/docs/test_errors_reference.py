"""The error reference is what the exception tree says, and the tree keeps its promises about codes."""

import importlib.util
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from weft.model import errors

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "errors.md"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that writes the page."""
    spec = importlib.util.spec_from_file_location(
        "errors_reference", ROOT / "scripts" / "errors_reference.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_up_to_date(generator: ModuleType) -> None:
    """The page in the repository is what the script writes; `make docs` brings it up to date."""
    assert PAGE.read_text(encoding="utf-8") == generator.render()


def test_every_code_is_used_once(generator: ModuleType) -> None:
    """A code names one class for ever, so no two classes share one by forgetting to choose their own."""
    codes = Counter(error.code for error in generator.classes())
    assert [code for code, count in codes.items() if count > 1] == []


def test_code_tells_whose_fault_it_is(generator: ModuleType) -> None:
    """The first digit of a code and the branch of the tree that it stands on say the same."""
    branches = {"1": errors.UsageError, "3": errors.WorldError}
    for error in generator.classes():
        assert re.fullmatch(r"W\d{4}", error.code)
        for digit, branch in branches.items():
            assert issubclass(error, branch) == (error.code[1] == digit), error


def test_every_error_is_in_the_one_tree() -> None:
    """No other module defines an error of its own: a reader of the page sees them all."""
    tree = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    definition = re.compile(r"^class (\w+)\(([^)]*)\)", re.MULTILINE)
    strangers = []
    for path in sorted((ROOT / "src" / "weft").rglob("*.py")):
        if path == Path(errors.__file__):
            continue
        for name, bases in definition.findall(path.read_text(encoding="utf-8")):
            if tree & {base.split(".")[-1].strip() for base in bases.split(",")}:
                strangers.append(f"{path.relative_to(ROOT)}: {name}")
    assert strangers == []


def test_hint_and_place_are_shown() -> None:
    """What a person reads has the code, what is wrong, where, and how to mend it."""
    error = errors.UnknownParameter("no parameter 'dya'", where="flows.py:12", hint="did you mean 'day'?")
    assert str(error) == "W1201: no parameter 'dya'\n  where: flows.py:12\n  hint: did you mean 'day'?"
