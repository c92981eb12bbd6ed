"""``weft variables``: named plain values that tasks read while they run."""

import time
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from weft.cli.app import Json, Yes, noun
from weft.cli.keeping import Description, checked, forget
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.style import iso, moment, say, table
from weft.model.variables import VARIABLE, Variable
from weft.store.records import Collection, Entry

app = noun("variables", help="Set, get, list and delete variables.")

VARIABLES = Collection(VARIABLE, Variable)

Name = Annotated[str, Parameter(help="Its name.")]


@app.command(name="set")
def set_variable(
    name: Name,
    value: Annotated[str, Parameter(help="JSON; what is none is text.", allow_leading_hyphen=True)],
    /,
    *,
    text: Annotated[bool, Parameter(help="Take the value as text, whatever it looks like.")] = False,
    description: Description = None,
) -> None:
    """Write a variable."""
    checked(name)
    given: Any = value
    if not text:
        try:
            given = msgspec.json.decode(value)
        except msgspec.DecodeError:
            pass  # Text.
    with home() as opened:
        before = VARIABLES.get(opened.store, name)
        if description is None:
            description = before.value.description if before is not None else ""
        variable = Variable(value=given, description=description)
        VARIABLES.save(opened.store, name, variable, at=time.time())
    say(f"variable {name} is {'set' if before is None else 'changed'}")


@app.command
def get(name: Name, /, *, json: Json = False) -> None:
    """Print a variable's value: text as it is, everything else as JSON."""
    with home() as opened:
        entry = VARIABLES.require(opened.store, name)
    if json:
        emit(_object(entry))
    elif isinstance(entry.value.value, str):
        print(entry.value.value)
    else:
        emit(entry.value.value)


@app.command(name="list")
def list_variables(*, json: Json = False) -> None:
    """List variables."""
    with home() as opened:
        found = list(VARIABLES.all(opened.store))
    if json:
        for entry in found:
            emit(_object(entry))
        return
    if not found:
        say("no variables yet: weft variables set NAME VALUE")
        return
    rows = [
        (each.name, msgspec.json.encode(each.value.value).decode(), moment(each.at), each.value.description)
        for each in found
    ]
    table(rows, ("VARIABLE", "VALUE", "CHANGED", "DESCRIPTION"))


@app.command
def delete(names: Annotated[list[str], Parameter(help="Their names.")], /, *, yes: Yes = False) -> None:
    """Forget variables."""
    with home() as opened:
        forget(opened.store, VARIABLES, names, yes=yes)


def _object(entry: Entry[Variable]) -> dict[str, Any]:
    value = entry.value
    return {
        "name": entry.name,
        "value": value.value,
        "description": value.description,
        "changed": iso(entry.at),
    }
