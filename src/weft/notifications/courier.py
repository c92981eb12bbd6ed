"""Carries out one delivery: renders what is said, opens what is secret, and hands it to who brings it."""

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

from weft.model.automations import Action, Call, CancelRun, Notify, Pause, StartRun
from weft.model.channels import CHANNEL, Apprise, Channel, Smtp, Way, Webhook
from weft.model.deliveries import Delivery
from weft.model.errors import DeliveryFailed, DeliveryRefused, InvalidAutomation, RunNotResumable, WeftError
from weft.notifications.chat import send_chat
from weft.notifications.conditions import check_name
from weft.notifications.context import Contexts, bad
from weft.notifications.facts import CHAIN
from weft.notifications.http import request
from weft.notifications.mail import send_mail
from weft.notifications.message import Message
from weft.notifications.opening import Opener
from weft.notifications.protocol import Operations, Secrets
from weft.notifications.signing import SIGNATURE, TIMESTAMP, sign
from weft.notifications.templates import fill, in_html, in_json, line, parse, render
from weft.notifications.texts import CHAT, HTML, SUBJECT, TEXT
from weft.store.protocol import Reader
from weft.store.records import Collection

CHANNELS = Collection(CHANNEL, Channel)

CHAIN_MAX = 8
"""Runs that automations start one through the next; more is taken for a circle."""

BY = "automation"
"""Who did it, for the audit and the causes: ``automation`` and its name."""

_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_log = logging.getLogger("weft.notifications")


