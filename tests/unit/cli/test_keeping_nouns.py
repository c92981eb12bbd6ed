"""Tokens, secrets, variables, connections, pools, hooks and events, as they are typed."""

import io
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from weft.cli.main import main
from weft.model.connections import SECRET
from weft.model.tokens import Role
from weft.server.auth.tokens import TOKENS, digest_of
from weft.service.operations import Unsealed
from weft.store.open import open_store
from weft.store.vault import KEY_FILE, new_key, open_vault


class Typed:
    """A command line on a home of the test's own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self.home = home
        self._capsys = capsys
        self._patch = patch
        patch.setenv("WEFT_HOME", str(home))

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """Type a command that ends with an exit code; what it printed, and for an error said."""
        self._patch.setattr("sys.stdin", io.StringIO(stdin))
        assert main(list(words)) == code
        out, err = self._capsys.readouterr()
        return out if code == 0 else err

    def lines(self, *words: str, code: int = 0) -> list[Any]:
        """The JSON objects that a command prints."""
        assert main([*words, "--json"]) == code
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]

    def secret(self, name: str) -> str:
        """A secret's value, as who may use it gets it."""
        store = open_store(self.home / "weft.db")
        try:
            return Unsealed(store, lambda: open_vault(self.home)).reveal(name)
        finally:
            store.close()


@pytest.fixture
def typed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Typed:
    """An empty home and its command line."""
    return Typed(tmp_path / "home", capsys, monkeypatch)


def test_a_token_is_shown_once_and_revoked_by_name(typed: Typed) -> None:
    """Its text is on standard output and its digest in the store; afterwards there is none."""
    text = typed("tokens", "create", "ci", "--role", "operator", "--expires", "30d").strip()
    store = open_store(typed.home / "weft.db")
    assert TOKENS.require(store, digest_of(text)).value.role is Role.OPERATOR
    store.close()
    (listed,) = typed.lines("tokens", "list")
    assert (listed["name"], listed["role"]) == ("ci", "operator")
    assert text not in typed("tokens", "list")
    assert "--yes" in typed("tokens", "revoke", "ci", code=2)
    typed("tokens", "revoke", listed["id"], "--yes")
    assert typed.lines("tokens", "list") == []
    assert "W1001" in typed("tokens", "revoke", "ci", "--yes", code=3)


def test_a_secret_goes_in_and_does_not_come_out(typed: Typed) -> None:
    """Its value is taken from standard input, sealed, and shown by no command."""
    typed("secrets", "set", "db", "--description", "of sales", stdin="hunter2\n")
    assert typed.secret("db") == "hunter2"
    assert b"hunter2" not in (typed.home / "weft.db").read_bytes()
    (listed,) = typed.lines("secrets", "list")
    assert (listed["name"], listed["description"]) == ("db", "of sales")
    typed("secrets", "set", "db", stdin="hunter3")
    assert typed.lines("secrets", "list")[0]["description"] == "of sales"
    assert "empty" in typed("secrets", "set", "db", code=2)
    typed("secrets", "delete", "db", "--yes")
    assert typed.lines("secrets", "list") == []


def test_the_key_in_the_home_is_replaced(typed: Typed) -> None:
    """After it the old key opens nothing, and the new one everything that is sealed."""
    typed("secrets", "set", "db", stdin="hunter2")
    typed("connections", "set", "pg", "--type", "postgres", "--password", stdin="hunter3")
    typed("hooks", "set", "gh", "--scheme", "github", stdin="hunter4444")
    old = (typed.home / KEY_FILE).read_text()
    assert "3 values" in typed("secrets", "rotate", code=2)
    typed("secrets", "rotate", "--yes")
    assert (typed.home / KEY_FILE).read_text() != old
    assert not list(typed.home.glob(f"{KEY_FILE}.*"))
    assert typed.secret("db") == "hunter2"
    (typed.home / KEY_FILE).write_text(old)
    found = {each["name"]: each for each in typed.lines("doctor", code=1)}
    assert "3 values cannot be opened" in found["secrets"]["what"]


def test_a_rotation_that_was_interrupted_is_finished(typed: Typed) -> None:
    """A new key that something may be sealed with already is used, and not made anew."""
    typed("secrets", "set", "db", stdin="hunter2")
    key = new_key()
    (typed.home / f"{KEY_FILE}.new").write_text(key)
    typed("secrets", "rotate", "--yes")
    assert (typed.home / KEY_FILE).read_text() == key
    assert typed.secret("db") == "hunter2"


