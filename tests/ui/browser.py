"""A browser that looks at a service's pages, and hears whatever goes wrong in them."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Response, expect

ROOT = Path(__file__).parents[2]
AXE = ROOT / "ui/node_modules/axe-core/axe.min.js"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def chromium_path() -> str | None:
    """The system's Chromium, or what ``WEFT_CHROMIUM`` names."""
    named = os.environ.get("WEFT_CHROMIUM", "")
    return (
        named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )


def launch(playwright: Playwright) -> Browser:
    """Start it, without a window."""
    return playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))


class Looker:
    """One tab.

    Args:
        page: The tab.
        url: The service's address.

    Attributes:
        heard: What went wrong: errors in the console, exceptions, and answers that said so.
        loaded: Each answer's address and size in bytes as it came over the wire.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url.rstrip("/")
        self.heard: list[str] = []
        self.loaded: dict[str, int] = {}
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.heard.append(f"exception: {error}"))
        page.on("response", self._response)

    def go(self, path: str) -> "Looker":
        """Open a page and wait until it has its heading."""
        self.page.goto(self.url + path)
        self.page.locator("h1").first.wait_for()
        return self

    def settle(self) -> None:
        """Wait until nothing is being loaded. The live stream never ends, so the network is no witness."""
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)
        self.page.wait_for_timeout(150)

    def axe(self) -> list[str]:
        """What the accessibility checker finds wrong with the page as it stands."""
        self.page.evaluate(_axe())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{each['id']}: {each['help']} {[node['target'] for node in each['nodes'][:3]]}"
            for each in found["violations"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.heard.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def _response(self, response: Response) -> None:
        self.loaded[response.url] = int(response.headers.get("content-length", 0))

    @contextmanager
    def expecting(self, pattern: str) -> Iterator[None]:
        """Here the console may tell of what ``pattern`` finds: a test that provokes it."""
        before = len(self.heard)
        yield
        self.heard[before:] = [each for each in self.heard[before:] if not re.search(pattern, each)]


Look = Callable[..., Looker]
"""Opens a tab on a page; see ``look`` in conftest.py."""


@cache
def _axe() -> str:
    return AXE.read_text("utf-8")


def preferences(**chosen: Any) -> str:
    """A script that sets what a person has chosen before the page begins."""
    return f"localStorage.setItem('weft.preferences', {json.dumps(json.dumps(chosen))})"
