"""Everything that Apprise reaches: chat services, pagers, push messages (https://github.com/caronc/apprise)."""

import importlib
import logging
import threading
from typing import Any

from weft.model.channels import Apprise
from weft.model.errors import DeliveryFailed, DeliveryRefused
from weft.notifications.message import Message
from weft.notifications.opening import Opener


def send_chat(way: Apprise, message: Message, opener: Opener) -> str:
    """Tell every address of the channel. Returns what to remember about it.

    Apprise says only whether it worked, so everything but an address that it cannot read is tried again.

    Raises:
        DeliveryFailed: An address could not be told, or Apprise is not installed.
        DeliveryRefused: Apprise does not know an address.
    """
    try:
        apprise: Any = importlib.import_module("apprise")
    except ImportError as exc:
        raise DeliveryFailed("Apprise is not installed", hint="pip install 'weft[notify]'") from exc
    # It says why something failed to its logger alone; a filter hears only what this thread causes.
    heard = _Heard()
    logger = logging.getLogger("apprise")
    urls = [opener.fill(each) for each in way.urls]
    made = [apprise.Apprise.instantiate(each, suppress_exceptions=True) for each in urls]
    for at, each in enumerate(made):
        if each is None:
            raise DeliveryRefused(f"Apprise cannot read address {at + 1} of the channel")
    kind = apprise.NotifyType.FAILURE if message.bad else apprise.NotifyType.INFO
    logger.addHandler(heard)
    try:
        failed = [
            at + 1
            for at, each in enumerate(made)
            if not each.notify(
                title=message.subject,
                body=message.text,
                body_format=apprise.NotifyFormat.TEXT,
                notify_type=kind,
            )
        ]
    finally:
        logger.removeHandler(heard)
    if failed:
        reason = opener.mask("; ".join(heard.lines)[:500]) or "it does not say why"
        which = ", ".join(str(each) for each in failed)
        raise DeliveryFailed(f"Apprise could not tell address {which} of {len(made)}: {reason}")
    return f"told {len(made)} address{'es' if len(made) > 1 else ''}"


class _Heard(logging.Handler):
    """What one thread logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record's text if it is this thread's."""
        if record.thread == self._thread:
            self.lines.append(record.getMessage())
