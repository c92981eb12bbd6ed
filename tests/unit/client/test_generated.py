"""The generated part of the client is what its script writes from the API's description."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script."""
    path = ROOT / "scripts" / "client_from_openapi.py"
    spec = importlib.util.spec_from_file_location("client_from_openapi", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rendered(generator: ModuleType) -> dict[Path, str]:
    """What it would write."""
    files: dict[Path, str] = generator.render()
    return files


def test_client_is_up_to_date(rendered: dict[Path, str]) -> None:
    """Every file in the repository is what the script writes; `make docs` brings them up to date."""
    stale = [
        str(path.relative_to(ROOT))
        for path, text in rendered.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == []


def test_no_file_is_left_over(rendered: dict[Path, str]) -> None:
    """A struct or operation that the API no longer has leaves no file behind."""
    client = ROOT / "src" / "weft" / "client"
    there = {path for folder in ("models", "operations") for path in (client / folder).glob("*.py")}
    assert there - set(rendered) == set()


def test_an_unknown_shape_ends_the_script(generator: ModuleType) -> None:
    """The script guesses nothing: a shape that it does not know is an error, not ``Any``."""
    with pytest.raises(SystemExit, match="not known"):
        generator.Api._type(object(), {"type": "tuple"}, sent=False)
