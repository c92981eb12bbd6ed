"""Makes pictures of every page for the documentation: ``python tests/ui/screenshots.py docs/screenshots``.

They are pages of a real service with the shop's runs: empty and small, in light and dark, on a desk and on a
telephone. With ``--large`` there is a run of 100,000 task runs too, which takes some minutes.
"""

import argparse
import base64
import shutil
import tempfile
from pathlib import Path

from browser import Looker, launch, preferences
from playwright.sync_api import Browser, sync_playwright
from seeding import Seeded, seed, seed_large
from served import Served

PROJECT = Path(__file__).parent / "project"
SIZES = {"": (1440, 900), "-narrow": (390, 844)}
QUALITY = 82


def places(seeded: Seeded, large: tuple[str, str] | None) -> dict[str, str]:
    """Names of pictures, and the addresses that they show."""
    made = {
        "home": "/",
        "workflows": "/workflows",
        "workflow-grid": "/workflows/orders_etl",
        "workflow-graph": "/workflows/orders_etl?tab=graph",
        "workflow-calendar": "/workflows/orders_etl?tab=calendar",
        "workflow-durations": "/workflows/orders_etl?tab=durations",
        "workflow-source": "/workflows/orders_etl?tab=source",
        "runs": "/runs",
        "run": f"/runs/{seeded.succeeded}",
        "run-graph": f"/runs/{seeded.succeeded}?tab=graph",
        "run-tasks": f"/runs/{seeded.succeeded}?tab=tasks",
        "run-failed": f"/runs/{seeded.failed}",
        "task-logs": f"/runs/{seeded.retried}/tasks/1",
        "task-published": f"/runs/{seeded.published}?tab=artifacts",
        "diff": f"/diff?a={seeded.succeeded}&b={seeded.failed}",
        "schedules": "/schedules",
        "backfills": "/backfills",
        "triggers": "/triggers",
        "assets": "/assets",
        "approvals": "/approvals",
        "pools": "/pools",
        "automations": "/automations",
        "config": "/config",
        "engines": "/engines",
        "audit": "/audit",
        "health": "/health",
        "settings": "/settings",
    }
    if large is not None:
        made["run-large"] = f"/runs/{large[0]}"
        made["run-large-tasks"] = f"/runs/{large[0]}?tab=tasks"
        made["run-large-graph"] = f"/runs/{large[1]}?tab=graph"
    return made


def take(tab: Looker, file: Path) -> None:
    """Keep what the tab shows, as WebP, which Playwright does not offer and Chromium does."""
    session = tab.page.context.new_cdp_session(tab.page)
    made = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    file.write_bytes(base64.b64decode(made["data"]))
    session.detach()


def picture_all(browser: Browser, url: str, shown: dict[str, str], folder: Path) -> None:
    """One picture for each page, theme and size."""
    for theme in ("light", "dark"):
        for suffix, (width, height) in SIZES.items():
            context = browser.new_context(
                viewport={"width": width, "height": height}, reduced_motion="reduce", locale="en-GB"
            )
            context.add_init_script(preferences(zone="UTC", theme=theme))
            tab = Looker(context.new_page(), url)
            for name, path in shown.items():
                tab.go(path).settle()
                tab.page.wait_for_timeout(400)
                take(tab, folder / f"{name}-{theme}{suffix}.webp")
            context.close()
            for each in tab.heard:
                print(each)


def main() -> None:
    """Start a service, let it work, and look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--only", action="append", default=[], help="names of pictures")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as base, sync_playwright() as playwright:
        project = shutil.copytree(PROJECT, Path(base, "project"))
        browser = launch(playwright)
        served = Served(Path(base, "home"))
        try:
            empty = {
                f"{name}-empty": path
                for name, path in (("home", "/"), ("workflows", "/workflows"), ("runs", "/runs"))
            }
            if not given.only:
                picture_all(browser, served.url, empty, given.folder)
            served.weft("deploy", str(project), "--name", "shop")
            seeded = seed(served)
            large = seed_large(served) if given.large else None
            for run in large or ():
                served.ended(run)
            shown = places(seeded, large)
            picture_all(
                browser,
                served.url,
                {n: p for n, p in shown.items() if not given.only or n in given.only},
                given.folder,
            )
        finally:
            served.stop()
            browser.close()


if __name__ == "__main__":
    main()
