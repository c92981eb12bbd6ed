"""Secrets at rest: sealed with a key that is not in the store.

A sealed text is a version byte, a nonce and AES-256-GCM's output (NIST SP 800-38D); the record's kind and
name are authenticated with it, so that nobody can pass one secret off as another by copying bytes between
records. Several keys make rotation possible: the first seals, all open.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from weft.model.errors import SecretUnreadable, UsageError

KEY_BYTES = 32
KEY_FILE = "secret.key"

_VERSION = b"\x01"
_NONCE_BYTES = 12


class Vault:
    """Seals texts and opens them again.

    Args:
        keys: Of 32 bytes each. The first seals; all are tried to open.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = [AESGCM(key) for key in keys]

    def seal(self, kind: str, name: str, text: str) -> bytes:
        """What may be stored under this kind and name, and opens nowhere else."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, text.encode(), _bound(kind, name))

    def open(self, kind: str, name: str, sealed: bytes) -> str:
        """The text that was sealed under this kind and name.

        Raises:
            SecretUnreadable: It was sealed with a key that is not here, or for another record, or is damaged.
        """
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        for cipher in self._ciphers if sealed[:1] == _VERSION else ():
            try:
                return cipher.decrypt(nonce, body, _bound(kind, name)).decode()
            except InvalidTag:
                continue
        raise SecretUnreadable(
            f"the {kind} {name!r} cannot be opened with the keys that are here",
            where=name,
            hint="set WEFT_SECRET_KEY to the key that sealed it (several with commas), or write it again",
        )


def open_vault(home: Path, setting: str = "") -> Vault:
    """The vault of this installation.

    Args:
        home: The folder of the state. Without a setting the key is in ``secret.key`` there, made at first
            use and readable by its owner only. Engines on other machines need the same one.
        setting: Keys by themselves, as ``new_key`` makes them, separated by commas: the newest first.

    Raises:
        UsageError: The setting or the file holds no key.
    """
    if setting:
        return Vault([key_of(each, "the setting secret_key") for each in setting.split(",")])
    path = home / KEY_FILE
    return Vault([key_of(_read_or_make(path), str(path))])


def new_key() -> str:
    """A fresh key, as the setting takes it."""
    return base64.urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


def _read_or_make(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        pass
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with open(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)  # Fails if another process was first: its key is the one.
    except FileExistsError:
        pass
    finally:
        fresh.unlink(missing_ok=True)
    return path.read_text("ascii")


def key_of(text: str, where: str) -> bytes:
    """The key that ``new_key`` wrote so.

    Args:
        text: The text.
        where: Where it is from, for the error.

    Raises:
        UsageError: It is none.
    """
    try:
        key = base64.urlsafe_b64decode(text.strip().encode())
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise UsageError(
            "this is no secret key", where=where, hint="make one: weft secrets key prints 32 random bytes"
        )
    return key


def _bound(kind: str, name: str) -> bytes:
    return f"{kind}\0{name}".encode()
