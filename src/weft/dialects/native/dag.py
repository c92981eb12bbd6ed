"""``@dag``: a static workflow, traced into a graph before it runs.

The decorated function's body is run once, with symbols for its parameters; the tasks that it calls become
the nodes of its graph. What a call of the dag means depends, as for a task, on where it is made:

- nowhere, it is a run of its own, and gives the run's value;
- in a flow, it is one step of the flow, a group of task runs, and gives its value;
- in another dag's body (or its own), it is a group there, and gives a symbol.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, ClassVar, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

import msgspec

from weft.compile.validate import validate
from weft.dialects.native.columns import hole_of, map_hole_of
from weft.dialects.native.drafts import user_line
from weft.dialects.native.durations import Duration, seconds
from weft.dialects.native.options import HookFn, TaskOptions, map_of
from weft.dialects.native.parameters import Parameters
from weft.dialects.native.schedules import Given, positive, schedules_of
from weft.dialects.native.symbols import Symbol
from weft.dialects.native.task import Task
from weft.dialects.native.tracing import Session, Trace, current_trace
from weft.dialects.native.triggers import GivenTrigger, triggers_of
from weft.model.calls import Call, GroupCall
from weft.model.errors import InvalidPolicy, InvalidWorkflow, UsageError
from weft.model.graph import MAIN, Graph, Group, Node, Parameter
from weft.model.inputs import Const, Fact, Input, Param, Template
from weft.model.policies import Timeout
from weft.runtime.context import CURRENT
from weft.runtime.flows import Frame
from weft.runtime.host import Host, RunRequest

P = ParamSpec("P")
R = TypeVar("R")


class DagOptions(TypedDict, total=False):
    """Options of a dag.

    Attributes:
        name: Its name; the function's by default.
        schedule: When it runs by itself: ``cron(...)``, ``every(...)``, ``rrule(...)``, ``once(...)``, a cron
            expression as text, or a list of these.
        trigger: What makes it run besides time: ``asset(...)``, ``on_run(...)``, ``on_event(...)``,
            ``on_file(...)``, or a list of these or of ``trigger(...)``.
        catchup: Whether ticks that were missed are run later; for schedules that do not say it themselves.
        start, end: The schedules' first and last moment, likewise.
        max_active_runs: Runs of it that may be open at once; ticks beyond them wait.
        max_active_tasks: Task runs that may be live in one run at once.
        timeout: How long a run may take.
        fail_fast: Whether the first failure cancels what has not ended.
        retries, retry_delay: As for a task: the whole dag is tried again.
        tags, doc, label: For people.
        on_start, on_success, on_failure, on_retry, on_skip, on_cancel, on_end: Hooks of the whole dag.

    ``weft up`` acts on ``schedule``, ``trigger``, ``catchup``, ``start``, ``end`` and ``max_active_runs``; a
    dag that is called runs at once.
    """

    name: str
    schedule: Given
    trigger: GivenTrigger
    catchup: bool
    start: datetime | date | None
    end: datetime | date | None
    max_active_runs: int
    max_active_tasks: int
    timeout: Duration
    fail_fast: bool
    retries: int
    retry_delay: Duration | Sequence[Duration]
    tags: Sequence[str]
    doc: str
    label: str
    on_start: HookFn | Sequence[HookFn]
    on_success: HookFn | Sequence[HookFn]
    on_failure: HookFn | Sequence[HookFn]
    on_retry: HookFn | Sequence[HookFn]
    on_skip: HookFn | Sequence[HookFn]
    on_cancel: HookFn | Sequence[HookFn]
    on_end: HookFn | Sequence[HookFn]


_TAKES = frozenset(DagOptions.__annotations__) | {"wait_for", "max_active"}


class Dag(Task[P, R]):
    """A decorated static workflow. See ``dag``.

    Attributes:
        schedules: When it runs by itself.
        triggers: What else makes it run.
        max_active_runs: For the service; see ``DagOptions``.
    """

    known_options: ClassVar[Mapping[str, Any]] = {**TaskOptions.__annotations__, **DagOptions.__annotations__}

    def __init__(self, fn: Callable[P, R], options: TaskOptions, *, bound: tuple[Any, ...] = ()) -> None:
        _check_body(fn)
        super().__init__(fn, options, bound=bound)

    def _configure(self, options: TaskOptions) -> None:
        given = cast(DagOptions, options)
        unknown = sorted(options.keys() - _TAKES)
        if unknown:
            raise InvalidPolicy(
                f"a dag does not take {', '.join(unknown)}",
                where=user_line(),
                hint="give it to the tasks; a dag only says what runs after what",
            )
        self.max_active_runs = positive(given, "max_active_runs")
        self.schedules = schedules_of(given, self.max_active_runs)
        self.triggers = triggers_of(given)
        self._max_active = positive(given, "max_active_tasks")
        self._fail_fast = given.get("fail_fast", False)
        self._timeout_s = seconds(given["timeout"], what="timeout") if "timeout" in given else None
        self._parameters: Parameters | None = None
        self._traced: tuple[Host | None, Graph, dict[str, Group]] | None = None
        super()._configure(options)

    def __get__(self, instance: Any, owner: type | None = None) -> Task[..., R]:
        if instance is None:
            return cast("Task[..., R]", self)
        raise UsageError(f"dag {self.name} cannot be a method", hint="write it as a function")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it and return its value, or add it to what is around; see the module's docstring."""
        if current_trace() is None:
            context = CURRENT.get()
            if context is not None and context.frame is None:
                raise UsageError(
                    f"dag {self.name} was called inside task {context.name}",
                    where=user_line(),
                    hint="make the caller a @flow",
                )
        return super().__call__(*args, **kwargs)

    @property
    def parameters(self) -> Parameters:
        """What it takes."""
        if self._parameters is None:
            self._parameters = Parameters(self.fn, self.name)
        return self._parameters

    # --- what it is -----------------------------------------------------------------------------------------

    def graph(self, engine: Host | None = None) -> Graph:
        """The workflow as a graph; the body is traced the first time.

        Args:
            engine: Whose artifacts keep the large constants. Without one the graph is only to be looked at.

        Raises:
            InvalidWorkflow: The body cannot be traced, or does not make a graph.
        """
        return self._trace_once(engine)[0]

    def values(self, args: Any, kwargs: Any, moment: datetime | None = None) -> dict[str, Any]:
        """Its parameters' values in a run for ``moment`` (now), checked, with defaults filled in.

        Raises:
            ParameterError: The arguments do not fit.
        """
        moment = moment or datetime.now(UTC)
        bound = self.parameters.bind(args, kwargs)
        return {name: self._dated(name, value, moment) for name, value in bound.items()}

    def request(self, engine: Host, args: Any, kwargs: Any) -> RunRequest:
        """A run of this dag with these arguments, checked.

        Raises:
            ParameterError: They do not fit.
            NotSerializable: One of them cannot be stored.
        """
        moment = datetime.fromtimestamp(engine.now(), UTC)
        dumps = engine.artifacts.dumps
        params = {
            name: dumps(value, what=f"parameter {name!r}")
            for name, value in self.values(args, kwargs, moment).items()
        }
        return RunRequest(self.graph(engine), params, facts={"logical_date": moment})

    def _make_node(self, artifacts_of: Host | None) -> Node:
        """Its node as a flow's step, which brings its groups along."""
        return Node(
            key=self.name,
            name=self.name,
            call=GroupCall(MAIN),
            groups=self._trace_once(artifacts_of)[1],
            hooks=self._hooks(artifacts_of),
            **self._policies,
        )

    def call_of(self, artifacts_of: Host | None) -> Call:
        """What its node does."""
        return GroupCall(MAIN)

    def _read_policies(self) -> dict[str, Any]:
        policies = super()._read_policies()
        policies["timeout"] = None if self._timeout_s is None else Timeout(total_s=self._timeout_s)
        return policies

    def _trace_once(self, engine: Host | None) -> tuple[Graph, dict[str, Group]]:
        """The graph, and its groups as a call brings them along."""
        if self._traced is None or self._traced[0] is not engine:
            session = Session(engine)
            session.group_of(self._identity(), MAIN, self._make_group)
            groups = {MAIN: session.groups[MAIN], **session.groups}
            graph = self._make_graph(groups, engine)
            validate(graph)
            self._traced = engine, graph, groups
        return self._traced[1:]

    def _make_graph(self, groups: dict[str, Group], engine: Host | None) -> Graph:
        # The limit is the run's, so that it holds for the groups inside too.
        main = msgspec.structs.replace(groups[MAIN], max_active=None)
        doc = self._policies["doc"]
        root = Node(
            key=self.name,
            name=self.name,
            call=GroupCall(MAIN),
            inputs={each.name: Param(each.name) for each in self.parameters},
            hooks=self._hooks(engine),
            retry=self._policies["retry"],
            doc=doc,
            label=self._policies["label"],
        )
        return Graph(
            workflow=self.name,
            root=root,
            groups={**groups, MAIN: main},
            params=main.params,
            max_active=self._max_active,
            timeout_s=self._timeout_s,
            doc=doc,
            tags=self._policies["tags"],
        )

    def _identity(self) -> tuple[Any, ...]:
        return (id(self.fn), self._fail_fast, self._max_active)

    def _make_group(self, session: Session) -> Group:
        trace = Trace(self.name, session)
        symbols = {each.name: trace.parameter(each.name) for each in self.parameters}
        body = cast(Callable[..., Any], self.fn)
        params = tuple(self._parameter(each, session) for each in self.parameters)
        return trace.run(
            lambda: body(**symbols), params, fail_fast=self._fail_fast, max_active=self._max_active
        )

    def _parameter(self, each: inspect.Parameter, session: Session) -> Parameter:
        schema = self.parameters.schema(each.name)
        if each.default is each.empty:
            return Parameter(each.name, None, True, schema)
        if isinstance(each.default, Symbol):
            return Parameter(each.name, None, False, schema, fact=self._fact(each.name, each.default).name)
        what = f"the default of {each.name}"
        return Parameter(each.name, session.artifacts.dumps(each.default, what=what), False, schema)

    # --- calls ----------------------------------------------------------------------------------------------

    def _inlines(self) -> bool:
        return False

    def _request(self, engine: Host, args: Any, kwargs: Any) -> RunRequest:
        return self.request(engine, args, kwargs)

    def _pack(self, frame: Frame, args: Any, kwargs: Any) -> tuple[dict[str, Input], str]:
        bound = self.parameters.bind(args, kwargs, convert=False)
        inputs, fingerprint = self._pack_named(frame.host, bound, hole_of)
        return self._with_waits(inputs), fingerprint

    def _pack_map(self, host: Host, args: Any, kwargs: Any) -> tuple[dict[str, Input], str]:
        return self._pack_named(host, self.parameters.bind(tuple(args), kwargs, convert=False), map_hole_of)

    def _pack_named(
        self, host: Host, bound: dict[str, Any], hole: Callable[[Any], Any]
    ) -> tuple[dict[str, Input], str]:
        """Inputs by parameter name, and the fingerprint of what is known of their values."""
        artifacts = host.artifacts
        inputs: dict[str, Input] = {}
        prints: list[str] = []
        for name, value in bound.items():
            if isinstance(value, Symbol):
                inputs[name] = self._late_fact(name, value)
                continue
            what = f"parameter {name!r} of {self.name}"
            data, refs = artifacts.pack(value, hole, what=what)
            if not refs:
                data = artifacts.dumps(self.parameters.convert(name, value), what=what)
            inputs[name] = Template(data, refs) if refs else Const(data)
            prints.append(artifacts.fingerprint(data))
            prints += [str(each.idx) for each in refs if hasattr(each, "idx")]
        return inputs, ".".join(prints)

    def _trace(self, trace: Trace, args: Any, kwargs: Any) -> Any:
        values = self._traced_values(trace, self.parameters.bind(args, kwargs, convert=False))
        return trace.call_group(
            self.name, self._inner_node(trace), values, self.options.get("wait_for", ()), alias=self._alias
        )

    def _trace_map(self, trace: Trace, args: Any, kwargs: Any, spec: Any = None) -> Any:
        bound = self.parameters.bind(args, kwargs, convert=False)
        given = set(kwargs) | {each.name for each, _ in zip(self.parameters, args, strict=False)}
        # A default is the same for every item, even if it is a list.
        fixed = {name: value for name, value in bound.items() if name not in given}
        return trace.map_group(
            self.name,
            self._inner_node(trace),
            {name: value for name, value in bound.items() if name in given},
            self._traced_values(trace, fixed),
            self.options.get("wait_for", ()),
            spec=spec or map_of(self.options),
            alias=self._alias,
        )

    def _inner_node(self, trace: Trace) -> Node:
        """Its node inside another dag, whose graph holds its group."""
        group = trace.session.group_of(self._identity(), self.name, self._make_group)
        return Node(
            key=self.name,
            name=self.name,
            call=GroupCall(group),
            hooks=self._hooks(trace.host),
            **self._policies,
        )

    def _traced_values(self, trace: Trace, bound: dict[str, Any]) -> dict[str, Any]:
        """Arguments in another dag's body: plain ones are checked now, symbols when they are known."""
        values: dict[str, Any] = {}
        for name, value in bound.items():
            if isinstance(value, Symbol):
                if value is self.parameters.signature.parameters[name].default:
                    self._late_fact(name, value)
            elif isinstance(trace.input(value, f"{name!r} of {self.name}"), Const):
                value = self.parameters.convert(name, value)
            values[name] = value
        return values

    # --- the logical date as a default ----------------------------------------------------------------------

    def _fact(self, name: str, default: Symbol) -> Fact:
        source = default._source
        if isinstance(source, Fact) and source.name == "logical_date" and not source.path:
            return source
        raise InvalidWorkflow(
            f"{self.name}: {name!r} has {default!r} as its default",
            hint="only logical_date() can be one; other facts are read in the body with fact(...)",
        )

    def _dated(self, name: str, value: Any, moment: datetime) -> Any:
        """A default that is the logical date, as the parameter's annotation wants it."""
        if not isinstance(value, Symbol):
            return value
        self._fact(name, value)
        wanted = self.parameters.types[name]
        if wanted is date:
            return moment.date()
        if wanted is str:
            return moment.isoformat()
        return self.parameters.convert(name, moment)

    def _late_fact(self, name: str, default: Symbol) -> Input:
        """The default where the date is not known yet, so that nothing can make another type of it."""
        wanted = self.parameters.types[name]
        if wanted not in (Any, datetime):
            shown = getattr(wanted, "__name__", str(wanted))
            raise UsageError(
                f"{self.name}: the default of {name!r} cannot become {shown} inside another workflow",
                where=user_line(),
                hint=f"pass {name}= yourself",
            )
        return self._fact(name, default)


