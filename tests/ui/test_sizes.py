"""How much a browser has to load."""

import io
import zipfile

from weft.server.pages import BUILT

FIRST_ROUTE = 250_000
"""Bytes of JavaScript, packed, until the first page stands."""

WHOLE = 1_500_000
"""Bytes of all pages, zipped."""


def test_the_first_page_is_light(look) -> None:
    """What comes over the wire; nothing is asked of anybody else."""
    tab = look("/")
    tab.settle()
    scripts = {url: size for url, size in tab.loaded.items() if url.split("?")[0].endswith(".js")}
    assert scripts
    assert all(url.startswith(tab.url) for url in tab.loaded)
    assert sum(scripts.values()) <= FIRST_ROUTE, scripts


def test_all_pages_together_are_light() -> None:
    """As a wheel carries them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in BUILT.rglob("*"):
            if file.is_file():
                archive.write(file, file.relative_to(BUILT))
    assert len(packed.getvalue()) <= WHOLE
