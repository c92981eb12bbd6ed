"""Every command by name: where it lives and what it does, in one line.

This is all that ``weft --help`` needs, so that it loads none of them. A test compares each line with the
command's own docstring.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """A command of the first level.

    Attributes:
        name: As it is typed.
        module: The module in ``weft.cli`` whose ``app`` it is.
        summary: What it does.
        group: Its heading in the help.
    """

    name: str
    module: str
    summary: str
    group: str


_RUN, _SERVE, _LOOK, _STEER, _CARE = "Write and run", "Serve", "Look", "Steer", "Care"

COMMANDS = (
    Command("run", "run", "Run a workflow and see it through.", _RUN),
    Command("init", "init", "Write a first workflow to start from.", _RUN),
    Command("plan", "plan", "Show what would run, and why, without running it.", _RUN),
    Command("check", "check", "Find mistakes in workflow files before they run.", _RUN),
    Command("deploy", "deploy", "Make a project's workflows what the service runs.", _RUN),
    Command("workflows", "workflows", "List, show, compare, pause and delete deployed workflows.", _LOOK),
    Command("schedules", "schedules", "Preview, list, pause, resume and trigger schedules.", _LOOK),
    Command("triggers", "triggers", "List, show, pause and resume triggers.", _LOOK),
    Command("assets", "assets", "List and show assets: what runs update, and what waits for that.", _LOOK),
    Command("status", "status", "Show how the service is: engines, runs, what is late, what failed.", _LOOK),
    Command(
        "automations",
        "automations",
        "Apply, list, switch and delete automations, and see what came of them.",
        _SERVE,
    ),
    Command("channels", "channels", "List, test and delete the channels that automations notify.", _SERVE),
    Command("up", "up", "Start the service: API, schedules, triggers and engine in one process.", _SERVE),
    Command("engine", "engine", "Start an engine without an API, beside others on one store.", _SERVE),
    Command("server", "server", "Start the API without an engine, beside others on one store.", _SERVE),
    Command("tokens", "tokens", "Make, list and revoke API tokens.", _SERVE),
    Command("variables", "variables", "Set, get, list and delete variables.", _SERVE),
    Command("connections", "connections", "Set, list, show, test and delete connections.", _SERVE),
    Command("secrets", "secrets", "Set, list and delete secrets, and change their key.", _SERVE),
    Command("pools", "pools", "Set, list and delete pools.", _SERVE),
    Command("hooks", "hooks", "Set, list and delete incoming webhooks.", _SERVE),
    Command("runs", "runs", "List, follow, compare, resume, retry and delete runs.", _LOOK),
    Command("tasks", "tasks", "List and show a run's task runs, and read their logs.", _LOOK),
    Command("why", "why", "Explain why a run or one of its tasks is where it is.", _LOOK),
    Command("events", "events", "Send events to triggers, and list what happened.", _STEER),
    Command(
        "backfills",
        "backfills",
        "Plan, create, list, show, pause, resume and cancel backfills.",
        _STEER,
    ),
    Command("send", "send", "Send an event to a run that waits for it.", _STEER),
    Command("approve", "approve", "Say yes to a run that waits for an approval.", _STEER),
    Command("reject", "reject", "Say no to a run that waits for an approval.", _STEER),
    Command("verify", "verify", "Check the store's promises on what it holds.", _CARE),
    Command("db", "db", "Move, back up, restore, check and clean the store.", _CARE),
    Command("doctor", "doctor", "Check the machine, the installation and the store.", _CARE),
    Command("config", "config", "Show the settings, and where each came from.", _CARE),
    Command("completion", "completion", "Print a shell completion script.", _CARE),
    Command("version", "version", "Show the versions of Weft and of what it stands on.", _CARE),
)

GLOBAL_OPTIONS = (
    ("--help, -h", "Show help, also of a command."),
    ("--version", "Print the version."),
    ("--quiet, -q", "Say nothing on the error stream but errors."),
    ("--server URL", "Ask the service there, not this machine's store; also WEFT_SERVER, with WEFT_TOKEN."),
    ("--no-color", "No colours; the environment's NO_COLOR does the same."),
    ("--install-completion", "Install the completion of the shell in use."),
)

EXIT_CODES = (
    (0, "well"),
    (1, "failed"),
    (2, "wrong usage"),
    (3, "not found"),
    (4, "invalid workflow"),
    (70, "a bug in Weft"),
    (130, "interrupted"),
)


def overview() -> str:
    """What ``weft --help`` prints."""
    lines = ["Usage: weft COMMAND ...", "", "Durable, fast Python workflows.", ""]
    width = max(len(name) for name, _ in GLOBAL_OPTIONS) + 2
    for group in dict.fromkeys(each.group for each in COMMANDS):
        lines.append(f"{group}:")
        lines += [f"  {each.name:<{width}}{each.summary}" for each in COMMANDS if each.group == group]
        lines.append("")
    lines.append("Options:")
    lines += [f"  {name:<{width}}{text}" for name, text in GLOBAL_OPTIONS]
    lines += [
        "",
        "RUN is a run's id, the beginning of one, or @latest. --json prints data for machines.",
        "Exit codes: " + "; ".join(f"{code} {text}" for code, text in EXIT_CODES) + ".",
    ]
    return "\n".join(lines)
