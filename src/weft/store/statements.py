"""The SQL, by name. It lives in ``sql/*.sql`` so that it can be read, and explained, as SQL.

A statement begins with a line ``-- name: word``. Files are read once, when a store is first opened.
"""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent
_MARK = "-- name: "


@cache
def statements(file: str) -> dict[str, str]:
    """The statements of ``sql/<file>.sql``, without their comments."""
    found: dict[str, str] = {}
    for part in (_FOLDER / "sql" / f"{file}.sql").read_text("utf-8").split(f"\n{_MARK}")[1:]:
        name, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if not line.startswith("--")]
        found[name.strip()] = "\n".join(lines).strip().removesuffix(";")
    return found


def migration(backend: str, version: int) -> str:
    """The script that brings a store from ``version - 1`` to this; ``backend`` is a folder of migrations."""
    (path,) = (_FOLDER / "migrations" / backend).glob(f"{version:04}_*.sql")
    return path.read_text("utf-8")
