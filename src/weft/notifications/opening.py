"""Secrets in what is sent: put in at the last moment, and kept out of whatever is said about it."""

import re

from weft.model.errors import DeliveryFailed, WeftError
from weft.notifications.protocol import Secrets

_REFERENCE = re.compile(r"\$\{secret:([^}]+)\}")
_MASK = "***"


class Opener:
    """Opens the secrets of one delivery.

    Args:
        secrets: Where they are; ``None``: nowhere.
    """

    def __init__(self, secrets: Secrets | None) -> None:
        self._secrets = secrets
        self._opened: set[str] = set()

    def reveal(self, name: str) -> str:
        """A secret by its name.

        Raises:
            DeliveryFailed: It cannot be had. Once it can, the delivery goes out.
        """
        if self._secrets is None:
            raise DeliveryFailed(f"there are no secrets here to find {name!r} in", where=name)
        try:
            value = self._secrets.reveal(name)
        except WeftError as exc:
            raise DeliveryFailed(f"the secret {name!r} cannot be had: {exc.what}", where=name) from exc
        if value:
            self._opened.add(value)
        return value

    def fill(self, text: str) -> str:
        """A text with every ``${secret:NAME}`` in it replaced."""
        return _REFERENCE.sub(lambda found: self.reveal(found[1].strip()), text)

    def mask(self, text: str) -> str:
        """A text without the secrets that were opened."""
        for value in sorted(self._opened, key=len, reverse=True):
            text = text.replace(value, _MASK)
        return text
