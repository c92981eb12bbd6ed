"""``weft verify``."""

from weft.artifacts.blobs import FileBlobs
from weft.cli.app import Json, noun
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.style import say, table
from weft.engine.verify import verify as problems_of
from weft.observability.terminal import count

app = noun("verify")


@app.default
def verify(*, json: Json = False) -> int:
    """Check the store's promises on what it holds.

    Changes nothing, and may run beside engines. Exit code 1 if a promise is broken.
    """
    with home() as opened:
        blobs = FileBlobs(opened.settings.home_path / "artifacts")
        problems = problems_of(opened.store, blobs=blobs)
        runs = sum(1 for _ in opened.store.all_runs())
    if json:
        for each in problems:
            emit(each)
    elif problems:
        table([(each.code, each.where, each.what) for each in problems], ("CODE", "WHERE", "PROBLEM"))
        for hint in dict.fromkeys(each.hint for each in problems if each.hint):
            say(f"hint: {hint}")
    else:
        say(f"{count(runs, 'run')}: every promise holds")
    return 1 if problems else 0