def test_the_key_of_the_settings_is_rotated_by_adding_one(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both keys set everything is sealed with the first, so that the second can go."""
    old, new = typed("secrets", "key").strip(), typed("secrets", "key").strip()
    monkeypatch.setenv("WEFT_SECRET_KEY", old)
    typed("secrets", "set", "db", stdin="hunter2")
    monkeypatch.setenv("WEFT_SECRET_KEY", f"{new},{old}")
    typed("secrets", "rotate", "--yes")
    store = open_store(typed.home / "weft.db")
    found = store.record(SECRET, "db")
    assert found is not None
    assert Unsealed(store, lambda: open_vault(typed.home, new)).reveal("db") == "hunter2"
    store.close()
    assert not (typed.home / KEY_FILE).exists()


@pytest.mark.parametrize(
    ("value", "kept"), [("3", 3), ('{"a": [1]}', {"a": [1]}), ("plain", "plain"), ("-1", -1), ("", "")]
)
def test_a_variable_is_json_or_text(typed: Typed, value: str, kept: Any) -> None:
    """What is no JSON is text, and comes back as it went in."""
    typed("variables", "set", "v", value)
    assert typed.lines("variables", "get", "v")[0]["value"] == kept
    assert typed.lines("variables", "list")[0]["value"] == kept


def test_a_variable_may_be_text_that_looks_like_json(typed: Typed) -> None:
    """With --text nothing is read into it; text is printed as it is."""
    typed("variables", "set", "v", "007", "--text")
    assert typed("variables", "get", "v") == "007\n"
    assert "W1001" in typed("variables", "get", "w", code=3)
    typed("variables", "delete", "v", "--yes")
    assert typed.lines("variables", "list") == []


def test_a_connection_keeps_what_is_not_named(typed: Typed) -> None:
    """A second set changes only what it says; the password is never shown."""
    words = (
        "--type",
        "postgres",
        "--host",
        "db",
        "--port",
        "5432",
        "--login",
        "me",
        "--extra",
        '{"ssl": true}',
    )
    typed("connections", "set", "pg", *words, "--password", stdin="hunter2")
    typed("connections", "set", "pg", "--host", "db2")
    (found,) = typed.lines("connections", "show", "pg")
    assert (found["host"], found["port"], found["login"], found["extra"]) == (
        "db2",
        5432,
        "me",
        {"ssl": True},
    )
    assert found["has_password"] is True
    assert "hunter2" not in typed("connections", "show", "pg") + typed("connections", "list")
    typed("connections", "set", "pg", "--no-password")
    assert typed.lines("connections", "show", "pg")[0]["has_password"] is False
    assert "type" in typed("connections", "set", "new", code=2)


def test_a_connection_is_tried(typed: Typed) -> None:
    """Somebody who listens answers; where nobody does, that is an error."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        typed("connections", "set", "x", "--type", "http", "--host", "127.0.0.1", "--port", str(port))
        typed("connections", "test", "x")
    assert "nobody answers" in typed("connections", "test", "x", code=2)


def test_pools_of_the_settings_are_listed_too(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that was set counts before the one of the settings."""
    monkeypatch.setenv("WEFT_POOLS", "gpu=1,cpu=8")
    typed("pools", "set", "gpu", "2")
    assert {each["name"]: each["slots"] for each in typed.lines("pools", "list")} == {"gpu": 2, "cpu": 8}
    assert "slots" in typed("pools", "set", "gpu", "-1", code=2)
    typed("pools", "delete", "gpu", "--yes")
    assert {each["name"]: each["slots"] for each in typed.lines("pools", "list")} == {"gpu": 1, "cpu": 8}


def test_a_hook_needs_a_scheme_and_a_secret(typed: Typed) -> None:
    """A new one says how it is signed; one that is there may keep its secret."""
    assert "scheme" in typed("hooks", "set", "gh", code=2, stdin="hunter22")
    assert "short" in typed("hooks", "set", "gh", "--scheme", "github", code=2, stdin="x")
    typed("hooks", "set", "gh", "--scheme", "github", stdin="hunter22")
    typed("hooks", "set", "gh", "--event", "push", "--keep-secret")
    (found,) = typed.lines("hooks", "list")
    assert (found["scheme"], found["event"], found["path"]) == ("github", "push", "/api/v1/hooks/gh")


def test_an_event_counts_once(typed: Typed) -> None:
    """Sent twice under one id it is there once; the newest come first."""
    typed("events", "send", "arrived", "--payload", '{"n": 1}', "--id", "e1")
    typed("events", "send", "arrived", "--id", "e1")
    typed("events", "send", "raw", "--asset")
    found = typed.lines("events", "list")
    assert [(each["source"], each["name"], each["payload"]) for each in found] == [
        ("asset", "raw", None),
        ("event", "arrived", {"n": 1}),
    ]
    assert "JSON" in typed("events", "send", "x", "--payload", "{", code=2)


@pytest.mark.parametrize("name", ["a/b", "", "a\nb", "x" * 251])
@pytest.mark.parametrize("words", [("variables", "set", "1"), ("pools", "set", "1")])
def test_names_that_fit_no_address_are_refused(typed: Typed, name: str, words: tuple[str, ...]) -> None:
    """What the API could not show is not made."""
    noun, verb, value = words
    assert "nothing can be called" in typed(noun, verb, name, value, code=2)


@pytest.mark.parametrize("noun", ["triggers", "assets", "backfills", "events", "hooks", "tokens", "secrets"])
def test_lists_of_nothing_are_empty(typed: Typed, noun: str) -> None:
    """For machines no line, for people a word about how to begin."""
    assert typed.lines(noun, "list") == []
    assert typed(noun, "list") == ""
