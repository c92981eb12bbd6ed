"""``weft secrets``: what tasks and automations may use and nobody may read.

Values are sealed with a key that is not in the store (``store/vault.py``), and no command shows one.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec.structs import replace

from weft.cli.app import Json, Yes, noun
from weft.cli.keeping import Description, checked, forget, secret_text
from weft.cli.output import emit
from weft.cli.reading import Home, home
from weft.cli.style import iso, moment, say, table
from weft.model.connections import CONNECTION, SECRET, Connection, Secret
from weft.model.errors import SecretUnreadable, UsageError
from weft.model.hooks import HOOK, Hook
from weft.observability.terminal import count
from weft.store.protocol import Store, Write
from weft.store.records import Collection
from weft.store.vault import KEY_FILE, Vault, key_of, new_key, open_vault

app = noun("secrets", help="Set, list and delete secrets, and change their key.")

SECRETS = Collection(SECRET, Secret)
CONNECTIONS = Collection(CONNECTION, Connection)
HOOKS = Collection(HOOK, Hook)


@app.command(name="set")
def set_secret(
    name: Annotated[str, Parameter(help="Its name.")], /, *, description: Description = None
) -> None:
    """Write a secret. Its value comes from standard input, or is asked for."""
    checked(name)
    value = secret_text("the secret")
    with home() as opened:
        before = SECRETS.get(opened.store, name)
        if description is None:
            description = before.value.description if before is not None else ""
        sealed = vault(opened).seal(SECRET, name, value)
        secret = Secret(sealed=sealed, description=description)
        SECRETS.save(opened.store, name, secret, at=time.time())
    say(f"secret {name} is {'set' if before is None else 'changed'}")


@app.command(name="list")
def list_secrets(*, json: Json = False) -> None:
    """List secrets, without their values."""
    with home() as opened:
        found = list(SECRETS.all(opened.store))
    if json:
        for each in found:
            emit({"name": each.name, "description": each.value.description, "changed": iso(each.at)})
        return
    if not found:
        say("no secrets yet: weft secrets set NAME")
        return
    rows = [(each.name, moment(each.at), each.value.description) for each in found]
    table(rows, ("SECRET", "CHANGED", "DESCRIPTION"))


@app.command
def delete(names: Annotated[list[str], Parameter(help="Their names.")], /, *, yes: Yes = False) -> None:
    """Forget secrets."""
    with home() as opened:
        forget(opened.store, SECRETS, names, yes=yes)


@app.command
def key() -> None:
    """Print a new random key, for the setting secret_key. It is kept nowhere."""
    print(new_key())


@app.command
def rotate(*, yes: Yes = False) -> None:
    """Seal everything with another key.

    With the setting secret_key: put the new key in front of the old ones, everywhere, then rotate, then take
    the old ones away. Without it, the key in the home's secret.key is replaced: restart the service then.
    """
    with home() as opened:
        settings = opened.settings
        if not yes:
            number = len(sealed_values(opened.store))
            raise UsageError(f"this would seal {count(number, 'value')} anew", hint="say --yes to do it")
        if settings.secret_key:
            using = open_vault(settings.home_path, settings.secret_key)
        elif not (settings.home_path / KEY_FILE).exists():
            raise UsageError("there is no key yet", hint="the first secret makes one")
        else:
            using = _with_new_key(settings.home_path)
        writes = list(_sealed_anew(opened.store, using))
        opened.store.write(writes, at=time.time())
        if not settings.secret_key:
            os.replace(_fresh(settings.home_path), settings.home_path / KEY_FILE)
            say("the key in secret.key is new: restart the service, and copy it to other machines")
    say(f"sealed {count(len(writes), 'value')} anew")


def vault(opened: Home) -> Vault:
    """Seals and opens, here."""
    return open_vault(opened.settings.home_path, opened.settings.secret_key)


def _fresh(folder: Path) -> Path:
    return folder / f"{KEY_FILE}.new"


def _with_new_key(folder: Path) -> Vault:
    """The vault with a new key first, which is on the disk before anything is sealed with it.

    One that is there already is of a rotation that was interrupted: something may be sealed with it.
    """
    path = _fresh(folder)
    if not path.exists():
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        with open(
            os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    return Vault([key_of(each.read_text("ascii"), str(each)) for each in (path, folder / KEY_FILE)])


def _sealed_anew(store: Store, using: Vault) -> Iterator[Write]:
    """Writes that fail, all of them, if anything is changed meanwhile.

    Raises:
        SecretUnreadable: A value cannot be opened with the keys that are here.
    """

    def again(kind: str, name: str, sealed: bytes) -> bytes:
        return using.seal(kind, name, using.open(kind, name, sealed))

    for secret in SECRETS.all(store):
        body = replace(secret.value, sealed=again(SECRET, secret.name, secret.value.sealed))
        yield SECRETS.put(secret.name, body, due_at=secret.due_at, expect=secret.revision)
    for hook in HOOKS.all(store):
        changed = replace(hook.value, sealed=again(HOOK, hook.name, hook.value.sealed))
        yield HOOKS.put(hook.name, changed, due_at=hook.due_at, expect=hook.revision)
    for found in CONNECTIONS.all(store):
        if found.value.sealed is not None:
            value = replace(found.value, sealed=again(CONNECTION, found.name, found.value.sealed))
            yield CONNECTIONS.put(found.name, value, due_at=found.due_at, expect=found.revision)


def sealed_values(store: Store) -> list[tuple[str, str, bytes]]:
    """Everything that is sealed: kind, name and bytes."""
    sealed = [(SECRET, each.name, each.value.sealed) for each in SECRETS.all(store)]
    sealed += [(HOOK, each.name, each.value.sealed) for each in HOOKS.all(store)]
    sealed += [
        (CONNECTION, each.name, each.value.sealed)
        for each in CONNECTIONS.all(store)
        if each.value.sealed is not None
    ]
    return sealed


def unreadable(store: Store, using: Vault) -> list[str]:
    """What cannot be opened with the keys that are here, by kind and name: for ``weft doctor``."""
    found: list[str] = []
    for kind, name, value in sealed_values(store):
        try:
            using.open(kind, name, value)
        except SecretUnreadable:
            found.append(f"{kind} {name}")
    return found
