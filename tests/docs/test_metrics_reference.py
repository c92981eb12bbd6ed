"""The reference of the metrics and the dashboard are what the code says."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

from weft.observability.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "metrics.md"
DASHBOARD = ROOT / "docs" / "examples" / "grafana-dashboard.json"
GUIDE = ROOT / "docs" / "how-to" / "observe.md"


def generator() -> ModuleType:
    """The script that writes the page."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "metrics_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unknown(text: str) -> set[str]:
    """Names in a text that look like metrics and are none."""
    known = {name for each in Metrics().registry.families for name in (each, *series(each))}
    # What stands before a bracket, a brace, a space or the end is a whole name.
    return set(re.findall(r"\b(?:weft|process)_[a-z_]+(?=[\[{\s)`,\"]|$)", text)) - known


def series(name: str) -> tuple[str, ...]:
    """The series of a histogram of this name."""
    return f"{name}_bucket", f"{name}_sum", f"{name}_count"


def test_page_is_up_to_date() -> None:
    """The page in the repository is what the script writes; `make docs` brings it up to date."""
    assert PAGE.read_text(encoding="utf-8") == generator().render()


def test_names_follow_the_conventions() -> None:
    """Counters end in ``_total`` and nothing else does; units are base units; each says what it means."""
    for family in Metrics().registry.families.values():
        assert re.fullmatch(r"(weft|process)_[a-z_]+", family.name)
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert not re.search(r"_(ms|minutes|kb|mb|percent)\b", family.name)
        assert family.help.endswith(".")
        assert "le" not in family.labels


def test_dashboard_and_guide_show_metrics_that_exist() -> None:
    """A query that names a metric which is none would show an empty graph for ever."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 8
    assert unknown("\n".join(queries)) == set()
    assert unknown(GUIDE.read_text(encoding="utf-8")) == set()
