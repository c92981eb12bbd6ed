"""Channels, each with a real receiver at the other end."""

import datetime
import email
import email.policy
import json
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from notified import Receiver, World

from weft.model.automations import Call, Notify, RunIs, TaskIs
from weft.model.channels import Apprise, Log, Smtp, Way, Webhook
from weft.model.deliveries import Delivery, DeliveryState
from weft.model.errors import DeliveryFailed, DeliveryRefused, InvalidAutomation
from weft.model.states import RunState, TaskState
from weft.notifications import http
from weft.notifications.courier import check_channel
from weft.notifications.signing import verify

SENT, DEAD, WAITING = DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.WAITING


def tell(world: World, way: Way, **said: str) -> Delivery:
    """A run fails, and the channel tells about it."""
    world.channel("it", way)
    world.automate("fails", RunIs(states=(RunState.FAILED,)), Notify(channel="it", **said))
    run = world.begin(
        params={"day": datetime.date(2026, 1, 2), "api_token": "abc", "conn": {"password": "x"}}
    )
    world.clock.advance(75)
    world.run(run, RunState.FAILED)
    world.follow()
    world.deliverer.step(world.clock.now())
    return world.deliveries()[-1]


# --- mail -----------------------------------------------------------------------------------------------


class Mailbox:
    """What a mail server does with what it gets; ``answers`` come before the usual one."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self.secured: list[bool] = []
        self.answers: list[str] = []
        self.refused: set[str] = set()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """A recipient."""
        if address in self.refused:
            return "550 no such box"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """A mail."""
        if self.answers:
            return self.answers.pop(0)
        content = cast(bytes, envelope.content)
        self.mails.append(cast(EmailMessage, email.message_from_bytes(content, policy=email.policy.default)))
        self.to.append(list(envelope.rcpt_tos))
        self.secured.append(server.transport.get_extra_info("ssl_object") is not None)
        return "250 taken"


class AnyPort(Controller):
    """A controller whose server chooses its port."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Server:
    """A real mail server."""

    def __init__(self, **options: Any) -> None:
        self.box = Mailbox()
        self.controller = AnyPort(self.box, hostname="127.0.0.1", port=0, **options)
        self.controller.start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.controller.port)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that nobody trusts by itself, and a server's context with it."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "cert.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return file, context


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts mail servers."""
    open_now: list[Server] = []

    def start(**options: Any) -> Server:
        server = Server(**options)
        open_now.append(server)
        return server

    yield start
    for each in open_now:
        each.controller.stop()


def smtp(server: Server, **options: Any) -> Smtp:
    """The channel that leads to a server."""
    plain: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": server.port,
        "sender": "Weft <weft@example.com>",
        "to": ("Ann <ann@example.com>", "bob@example.com"),
        "security": "none",
    }
    return Smtp(**(plain | options))


def test_a_mail_says_what_happened(world: World, serve: Callable[..., Server]) -> None:
    """As text and as HTML, without secrets, and with an id that does not change."""
    server = serve()
    delivery = tell(world, smtp(server, bcc=("cat@example.com",)))
    assert (delivery.state, delivery.answer) == (SENT, "taken by 127.0.0.1 for 3 of 3")
    (mail,) = server.box.mails
    assert server.box.to == [["ann@example.com", "bob@example.com", "cat@example.com"]]
    assert mail["Subject"] == "etl: run failed"
    assert mail["From"] == "Weft <weft@example.com>"
    assert "cat" not in str(mail)
    name = mail["Message-ID"].strip("<>").partition("@")[0]
    assert name.startswith("dlv_")
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    page = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    for body in (text, page):
        for part in ("etl: run failed", "run_1", "1 min 15 s", "builtins.ValueError", "2026-01-02", "***"):
            assert part in body, part
        assert "abc" not in body
    assert "http://weft.test/runs/run_1" in text
    assert 'no <such> "file"' in text
    assert "no &lt;such&gt; &quot;file&quot;" in page
    assert "{{" not in text + page


def test_texts_of_ones_own(world: World, serve: Callable[..., Server]) -> None:
    """A subject stays one line whatever a value holds."""
    server = serve()
    tell(
        world, smtp(server), subject="{{workflow}}\n{{error.message}}", text="{{#task}}no{{/task}}Hi {{run}}"
    )
    (mail,) = server.box.mails
    assert mail["Subject"] == 'etl no <such> "file"'
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().strip() == "Hi run_1"


def test_the_end_of_the_log_comes_along(world: World, serve: Callable[..., Server]) -> None:
    """When it is about a task run."""
    server = serve()
    world.channel("it", smtp(server))
    world.automate("fails", TaskIs(states=(TaskState.FAILED,)), Notify(channel="it"))
    run = world.begin()
    world.task(run, 3, "clean")
    world.move(run, 3, TaskState.FAILED, started_at=world.clock.now())
    world.follow()
    world.deliverer.step(world.clock.now())
    (mail,) = server.box.mails
    body = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert mail["Subject"] == "etl: task clean failed"
    assert "the log of run_1, task 3, attempt 1" in body
    assert "http://weft.test/runs/run_1/tasks/3" in body


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_is_encrypted_and_logged_in(
    world: World,
    serve: Callable[..., Server],
    certificate: tuple[Path, ssl.SSLContext],
    security: str,
) -> None:
    """The certificate has to be one that is trusted, and the password is a secret."""
    file, context = certificate
    seen: list[Any] = []

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        seen.append(data)
        right = isinstance(data, LoginPassword) and data.password == b"hunter2"
        return AuthResult(success=right, handled=False)

    if security == "tls":
        server = serve(authenticator=check, ssl_context=context, auth_require_tls=False)
    else:
        server = serve(authenticator=check, tls_context=context, require_starttls=True, auth_required=True)
    way = smtp(server, host="localhost", security=security, user="weft", password="${secret:password}")
    untrusted = tell(world, way)
    assert untrusted.state is WAITING
    assert "CERTIFICATE_VERIFY_FAILED" in untrusted.error
    assert seen == []
    trusted = smtp(
        server,
        host="localhost",
        security=security,
        user="weft",
        password="${secret:password}",
        ca_file=str(file),
    )
    world.channel("it", trusted)
    world.clock.advance(60)
    world.deliverer.step(world.clock.now())
    assert world.states() == [SENT]
    assert server.box.secured == [True]
    world.safe.values["password"] = "wrong-one"
    again = tell(world, trusted)
    assert again.state is WAITING
    assert "535" in again.error
    assert "wrong-one" not in again.error


def test_a_server_that_is_busy_is_asked_again_and_one_that_refuses_is_not(
    world: World, serve: Callable[..., Server]
) -> None:
    """As the classes of its answers say."""
    server = serve()
    server.box.answers = ["451 later"]
    assert tell(world, smtp(server)).state is WAITING
    world.clock.advance(60)
    world.deliverer.step(world.clock.now())
    assert world.states() == [SENT]
    server.box.answers = ["554 spam"]
    assert tell(world, smtp(server)).state is DEAD
    server.box.refused = {"bob@example.com"}
    assert tell(world, smtp(server)).answer.endswith("refused: bob@example.com")
    assert tell(world, smtp(server, to=("bob@example.com",))).state is DEAD


def test_no_mail_server(world: World) -> None:
    """The mail waits."""
    delivery = tell(world, Smtp(host="127.0.0.1", port=_closed_port(), sender="a@b.c", to=("d@e.f",)))
    assert delivery.state is WAITING
    assert "ConnectionRefusedError" in delivery.error


def test_a_password_is_not_sent_in_the_clear(world: World) -> None:
    """Except to this very machine."""
    delivery = tell(
        world,
        Smtp(host="mail.example.com", sender="a@b.c", to=("d@e.f",), security="none", user="u", password="p"),
    )
    assert delivery.state is DEAD
    assert "without encryption" in delivery.error


# --- webhooks -------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_and_its_receiver_can_tell(world: World, receiver: Receiver) -> None:
    """A changed body, another secret or an old timestamp does not pass."""
    way = Webhook(url=receiver.url, secret="key", headers={"X-Key": "${secret:password}"}, allow_private=True)
    assert tell(world, way).state is SENT
    ((path, headers, body),) = receiver.requests
    assert path == "/hook"
    assert headers["X-Key"] == "hunter2"
    assert headers["Idempotency-Key"].startswith("dlv_")
    timestamp, signature = headers["Weft-Timestamp"], headers["Weft-Signature"]
    now = world.clock.now()
    assert verify("s3cret", timestamp, signature, body, now=now)
    assert verify("s3cret", timestamp, f"v1=00 {signature}", body, now=now)
    assert not verify("s3cret", timestamp, signature, body + b" ", now=now)
    assert not verify("other", timestamp, signature, body, now=now)
    assert not verify("s3cret", timestamp, signature, body, now=now + 301)
    assert not verify("s3cret", "1" * 20, signature, body, now=now)
    told = json.loads(body)
    assert told["subject"] == "etl: run failed"
    assert told["error"]["message"] == 'no <such> "file"'
    assert told["params"] == {"day": "2026-01-02", "api_token": "***", "conn": {"password": "***"}}


def test_a_receiver_that_fails_at_first(world: World) -> None:
    """Gets the same message again, under the same key."""
    receiver = Receiver(lambda count: 503 if count < 2 else 204)
    try:
        tell(world, Webhook(url=receiver.url, allow_private=True))
        for _ in range(2):
            assert world.states() == [WAITING]
            world.clock.advance(60)
            world.deliverer.step(world.clock.now())
    finally:
        receiver.close()
    assert world.states() == [SENT]
    assert len({headers["Idempotency-Key"] for _, headers, _ in receiver.requests}) == 1
    assert len({body for *_, body in receiver.requests}) == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, SENT), (299, SENT), (301, DEAD), (400, DEAD), (404, DEAD), (408, WAITING), (500, WAITING)],
)
def test_what_a_status_means(world: World, status: int, state: DeliveryState) -> None:
    """Only what may pass is tried again; redirects are not followed."""
    receiver = Receiver(lambda _: status, headers={"Location": "/elsewhere"})
    try:
        delivery = tell(world, Webhook(url=receiver.url, allow_private=True))
    finally:
        receiver.close()
    assert delivery.state is state
    assert len(receiver.requests) == 1
    if state is not SENT:
        assert f"answered {status}" in delivery.error
        assert "so!" in delivery.error


def test_a_receiver_may_name_the_pause(world: World) -> None:
    """As 429 does."""
    receiver = Receiver(lambda _: 429, headers={"Retry-After": "1000"})
    try:
        delivery = tell(world, Webhook(url=receiver.url, allow_private=True))
    finally:
        receiver.close()
    assert delivery.next_at == world.clock.now() + 1000


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x",
        "http://localhost:1/x",
        "http://[::1]:1/x",
        "http://[::ffff:127.0.0.1]:1/x",
        "http://2130706433:1/x",
        "http://10.0.0.1/x",
        "http://192.168.1.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/x",
        "http://0.0.0.0:1/x",
        "http://user:pass@example.com/",
        "http://",
        "http://127.0.0.1:99999/",
        "file:///etc/passwd",
    ],
)
def test_addresses_where_nothing_is_sent(url: str) -> None:
    """However they are written."""
    with pytest.raises(DeliveryRefused):
        http.request(url, method="POST", headers={}, body=b"")


def test_link_local_addresses_are_never_allowed() -> None:
    """Clouds give out credentials there."""
    with pytest.raises(DeliveryRefused):
        http.request("http://169.254.169.254/x", method="POST", headers={}, body=b"", allow_private=True)


def test_a_header_cannot_hold_a_second_one(receiver: Receiver) -> None:
    """The request is refused instead."""
    with pytest.raises(DeliveryRefused):
        http.request(receiver.url, method="POST", headers={"A": "b\r\nC: d"}, body=b"", allow_private=True)
    assert receiver.requests == []


def test_a_receiver_that_answers_a_byte_at_a_time_is_left_in_time() -> None:
    """Each byte comes within the socket's timeout, and the whole would never end."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        peer, _ = listener.accept()
        with peer:
            try:
                peer.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.02):
                    peer.sendall(b"X")
            except OSError:
                pass  # It was left.

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(DeliveryFailed, match=r"no answer within 0\.2 s"):
            http.request(url, method="POST", headers={}, body=b"", allow_private=True, deadline_s=0.2)
    finally:
        over.set()
        thread.join()
        listener.close()


