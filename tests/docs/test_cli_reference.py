"""The references of the command line and of the settings are what the code says."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from weft.cli.index import COMMANDS
from weft.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def generator(name: str) -> ModuleType:
    """The script that writes a page."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("script", "page"), [("cli_reference", "cli"), ("settings_reference", "settings")])
def test_page_is_up_to_date(script: str, page: str) -> None:
    """The page in the repository is what the script writes; `make docs` brings it up to date."""
    written = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert written == generator(script).render()


def test_every_command_and_every_setting_is_there() -> None:
    """Nothing is left out by being new."""
    cli = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    settings = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    for each in COMMANDS:
        assert f"## weft {each.name}\n" in cli
    for name in Settings.__struct_fields__:
        assert f"| `{name}` | `WEFT_{name.upper()}` |" in settings
