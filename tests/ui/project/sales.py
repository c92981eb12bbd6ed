"""A day's sales files, as a static workflow: `python examples/dag_branches.py`.

The body of the @dag runs once, to learn its graph; then the graph runs. It shows what a graph can say:

- a setup that makes a folder of till files, and the teardown that removes it whatever happens;
- a map over files that are known only when the folder is there, each through a small dag of its own;
- a condition inside that dag: only files with unreadable lines are set aside;
- a branch: the day is published, or sent to a person to look at, and a join after either;
- an exit handler that tells how it went.

The data is made up here, with the faults that such files have: bad lines, refunds, a shop that sent nothing.
"""

import csv
import random
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TypedDict

from weft import branch, current, dag, fact, group, logical_date, on_exit, symbol, task, when

SHOPS = ("Falun", "Gävle", "Kiruna", "Lund", "Malmö", "Umeå", "Visby", "Ystad")
GOODS = {"wool": 89.0, "linen": 129.0, "shuttle": 349.0, "reed": 495.0, "loom": 4990.0}


class Sheet(TypedDict):
    """One shop's day."""

    shop: str
    sales: float
    refunds: float
    lines: int
    rejects: list[str]


@task
def open_folder(day: date) -> str:
    """Make the folder, as the tills would have left it in the night."""
    folder = Path(tempfile.mkdtemp(prefix="weft-sales-"))
    for number, shop in enumerate(SHOPS):
        with (folder / f"{shop}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["time", "article", "count", "amount"])
            if shop != "Visby":  # closed that day: a header and nothing else
                writer.writerows(till_lines(random.Random(day.toordinal() * 100 + number)))
    return str(folder)


def till_lines(dice: random.Random) -> Iterator[list[object]]:
    """What one till writes in a day."""
    for minute in sorted(dice.sample(range(600), 120)):
        article = dice.choice(list(GOODS))
        count = dice.choice([1, 1, 1, 2, 3, -1])
        amount: object = round(GOODS[article] * count, 2)
        if dice.random() < 0.004:
            amount = "ERR"
        yield [f"{9 + minute // 60:02}:{minute % 60:02}", article, count, amount]


@task
def remove_folder(folder: str) -> None:
    """The teardown of ``open_folder``."""
    shutil.rmtree(folder)


@task
def files(folder: str) -> list[str]:
    """The files there are, by name."""
    return sorted(str(path) for path in Path(folder).glob("*.csv"))


@task(retries=2, retry_delay="100ms")
def read(path: str) -> Sheet:
    """Add up one file; lines that are no sales are kept for later."""
    sheet = Sheet(shop=Path(path).stem, sales=0.0, refunds=0.0, lines=0, rejects=[])
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sheet["lines"] += 1
            try:
                amount = float(row["amount"])
            except ValueError:
                sheet["rejects"].append(",".join(row.values()))
                continue
            sheet["sales" if amount > 0 else "refunds"] += amount
    return sheet


@task
def set_aside(path: str, rejects: list[str]) -> str:
    """Keep the bad lines of a file beside it."""
    target = Path(path).with_suffix(".rejects")
    target.write_text("\n".join(rejects) + "\n", encoding="utf-8")
    return f"{target.name}: {len(rejects)}"


@dag
def one_shop(path: str) -> Sheet:
    """What is done with each file."""
    sheet = read(path)
    with when(symbol(sheet)["rejects"]):
        set_aside(path, sheet["rejects"])
    return sheet


@task
def judge(sheets: list[Sheet]) -> str:
    """Whether the day can be published as it is: the name of the task to go on with."""
    lines = sum(each["lines"] for each in sheets)
    rejects = sum(len(each["rejects"]) for each in sheets)
    return "decision.publish" if rejects <= lines * 0.005 else "decision.ask"


@task
def publish(day: date, sheets: list[Sheet]) -> str:
    """Show the day."""
    rows = [
        {"shop": each["shop"], "sales": round(each["sales"]), "refunds": round(each["refunds"])}
        for each in sorted(sheets, key=lambda each: -each["sales"])
    ]
    current().table(rows, title=f"Sales of {day}")
    total = sum(each["sales"] + each["refunds"] for each in sheets)
    return f"published {total:,.0f} kr of {len(rows)} shops"


@task
def ask(day: date, sheets: list[Sheet]) -> str:
    """Write down what a person must look at."""
    bad = [f"- {each['shop']}: {len(each['rejects'])} bad lines" for each in sheets if each["rejects"]]
    current().markdown("\n".join([f"# {day} needs a look", *bad]))
    return f"{len(bad)} shops need a look"


@task
def close_day(day: date, published: str | None, asked: str | None) -> str:
    """After either branch; the one that was not taken gives None."""
    return f"{day}: {published or asked}"


@task
def tell(status: str, failures: list[dict[str, str]]) -> None:
    """The exit handler: it runs whatever happened."""
    print(f"the day's sales {status}, {len(failures)} tasks failed")


@dag(tags=["example"], max_active_tasks=8)
def daily_sales(day: date = logical_date()) -> str:
    """The day's sales of all shops."""
    folder = open_folder(day)
    sheets = one_shop.map(files(folder)).result()
    choice = branch(judge)(sheets)
    with group("decision"):
        published = publish.after(choice)(day, sheets)
        asked = ask.after(choice)(day, sheets)
    closed = close_day(day, published, asked)
    symbol(closed).rule("none_failed_min_one_success")
    symbol(remove_folder(folder)).as_teardown(setups=folder)
    on_exit(tell(fact("status"), fact("failures")))
    return closed


if __name__ == "__main__":
    for back in range(3):
        print(daily_sales(date(2026, 3, 2) + timedelta(days=back)))
