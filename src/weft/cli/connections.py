"""``weft connections``: where something outside is, and how to get in."""

import socket
import time
from typing import Annotated, Any

from cyclopts import Parameter

from weft.cli.app import Json, Yes, noun
from weft.cli.keeping import Description, checked, forget, json_value, secret_text
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.secrets import CONNECTIONS, vault
from weft.cli.style import iso, say, table
from weft.model.connections import CONNECTION, Connection
from weft.model.errors import UsageError
from weft.store.records import Entry

app = noun("connections", help="Set, list, show, test and delete connections.")

Name = Annotated[str, Parameter(help="Its name.")]

TEST_S = 5.0
"""How long a test waits for an answer."""


@app.command(name="set")
def set_connection(
    name: Name,
    /,
    *,
    type: Annotated[  # noqa: A002 - the option's name
        str | None, Parameter(help="What it leads to: postgres, http, s3...")
    ] = None,
    host: Annotated[str | None, Parameter(help="Where.")] = None,
    port: Annotated[int | None, Parameter(help="Where.")] = None,
    path: Annotated[str | None, Parameter(help="The database, bucket or base path.")] = None,
    login: Annotated[str | None, Parameter(help="As whom.")] = None,
    extra: Annotated[
        str | None, Parameter(help="Whatever else its type needs, a JSON object; nothing secret.")
    ] = None,
    password: Annotated[bool, Parameter(help="Take a password from standard input, or ask for it.")] = False,
    no_password: Annotated[bool, Parameter(help="Forget the password that is there.")] = False,
    description: Description = None,
) -> None:
    """Write a connection. Of one that is there, what is not named stays."""
    checked(name)
    text = secret_text("the password") if password else None
    with home() as opened:
        before = CONNECTIONS.get(opened.store, name)
        if before is None and not type:
            raise UsageError(f"{name} is new, so it needs a type", hint="such as --type postgres")
        if port is not None and not 1 <= port <= 65_535:
            raise UsageError(f"{port} is no port", hint="1 to 65535")
        known = before.value if before is not None else Connection(type="")
        sealed = None if no_password else known.sealed
        if text is not None:
            sealed = vault(opened).seal(CONNECTION, name, text)
        value = Connection(
            type=type or known.type,
            host=known.host if host is None else host,
            port=known.port if port is None else port,
            path=known.path if path is None else path,
            login=known.login if login is None else login,
            extra=known.extra if extra is None else _extra(extra),
            sealed=sealed,
            description=known.description if description is None else description,
        )
        expect = 0 if before is None else before.revision
        CONNECTIONS.save(opened.store, name, value, at=time.time(), expect=expect)
    say(f"connection {name} is {'set' if before is None else 'changed'}")


@app.command(name="list")
def list_connections(*, json: Json = False) -> None:
    """List connections, without their passwords."""
    with home() as opened:
        found = list(CONNECTIONS.all(opened.store))
    if json:
        for entry in found:
            emit(_object(entry))
        return
    if not found:
        say("no connections yet: weft connections set NAME --type TYPE")
        return
    rows = [(each.name, each.value.type, _where(each.value), each.value.description) for each in found]
    table(rows, ("CONNECTION", "TYPE", "WHERE", "DESCRIPTION"))


@app.command
def show(name: Name, /, *, json: Json = False) -> None:
    """Show a connection, without its password."""
    with home() as opened:
        entry = CONNECTIONS.require(opened.store, name)
    if json:
        emit(_object(entry))
        return
    for key, value in _object(entry).items():
        if value not in ("", None, {}):
            print(f"{key}: {value}")


@app.command
def test(name: Name, /) -> None:
    """See whether somebody answers at a connection's host and port, from here. No login is tried."""
    with home() as opened:
        value = CONNECTIONS.require(opened.store, name).value
    if not value.host or value.port is None:
        raise UsageError(f"{name} has no host and port to try", hint="weft connections set --host --port")
    began = time.monotonic()
    try:
        socket.create_connection((value.host, value.port), timeout=TEST_S).close()
    except OSError as exc:
        raise UsageError(
            f"nobody answers at {value.host}:{value.port}: {exc}", where=name, hint="is it the right address?"
        ) from exc
    say(f"{value.host}:{value.port} answers ({(time.monotonic() - began) * 1000:.0f} ms)")


@app.command
def delete(names: Annotated[list[str], Parameter(help="Their names.")], /, *, yes: Yes = False) -> None:
    """Forget connections."""
    with home() as opened:
        forget(opened.store, CONNECTIONS, names, yes=yes)


def _extra(text: str) -> dict[str, Any]:
    value = json_value(text, "--extra")
    if not isinstance(value, dict):
        raise UsageError("--extra is no JSON object", hint="""write '{"name": "value"}'""")
    return value


def _where(value: Connection) -> str:
    login = f"{value.login}{':***' if value.sealed is not None else ''}@" if value.login else ""
    port = f":{value.port}" if value.port is not None else ""
    path = f"/{value.path.lstrip('/')}" if value.path else ""
    return f"{login}{value.host}{port}{path}"


def _object(entry: Entry[Connection]) -> dict[str, Any]:
    value = entry.value
    return {
        "name": entry.name,
        "type": value.type,
        "host": value.host,
        "port": value.port,
        "path": value.path,
        "login": value.login,
        "has_password": value.sealed is not None,
        "extra": value.extra,
        "description": value.description,
        "changed": iso(entry.at),
    }
