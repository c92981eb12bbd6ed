"""Every page, in both themes and on a narrow screen: it says nothing wrong, and everybody can use it."""

import pytest
from browser import Look
from seeding import Seeded

PAGES = (
    "/",
    "/workflows",
    "/workflows/orders_etl",
    "/workflows/orders_etl?tab=runs",
    "/workflows/orders_etl?tab=graph",
    "/workflows/orders_etl?tab=calendar",
    "/workflows/orders_etl?tab=durations",
    "/workflows/orders_etl?tab=schedule",
    "/workflows/orders_etl?tab=versions",
    "/workflows/orders_etl?tab=source",
    "/workflows/orders_etl?tab=backfills",
    "/workflows/train?start=1",
    "/runs",
    "/runs?where=state:failed",
    "/runs?where=colour:red",
    "/runs/{succeeded}",
    "/runs/{succeeded}?tab=graph",
    "/runs/{failed}?tab=tasks&task=1",
    "/runs/{succeeded}?tab=values",
    "/runs/{published}?tab=artifacts",
    "/runs/{failed}?tab=why",
    "/runs/{retried}/tasks/1",
    "/runs/{retried}/tasks/1?tab=attempts",
    "/runs/{published}/tasks/2?tab=published",
    "/diff?a={succeeded}&b={failed}",
    "/diff?a={succeeded}&b={failed}&tab=tasks",
    "/diff?a={succeeded}&b={failed}&tab=logs",
    "/schedules",
    "/backfills",
    "/triggers",
    "/triggers?tab=events",
    "/assets",
    "/approvals",
    "/pools",
    "/automations",
    "/automations?tab=channels",
    "/config",
    "/config?tab=secrets",
    "/engines",
    "/audit",
    "/settings",
    "/settings?tab=tokens",
    "/health",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_everybody(look: Look, seeded: Seeded, path: str) -> None:
    """Light, dark and narrow: no violation that axe finds, nothing in the console, no sideways scrolling."""
    where = path.format(**seeded.ids())
    tab = look()
    with tab.expecting("422" if "colour:red" in path else "$^"):
        for theme, width in (("light", 1440), ("dark", 390)):
            tab.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            tab.page.set_viewport_size({"width": width, "height": 844})
            tab.go(where).settle()
            assert tab.page.get_by_text("This page has a defect").count() == 0
            assert tab.axe() == [], (theme, width)
            assert tab.overflow() <= 0, width
