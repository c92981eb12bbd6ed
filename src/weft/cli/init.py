"""``weft init``: a workflow that runs, to begin with."""

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from weft.cli.app import noun
from weft.cli.style import say
from weft.model.errors import StoreReadOnly, UsageError

app = noun("init")

TEMPLATES = {"etl": "etl.py", "ml": "ml.py", "dag": "nightly.py"}


@app.default
def init(
    directory: Annotated[str, Parameter(help="Where to; made if it is not there.")] = ".",
    /,
    *,
    template: Annotated[
        Literal["etl", "ml", "dag"],
        Parameter(help="etl: a durable flow; ml: models compared; dag: a static graph."),
    ] = "etl",
) -> None:
    """Write a first workflow to start from.

    It needs nothing but Weft, and runs as it is. No file that exists is touched.
    """
    folder = Path(directory)
    name = TEMPLATES[template]
    path = folder / name
    if path.exists():
        raise UsageError(f"{path} exists already", hint="name another folder, or move it away")
    text = resources.files("weft.cli").joinpath("templates", name).read_text(encoding="utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise StoreReadOnly(f"{path} cannot be written: {exc.strerror}", where=str(folder.resolve())) from exc
    print(path)
    say(f"run it:  weft run {path}")
