"""Mail by SMTP, with the standard library's client."""

import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, parseaddr

from weft.model.channels import Smtp
from weft.model.errors import DeliveryFailed, DeliveryRefused
from weft.notifications.message import Message
from weft.notifications.opening import Opener
from weft.notifications.patience import within
from weft.notifications.templates import line

DEADLINE_S = 45.0
"""The longest that handing over a mail may take as a whole."""

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_OURS_TO_MEND = frozenset({530, 534, 535, 538})
"""Permanent refusals that are about the login: they end when somebody mends the channel."""


def send_mail(way: Smtp, message: Message, opener: Opener, *, deadline_s: float = DEADLINE_S) -> str:
    """Hand a mail over to the server. Returns what to remember about it.

    Raises:
        DeliveryFailed: The server could not be reached, or is not ready to take it.
        DeliveryRefused: It takes this mail from nobody, or the channel would give away a password.
    """
    if way.security not in _PORTS:
        raise DeliveryRefused(f"security cannot be {way.security!r}", hint="starttls, tls or none")
    if way.user and way.security == "none" and way.host not in ("localhost", "127.0.0.1", "::1"):
        raise DeliveryRefused(
            "a password is not sent without encryption", where=way.host, hint="security = starttls or tls"
        )
    mail = _compose(way, message)
    to = [*way.to, *way.cc, *way.bcc]
    server: smtplib.SMTP | None = None
    password = opener.fill(way.password)
    with within(deadline_s, lambda: None if server is None else server.sock) as over:
        try:
            server = _connect(way, deadline_s)
            if way.user:
                server.login(way.user, password)
            refused = server.send_message(mail, parseaddr(way.sender)[1], [parseaddr(each)[1] for each in to])
        except smtplib.SMTPRecipientsRefused as exc:
            raise _refused(way, exc.recipients) from exc
        except smtplib.SMTPResponseException as exc:
            text = f"{exc.smtp_code} {_words(exc.smtp_error)}"
            kind = DeliveryFailed
            if 500 <= exc.smtp_code < 600 and exc.smtp_code not in _OURS_TO_MEND:
                kind = DeliveryRefused  # type: ignore[assignment]
            raise kind(f"the mail server says: {text}", where=way.host) from exc
        except (OSError, smtplib.SMTPException) as exc:
            late = over.is_set() or isinstance(exc, TimeoutError)
            what = f"no answer within {deadline_s:g} s" if late else f"{type(exc).__name__}: {exc}"
            raise DeliveryFailed(f"the mail server could not be used: {what}", where=way.host) from exc
        finally:
            if server is not None:
                server.close()
    taken = f"taken by {way.host} for {len(to) - len(refused)} of {len(to)}"
    return taken + (f"; refused: {', '.join(refused)}" if refused else "")


def _connect(way: Smtp, timeout_s: float) -> smtplib.SMTP:
    port = way.port or _PORTS[way.security]
    if way.security == "tls":
        return smtplib.SMTP_SSL(way.host, port, timeout=timeout_s, context=_trust(way))
    server = smtplib.SMTP(way.host, port, timeout=timeout_s)
    if way.security == "starttls":
        try:
            server.starttls(context=_trust(way))
        except BaseException:
            server.close()
            raise
    return server


def _trust(way: Smtp) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if way.ca_file:
        context.load_verify_locations(way.ca_file)
    return context


def _compose(way: Smtp, message: Message) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = line(message.subject)
    mail["From"] = line(way.sender)
    mail["To"] = ", ".join(line(each) for each in way.to)
    if way.cc:
        mail["Cc"] = ", ".join(line(each) for each in way.cc)
    mail["Date"] = formatdate(message.at)
    # The same for each try: mail systems show a repeated one once.
    domain = parseaddr(way.sender)[1].rpartition("@")[2] or "weft.invalid"
    mail["Message-ID"] = f"<{message.id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.occasion.run:
        mail["Weft-Run"] = message.occasion.run
        # Mails about one run are one conversation.
        mail["References"] = f"<{message.occasion.run}@{domain}>"
    mail.set_content(message.text)
    if message.html:
        mail.add_alternative(message.html, subtype="html")
    return mail


def _refused(way: Smtp, recipients: dict[str, tuple[int, bytes]]) -> DeliveryFailed | DeliveryRefused:
    text = "; ".join(f"{who}: {code} {_words(said)}" for who, (code, said) in recipients.items())
    forever = all(500 <= code < 600 for code, _ in recipients.values())
    kind = DeliveryRefused if forever else DeliveryFailed
    return kind(f"the mail server takes it for nobody: {text}", where=way.host)


def _words(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:300]
