"""The workflows of a shop for cloth, with what pages must be able to show."""

import random
import struct
import sys
import time
import zlib
from datetime import date

from weft import (
    approval,
    asset,
    cron,
    current,
    dag,
    every,
    flow,
    group,
    logical_date,
    on_event,
    on_run,
    task,
    unmapped,
    wait_for_event,
)

REGIONS = ("north", "south", "east", "west", "islands", "abroad")

orders = asset("orders", "postgres://shop/orders")
prices = asset("prices", "postgres://shop/prices")
report_page = asset("report", "https://shop.example/report")


@task
def fetch_orders(day: date, rows: int) -> list[int]:
    """A day's orders."""
    dice = random.Random(day.toordinal())
    log = current().logger
    log.info("asking for the orders of %s", day)
    made = [dice.randint(40, 4000) for _ in range(rows)]
    for at in range(0, rows, 50):
        print(f"row {at:5}: {sum(made[at : at + 50]):8} kr")
    if dice.random() < 0.3:
        log.warning("three orders have no address")
    time.sleep(dice.uniform(0.02, 0.08))
    return made


@task(outputs=prices)
def fetch_prices(day: date) -> dict[str, float]:
    """What each cloth costs that day."""
    dice = random.Random(day.toordinal())
    time.sleep(dice.uniform(0.01, 0.05))
    return {name: round(dice.uniform(50, 500), 2) for name in ("wool", "linen", "silk", "hemp")}


@task(retries=2, retry_delay="50ms")
def clean(region: str, rows: list[int], strict: bool) -> list[int]:
    """One region's part."""
    dice = random.Random(f"{region}{len(rows)}")
    time.sleep(dice.uniform(0.01, 0.12))
    if current().try_number == 1 and dice.random() < 0.25:
        raise ConnectionError(f"{region}: the shop's database closed the connection")
    if strict and region == "islands":
        raise ValueError(f"{region}: 3 of {len(rows)} orders have no address")
    return rows[:: len(REGIONS)]


@task
def add_up(parts: list[list[int]], costs: dict[str, float]) -> int:
    """The day's sum."""
    return sum(map(sum, parts)) + int(sum(costs.values()))


@task(outputs=orders)
def store(total: int) -> int:
    """Put it where others read it."""
    current().table(
        [{"what": "total", "kr": total}, {"what": "regions", "kr": len(REGIONS)}], title="The day"
    )
    time.sleep(0.02)
    return total


@dag(schedule=cron("0 5 * * *", tz="Europe/Stockholm"), tags=["shop", "daily"], max_active_runs=4)
def orders_etl(day: date = logical_date(), rows: int = 300, strict: bool = False) -> int:
    """The day's orders, cleaned region by region, added up and stored."""
    with group("extract"):
        rows_of_day = fetch_orders(day, rows)
        costs = fetch_prices(day)
    with group("transform"):
        parts = clean.map(list(REGIONS), unmapped(rows_of_day), unmapped(strict))
        total = add_up(parts, costs)
    with group("load"):
        return store(total)


