"""The decision records keep their form, so that a reviewer can hold a change against each of them."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_record_has_its_parts(record: Path) -> None:
    """Each record weighs alternatives and ends by telling how to notice a change against it."""
    text = record.read_text(encoding="utf-8")
    assert text.startswith(f"# {record.name[:4]} ")
    for part in ("Status: ", "## Context", "## Decision", "## Alternatives", "## Consequences"):
        assert part in text
    assert text.rstrip().rsplit("\n\n", 1)[-1].startswith("A change violates this when ")


def test_index_lists_every_record_in_order() -> None:
    """The folder's page names each record once, numbered without a gap."""
    numbers = [record.name[:4] for record in RECORDS]
    assert numbers == [f"{number:04d}" for number in range(1, len(RECORDS) + 1)]
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [line.split("](")[1].split(")")[0] for line in index.splitlines() if line.startswith("| [")] == [
        record.name for record in RECORDS
    ]
