"""``--server`` among the words, and what it costs and refuses; ``tests/acceptance`` has it at work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from weft.cli.main import HERE, main


@pytest.mark.parametrize(
    ("words", "server"),
    [
        (["version", "--server", "http://x:1"], "http://x:1"),
        (["--server", "http://x:1", "version"], "http://x:1"),
        (["version", "--server=unix:///x"], "unix:///x"),
        (["version", "--server"], HERE),
        (["version", "--server", "--json"], HERE),
    ],
)
def test_option_is_taken_wherever_it_stands(
    words: list[str], server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no command's own; without an address it means a service on this machine."""
    monkeypatch.setenv("WEFT_SERVER", "")
    assert main(words) == 0
    assert os.environ["WEFT_SERVER"] == server


def test_a_command_for_the_store_is_refused_before_it_opens_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error has its code, and no store was made on the way."""
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WEFT_SERVER", "http://127.0.0.1:9")
    assert main(["verify"]) == 2
    assert "W1516" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_a_run_without_a_service_is_not_detached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would end with the command."""
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    assert main(["run", "x.py", "--detach"]) == 2
    assert "--server" in capsys.readouterr().err


def test_without_the_option_no_client_is_loaded(tmp_path: Path) -> None:
    """A command on this machine pays nothing for what is possible elsewhere."""
    code = (
        "import sys; from weft.cli.main import main; main(['runs', 'list']);"
        "print(sorted(each for each in sys.modules if each.startswith(('weft.client', 'httpx'))))"
    )
    env = {**os.environ, "WEFT_HOME": str(tmp_path / "home"), "WEFT_SERVER": ""}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_project_cannot_send_the_token_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its file may not name the service; the user's own file may."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEFT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("WEFT_SERVER", raising=False)
    own = tmp_path / "config" / "weft" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('server = "http://127.0.0.1:9"\n')
    assert main(["verify"]) == 2
    assert "W1516" in capsys.readouterr().err
    (tmp_path / "weft.toml").write_text('server = "http://evil.example"\n')
    assert main(["runs", "list"]) == 2
    assert "token" in capsys.readouterr().err
