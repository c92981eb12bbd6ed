"""Writes docs/reference/openapi.json from the server's routes, so that a change of the API is seen in a diff.

``--check`` writes nothing and fails when the file differs (``tests/api/test_openapi.py`` does the same).
"""

import sys
from pathlib import Path

from page_writer import write_page

from weft.server.app import description

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "openapi.json"


if __name__ == "__main__":
    sys.exit(write_page(PAGE, description().decode() + "\n"))
