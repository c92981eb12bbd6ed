"""What a person's "run this again" does to a stored run: changes that make ``restore`` go on with it.

Pure: from the rows of a run to changes that the caller commits, before an engine restores the run.

Rules:

1. Cleared task runs go back to ``pending`` and their generation grows (I10). What ended well and is not
   asked for keeps its result, which is what the rest then reads.
2. What holds something cleared is opened again without being redone: a group and a map go back to
   ``running`` with the same instance and items; a flow goes to ``pending`` and is replayed.
3. What was decided by a cleared task run is cleared with it: ``upstream_failed``, what its branch or its
   state skipped, calls that read its result, and a group, map or flow whose inputs it gives as a whole.
4. What belongs to work that is done again is done again too: its setups and teardowns, the exit handlers and
   daemons of the groups that are opened again, and task runs that were rolled back.
5. A task run that is marked does not run again: it is given its end. What its old end decided is cleared.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from weft.core.changes import Cause, Change, MapExpanded, RunChanged, TaskChanged
from weft.core.flows import task_outputs
from weft.core.nodes import NodesByRow
from weft.core.plan import Plan, prefix_of
from weft.model.calls import GroupCall
from weft.model.graph import HookOn, Role
from weft.model.rows import Snapshot, TaskRow
from weft.model.states import TERMINAL, RunState, TaskState
from weft.model.values import Result

_T = TaskState
FAILED = frozenset({_T.FAILED, _T.UPSTREAM_FAILED, _T.CANCELLED})
"""What a retry of the failed does again."""


def clear(
    snapshot: Snapshot,
    *,
    tasks: Iterable[int] = (),
    downstream: bool = False,
    upstream: bool = False,
    only_failed: bool = False,
    at: float,
) -> list[Change]:
    """Work out what it takes to run parts of a run again.

    Args:
        snapshot: The run's rows. Task runs that have not ended are left as they are.
        tasks: Indexes of the task runs to run again; none means the whole run.
        downstream: Whether all that comes after them runs again too, though it ended well.
        upstream: Whether all that comes before them, in the same group or flow, runs again too.
        only_failed: Run again only what failed, was cancelled or could not start, in ``tasks`` and in what
            they hold: the failed items of a map, the failed calls of a flow.
        at: The time.

    Returns:
        The changes; none if there is nothing to run again.
    """
    clearing = _Clearing(snapshot, downstream=downstream)
    for idx in tasks or (0,):
        row = clearing.rows.get(idx)
        if row is None or row.kind == "hook":
            continue
        if only_failed:
            clearing.choose_failed(row)
        else:
            for each in clearing.before(row) if upstream else ():
                clearing.choose(each)
            clearing.choose(row)
    return clearing.changes(at)


def mark(
    snapshot: Snapshot, idx: int, state: TaskState, *, result: Result | None = None, at: float
) -> list[Change]:
    """Work out what it takes to give a task run that has ended another end.

    Args:
        snapshot: The run's rows.
        idx: The task run.
        state: Its new end: ``SUCCEEDED``, ``FAILED`` or ``SKIPPED``.
        result: Of a success; by default ``None``.
        at: The time.

    Returns:
        The changes; none if it has that end, has not ended, or is a hook.
    """
    clearing = _Clearing(snapshot, downstream=False)
    row = clearing.rows.get(idx)
    if row is None or row.kind == "hook" or row.state not in TERMINAL or row.state is state:
        return []
    clearing.mark(row)
    changes: list[Change] = []
    for change in clearing.changes(at):
        changes.append(change)
        if isinstance(change, TaskChanged) and change.idx == idx:
            changes.append(replace(change, state=state, cause=Cause.MARKED, result=result))
    return changes


class _Clearing:
    """The work of one clear.

    Attributes:
        whole: Task runs to run again as if for the first time.
        opened: Task runs to go on with, because something that they hold is in ``whole``.
        marking: Whether only what the chosen one's end decided follows it.
    """

    def __init__(self, snapshot: Snapshot, *, downstream: bool) -> None:
        self.snapshot = snapshot
        self.downstream = downstream
        self.marking = False
        self.rows = {row.idx: row for row in snapshot.tasks}
        self.nodes = NodesByRow.of_snapshot(snapshot)
        self.maps = {each.idx: each for each in snapshot.maps}
        self.whole: dict[int, None] = {}
        self.opened: dict[int, None] = {}
        self._pending: list[TaskRow] = []
        self._plans: dict[int, Plan] = {}
        self._held: dict[int, list[TaskRow]] = {}
        self._readers: dict[int, list[TaskRow]] = {}
        for row in snapshot.tasks:
            if row.kind != "hook" and row.parent >= 0 and self._is_current(row):
                self._held.setdefault(row.parent, []).append(row)
            for source in row.inputs.values():
                for output in task_outputs(source):
                    self._readers.setdefault(self._owner(output.idx), []).append(row)

    # --- what there is ------------------------------------------------------------------------------------

    def _is_current(self, row: TaskRow) -> bool:
        """Whether it is of the latest instance of what holds it."""
        holder = self.rows[row.parent]
        if row.kind == "item":
            spread = self.maps.get(holder.idx)
            return spread is not None and row.idx == spread.base + row.map_index
        return row.kind != "node" or row.key == prefix_of(holder.key, holder.kind, holder.attempt) + row.node

    def _owner(self, idx: int) -> int:
        """The task run of an index, or the map whose item it is: an item may have no row of its own."""
        if idx in self.rows and self.rows[idx].kind != "item":
            return idx
        spreads = self.maps.values()
        return next((each.idx for each in spreads if each.base <= idx < each.base + each.count), idx)

    def _plan(self, holder: TaskRow) -> Plan:
        plan = self._plans.get(holder.idx)
        if plan is None:
            call = self.nodes.of(holder).call
            assert isinstance(call, GroupCall)
            plan = self._plans[holder.idx] = Plan(self.nodes.groups_of(holder)[call.group])
        return plan

    def _by_node(self, holder: TaskRow) -> dict[str, TaskRow]:
        return {row.node: row for row in self._held.get(holder.idx, ())}

    def _is_map(self, row: TaskRow) -> bool:
        return row.kind != "item" and self.nodes.of(row).map is not None

    def _is_flow(self, row: TaskRow) -> bool:
        return not self._is_map(row) and getattr(self.nodes.of(row).call, "flow", False) is True

    # --- choosing -----------------------------------------------------------------------------------------

    def choose(self, row: TaskRow) -> None:
        """Run a task run again, and a flow's calls with it."""
        self._add(row)
        self._follow()

    def mark(self, row: TaskRow) -> None:
        """Give a task run another end."""
        self.marking = True
        self.whole[row.idx] = None
        self._pending.append(row)
        if row.parent >= 0:
            self._open(self.rows[row.parent])
        self._follow()

    def before(self, row: TaskRow) -> list[TaskRow]:
        """All that a task run comes after, in its group or flow."""
        found: dict[int, TaskRow] = {}
        pending = [row]
        while pending:
            for each in self._sources(pending.pop()):
                if each.idx not in found:
                    found[each.idx] = each
                    pending.append(each)
        return list(found.values())

    def _sources(self, row: TaskRow) -> list[TaskRow]:
        if row.kind == "call":
            owners = {
                self._owner(each.idx) for source in row.inputs.values() for each in task_outputs(source)
            }
            return [self.rows[idx] for idx in owners if idx in self.rows]
        if row.kind != "node":
            return []
        holder = self.rows[row.parent]
        plan, rows = self._plan(holder), self._by_node(holder)
        keys = [plan.nodes[each].key for each in plan.up[plan.position[row.node]]]
        return [rows[key] for key in keys if key in rows]

    def choose_failed(self, row: TaskRow) -> None:
        """Run again what failed in a task run, or the task run itself if nothing in it did."""
        for held in self._undone():
            self._add(held)
        self._choose_failed(row)
        self._follow()

    def _choose_failed(self, row: TaskRow) -> bool:
        held = [each for each in self._held.get(row.idx, ()) if each.state in FAILED]
        inside = [self._choose_failed(each) for each in held]
        if row.state not in FAILED:
            return any(inside)
        if self._is_flow(row):
            self._open(row)
        elif not any(inside):
            self._add(row)
        return True

    def _undone(self) -> list[TaskRow]:
        """Task runs that were rolled back: what they did is no longer there."""
        keys = {row.key for row in self.snapshot.tasks if row.kind == "hook"}
        found: list[TaskRow] = []
        for row in self.snapshot.tasks:
            if row.kind == "hook" or row.state is not _T.SUCCEEDED:
                continue
            for number, hook in enumerate(self.nodes.of(row).hooks):
                if hook.on is HookOn.ROLLBACK and f"{row.key}!rollback{number}.{row.generation}" in keys:
                    found.append(row)
        return found

    def _add(self, row: TaskRow, *, follow: bool = True) -> None:
        if row.idx in self.whole or row.state not in TERMINAL:
            return
        self.whole[row.idx] = None
        self.opened.pop(row.idx, None)
        if follow:
            self._pending.append(row)
        if self._is_flow(row):
            # Its calls are made again as it calls them: by then they must be cleared.
            for call in self._held.get(row.idx, ()):
                self._add(call, follow=False)
        if row.parent >= 0:
            self._open(self.rows[row.parent])

    def _open(self, row: TaskRow) -> None:
        if row.idx in self.whole or row.idx in self.opened:
            return
        self.opened[row.idx] = None
        if row.state in TERMINAL:
            self._pending.append(row)
        if row.parent >= 0:
            self._open(self.rows[row.parent])
        if isinstance(self.nodes.of(row).call, GroupCall) and not self._is_map(row):
            for held in self._held.get(row.idx, ()):
                node = self.nodes.of(held)
                if node.role is Role.EXIT or node.daemon:
                    self._add(held, follow=False)

    # --- what follows -------------------------------------------------------------------------------------

    def _follow(self) -> None:
        while self._pending:
            row = self._pending.pop()
            if row.kind == "node":
                self._follow_node(row)
            elif row.kind == "call":
                self._follow_call(row)

    def _follow_node(self, row: TaskRow) -> None:
        holder = self.rows[row.parent]
        plan = self._plan(holder)
        rows = self._by_node(holder)
        at = plan.position[row.node]
        for each in plan.down[at]:
            after = rows.get(plan.nodes[each].key)
            if after is None:
                continue
            if self.downstream or self._was_decided(after):
                self._add(after)
            elif after.idx in self.opened:
                # It is given something new: what it did with the old is of no use.
                self._add(after)
        if plan.nodes[at].role is Role.WORK and not self.marking:
            self._around(plan, rows, at)

    def _was_decided(self, row: TaskRow) -> bool:
        """Whether the task run did not run because of something that is cleared now."""
        if row.state is _T.SKIPPED and row.cause == Cause.BRANCH:
            return row.by in self.whole
        return row.state is _T.UPSTREAM_FAILED or row.state is _T.SKIPPED

    def _around(self, plan: Plan, rows: dict[str, TaskRow], at: int) -> None:
        """Set up again what work needs, and tear it down after."""
        for each in plan.reachable(at):
            node = plan.nodes[each]
            if node.role is not Role.TEARDOWN:
                continue
            for key in (node.key, *node.scope):
                if key in rows:
                    self._add(rows[key], follow=False)

    def _follow_call(self, row: TaskRow) -> None:
        for reader in self._readers.get(row.idx, ()):
            if not self.marking or self._was_decided(reader):
                self._add(reader)
        if not self.downstream:
            return
        for each in self._held.get(row.parent, ()):
            later = each.ordinal > row.ordinal if min(each.ordinal, row.ordinal) >= 0 else each.idx > row.idx
            if later:
                self._add(each)

    # --- the changes --------------------------------------------------------------------------------------

    def changes(self, at: float) -> list[Change]:
        """What was decided, as changes."""
        made: list[Change] = []
        for idx in sorted({*self.whole, *self.opened}):
            row = self.rows[idx]
            if self._is_inside_whole(row):
                continue
            if idx in self.whole:
                made.append(_changed(row, _T.PENDING, at))
            elif row.state in TERMINAL or (row.state is _T.WAITING and self._is_flow(row)):
                made.append(_changed(row, _T.PENDING, at))
                if not self._is_flow(row) and row.idx in self._held:
                    made.append(_changed(row, _T.RUNNING, at))
                    spread = self.maps.get(idx)
                    if spread is not None:
                        made.append(
                            MapExpanded(
                                row.run, idx, at, spread.base, spread.count, spread.items, row.generation + 1
                            )
                        )
        run = self.snapshot.run
        if made and run.state.terminal:
            made.insert(0, RunChanged(run.run, RunState.RUNNING, at, Cause.CLEARED))
        return made

    def _is_inside_whole(self, row: TaskRow) -> bool:
        """Whether a group or map around it starts anew, with new task runs."""
        parent = row.parent
        while parent >= 0:
            holder = self.rows[parent]
            if parent in self.whole and not self._is_flow(holder):
                return True
            parent = holder.parent
        return False


def _changed(row: TaskRow, state: TaskState, at: float) -> TaskChanged:
    return TaskChanged(row.run, row.idx, state, row.attempt, at, Cause.CLEARED, generation=row.generation + 1)