def test_calls_with_bodies_of_their_own(world: World, receiver: Receiver) -> None:
    """A template for JSON stays JSON; a raw body is not looked at."""
    call = Call(url=receiver.url, body='{"text": "{{error.message}}", "run": "{{run}}"}', allow_private=True)
    raw = Call(url=receiver.url, body="{{run}}", raw=True, secret="key", allow_private=True)
    world.automate("fails", RunIs(states=(RunState.FAILED,)), call, raw)
    world.run(world.begin(), RunState.FAILED)
    world.follow()
    world.deliverer.step(world.clock.now())
    bodies = {body for *_, body in receiver.requests}
    assert b"{{run}}" in bodies
    assert json.loads((bodies - {b"{{run}}"}).pop()) == {"text": 'no <such> "file"', "run": "run_1"}


def test_a_secret_that_is_missing_is_waited_for(world: World, receiver: Receiver) -> None:
    """And said by its name."""
    delivery = tell(world, Webhook(url=receiver.url, secret="later", allow_private=True))
    assert delivery.state is WAITING
    assert "'later'" in delivery.error
    world.safe.values["later"] = "here"
    world.clock.advance(60)
    world.deliverer.step(world.clock.now())
    assert world.states() == [SENT]


def test_secrets_stay_out_of_errors(world: World) -> None:
    """Also where the address itself is one."""
    world.safe.values["key"] = f"http://127.0.0.1:{_closed_port()}/very/secret"
    delivery = tell(world, Webhook(url="${secret:key}"))
    assert delivery.state is DEAD
    assert "secret" not in delivery.error.replace("***", "")


