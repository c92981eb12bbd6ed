"""The graph: the immutable, serialisable form of a workflow version, the one IR every dialect compiles to.

A ``Graph`` is a root node and the groups that nodes may call. A group holds nodes, edges between them by
key, parameters and outputs of its own; a node whose call is a ``GroupCall`` makes an instance of a group
when it runs, once for each item if it maps. Nesting, mapped groups and recursion are all this one mechanism.

A dynamic flow's graph is only its root: the task runs that it calls are appended to the run, each with its
``Node`` (stored once by digest).
"""

from enum import StrEnum
from typing import Any

import msgspec

from weft.model.calls import Call
from weft.model.inputs import Condition, Input
from weft.model.policies import Cache, Concurrency, Placement, RateLimit, Resources, Retry, Timeout
from weft.model.rules import Depends, TriggerRule
from weft.model.values import Result


class MapMode(StrEnum):
    """How a map's inputs make items."""

    ZIP = "zip"
    PRODUCT = "product"
    SEQUENCE = "sequence"


class MapSpec(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Expansion of one node over values known only when it is reached.

    Attributes:
        mode: ``zip``: the i-th of each; ``product``: every combination, the last name fastest;
            ``sequence``: numbers from ``start`` to ``end`` (inclusive) or ``count`` of them, by ``step``.
        over: Name to iterable. A single entry named "" makes each item the bare value; else an item is a
            mapping of the names.
        fixed: The items themselves when the caller knows them already (a flow's ``.map``), else ``None``.
        start, end, count, step: Of a sequence; each a number.
        pattern: ``printf`` format of a sequence's items ("" keeps numbers).
        max_active: Items that may be live at once; ``None``: no limit of its own.
        item_name: Template for an item's display name: ``{index}`` and ``{item}``.
        empty: What an empty map ends as: ``skip`` (Airflow) or ``succeed`` with an empty list.
        max_items: More items than this fail the map.
        fail_fast: Whether one item's failure cancels the rest.
        tolerate: How many failed items leave the map succeeded; those items read as ``None``.
        chain: Whether items run one after another, in order (a backfill's or a steps' loop).
    """

    mode: MapMode = MapMode.ZIP
    over: dict[str, Input] = {}
    fixed: tuple[Result, ...] | None = None
    start: Input | None = None
    end: Input | None = None
    count: Input | None = None
    step: Input | None = None
    pattern: str = ""
    max_active: int | None = None
    item_name: str = ""
    empty: str = "succeed"
    max_items: int | None = None
    fail_fast: bool = False
    tolerate: int = 0
    chain: bool = False


class Branch(StrEnum):
    """What a node's result decides about its downstream."""

    CHOOSE = "choose"
    """The result names the direct downstream to follow; the others are skipped."""
    SHORT_CIRCUIT = "short_circuit"
    """A false result skips everything downstream, whatever its rule."""
    SHORT_CIRCUIT_DIRECT = "short_circuit_direct"
    """A false result skips the direct downstream; what follows obeys its own rules."""


class Role(StrEnum):
    """A node's part in its group."""

    WORK = "work"
    SETUP = "setup"
    TEARDOWN = "teardown"
    """Runs once its scope's work has ended, if a setup succeeded; no part of the group's outcome."""
    EXIT = "exit"
    """Runs once everything else in the group has ended, however it ended."""


class HookOn(StrEnum):
    """The moments at which a hook runs."""

    START = "start"
    SUCCESS = "success"
    FAILURE = "failure"
    RETRY = "retry"
    SKIP = "skip"
    CANCEL = "cancel"
    END = "end"
    ROLLBACK = "rollback"
    """After the run failed or was cancelled, if the task run had succeeded; last succeeded first."""


class Hook(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call made when a task run reaches a state; a task run of its own, so it too survives a crash.

    Its inputs may read ``Fact`` s of the task run. A hook's failure is recorded and changes nothing else.
    """

    on: HookOn
    call: Call
    name: str = ""
    inputs: dict[str, Input] = {}
    condition: Condition | None = None


class Declared(msgspec.Struct, frozen=True, omit_defaults=True):
    """An asset, target or artifact that a node produces.

    ``check`` names a call that tells whether it is there already: then the node need not run.
    """

    name: str
    kind: str = "asset"
    uri: str = ""
    path: str = ""
    check: Call | None = None
    metadata: dict[str, Any] = {}


class Node(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A task's place in a group.

    Attributes:
        key: Stable and unique in its group (``clean``, ``etl.clean``).
        call: What it does.
        name: The task's own name, shared by every node that calls it; "" is the key.
        inputs: By parameter name; a Python call's whole arguments are one input named ``values.ARGS``.
        needs: Keys that must end first without giving a value.
        rule: A trigger rule, or a boolean expression over upstream states.
        when: A condition over values; false skips.
        branch: How the result steers downstream.
        map: Expansion over items.
        retry, timeout, cache, priority, pools, concurrency, rate_limits, resources, placement: Policies.
            ``pools`` is pool name to slots. Higher ``priority`` first.
        hooks: Calls at state changes.
        role: Work, setup, teardown or exit handler.
        scope: For a teardown, the setups it belongs to.
        fails_group: Whether its failure counts for the group's outcome (``None``: as its role says).
        daemon: Done for downstream once it runs; cancelled when its group ends.
        outputs: What it produces.
        deadline_s: Seconds after the run's start past which it is late.
        label, doc, tags: For people.
        path: Names of the visual groups around it, outermost first.
        groups: What its ``GroupCall`` may name, if the node is in no graph: a ``@dag`` that a flow calls.
    """

    key: str
    call: Call
    name: str = ""
    inputs: dict[str, Input] = {}
    needs: tuple[str, ...] = ()
    rule: TriggerRule | Depends = TriggerRule.ALL_SUCCESS
    when: Condition | None = None
    branch: Branch | None = None
    map: MapSpec | None = None
    retry: Retry | None = None
    timeout: Timeout | None = None
    cache: Cache | None = None
    priority: int = 0
    pools: dict[str, int] = {}
    concurrency: tuple[Concurrency, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    resources: Resources | None = None
    placement: Placement = Placement()
    hooks: tuple[Hook, ...] = ()
    role: Role = Role.WORK
    scope: tuple[str, ...] = ()
    fails_group: bool | None = None
    daemon: bool = False
    outputs: tuple[Declared, ...] = ()
    deadline_s: float | None = None
    label: str = ""
    doc: str = ""
    tags: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    groups: dict[str, "Group"] = {}


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter of a workflow or group.

    ``schema`` is JSON Schema of its type, for forms and checks outside the user's code. ``fact`` names the
    fact of the run (``logical_date``) that is its default. ``shape`` is its type as data, from which a plain
    value gets that type (``artifacts/shapes.py``); ``None`` leaves values as they are.
    """

    name: str
    default: Result | None = None
    required: bool = False
    schema: dict[str, Any] = {}
    doc: str = ""
    fact: str = ""
    shape: Any = None


class Outcome(StrEnum):
    """How a group's end state follows from its nodes'."""

    LEAVES = "leaves"
    """It fails if a node without downstream failed: a failure that someone handled is no failure."""
    ALL = "all"
    """It fails if any node failed."""


class Group(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Nodes with a scope of their own.

    Attributes:
        nodes: In definition order; edges point by key.
        params: Bound by the calling node's inputs of the same names.
        returns: The group's result.
        outputs: Named results beside it.
        outcome: How its end state is decided.
        fail_fast: Whether the first failure cancels what has not ended.
        max_active: Task runs that may be live in one instance at once.
    """

    nodes: tuple[Node, ...]
    params: tuple[Parameter, ...] = ()
    returns: Input | None = None
    outputs: dict[str, Input] = {}
    outcome: Outcome = Outcome.LEAVES
    fail_fast: bool = False
    max_active: int | None = None


class Graph(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A workflow version.

    Attributes:
        workflow: The workflow's name.
        dialect: Who wrote it (``native``, ``airflow``...).
        root: What a run runs: a flow, a single task, or a ``GroupCall`` on ``MAIN``.
        groups: By name.
        params: Of the workflow.
        max_active: Task runs that may be live in one run at once.
        deadline_s, timeout_s: Late after, and failed after, so many seconds from the run's start.
        doc, tags: For people.
    """

    workflow: str
    root: Node
    dialect: str = "native"
    groups: dict[str, Group] = {}
    params: tuple[Parameter, ...] = ()
    max_active: int | None = None
    deadline_s: float | None = None
    timeout_s: float | None = None
    doc: str = ""
    tags: tuple[str, ...] = ()


MAIN = "main"
"""The group that a static workflow's root calls."""
