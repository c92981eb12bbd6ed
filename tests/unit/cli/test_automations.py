"""``weft automations`` and ``weft channels``, in this process."""

import json
from pathlib import Path

import pytest

from weft.cli.app import run_app
from weft.cli.automations import read
from weft.model.automations import Notify, RunIs
from weft.model.deliveries import Occasion
from weft.model.errors import InvalidAutomation, NotFound, UsageError
from weft.notifications.book import Book
from weft.notifications.joining import AUTOMATIONS
from weft.notifications.outbox import DELIVERIES, post
from weft.settings import load_settings
from weft.store.open import open_store

FILE = """
[channels.ops.way]
type = "log"

[automations.failures]
cooldown_s = 300
when = { type = "run", states = ["failed"], workflow = "etl*" }
then = [{ type = "notify", channel = "ops" }]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with an automation and a channel, and a home of the test's own."""
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    path = tmp_path / "notify.toml"
    path.write_text(FILE)
    return path


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed."""
    return capsys.readouterr().out.splitlines()


def test_apply_list_switch_and_delete(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The way of an automation from a file to its end."""
    run_app(["automations", "apply", str(file)])
    run_app(["automations", "list"])
    assert lines(capsys)[1].split() == ["failures", "on", "run", "notify"]
    run_app(["automations", "off", "failures"])
    run_app(["automations", "list", "--json"])
    (found,) = [json.loads(line) for line in lines(capsys)]
    assert found["automation"]["enabled"] is False
    run_app(["automations", "show", "failures"])
    assert json.loads(lines(capsys)[0])["cooldown_s"] == 300
    with pytest.raises(UsageError, match="1 automation"):
        run_app(["automations", "delete", "failures"])
    run_app(["automations", "delete", "failures", "--yes"])
    with pytest.raises(NotFound):
        run_app(["automations", "on", "failures"])


def test_channels(file: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """A test message goes out from here, now."""
    run_app(["automations", "apply", str(file)])
    run_app(["channels", "list"])
    assert lines(capsys)[1].split() == ["ops", "log", "on"]
    run_app(["channels", "test", "ops"])
    assert "this is a test of channel ops" in caplog.text
    assert "sent: logged" in capsys.readouterr().err
    run_app(["channels", "delete", "ops", "--yes"])
    with pytest.raises(NotFound):
        run_app(["channels", "test", "ops"])


@pytest.mark.parametrize(
    "text",
    [
        "= 1",
        "[automation.x]",
        "[automations.x]\nthen = []",
        '[automations.x]\nwhen = { type = "moon" }\nthen = []',
        '[automations.x]\nwhen = { type = "run", states = [] }\nthen = [{ type = "cancel_run" }]',
        '[channels.x]\nway = { type = "apprise", urls = [] }',
    ],
)
def test_files_that_are_not_as_they_should_be(file: Path, text: str) -> None:
    """Change nothing, and are said to be so."""
    file.write_text(FILE + text if not text.startswith("=") else text)
    with pytest.raises(InvalidAutomation):
        run_app(["automations", "apply", str(file)])
    store = open_store(load_settings().store_url)
    assert list(AUTOMATIONS.all(store)) == []
    store.close()


def test_a_file_that_is_not_there(file: Path) -> None:
    """Neither is one that says nothing of use."""
    with pytest.raises(UsageError):
        read(file.with_name("none.toml"))
    file.write_text("")
    with pytest.raises(UsageError):
        run_app(["automations", "apply", str(file)])


def test_deliveries(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was decided, the newest first; and only what is asked for."""
    run_app(["automations", "apply", str(file)])
    store = open_store(load_settings().store_url)
    book = Book(store)
    for name in ("dlv_1", "dlv_2"):
        post(book, name, "failures", Notify(channel="ops"), Occasion(what="run failed", at=5.0), at=5.0)
    store.write(book.writes(), at=5.0)
    assert len(list(DELIVERIES.all(store))) == 2
    store.close()
    run_app(["automations", "deliveries"])
    assert [line.split()[:4] for line in lines(capsys)[1:]] == [
        ["dlv_2", "waiting", "failures", "channel.ops"],
        ["dlv_1", "waiting", "failures", "channel.ops"],
    ]
    run_app(["automations", "deliveries", "--json", "-n", "1"])
    assert [json.loads(line)["id"] for line in lines(capsys)] == ["dlv_2"]
    run_app(["automations", "deliveries", "--state", "dead"])
    assert len(lines(capsys)) == 1
    with pytest.raises(UsageError, match="waiting"):
        run_app(["automations", "resend", "dlv_1"])


def test_a_file_reads_as_structs(file: Path) -> None:
    """The words of the file are those of the model."""
    setup = read(file)
    assert setup.automations["failures"].then == (Notify(channel="ops"),)
    assert isinstance(setup.automations["failures"].when, RunIs)
