"""A service with a shop's workflows, and browsers that look at its pages."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import AXE, Look, Looker, chromium_path, launch, preferences
from playwright.sync_api import Browser, sync_playwright
from seeding import Seeded, seed
from served import Served

import weft.server.pages

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or another on the path.

    It ends with its module: while Playwright runs, its event loop is the thread's, and tests that come later
    could not begin one of their own.
    """
    missing = [
        name
        for name, there in (
            ("Chromium (apt install chromium, or WEFT_CHROMIUM)", chromium_path() is not None),
            ("the pages (make ui)", (weft.server.pages.BUILT / "index.html").is_file()),
            ("axe-core (make ui)", AXE.is_file()),
        )
        if not there
    ]
    if missing:
        reason = f"there is no {' and no '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        made = launch(playwright)
        yield made
        made.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service with the shop's workflows; tests may add runs, and take away only their own."""
    base = tmp_path_factory.mktemp("shop")
    project = shutil.copytree(PROJECT, base / "project")
    served = Served(base / "home")
    served.weft("deploy", str(project), "--name", "shop")
    yield served
    served.stop()


@pytest.fixture(scope="session")
def seeded(shop: Served) -> Seeded:
    """Runs and settings in it."""
    return seed(shop)


@pytest.fixture
def look(browser: Browser, shop: Served) -> Iterator[Look]:
    """Opens tabs on the shop's pages. Whatever their consoles tell of is a failure."""
    lookers: list[Looker] = []

    def open_tab(
        path: str = "", *, url: str = "", dark: bool = False, width: int = 1440, height: int = 900
    ) -> Looker:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            timezone_id="Europe/Stockholm",
            locale="en-GB",
        )
        context.set_default_timeout(20_000)
        context.add_init_script(f"if (!localStorage.length) {preferences(zone='UTC')}")
        looker = Looker(context.new_page(), url or shop.url)
        lookers.append(looker)
        return looker.go(path) if path else looker

    yield open_tab
    heard = [each for looker in lookers for each in looker.heard]
    for looker in lookers:
        looker.page.context.close()
    assert heard == []
