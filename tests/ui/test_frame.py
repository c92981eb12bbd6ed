"""What stands around every page: keys, the palette, sign-in, prefixes, and a service that goes away."""

import http.server
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Look
from playwright.sync_api import expect
from served import Served


def test_the_keyboard_leads_to_every_place(look: Look) -> None:
    """`g` and a letter jump, `?` tells which, and the tab says where one is."""
    tab = look("/")
    page = tab.page
    for keys, heading in (("gr", "Runs"), ("gw", "Workflows"), ("gs", "Schedules"), ("gh", "Home")):
        for key in keys:
            page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        expect(page).to_have_title(re.compile(heading))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_palette_finds_objects_and_pages(look: Look) -> None:
    """A few letters are enough; Enter goes there."""
    tab = look("/")
    page = tab.page
    page.keyboard.press("Control+k")
    page.keyboard.type("orders_etl")
    expect(page.get_by_role("menuitem", name=re.compile("orders_etl")).first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/workflows/orders_etl"))
    page.keyboard.press("Control+k")
    page.keyboard.type("pools")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/pools"))


def test_theme_and_zone_are_remembered(look: Look) -> None:
    """Over a reload, and before the first paint."""
    tab = look("/")
    page = tab.page
    page.get_by_role("button", name="Use the dark theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name=re.compile("Times are UTC")).click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name=re.compile("Times are local"))).to_be_visible()


def test_an_address_that_is_no_page_says_so(look: Look) -> None:
    """With the way back."""
    tab = look("/no/such/page")
    expect(tab.page.get_by_role("heading", level=1)).to_be_visible()
    tab.page.get_by_role("main").get_by_role("link").first.click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Home")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[list[Served]]:
    """Services of the test's own."""
    made: list[Served] = []
    yield made
    for each in made:
        each.stop()


def test_a_page_outlives_its_service(look: Look, own: list[Served], tmp_path: Path) -> None:
    """A banner tells that it is away; when it is back, the page goes on and has caught up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    own.append(Served(tmp_path / "home", "up", "--port", port))
    tab = look("/runs", url=own[0].url)
    with tab.expecting(
        "ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_EMPTY|Failed to fetch|ERR_CONNECTION_RESET"
    ):
        own[0].kill()
        banner = tab.page.get_by_role("alert").filter(has_text="does not answer")
        expect(banner).to_be_visible()
        (tmp_path / "project").mkdir()
        (tmp_path / "project/late.py").write_text(
            "from weft import flow\n\n@flow\ndef late() -> int:\n    return 1\n"
        )
        own.append(Served(tmp_path / "home", "up", "--port", port))
        own[1].weft("deploy", str(tmp_path / "project"))
        own[1].ended(own[1].run("late"))
        expect(banner).to_be_hidden(timeout=40_000)
        expect(tab.page.get_by_role("main").get_by_text("late").first).to_be_visible(timeout=40_000)


def test_a_closed_service_asks_for_a_token(look: Look, own: list[Served], tmp_path: Path) -> None:
    """The pages themselves are open; what they show is not, and a viewer is told what needs more."""
    made = Served(tmp_path / "home", "status")
    viewer = made.weft("tokens", "create", "me", "--role", "viewer").strip().splitlines()[-1]
    made.weft("tokens", "create", "root", "--role", "admin")
    own.append(Served(tmp_path / "home", "up", "--port", "0", "--host", "0.0.0.0"))
    port = own[-1].url.rsplit(":", 1)[1]
    tab = look(url=f"http://127.0.0.1:{port}")
    with tab.expecting("401|403"):
        tab.page.goto(tab.url + "/")
        dialog = tab.page.get_by_role("dialog", name="This service asks who you are")
        expect(dialog).to_be_visible()
        dialog.get_by_label("API token").fill("weft_wrong")
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog.get_by_text("does not take the token")).to_be_visible()
        dialog.get_by_label("API token").fill(viewer)
        dialog.get_by_role("button", name="Sign in").click()
        expect(dialog).to_be_hidden()
        tab.go("/audit")
        expect(tab.page.get_by_role("main")).to_contain_text(re.compile("admin", re.I))


class Prefixed(http.server.BaseHTTPRequestHandler):
    """A proxy that serves a service below /tools/weft, and takes the prefix away, as many do."""

    target = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Hand it on."""
        if not self.path.startswith("/tools/weft/"):
            self.send_error(404)
            return
        url = self.target + self.path.removeprefix("/tools/weft")
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        try:
            answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in ("transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            while piece := answer.read1(65536):
                try:
                    self.wfile.write(piece)
                    self.wfile.flush()
                except OSError:
                    break
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def test_it_works_below_a_prefix(look: Look, shop: Served) -> None:
    """Also when a page in the depth is opened first."""
    Prefixed.target = shop.url
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prefixed)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        tab = look("/workflows/orders_etl", url=f"http://127.0.0.1:{server.server_port}/tools/weft")
        expect(tab.page.get_by_role("heading", level=1)).to_contain_text("orders_etl")
        tab.page.keyboard.press("g")
        tab.page.keyboard.press("r")
        expect(tab.page).to_have_url(re.compile("/tools/weft/runs"))
        expect(tab.page.get_by_role("heading", level=1)).to_have_text("Runs")
        tab.page.close()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
