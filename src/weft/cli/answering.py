"""A person's answer to an approval, for ``weft approve`` and ``weft reject``."""

from typing import Any

import msgspec

from weft.cli.asking import ask
from weft.cli.reading import Home, anywhere
from weft.cli.style import say
from weft.model.errors import NotFound, UsageError
from weft.model.rows import RunRow, TaskRow
from weft.model.waits import ApprovalWait


def answer(run: str, task: str | None, *, approved: bool, comment: str, filled: str | None) -> None:
    """Answer the approval that a run waits for.

    Raises:
        NotFound: There is no such run, or it waits for no approval.
        UsageError: It waits for several, or who answers may not.
    """
    given: Any = None
    if filled is not None:
        try:
            given = msgspec.json.decode(filled)
        except msgspec.DecodeError as exc:
            raise UsageError(f"--input is not JSON: {exc}", hint="text needs quotes: '\"text\"'") from exc
    with anywhere() as opened:
        row = opened.store.run(run)
        waiting = _waiting(opened, row, task)
        wait = waiting.wait
        assert isinstance(wait, ApprovalWait)
        who = opened.me
        if wait.assignees and who not in wait.assignees:
            raise UsageError(
                f"{who or 'you'} may not answer {waiting.key}",
                where=row.uid,
                hint=f"it is for {', '.join(wait.assignees)}",
            )
        decision = {"approved": approved, "by": who, "input": given, "comment": comment}
        payload = opened.artifacts.dumps(decision, what="the answer")
        if ask(opened, row, "answer", idx=waiting.idx, payload=payload):
            say(f"{'approved' if approved else 'rejected'} {waiting.key} of {row.uid}")


def _waiting(opened: Home, row: RunRow, task: str | None) -> TaskRow:
    """The task run that waits for a person."""
    found = [
        each
        for each in opened.tasks(row.run, "state:waiting")
        if isinstance(each.wait, ApprovalWait) and task in (None, each.key, each.name, str(each.idx))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(each.key for each in found)
        raise UsageError(f"run {row.uid} waits for several approvals", hint=f"say which: {keys}")
    what = f"run {row.uid} waits for no approval" + (f" {task!r}" if task else "")
    raise NotFound(what, where=f"it is {row.state}", hint=f"weft why {row.uid}")
