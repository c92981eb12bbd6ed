"""``weft tokens``: who may use the API from elsewhere, and as what."""

import os
import time
from typing import Annotated, Any

from cyclopts import Parameter

from weft.cli.app import Json, Yes, noun
from weft.cli.asking import me
from weft.cli.output import emit
from weft.cli.reading import home
from weft.cli.style import iso, moment, say, table
from weft.dialects.native.durations import seconds
from weft.model.errors import NotFound, UsageError
from weft.model.tokens import Role, Token
from weft.observability.terminal import count
from weft.server.auth.tokens import ID_LENGTH, TOKENS, create_token
from weft.store.protocol import Reader
from weft.store.records import Entry

app = noun("tokens", help="Make, list and revoke API tokens.")


@app.command
def create(
    name: Annotated[str, Parameter(help="For people; unique.")],
    /,
    *,
    role: Annotated[Role, Parameter(help="What it allows; each role may do what those before it may.")] = (
        Role.VIEWER
    ),
    expires: Annotated[str | None, Parameter(help='How long it is valid, such as "90d"; for ever.')] = None,
    json: Json = False,
) -> None:
    """Make a token, and print it: this is the only time that it is shown."""
    now = time.time()
    until = None if expires is None else now + seconds(expires, what="time until it expires")
    with home() as opened:
        made = create_token(opened.store, name, role, now=now, entropy=os.urandom, by=me(), expires_at=until)
    if json:
        emit({**_object(made.id, made.token), "token": made.text})
        return
    say(f"made token {made.id} for {name}, a{'n' if role.value[0] in 'aeo' else ''} {role.value}; keep it:")
    print(made.text)


@app.command(name="list")
def list_tokens(*, json: Json = False) -> None:
    """List tokens, without their texts."""
    with home() as opened:
        found = sorted(TOKENS.all(opened.store), key=lambda each: each.value.created_at)
    if json:
        for entry in found:
            emit(_object(_id(entry), entry.value))
        return
    if not found:
        say("no tokens yet: weft tokens create NAME --role admin")
        return
    now = time.time()
    rows = [
        (
            _id(entry),
            entry.value.name,
            entry.value.role.value,
            moment(entry.value.created_at),
            entry.value.created_by,
            _expiry(entry.value, now),
        )
        for entry in found
    ]
    table(rows, ("ID", "NAME", "ROLE", "CREATED", "BY", "EXPIRES"))


@app.command
def revoke(
    tokens: Annotated[list[str], Parameter(help="Tokens' ids or names.")], /, *, yes: Yes = False
) -> None:
    """Make tokens invalid. Servers notice within seconds."""
    with home() as opened:
        found = [_find(opened.store, each) for each in tokens]
        if not yes:
            raise UsageError(f"this would revoke {count(len(found), 'token')}", hint="say --yes to do it")
        TOKENS.delete(opened.store, [each.name for each in found], at=time.time())
    say(f"revoked {', '.join(each.value.name for each in found)}")


def _find(store: Reader, text: str) -> Entry[Token]:
    for entry in TOKENS.all(store):
        if text in (entry.value.name, _id(entry)):
            return entry
    raise NotFound(f"there is no token {text!r}", where=text, hint="weft tokens list")


def _id(entry: Entry[Token]) -> str:
    return entry.name[:ID_LENGTH]


def _expiry(token: Token, now: float) -> str:
    if token.expires_at is None:
        return "never"
    return moment(token.expires_at) + (" (over)" if token.expires_at <= now else "")


def _object(token_id: str, token: Token) -> dict[str, Any]:
    return {
        "id": token_id,
        "name": token.name,
        "role": token.role.value,
        "created": iso(token.created_at),
        "created_by": token.created_by,
        "expires": iso(token.expires_at),
    }
