"""``weft completion``: scripts that let a shell complete Weft's commands and options."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from weft.cli.app import noun, root
from weft.cli.style import say
from weft.model.errors import UsageError

app = noun("completion")

Shell = Literal["bash", "zsh", "fish"]


@app.default
def completion(
    shell: Annotated[Shell, Parameter(help="The shell to print it for.")],
    /,
) -> None:
    """Print a shell completion script.

    ``weft --install-completion`` puts it where the shell in use finds it.
    """
    print(script(shell))


def script(shell: Shell) -> str:
    """The completion script."""
    text = root().generate_completion(prog_name="weft", shell=shell)
    # The generator writes the date; equal trees shall give equal scripts.
    return re.sub(r"(?m)^#.*[Gg]enerated.*\n", "", text)


def install() -> int:
    """Write the script of the shell in use to where that looks for it."""
    name = Path(os.environ.get("SHELL", "")).name
    data = Path(os.environ.get("XDG_DATA_HOME", "~/.local/share")).expanduser()
    configuration = Path(os.environ.get("XDG_CONFIG_HOME", "~/.config")).expanduser()
    places: dict[str, Path] = {
        "bash": data / "bash-completion" / "completions" / "weft",
        "zsh": data / "zsh" / "site-functions" / "_weft",
        "fish": configuration / "fish" / "completions" / "weft.fish",
    }
    shell: Shell
    if name == "bash":
        shell = "bash"
    elif name == "zsh":
        shell = "zsh"
    elif name == "fish":
        shell = "fish"
    else:
        raise UsageError(
            f"no completion for the shell {name or 'that SHELL does not name'}",
            hint="weft completion bash|zsh|fish prints one",
        )
    path = places[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script(shell), encoding="utf-8")
    say(f"wrote {path}; it counts in new shells")
    if shell == "zsh":
        say(
            f"zsh looks there once ~/.zshrc has: fpath=({path.parent} $fpath); autoload -U compinit; compinit"
        )
    return 0
