"""Secrets at rest."""

import stat
from pathlib import Path

import pytest

from weft.model.errors import SecretUnreadable, UsageError
from weft.store.vault import KEY_FILE, Vault, new_key, open_vault

OLD, NEW = bytes(32), bytes(range(32))


def test_what_was_sealed_opens_under_its_own_name_only() -> None:
    """Bytes that are copied to another record, or changed, open nothing."""
    vault = Vault([OLD])
    sealed = vault.seal("secret", "db", "påss")
    assert vault.open("secret", "db", sealed) == "påss"
    assert "påss".encode() not in sealed
    assert vault.seal("secret", "db", "påss") != sealed
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for kind, name, body in (
        ("secret", "other", sealed),
        ("connection", "db", sealed),
        ("secret", "db", damaged),
        ("secret", "db", b""),
        ("secret", "db", b"\x02" + sealed[1:]),
    ):
        with pytest.raises(SecretUnreadable, match="cannot be opened"):
            vault.open(kind, name, body)


def test_keys_are_rotated() -> None:
    """The newest seals, an old one still opens, and without it nothing does."""
    sealed = Vault([OLD]).seal("secret", "db", "x")
    both = Vault([NEW, OLD])
    assert both.open("secret", "db", sealed) == "x"
    with pytest.raises(SecretUnreadable):
        Vault([NEW]).open("secret", "db", sealed)
    assert Vault([NEW]).open("secret", "db", both.seal("secret", "db", "y")) == "y"


def test_the_key_is_made_once_and_is_for_its_owner_only(tmp_path: Path) -> None:
    """The next process finds the same one."""
    sealed = open_vault(tmp_path).seal("secret", "db", "x")
    assert open_vault(tmp_path).open("secret", "db", sealed) == "x"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [KEY_FILE]


def test_a_setting_stands_in_for_the_file(tmp_path: Path) -> None:
    """Machines that share a store share a key."""
    old, new = new_key(), new_key()
    sealed = open_vault(tmp_path, old).seal("secret", "db", "x")
    assert open_vault(tmp_path / "elsewhere", f"{new}, {old}").open("secret", "db", sealed) == "x"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("setting", ["short", "é", "AAAA", ","])
def test_what_is_no_key_is_refused(setting: str, tmp_path: Path) -> None:
    """The error says how to make one."""
    with pytest.raises(UsageError, match="no secret key") as caught:
        open_vault(tmp_path, setting)
    assert "weft secrets key" in caught.value.hint
