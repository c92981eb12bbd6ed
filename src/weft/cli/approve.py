"""``weft approve``: yes to a run that waits for a person."""

from typing import Annotated

from cyclopts import Parameter

from weft.cli.answering import answer
from weft.cli.app import RUN_HELP, noun

app = noun("approve")


@app.default
def approve(
    run: Annotated[str, Parameter(help=RUN_HELP)],
    task: Annotated[str | None, Parameter(help="Which approval, when the run waits for several.")] = None,
    /,
    *,
    comment: Annotated[str, Parameter(help="What to say with it.")] = "",
    input: Annotated[  # noqa: A002 - the option's name
        str | None, Parameter(help="What the approval's form asks for, as JSON.")
    ] = None,
) -> None:
    """Say yes to a run that waits for an approval."""
    answer(run, task, approved=True, comment=comment, filled=input)
