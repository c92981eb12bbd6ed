"""Shell tasks in flows."""

from pathlib import Path

import pytest
from embedded_weft import Said, Weft

from weft import flow, shell, task
from weft.model.states import TaskState


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_last_line_is_the_result(weft: Weft, executor: str) -> None:
    """A command's last line of output is its value; all of it is in the log."""
    weft.open(executor=executor)
    both = shell("echo first\necho 'last {name}'\n", name="both")

    @flow
    def main() -> str:
        return both(name="x")

    assert main() == "last x"
    assert weft.log("both-0").splitlines() == ["first", "last x"]


def test_arguments_are_quoted(weft: Weft) -> None:
    """Arguments are quoted for the shell, whatever they hold; futures are filled in."""
    say = shell("printf %s {text}", name="say")

    @task
    def nasty() -> str:
        return 'a\'b; rm -rf $HOME `id` "c"'

    @flow
    def main() -> list[str]:
        return [say(text="two words"), say(text=nasty.submit())]

    assert main() == ["two words", 'a\'b; rm -rf $HOME `id` "c"']


def test_map_over_a_command(weft: Weft) -> None:
    """A command can be mapped by name."""
    upper = shell("echo {word} | tr a-z A-Z", name="upper")

    @flow
    def main() -> list[str]:
        return upper.map(word=["a", "b"]).result()

    assert main() == ["A", "B"]


def test_exit_codes(weft: Weft, said: Said) -> None:
    """A command that fails says with which code; only the named codes are tried again."""
    count = f"echo x >> {said.path}; test $(wc -l < {said.path}) -ge 3 || exit 75"
    retried = shell(count, name="retried", retries=5, retry_exit_codes=[75])
    failing = shell("echo before >&2; exit 3", name="failing", retries=5, retry_exit_codes=[75])

    @flow
    def main() -> None:
        retried()
        with pytest.raises(Exception, match="exit code 3: before") as caught:
            failing()
        assert getattr(caught.value, "exit_code", None) == 3

    main()
    assert weft.task("retried-0").attempt == 3
    row = weft.task("failing-0")
    assert (row.attempt, row.state) == (1, TaskState.FAILED)
    assert row.error is not None
    assert row.error.exit_code == 3
    assert "before" in weft.log("failing-0")


def test_environment_and_folder(weft: Weft, tmp_path: Path) -> None:
    """A command gets its environment variables and its folder."""
    where = shell("echo $GREETING; pwd", name="where", env={"GREETING": "hello"}, cwd=str(tmp_path))

    @flow
    def main() -> str:
        return where()

    assert main() == str(tmp_path)
    assert weft.log("where-0").splitlines()[0] == "hello"


def test_names() -> None:
    """A command's name is its program's, unless it is given."""
    assert shell("/usr/bin/env true").name == "env"
    assert shell("ls -l", name="listing").name == "listing"


def test_with_options_keeps_the_command(weft: Weft) -> None:
    """A copy with other options runs the same command."""
    say = shell("echo same", name="say").with_options(name="renamed", tags=["t"])

    @flow
    def main() -> str:
        return say()

    assert main() == "same"
    assert list(weft.states()) == ["renamed-0"]


def test_outside_a_flow(weft: Weft) -> None:
    """A command called nowhere is a run of its own."""
    assert shell("echo alone", name="alone")() == "alone"
    assert weft.run().workflow == "alone"


def test_timeout_kills_the_command(weft: Weft, said: Said) -> None:
    """A command past its time is killed with what it started."""
    slow = shell(f"sleep 0.6; echo late >> {said.path}", name="slow", timeout=0.2)

    @flow
    def main() -> str:
        return type(slow.submit().exception()).__name__

    assert main() == "TaskTimeout"
    weft.close()
    assert said.lines == []


def test_cache_of_a_command(weft: Weft, said: Said) -> None:
    """A cached command runs again when its text, its environment or its arguments change."""

    def call(script: str, word: str, **env: str) -> str:
        say = shell(f"echo ran >> {said.path}; {script}", name="say", env=env, cache="inputs")

        @flow(name="main")
        def main() -> str:
            return say(word=word)

        return main()

    assert call("echo {word}", "a") == call("echo {word}", "a") == "a"
    assert len(said.lines) == 1
    assert call("echo {word}{word}", "a") == "aa"
    assert call("echo {word}", "b") == "b"
    assert call("echo {word}", "a", OTHER="1") == "a"
    assert len(said.lines) == 4
