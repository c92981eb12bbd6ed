"""``weft pools``: named numbers of slots that attempts share, over all runs and engines."""

import time
from typing import Annotated

from cyclopts import Parameter

from weft.cli.app import Json, Yes, noun
from weft.cli.keeping import Description, checked, forget
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.style import iso, moment, say, table
from weft.model.errors import UsageError
from weft.model.pools import POOL, Pool
from weft.store.records import Collection

app = noun("pools", help="Set, list and delete pools.")

POOLS = Collection(POOL, Pool)

SLOTS_MAX = (1 << 31) - 1


@app.command(name="set")
def set_pool(
    name: Annotated[str, Parameter(help="Its name.")],
    slots: Annotated[int, Parameter(help="Slots that live attempts may hold at once; 0 stops them.")],
    /,
    *,
    description: Description = None,
) -> None:
    """Write a pool."""
    checked(name)
    if not 0 <= slots <= SLOTS_MAX:
        raise UsageError(f"a pool cannot have {slots} slots", hint="0 or more")
    with home() as opened:
        before = POOLS.get(opened.store, name)
        if description is None:
            description = before.value.description if before is not None else ""
        pool = Pool(slots=slots, description=description)
        POOLS.save(opened.store, name, pool, at=time.time())
    say(f"pool {name} has {slots} slots")


@app.command(name="list")
def list_pools(*, json: Json = False) -> None:
    """List pools: those that were set here, and those of the settings."""
    with home() as opened:
        found = {each.name: each for each in POOLS.all(opened.store)}
        fixed = {name: slots for name, slots in opened.settings.pools.items() if name not in found}
    if json:
        for name, each in found.items():
            value = each.value
            emit(
                {
                    "name": name,
                    "slots": value.slots,
                    "description": value.description,
                    "changed": iso(each.at),
                }
            )
        for name, slots in fixed.items():
            emit({"name": name, "slots": slots, "description": "", "changed": None})
        return
    if not found and not fixed:
        say("no pools yet: weft pools set NAME SLOTS")
        return
    rows = [
        (name, str(each.value.slots), moment(each.at), each.value.description) for name, each in found.items()
    ]
    rows += [(name, str(slots), "", "a setting") for name, slots in fixed.items()]
    table(rows, ("POOL", "SLOTS", "CHANGED", "DESCRIPTION"))


@app.command
def delete(names: Annotated[list[str], Parameter(help="Their names.")], /, *, yes: Yes = False) -> None:
    """Forget pools; whatever names one is held back by it no more."""
    with home() as opened:
        forget(opened.store, POOLS, names, yes=yes)
