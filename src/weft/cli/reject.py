"""``weft reject``: no to a run that waits for a person."""

from typing import Annotated

from cyclopts import Parameter

from weft.cli.answering import answer
from weft.cli.app import RUN_HELP, noun

app = noun("reject")


@app.default
def reject(
    run: Annotated[str, Parameter(help=RUN_HELP)],
    task: Annotated[str | None, Parameter(help="Which approval, when the run waits for several.")] = None,
    /,
    *,
    comment: Annotated[str, Parameter(help="Why.")] = "",
) -> None:
    """Say no to a run that waits for an approval."""
    answer(run, task, approved=False, comment=comment, filled=None)