def _check_body(fn: Callable[..., Any]) -> None:
    if not callable(fn):
        raise UsageError(f"@dag decorates a function, not {fn!r}")
    odd = (
        "a coroutine function"
        if inspect.iscoroutinefunction(fn)
        else "a generator"
        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn)
        else ""
    )
    if odd:
        code = inspect.unwrap(fn).__code__
        raise InvalidWorkflow(
            f"a @dag's body is run once to learn its graph, so it cannot be {odd}",
            where=f"{code.co_filename}:{code.co_firstlineno}",
            hint="write it as a plain function, or make it a @flow",
        )


@overload
def dag(fn: Callable[P, R], /) -> Dag[P, R]: ...
@overload
def dag(**options: Unpack[DagOptions]) -> Callable[[Callable[P, R]], Dag[P, R]]: ...
def dag(fn: Callable[P, R] | None = None, /, **options: Unpack[DagOptions]) -> Any:
    """Make a function a static workflow. See ``DagOptions`` for what it takes.

    Its body is run once, with symbols in place of its parameters, and must only call tasks, other dags, and
    what shapes a graph: ``when``, ``group``, ``on_exit``, order (``a >> b``). What it returns is the run's
    value. Use ``@flow`` where ordinary Python must decide.

    Raises:
        InvalidPolicy: An option makes no sense.
        InvalidWorkflow: The function cannot be traced.
    """
    given = cast(TaskOptions, options)
    if fn is not None:
        return Dag(fn, given)
    return lambda fn: Dag(fn, given)
