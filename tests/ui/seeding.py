"""Runs and settings for a shop's service: what its pages are looked at with."""

import tempfile
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from served import Served, until

FIRST_DAY = date(2026, 11, 2)

NOTIFY = """
[channels.ops.way]
type = "log"

[automations.failures]
cooldown_s = 300
when = { type = "run", states = ["failed"], workflow = "*" }
then = [{ type = "notify", channel = "ops" }]
"""


@dataclass(frozen=True)
class Seeded:
    """Ids of runs, by what they show."""

    succeeded: str
    failed: str
    published: str
    retried: str
    """Failed after several tries."""
    waiting: str
    """Waits for a person."""

    def ids(self) -> dict[str, str]:
        """All of them, by name."""
        return asdict(self)


def seed(served: Served, *, days: int = 12) -> Seeded:
    """A few weeks of the shop's work, done in some seconds."""
    etl = [
        served.run("orders_etl", day=str(FIRST_DAY + timedelta(days=number)), strict=number % 5 == 3)
        for number in range(days)
    ]
    sales = served.run("daily_sales", day="2026-11-02")
    trained = [served.run("train", depths=[2, 3, 5, 8, 13]) for _ in range(2)]
    failed = served.run("reconcile")
    published = [served.run("weekly_report", week=week) for week in (11, 12)]
    waiting = [served.run("release", version=version) for version in ("2.1.0", "2.2.0-rc1")]
    served.run("parcel", number=7)
    for run in (*etl, sales, *trained, failed, *published):
        served.ended(run)
    for run in waiting:
        until(lambda run=run: "waiting" in str(served.get(f"/runs/{run}/tasks")))  # type: ignore[misc]
    configure(served)
    return Seeded(etl[-1], etl[3], published[-1], failed, waiting[0])


def configure(served: Served) -> None:
    """What people set up besides workflows."""
    for name, value in (("region", "north"), ("currency", "SEK"), ("rows-per-file", "5000")):
        served.weft("variables", "set", name, value)
    served.weft("pools", "set", "database", "4")
    served.weft("pools", "set", "gpu", "1")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "notify.toml")
        file.write_text(NOTIFY, "utf-8")
        served.weft("automations", "apply", str(file))


def seed_large(served: Served, *, count: int = 100_000) -> tuple[str, str]:
    """A run of very many task runs, and one of a very large graph; minutes of work.

    Returns:
        Their ids.
    """
    many = served.run("many", count=count)
    graph = served.run("big_graph")
    return many, graph
