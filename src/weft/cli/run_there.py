"""``weft run NAME --server URL``: have a service run a deployed workflow, and follow it to its end."""

from collections.abc import Sequence
from typing import Any

import msgspec

from weft.cli.document import document
from weft.cli.output import emit
from weft.cli.style import say
from weft.cli.there import ThereHome
from weft.cli.watching import see_through
from weft.client.models import ParameterView
from weft.model.errors import NotFound, UsageError
from weft.settings import Settings


def run_there(
    settings: Settings,
    name: str,
    pairs: Sequence[str],
    params_json: str | None,
    *,
    tags: Sequence[str],
    key: str | None,
    detach: bool,
    json: bool,
) -> int:
    """Start a run of a deployed workflow, and unless ``detach`` see it through; returns the exit code.

    Raises:
        NotFound: There is no such workflow.
        ParameterError: The parameters do not fit.
        ServiceUnreachable: Nobody answers.
    """
    opened = ThereHome(settings, settings.server)
    service = opened.distant.client
    try:
        params = _params(opened, name, pairs, params_json)
        run = service.run(name, params, tags=tags, key=key)
        if detach:
            if json:
                emit({"id": run.id})
            else:
                print(run.id)
            return 0
        row = opened.store.run(run.id)
        try:
            return see_through(opened, row, json=json)
        except KeyboardInterrupt:
            say(f"run {run.id} goes on: weft runs watch {run.id}, or weft runs cancel {run.id}")
            raise
    finally:
        opened.store.close()


def _params(opened: ThereHome, name: str, pairs: Sequence[str], params_json: str | None) -> dict[str, Any]:
    """Parameters from ``k=v`` words and a JSON object; the words win."""
    given = {} if params_json is None else document(params_json)
    try:
        known = {each.name: each for each in opened.distant.client.workflows.show(name).params}
    except NotFound as exc:
        if name.endswith(".py") or ":" in name:
            hint = "with --server give a deployed workflow's name; weft deploy makes it one"
        else:
            hint = "weft workflows list --server URL"
        raise NotFound(exc.what, where=opened.settings.server, hint=hint) from exc
    for pair in pairs:
        word, equals, text = pair.partition("=")
        if not equals or not word:
            raise UsageError(f"{pair!r} is not a parameter", hint="write -p name=value")
        word = word if word in known else word.replace("-", "_")
        given[word] = _value(known.get(word), text)
    return given


def _value(parameter: ParameterView | None, text: str) -> Any:
    """A word as a value: JSON where it is, unless the parameter is a text."""
    schema = parameter.schema if parameter is not None else {}
    if schema.get("type") == "string":
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