class Courier:
    """See the module.

    Args:
        store: Where channels are read.
        contexts: What templates may name.
        operations: What may be done to runs; ``None``: nothing.
        secrets: Where secrets are opened; ``None``: nowhere.
        now: The time.
    """

    def __init__(
        self,
        store: Reader,
        contexts: Contexts,
        operations: Operations | None = None,
        secrets: Secrets | None = None,
        *,
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._contexts = contexts
        self._operations = operations
        self._secrets = secrets
        self._now = now

    def channel(self, delivery: Delivery) -> Channel | None:
        """The channel that a delivery goes through; ``None`` if it needs none, or there is none."""
        if not isinstance(delivery.action, Notify):
            return None
        entry = CHANNELS.get(self._store, delivery.action.channel)
        return None if entry is None else entry.value

    def carry_out(self, name: str, delivery: Delivery) -> str:
        """Do what a delivery says. Returns what came of it.

        Raises:
            DeliveryFailed, WorldError: It did not work; trying again may help.
            DeliveryRefused, UsageError: It cannot work.
        """
        opener = Opener(self._secrets)
        try:
            return opener.mask(self._carry_out(name, delivery, opener))
        except WeftError as exc:
            masked = opener.mask(exc.what)
            if masked == exc.what:
                raise
            raise type(exc)(masked, where=opener.mask(exc.where), hint=exc.hint, **exc.fields) from None
        except Exception as exc:
            _log.error("delivery %s met a bug:\n%s", name, opener.mask(traceback.format_exc()))
            raise DeliveryFailed(opener.mask(f"{type(exc).__name__}: {exc}")) from None

    def _carry_out(self, name: str, delivery: Delivery, opener: Opener) -> str:
        action = delivery.action
        if isinstance(action, Notify):
            return self._notify(name, delivery, action, opener)
        if isinstance(action, Call):
            return self._call(name, delivery, action, opener)
        return self._operate(name, delivery, action)

    # --- telling ------------------------------------------------------------------------------------------

    def _notify(self, name: str, delivery: Delivery, action: Notify, opener: Opener) -> str:
        entry = CHANNELS.get(self._store, action.channel)
        if entry is None:
            raise DeliveryRefused(
                f"there is no channel {action.channel!r}", hint="make it, then send the delivery again"
            )
        if not entry.value.enabled:
            raise DeliveryRefused(f"channel {action.channel!r} is switched off")
        way = entry.value.way
        message = self._message(name, delivery, action, way)
        if isinstance(way, Smtp):
            return send_mail(way, message, opener)
        if isinstance(way, Apprise):
            return send_chat(way, message, opener)
        if isinstance(way, Webhook):
            call = Call(
                url=way.url,
                method=way.method,
                headers=way.headers,
                body=way.body,
                secret=way.secret,
                allow_private=way.allow_private,
            )
            said = {} if way.body else {"subject": message.subject, "text": message.text}
            return self._call(name, delivery, call, opener, said)
        _log.log(_LEVELS.get(way.level, logging.WARNING), "%s: %s", message.subject, message.text)
        return "logged"

    def _message(self, name: str, delivery: Delivery, action: Notify, way: Way) -> Message:
        context = self._contexts.of(name, delivery)
        mail = isinstance(way, Smtp)
        text = action.text or (TEXT if mail else CHAT)
        page = action.html or ("" if action.text or not mail else HTML)
        return Message(
            id=name,
            at=self._now(),
            subject=render(action.subject or SUBJECT, context, line),
            text=render(text, context),
            html=render(page, context, in_html),
            bad=bad(delivery.occasion),
            occasion=delivery.occasion,
            context=context,
        )

    def _call(
        self, name: str, delivery: Delivery, action: Call, opener: Opener, said: dict[str, Any] | None = None
    ) -> str:
        if action.raw:
            body = action.body.encode()
        else:
            context = self._contexts.of(name, delivery)
            if action.body:
                body = render(action.body, context, in_json).encode()
            else:
                del context["parameters"]  # The same as "params", for templates.
                body = json.dumps(context | (said or {}), default=str, ensure_ascii=False).encode()
        timestamp = str(int(self._now()))
        headers = {"Content-Type": "application/json", "User-Agent": "weft"}
        headers |= {key: opener.fill(value) for key, value in action.headers.items()}
        headers |= {"Idempotency-Key": name, TIMESTAMP: timestamp}
        if action.secret:
            headers[SIGNATURE] = sign(opener.reveal(action.secret), timestamp, body)
        answer = request(
            opener.fill(action.url),
            method=action.method,
            headers=headers,
            body=body,
            allow_private=action.allow_private,
        )
        return f"answered {answer.status}"

    # --- doing --------------------------------------------------------------------------------------------

    def _operate(self, name: str, delivery: Delivery, action: Action) -> str:
        operations, occasion = self._operations, delivery.occasion
        if operations is None:
            raise DeliveryRefused("nothing may be done to runs here")
        by = f"{BY} {delivery.automation}"
        if isinstance(action, StartRun):
            if occasion.chain >= CHAIN_MAX:
                raise DeliveryRefused(
                    f"run {occasion.run} comes from {occasion.chain} automations, one through the next",
                    where=delivery.automation,
                    hint="they start each other in a circle: narrow a condition",
                )
            params = fill(action.params, self._contexts.of(name, delivery))
            facts = {CHAIN: occasion.chain + 1, "automation": delivery.automation, "cause_run": occasion.run}
            key = f"automation:{name}"
            uid = operations.start_run(action.workflow, params, key=key, tags=action.tags, facts=facts)
            return f"run {uid}"
        if isinstance(action, CancelRun):
            return self._ask(operations, delivery, "cancel", request_id=name, by=by, force=action.force)
        assert not isinstance(action, Notify | Call)
        word = "pause" if isinstance(action, Pause) else "resume"
        if action.what == "run":
            return self._ask(operations, delivery, word, request_id=name, by=by)
        target = action.name or occasion.workflow
        change = operations.pause if isinstance(action, Pause) else operations.resume
        change(action.what, target, by=by)
        return f"{word}d {action.what} {target}"

    def _ask(
        self,
        operations: Operations,
        delivery: Delivery,
        word: str,
        *,
        request_id: str,
        by: str,
        force: bool = False,
    ) -> str:
        occasion = delivery.occasion
        if occasion.run_id < 0:
            raise DeliveryRefused("this is about no run", where=delivery.automation)
        try:
            operations.ask(occasion.run_id, word, request_id=request_id, by=by, force=force)
        except RunNotResumable:
            return f"run {occasion.run} has ended already"  # Perhaps because an earlier try asked it to.
        return f"asked run {occasion.run} to {word}"


def check_channel(name: str, channel: Channel) -> None:
    """Refuse a channel that cannot be, before it is stored.

    Raises:
        InvalidAutomation: Its name or a field makes no sense.
        InvalidTemplate: Its body cannot be read.
    """
    check_name("channel", name)
    way = channel.way
    wrong = ""
    if channel.tries < 1 or channel.parallel < 1:
        wrong = "tries and parallel are at least 1"
    elif channel.delay_s < 0 or channel.delay_s_max < channel.delay_s:
        wrong = "delay_s is at least 0 and at most delay_s_max"
    elif channel.rate is not None and (channel.rate.count < 1 or channel.rate.per_s <= 0):
        wrong = "a rate has a count of at least 1 and a time above 0"
    elif isinstance(way, Smtp):
        if way.security not in ("starttls", "tls", "none"):
            wrong = "security is starttls, tls or none"
        elif not (way.to or way.cc or way.bcc):
            wrong = "it sends to nobody: give it to"
    elif isinstance(way, Webhook):
        parse(way.body)
        if not way.url.startswith(("http://", "https://", "${secret:")):
            wrong = f"{way.url!r} is no web address"
    elif isinstance(way, Apprise):
        wrong = "" if way.urls else "it has no urls"
    elif way.level not in _LEVELS:
        wrong = f"level is one of {', '.join(_LEVELS)}"
    if wrong:
        raise InvalidAutomation(f"channel {name!r} cannot be: {wrong}", where=name)
