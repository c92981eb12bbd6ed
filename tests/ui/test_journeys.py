"""What people come for, from the first click to the last."""

import re

import pytest
from browser import Look, Looker
from playwright.sync_api import expect
from seeding import Seeded
from served import Served


def state(tab: Looker, name: str) -> None:
    """Wait until the page's head says so, without a reload."""
    expect(tab.page.locator(".page-meta .state").first).to_contain_text(name, timeout=30_000)


def test_start_a_run_and_watch_it(look: Look, shop: Served, seeded: Seeded) -> None:
    """The form comes from the workflow's parameters; the run is live from its start to its end."""
    tab = look("/workflows/weaving?start=1")
    page = tab.page
    form = page.get_by_role("dialog", name="Run weaving")
    form.get_by_label("seconds").fill("many")
    with tab.expecting("422"):
        form.get_by_role("button", name="Start the run").click()
        expect(form.get_by_text(re.compile("number", re.I)).first).to_be_visible()
    form.get_by_label("seconds").fill("4")
    form.get_by_label("pieces").fill("3")
    form.get_by_role("button", name="Start the run").click()
    expect(page).to_have_url(re.compile(r"/runs/run_\w+"))
    state(tab, "running")
    state(tab, "succeeded")
    expect(page.get_by_text(re.compile(r"\d+ task runs")).first).to_be_visible()
    expect(page.get_by_role("list", name="Task runs by state")).to_contain_text("succeeded")


def test_retry_what_failed(look: Look, shop: Served, seeded: Seeded) -> None:
    """It says how many task runs that would be, and does just that."""
    run = shop.run("reconcile")
    shop.ended(run)
    tab = look(f"/runs/{run}")
    page = tab.page
    state(tab, "failed")
    page.get_by_role("button", name="Retry", exact=True).click()
    dialog = page.get_by_role("dialog", name="Run again what failed?")
    expect(dialog).to_contain_text(re.compile(r"\d task runs? would run again"))
    dialog.get_by_role("button", name=re.compile("Run \\d+ again")).click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text(re.compile("run again")).first).to_be_visible()
    state(tab, "failed")
    assert shop.ended(run)["state"] == "failed"


def test_a_stored_run_is_found_by_the_query_language(look: Look, seeded: Seeded) -> None:
    """A wrong term is told where it stands; a right one is in the address."""
    tab = look("/runs")
    page = tab.page
    page.keyboard.press("/")
    page.keyboard.type("colour:red")
    with tab.expecting("422"):
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert").filter(has_text="colour")).to_be_visible()
    field = page.get_by_role("combobox", name="Query for runs")
    field.fill("workflow:reconcile state:failed")
    field.press("Enter")
    expect(page).to_have_url(re.compile("where=workflow"))
    expect(page.get_by_role("grid", name="Runs").get_by_role("row").nth(1)).to_contain_text("reconcile")


def test_approve_by_keyboard(look: Look, shop: Served, seeded: Seeded) -> None:
    """The form is checked; the run goes on with the answer."""
    run = shop.run("release", version="9.9.9")
    tab = look("/approvals")
    page = tab.page
    page.get_by_role("button", name=re.compile("Publish 9.9.9")).click()
    question = page.get_by_role("region", name="Question of release")
    expect(question.get_by_text("9.9.9")).to_be_visible()
    question.get_by_role("button", name=re.compile("Channel")).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    question.get_by_label(re.compile("Comment")).fill("looks good")
    question.get_by_role("button", name=re.compile("^Approve")).focus()
    page.keyboard.press("Enter")
    ended = shop.ended(run)
    assert ended["state"] == "succeeded"
    assert ended["result"]["value"] == "shop-9.9.9.tar.gz"


def test_compare_two_runs(look: Look, seeded: Seeded) -> None:
    """Parameters, task runs and logs, with what differs."""
    tab = look(f"/diff?a={seeded.succeeded}&b={seeded.failed}")
    page = tab.page
    expect(page.get_by_role("row", name=re.compile("State differs"))).to_contain_text("failed")
    page.get_by_role("link", name="Tasks").click()
    expect(page.get_by_role("main")).to_contain_text("load.store")
    page.get_by_role("link", name="Logs").click()
    expect(page.get_by_role("main")).to_contain_text(re.compile("log|line", re.I))


def test_plan_and_make_a_backfill(look: Look, shop: Served, seeded: Seeded) -> None:
    """The plan is counted before anything is made; then it goes on by itself."""
    tab = look("/workflows/orders_etl?tab=backfills")
    page = tab.page
    page.get_by_role("button", name="Plan a backfill").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    fill_dates(tab, "2026-09-01", "2026-09-03")
    dialog.get_by_role("button", name="Show what would run").click()
    dialog.get_by_role("button", name=re.compile(r"^Make \d")).click()
    expect(dialog).to_be_hidden(timeout=15_000)
    expect(page.get_by_role("grid", name=re.compile("Backfills"))).to_contain_text(re.compile("Sept"))


def fill_dates(tab: Looker, first: str, last: str) -> None:
    """In the fields for a stretch of time, of whichever kind they are."""
    fields = tab.page.get_by_role("dialog").locator("input[type=date], input[type=datetime-local]")
    for place, day in enumerate((first, last)):
        field = fields.nth(place)
        kind = field.get_attribute("type")
        field.fill(day if kind == "date" else f"{day}T00:00")


def test_a_run_that_was_deleted_meanwhile(look: Look, shop: Served, seeded: Seeded) -> None:
    """The page says so, and leads on."""
    run = shop.run("train", depths=[1])
    shop.ended(run)
    tab = look(f"/runs/{run}")
    shop.weft("runs", "delete", run, "--yes")
    with tab.expecting("404"):
        tab.page.reload()
        expect(tab.page.get_by_role("alert")).to_contain_text("W1001")
        tab.page.goto(f"{tab.url}/workflows/no_such_workflow")
        expect(tab.page.get_by_text("No workflow no_such_workflow is deployed")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_a_slow_network_shows_outlines_first(look: Look, seeded: Seeded, dark: bool) -> None:
    """And nothing jumps in the console when the answer comes late."""
    tab = look(dark=dark)
    tab.page.route("**/api/v1/runs?*", lambda route: (tab.page.wait_for_timeout(1500), route.continue_()))
    tab.go("/runs")
    expect(tab.page.get_by_role("status", name="Loading")).to_be_visible()
    expect(tab.page.get_by_role("grid", name="Runs")).to_be_visible()
