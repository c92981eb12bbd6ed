"""The tree of commands, and what happens between the words and a command's function.

The parser loads a command's file only when its name is typed (``index.py`` has the names).
"""

import difflib
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from weft.cli.index import COMMANDS
from weft.model.errors import UsageError

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for machines.")]
Yes = Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do it without asking.")]

DEEP = (
    *("assets", "automations", "backfills", "channels", "config", "connections", "db", "events", "hooks"),
    *("pools", "runs", "schedules", "secrets", "tasks", "tokens", "triggers", "variables", "workflows"),
)
"""Nouns with subcommands."""

SENTENCE_MAX = 300
"""Characters of the parser's message that are shown."""

RUN_HELP = "A run's id, the beginning of one, or @latest."


def noun(name: str, **options: Any) -> App:
    """The app of one command or of a noun with subcommands."""
    return App(
        name=name,
        help_flags=["--help", "-h"],
        version_flags=[],
        default_parameter=Parameter(negative=(), show_default=True),
        result_action="return_value",
        **options,
    )


def root() -> App:
    """The whole tree, its branches not yet loaded."""
    app = noun("weft", help_format="plaintext")
    for each in COMMANDS:
        app.command(f"weft.cli.{each.module}:app", name=each.name)
    return app


def run_app(words: Sequence[str]) -> int:
    """Carry out a command; returns its exit code.

    Raises:
        UsageError: The words make no sense.
        WeftError: As the command does.
    """
    if words[0] == "--install-completion":
        from weft.cli.completion import install  # noqa: PLC0415 - one command in a thousand

        return install()
    names = [each.name for each in COMMANDS]
    if words[0] not in names:
        raise _unknown(words[0], names)
    try:
        code = root()(
            list(words), exit_on_error=False, print_error=False, result_action="return_value", verbose=False
        )
    except CycloptsError as exc:
        raise UsageError(_sentence(str(exc)), hint=f"weft {_command(words, names)} --help") from exc
    return code if isinstance(code, int) else 0


def _unknown(word: str, names: Sequence[str]) -> UsageError:
    if word.startswith("-"):
        return UsageError(f"there is no option {word}", hint="weft --help")
    near = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean weft {near[0]}?" if near else "weft --help lists them"
    if not near and (word.endswith(".py") or ":" in word):
        hint = f"to run it: weft run {word}"
    return UsageError(f"there is no command {word!r}", hint=hint)


def _command(words: Sequence[str], names: Sequence[str]) -> str:
    """The command that was meant, for the hint."""
    deep = words[0] in DEEP and len(words) > 1 and words[1].replace("-", "").isalpha()
    return " ".join(words[: 2 if deep else 1])


def _sentence(text: str) -> str:
    """The parser's message as one of ours: one line, no full stop, and not all that was typed."""
    text = " ".join(text.split()).partition(" Available commands:")[0].rstrip(".")
    if len(text) > SENTENCE_MAX:  # A pattern that the shell replaced by the files of a folder, most often.
        text = text[:SENTENCE_MAX].rpartition(" ")[0] + " ..."
    return text[:1].lower() + text[1:] if text[:2] not in ("--",) else text
