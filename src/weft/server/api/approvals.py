"""Approvals: what waits for a person, and the person's answer."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar.params import JSONBody

from weft.model.errors import InvalidTransition, NotAllowed
from weft.model.rows import RunRow, TaskRow
from weft.model.tokens import Role
from weft.model.waits import ApprovalWait
from weft.server.api.steering import Asked
from weft.server.api.tasks import find_task
from weft.server.context import Given
from weft.server.paging import Page, make_token, read_token
from weft.server.parameters import Limit, PageToken, RunRef, TaskIdx, Where
from weft.server.routing import act, read
from weft.server.views import maybe_moment, moment, run_detail

OPEN = "state:running,paused,queued"
_RUNS = 200
_SEARCH_S = 0.5
"""How long one page may search; it then says where to go on."""


class ApprovalView(msgspec.Struct, kw_only=True):
    """A task run that waits for a person.

    Attributes:
        run: Id of the run.
        workflow: The run's workflow.
        idx: Index of the task run.
        key: Key of the task run.
        prompt: What the person is asked, Markdown.
        form: JSON Schema of the answer's input; empty: only yes or no.
        assignees: Who may answer; nobody named is anyone.
        default: What counts as the answer when nobody gives one in time: `approve` or `reject`.
        since: Since when it waits.
        due_at: Until when.
    """

    run: str
    workflow: str
    idx: int
    key: str
    prompt: str
    form: dict[str, Any]
    assignees: list[str]
    default: str
    since: datetime
    due_at: datetime | None = None


class Answer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A person's answer.

    Attributes:
        approved: Yes or no.
        input: What the form asked for.
        comment: For people.
    """

    approved: bool
    input: Any = None
    comment: Annotated[str, msgspec.Meta(max_length=10_000)] = ""


@read("/approvals")
def list_approvals(
    context: Given, where: Where = "", limit: Limit = 100, page_token: PageToken = None
) -> Page[ApprovalView]:
    """List what waits for a person, in open runs that `where` picks, the newest run first.

    A page may have fewer than `limit`, even none, and a next one all the same: it stops searching after half
    a second.
    """
    query = ("approvals", where)
    before = read_token(query, page_token, int)
    until = context.now + _SEARCH_S
    items: list[ApprovalView] = []
    while True:
        runs = context.store.runs(f"{where} {OPEN}", limit=_RUNS, before=before)
        for row in runs:
            for task in context.store.tasks(row.run, "state:waiting", limit=1000):
                if isinstance(task.wait, ApprovalWait):
                    items.append(_view(row, task, task.wait))
            before = row.run
            if len(items) >= limit or context.now > until:
                return Page(items=items, next=make_token(query, before))
        if len(runs) < _RUNS:
            return Page(items=items)


@act("/runs/{run:str}/tasks/{idx:int}/answer", Role.OPERATOR)
def answer_approval(context: Given, run: RunRef, idx: TaskIdx, data: JSONBody[Answer]) -> Asked:
    """Answer an approval."""
    row, task = find_task(context, run, idx)
    if not isinstance(task.wait, ApprovalWait):
        raise InvalidTransition(f"{task.key} waits for nobody", where=row.uid, hint=f"it is {task.state}")
    who = context.identity.name
    if task.wait.assignees and who not in task.wait.assignees:
        raise NotAllowed(
            f"{who} may not answer {task.key}",
            where=row.uid,
            hint=f"it is for {', '.join(task.wait.assignees)}",
        )
    decision = {"approved": data.approved, "by": who, "input": data.input, "comment": data.comment}
    payload = context.artifacts.dumps(decision, what="the answer")
    request = context.services.control.ask(row, "answer", by=who, idx=idx, payload=payload)
    return Asked(request=request, run=run_detail(context.store.run_by_id(row.run), context.artifacts))


def _view(row: RunRow, task: TaskRow, wait: ApprovalWait) -> ApprovalView:
    return ApprovalView(
        run=row.uid,
        workflow=row.workflow,
        idx=task.idx,
        key=task.key,
        prompt=wait.prompt,
        form=wait.form,
        assignees=list(wait.assignees),
        default=wait.default,
        since=moment(task.changed_at),
        due_at=maybe_moment(task.due_at),
    )


ROUTES = [list_approvals, answer_approval]