def picture(width: int = 320, height: int = 120) -> bytes:
    """A PNG with bars."""
    dice = random.Random(7)
    bars = [dice.randint(10, height) for _ in range(width // 20)]
    raw = b"".join(
        b"\0"
        + bytes(
            v
            for x in range(width)
            for v in ((63, 81, 181) if bars[x // 20] > height - y else (238, 240, 248))
        )
        for y in range(height)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    )


@task(cache="inputs")
def draw(day: str) -> dict[str, float]:
    """Made once for the same day."""
    return {"mean": 812.5, "median": 640.0, "largest": 3990.0}


@task(outputs=report_page)
def publish(numbers: dict[str, float]) -> str:
    """Everything that a task can show."""
    it = current()
    for step in range(5):
        it.progress((step + 1) / 5, f"page {step + 1} of 5")
        time.sleep(0.02)
    it.markdown(
        "## The week in cloth\n\nSales were **up 4 %**, most of it *linen*.\n\n"
        "| cloth | kr |\n|---|---|\n| wool | 12,400 |\n| linen | 18,900 |\n\n"
        "- returns: 12\n- complaints: `0`\n",
        title="Report",
    )
    it.table([{"measure": name, "kr": value} for name, value in numbers.items()], title="Numbers")
    it.image(picture(), title="Sales by day")
    it.link("https://shop.example/report", "The page in the shop")
    return "https://shop.example/report"


@flow(trigger=orders & prices, tags=["shop"])
def weekly_report(week: int = 12) -> str:
    """Runs when orders and prices are new."""
    return publish(draw(f"week {week}"))


@task(retries=3, retry_delay="40ms", retry_backoff=2)
def call_bank(account: str) -> dict[str, float]:
    """The bank is often away."""
    current().logger.error("bank.example:443 refused the connection")
    print("\x1b[33mtrying another address\x1b[0m", file=sys.stderr)
    raise ConnectionRefusedError(f"bank.example:443 refused the connection for account {account}")


@flow(tags=["money"], schedule=every("6h"))
def reconcile(account: str = "SE45 5000") -> dict[str, float]:
    """Fails, after several tries."""
    return call_bank(account)


@task
def fit(depth: int, rate: float) -> float:
    """Train one model."""
    for step in range(10):
        current().progress((step + 1) / 10, f"epoch {step + 1}")
        time.sleep(0.03)
    return round(0.9 + depth / 100 - rate, 4)


@flow(tags=["models"])
def train(depths: list[int] | None = None, rate: float = 0.01) -> float:
    """Several models side by side."""
    return max(fit.map(depths or [2, 4, 8, 16], unmapped(rate)).result())


@task
def build(version: str) -> str:
    """What is to be released."""
    time.sleep(0.05)
    return f"shop-{version}.tar.gz"


@flow(tags=["release"])
def release(version: str = "2.1.0") -> str:
    """Waits for a person."""
    made = build(version)
    answer = approval(
        f"Publish **{version}**?\n\n- all tests pass\n- the change log is written",
        timeout="7d",
        default=False,
        form={
            "type": "object",
            "properties": {
                "channel": {"type": "string", "enum": ["stable", "beta"], "title": "Channel"},
                "percent": {"type": "integer", "minimum": 1, "maximum": 100, "title": "Share of customers"},
                "note": {"type": "string", "title": "Note"},
            },
            "required": ["channel"],
        },
    )
    return made if answer else "not published"


@task
def wait_long(seconds: float) -> float:
    """Says something every now and then."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        print(f"{time.monotonic() - begun:6.1f} s: still weaving")
        time.sleep(0.2)
    return seconds


@flow(tags=["loom"])
def weaving(seconds: float = 600, pieces: int = 6) -> float:
    """Runs long enough to be watched."""
    return sum(wait_long.map([seconds * (n + 1) / pieces for n in range(pieces)]).result())


@flow(trigger=on_event("parcel.*"), tags=["shop"])
def parcel(number: int = 1) -> object:
    """Waits for an event."""
    return wait_for_event("delivered", timeout="30d")


@flow(trigger=on_run("orders_etl", ["failed"]))
def on_trouble() -> str:
    """Runs after a failure."""
    return "told"


@task
def small(number: int) -> int:
    """One of very many."""
    dice = random.Random(number)
    if dice.random() < 0.7:
        time.sleep(dice.expovariate(200))
    if number % 997 == 500:
        raise ValueError(f"{number} is one of the bad ones")
    return number


@flow(tags=["large"])
def many(count: int = 100_000) -> int:
    """As many task runs as one asks for."""
    done = small.map(range(count))
    done.wait()
    return sum(1 for each in done if each.state == "succeeded")


@task
def node() -> None:
    """Does nothing."""


@dag(tags=["large"])
def big_graph() -> None:
    """Ten thousand tasks that depend on each other."""
    dice = random.Random(3)
    made = []
    for at in range(10_000):
        step = node()
        for _ in range(min(at, dice.choice([1, 1, 2]))):
            made[max(0, at - dice.randint(1, 120))] >> step
        made.append(step)


@task
def talk(megabytes: int) -> int:
    """Writes a very long log."""
    dice = random.Random(5)
    words = [f"{dice.choice(['thread', 'warp', 'weft', 'reed', 'heald'])}-{n:04}" for n in range(500)]
    lines, size = 0, 0
    while size < megabytes * 1_000_000:
        block = "\n".join(
            f"{lines + n:10} {words[(lines + n) % 500]} was passed through the shed at pick {n % 97}"
            for n in range(500)
        )
        print(block)
        if lines % 500_000 == 0:
            current().logger.error("needle-%d: a thread broke", lines)
        lines += 500
        size += len(block)
    return lines


@flow(tags=["large"])
def chatty(megabytes: int = 1000) -> int:
    """A log that no editor opens."""
    return talk(megabytes)