# --- the rest -------------------------------------------------------------------------------------------


old_apprise = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""It tries modules that are about to leave the standard library."""


@old_apprise
def test_apprise_reaches_what_it_knows(world: World, receiver: Receiver) -> None:
    """Here a web service, by its own protocol; the message is short."""
    port = receiver.server.server_address[1]
    delivery = tell(world, Apprise(urls=(f"json://127.0.0.1:{port}/",)))
    assert (delivery.state, delivery.answer) == (SENT, "told 1 address")
    told = json.loads(receiver.requests[0][2])
    assert told["title"] == "etl: run failed"
    assert "http://weft.test/runs/run_1" in told["message"]
    assert told["type"] == "failure"


@old_apprise
def test_apprise_says_which_address_failed_and_why(world: World) -> None:
    """Without the secrets in it."""
    delivery = tell(world, Apprise(urls=(f"json://weft:${{secret:password}}@127.0.0.1:{_closed_port()}/",)))
    assert delivery.state is WAITING
    assert "address 1 of 1" in delivery.error
    assert "hunter2" not in delivery.error
    assert tell(world, Apprise(urls=("nothing://x",))).state is DEAD


def test_without_apprise_the_message_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what to install."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    delivery = tell(world, Apprise(urls=("json://127.0.0.1/",)))
    assert delivery.state is WAITING
    assert "weft[notify]" in delivery.error


def test_the_log_is_a_channel(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """At the level that it says."""
    with caplog.at_level(logging.INFO, "weft.notifications"):
        assert tell(world, Log(level="error")).state is SENT
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.getMessage().startswith("etl: run failed: etl: run failed (1 min 15 s)")


def test_a_channel_that_is_not_there(world: World) -> None:
    """Is said, and nothing is tried again; the same for one that is off."""
    world.automate("fails", RunIs(states=(RunState.FAILED,)), Notify(channel="nobody"), Notify(channel="off"))
    world.channel("off", enabled=False)
    world.run(world.begin(), RunState.FAILED)
    world.follow()
    world.deliverer.step(world.clock.now())
    assert world.states() == [DEAD, DEAD]
    assert {"no channel 'nobody'" in each.error for each in world.deliveries()} == {True, False}


def test_a_bug_in_a_channel_is_a_failure_of_its_message(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The loop goes on, and the log has the place without secrets."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("oh no, s3cret")

    monkeypatch.setattr("weft.notifications.courier.request", broken)
    delivery = tell(world, Webhook(url="http://example.com/", secret="key"))
    assert delivery.state is WAITING
    assert "RuntimeError: oh no, ***" in delivery.error
    assert "s3cret" not in caplog.text
    assert "oh no" in caplog.text


@pytest.mark.parametrize(
    ("way", "options"),
    [
        (Smtp(host="h", sender="a@b", to=()), {}),
        (Smtp(host="h", sender="a@b", to=("c@d",), security="ssl"), {}),
        (Webhook(url="ftp://x"), {}),
        (Webhook(url="http://x", body="{{"), {}),
        (Apprise(urls=()), {}),
        (Log(level="loud"), {}),
        (Log(), {"tries": 0}),
        (Log(), {"delay_s": 10.0, "delay_s_max": 5.0}),
    ],
)
def test_channels_that_cannot_be(world: World, way: Way, options: dict[str, Any]) -> None:
    """Are refused before they are stored."""
    with pytest.raises(InvalidAutomation):
        world.channel("it", way, **options)


@pytest.mark.parametrize("name", ["", "a#b", "x" * 101, "a/b", ".x"])
def test_names_that_cannot_be(name: str) -> None:
    """Because records are named from them."""
    from weft.model.channels import Channel

    with pytest.raises(InvalidAutomation):
        check_channel(name, Channel(way=Log()))


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
