"""``weft send``: an event for a run that waits for it."""

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.cli.app import RUN_HELP, noun
from weft.cli.asking import ask
from weft.cli.reading import anywhere
from weft.cli.style import say
from weft.model.errors import UsageError

app = noun("send")


@app.default
def send(
    run: Annotated[str, Parameter(help=RUN_HELP)],
    event: Annotated[str, Parameter(help="The event's name, as in wait_for_event(name).")],
    /,
    *,
    payload: Annotated[str | None, Parameter(help="What wait_for_event returns, as JSON.")] = None,
    id: Annotated[  # noqa: A002 - the option's name
        str | None, Parameter(help="The same event sent twice under one id counts once.")
    ] = None,
) -> None:
    """Send an event to a run that waits for it.

    One that comes before the run waits for it is kept.
    """
    value: Any = None
    if payload is not None:
        try:
            value = msgspec.json.decode(payload)
        except msgspec.DecodeError as exc:
            raise UsageError(f"--payload is not JSON: {exc}", hint="text needs quotes: '\"text\"'") from exc
    with anywhere() as opened:
        row = opened.store.run(run)
        packed = opened.artifacts.dumps(value, what="the payload")
        if ask(opened, row, "send", name=event, payload=packed, request_id=id):
            say(f"sent {event} to {row.uid}")
