"""``@task``, and what a decorated function can do; ``flow.py`` adds what only a flow can.

A decorated function stays callable. What a call means depends on where it is made:

- in a flow, it is a step of the flow: durable, retried, journaled, and it gives its value;
- in a ``@dag``'s body, it is a node, and gives a symbol for the value to come;
- nowhere, it is a run of its own: ``python file.py`` needs nothing else;
- in another task, it is an ordinary function call.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from itertools import product
from typing import Any, ClassVar, Generic, ParamSpec, Self, TypeVar, Unpack, cast, overload

from weft.artifacts.items import pack_items
from weft.core.turn import digest_of
from weft.dialects.native.arguments import unmapped
from weft.dialects.native.columns import columns_of, hole_of, map_hole_of
from weft.dialects.native.functions import by_name, name_of, place_of, python_call
from weft.dialects.native.futures import Future, FutureList, failure, value_of
from weft.dialects.native.options import (
    HookFn,
    TaskOptions,
    branch_of,
    cache_of,
    check_names,
    concurrency_of,
    deadline_of,
    hooks_of,
    map_of,
    placement_of,
    poke_of,
    pools_of,
    rate_limits_of,
    resources_of,
    retry_of,
    timeout_of,
)
from weft.dialects.native.tracing import Trace, current_trace
from weft.dialects.native.triggers import outputs_of
from weft.model.calls import Call, PythonCall
from weft.model.errors import UsageError
from weft.model.graph import Graph, Hook, MapMode, MapSpec, Node, Parameter
from weft.model.inputs import Const, Input, Param, Template
from weft.model.values import AFTER, ARGS, Bound
from weft.runtime import load
from weft.runtime.context import CURRENT
from weft.runtime.flows import Frame
from weft.runtime.host import Host, Pending, RunRequest, host

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Task(Generic[P, R]):
    """A decorated function. See ``task``.

    Attributes:
        fn: The function itself.
        name: The task's name.
        options: As they were given.
        condition: Decides whether a failure is tried again; see ``retry_when``.
    """

    is_flow = False
    known_options: ClassVar[Mapping[str, Any]] = TaskOptions.__annotations__

    def __init__(self, fn: Callable[P, R], options: TaskOptions, *, bound: tuple[Any, ...] = ()) -> None:
        self._wrapped: type | None = None
        if isinstance(fn, staticmethod | classmethod):
            self._wrapped = type(fn)
            fn = fn.__func__
        if not callable(fn):
            raise UsageError(f"@task decorates a function, not {fn!r}")
        self.fn = fn
        self._bound = bound
        self._alias = False
        self._signature: inspect.Signature | None = None
        self._fits: tuple[Any, ...] | None = None
        self.condition: Callable[[BaseException], bool] | None = None
        self._is_async = _is_async(fn)
        self._configure(options)
        functools.update_wrapper(self, fn, updated=())
        if not bound:
            load.register(*place_of(fn), self)

    def _configure(self, options: TaskOptions) -> None:
        self.options = options
        self.name = options.get("name") or name_of(self.fn)
        self._node: Node | None = None
        self._node_for: Host | None = None
        self._digest = ""
        self._mapped: tuple[Node, str] | None = None
        # Policies are checked where they are written, not when the task first runs.
        self._policies = self._read_policies()
        self.poke = poke_of(options)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __get__(self, instance: Any, owner: type | None = None) -> Task[..., R]:
        if self._wrapped is classmethod:
            instance = type(instance) if owner is None else owner
        if instance is None or self._wrapped is staticmethod:
            return cast("Task[..., R]", self)
        # The copy shares what is known of the task: a method costs no more than a function.
        bound = copy.copy(self)
        bound._bound = (instance,)
        return cast("Task[..., R]", bound)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it as a step of the flow around, and return its value; see the module's docstring."""
        trace = current_trace()
        if trace is not None:
            return cast(R, self._trace(trace, args, kwargs))
        context = CURRENT.get()
        if context is None:
            return cast(R, self._run_alone(args, kwargs))
        frame = context.frame
        if frame is None:
            load.refuse_while_loading()
            return self.fn(*(*self._bound, *args), **kwargs)
        if self._is_async:
            pending = self._step(frame, args, kwargs, inline=False)
            return cast(R, _awaited(Future(frame, pending, self.name)))
        pending = self._step(frame, args, kwargs, inline=self._inlines())
        frame.wait(pending)
        frame.open.pop(pending.idx, None)
        frame.check(pending)
        assert pending.settled is not None
        return cast(R, value_of(pending.settled, frame, self.name))

    @overload
    def submit(self: Task[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> Future[T]: ...
    @overload
    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Future[R]: ...
    def submit(self, *args: Any, **kwargs: Any) -> Any:
        """Start it as a step of the flow around and return at once, with a future.

        Raises:
            UsageError: Called outside a flow.
        """
        trace = current_trace()
        if trace is not None:
            return self._trace(trace, args, kwargs)
        frame = _frame(f"{self.name}.submit")
        return Future(frame, self._step(frame, args, kwargs, inline=False), self.name)

    @overload
    def map(self: Task[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> FutureList[T]: ...
    @overload
    def map(self, *args: Any, **kwargs: Any) -> FutureList[R]: ...
    def map(self, *args: Any, **kwargs: Any) -> Any:
        """Start it once for each item of its arguments, and return their futures.

        Every argument that is not ``unmapped`` is gone through item by item, side by side; strings, bytes
        and mappings are passed to every item as they are.

        Raises:
            UsageError: Called outside a flow, nothing to map over, or arguments of different lengths.
        """
        trace = current_trace()
        if trace is not None:
            return self._trace_map(trace, args, kwargs)
        frame = _frame(f"{self.name}.map")
        return FutureList(frame, self._map(frame, args, kwargs), self.name)

    @overload
    def map_product(self: Task[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> FutureList[T]: ...
    @overload
    def map_product(self, *args: Any, **kwargs: Any) -> FutureList[R]: ...
    def map_product(self, *args: Any, **kwargs: Any) -> Any:
        """As ``map``, for every combination of its arguments' items; the last argument changes fastest."""
        trace = current_trace()
        if trace is not None:
            return self._trace_map(trace, args, kwargs, map_of(self.options, MapMode.PRODUCT))
        frame = _frame(f"{self.name}.map_product")
        return FutureList(frame, self._map(frame, args, kwargs, combine=True), self.name)

    def with_options(self, **options: Unpack[TaskOptions]) -> Self:
        """A copy of this task with other options; those not named stay."""
        changed = copy.copy(self)
        changed._alias = self._alias or "name" in options
        changed._configure({**self.options, **options})
        return changed

    def after(self, *futures: Any) -> Self:
        """A copy that waits for these futures without taking their values."""
        return self.with_options(wait_for=[*self.options.get("wait_for", ()), *futures])

    def retry_if(self, error: BaseException) -> bool | None:
        """Whether the task's own condition wants another try after ``error``; ``None`` without one.

        The runner asks this beside the failure.
        """
        return None if self.condition is None else bool(self.condition(error))

    def retry_when(self, condition: Callable[[BaseException], bool]) -> Callable[[BaseException], bool]:
        """Decorate the function that decides, for each failure, whether to try again."""
        self.condition = condition
        return condition

    # --- what it is in a graph ----------------------------------------------------------------------------

    def node(self, artifacts_of: Host | None = None) -> Node:
        """Its node, without inputs."""
        if self._node is None or self._node_for is not artifacts_of:
            self._node = self._make_node(artifacts_of)
            self._node_for = artifacts_of
            self._digest = digest_of(self._node)
            self._mapped = None
        return self._node

    def call_of(self, artifacts_of: Host | None) -> Call:
        """What its node does."""
        artifacts = None if artifacts_of is None else artifacts_of.artifacts
        version = self.options.get("version", "")
        return python_call(self.fn, self, artifacts, flow=self.is_flow, version=version)

    def _read_policies(self) -> dict[str, Any]:
        options = self.options
        check_names(options, self.known_options)
        return {
            "deadline_s": deadline_of(options),
            "retry": retry_of(options),
            "timeout": timeout_of(options),
            "cache": cache_of(options),
            "priority": options.get("priority", 0),
            "pools": pools_of(options),
            "concurrency": concurrency_of(options),
            "rate_limits": rate_limits_of(options),
            "resources": resources_of(options),
            "placement": placement_of(options),
            "tags": tuple(options.get("tags", ())),
            "doc": options.get("doc") or inspect.cleandoc(getattr(self.fn, "__doc__", None) or ""),
            "label": options.get("label", ""),
            "branch": branch_of(options),
            "outputs": outputs_of(options),
        }

    def _make_node(self, artifacts_of: Host | None) -> Node:
        return Node(
            key=self.name,
            name=self.name,
            call=self.call_of(artifacts_of),
            hooks=self._hooks(artifacts_of),
            **self._policies,
        )

    def _hooks(self, artifacts_of: Host | None = None) -> tuple[Hook, ...]:
        return hooks_of(self.options, lambda fn: _hook_call(fn, artifacts_of))

    # --- calls --------------------------------------------------------------------------------------------

    def _inlines(self) -> bool:
        """Whether the calling thread may carry it out itself: nothing must be able to take it away."""
        node = self._node
        return not self.options.keys() & {"timeout", "total_timeout", "executor"} and (
            node is None or isinstance(node.call, PythonCall)
        )

    def _step(self, frame: Frame, args: Any, kwargs: Any, *, inline: bool) -> Pending:
        node = self.node(frame.host)
        self._outlive(frame, node)
        inputs, fingerprint = self._pack(frame, args, kwargs)
        if inline:
            inline = frame.inlines() if self.is_flow else frame.host.executor == "thread"
        pending = frame.call(
            node, self._digest, self.name, fingerprint=fingerprint, inputs=inputs, inline=inline
        )
        if pending.settled is None or not pending.settled.state.ok:
            frame.open[pending.idx] = pending
        return pending

    def _outlive(self, frame: Frame, node: Node) -> None:
        """A closure is found here as it is, and not as its pickle, for as long as somebody holds it."""
        if getattr(node.call, "payload", None) is not None:
            frame.held.add(self)

    def _pack(self, frame: Frame, args: Any, kwargs: Any) -> tuple[dict[str, Input], str]:
        artifacts = frame.host.artifacts
        args = (*self._bound, *args)
        args, kwargs = self._check_arguments(args, kwargs)
        data, refs = artifacts.pack(
            (args, kwargs), hole_of, what=f"an argument of {self.name}", names=self._names()
        )
        inputs: dict[str, Input] = {ARGS: Template(data, refs) if refs else Const(data)}
        fingerprint = artifacts.fingerprint(data)
        for each in refs:
            fingerprint += f".{each.idx}"
        return self._with_waits(inputs), fingerprint

    def _with_waits(self, inputs: dict[str, Input]) -> dict[str, Input]:
        for number, future in enumerate(self.options.get("wait_for", ())):
            source = hole_of(future)
            if source is None:
                raise UsageError(f"{self.name}: wait_for takes futures, and {future!r:.80} is none")
            inputs[f"{AFTER}{number}"] = source
        return inputs

    def _check_arguments(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        """The arguments, if they fit; those of a cached task by name, so that one call has one key."""
        if self._signature is None:
            self._signature = inspect.signature(self.fn)
        # Whether arguments fit depends on their number and names alone, and most calls look like the last.
        shape = (len(args), *kwargs)
        if shape == self._fits:
            return args, kwargs
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as exc:
            raise TypeError(f"{self.name}{self._signature}: {exc}") from None
        if self._policies["cache"] is None:
            self._fits = shape
            return args, kwargs
        return by_name(bound)

    def _names(self) -> tuple[str, ...]:
        assert self._signature is not None
        return tuple(self._signature.parameters)

    def _map(self, frame: Frame, args: Any, kwargs: Any, *, combine: bool = False) -> Pending:
        artifacts = frame.host.artifacts
        columns, fill = columns_of(self.name, args, kwargs)
        if len(columns) == 1:
            items = artifacts.split_value(columns[0])
        else:
            lengths = {len(column) for column in columns}
            if len(lengths) > 1 and not combine:
                raise UsageError(
                    f"{self.name}.map: the arguments have different lengths: {sorted(lengths)}",
                    hint="wrap what is the same for every item in unmapped()",
                )
            rows = product(*columns) if combine else zip(*columns, strict=True)
            items = [artifacts.dumps(row, what="an item") for row in rows]
        inputs, fingerprint = self._pack_map(frame.host, *fill)
        node, digest = self._map_node(frame)
        self._outlive(frame, node)
        stored = pack_items(tuple(items), artifacts.blobs)
        fingerprint += artifacts.fingerprint(stored)
        pending = frame.call(
            node,
            digest,
            self.name,
            fingerprint=fingerprint,
            inputs=inputs,
            items=tuple(items),
            items_ref=stored,
        )
        if pending.settled is None or not pending.settled.state.ok:
            frame.open[pending.idx] = pending
        return pending

    def _pack_map(self, host: Host, args: Any, kwargs: Any) -> tuple[dict[str, Input], str]:
        """The inputs of a mapped call, with holes for the items, and their fingerprint."""
        artifacts = host.artifacts
        args, kwargs = self._check_arguments((*self._bound, *args), kwargs)
        data, refs = artifacts.pack(
            (args, kwargs), map_hole_of, what=f"an argument of {self.name}", names=self._names()
        )
        return self._with_waits({ARGS: Template(data, refs)}), artifacts.fingerprint(data)

    def _map_node(self, frame: Frame) -> tuple[Node, str]:
        plain = self.node(frame.host)
        if self._mapped is None:
            node = _mapped(plain, map_of(self.options))
            self._mapped = (node, digest_of(node))
        return self._mapped

    # --- outside a flow -----------------------------------------------------------------------------------

    def _run_alone(self, args: Any, kwargs: Any) -> Any:
        """A run of just this task."""
        if self._is_async:
            return self._run_alone_async(args, kwargs)
        load.refuse_while_loading()
        engine = host()
        return _value_of_run(engine, engine.run(self._request(engine, args, kwargs)), self.name)

    async def _run_alone_async(self, args: Any, kwargs: Any) -> Any:
        engine = host()
        pending = await engine.run_async(self._request(engine, args, kwargs))
        return _value_of_run(engine, pending, self.name)

    def request(self, engine: Host, args: Any, kwargs: Any) -> RunRequest:
        """A run of just this task, with these arguments.

        Raises:
            NotSerializable: One of them cannot be stored.
        """
        return self._request(engine, args, kwargs)

    def _request(self, engine: Host, args: Any, kwargs: Any) -> RunRequest:
        args = (*self._bound, *args)
        args, kwargs = self._check_arguments(args, kwargs)
        data, _ = engine.artifacts.pack(
            (args, kwargs), _no_hole, what=f"an argument of {self.name}", names=self._names()
        )
        node = with_inputs(self.node(engine), {ARGS: Param("arguments")})
        graph = Graph(workflow=self.name, root=node, params=(Parameter("arguments", required=True),))
        return RunRequest(graph, {"arguments": data}, inline=self._inlines() and engine.executor == "thread")

    # --- in a dag -----------------------------------------------------------------------------------------

    def _trace(self, trace: Trace, args: Any, kwargs: Any) -> Any:
        args = (*self._bound, *args)
        self._check_arguments(args, kwargs)
        return trace.call(
            self.name,
            self.node(trace.host),
            args,
            kwargs,
            self.options.get("wait_for", ()),
            names=self._names(),
            alias=self._alias,
        )

    def _trace_map(self, trace: Trace, args: Any, kwargs: Any, spec: MapSpec | None = None) -> Any:
        args = (*(unmapped(each) for each in self._bound), *args)
        self._check_arguments(args, kwargs)
        return trace.map(
            self.name,
            self.node(trace.host),
            args,
            kwargs,
            self.options.get("wait_for", ()),
            spec=spec or map_of(self.options),
            names=self._names(),
            alias=self._alias,
        )


def _no_hole(value: Any) -> Bound | None:
    return None


def with_inputs(node: Node, inputs: dict[str, Input]) -> Node:
    """The node with these inputs."""
    fields: dict[str, Any] = {name: getattr(node, name) for name in node.__struct_fields__}
    fields["inputs"] = inputs
    return Node(**fields)


def _mapped(node: Node, spec: MapSpec) -> Node:
    fields: dict[str, Any] = {name: getattr(node, name) for name in node.__struct_fields__}
    fields["map"] = spec
    return Node(**fields)


def _hook_call(fn: HookFn, artifacts_of: Host | None) -> tuple[PythonCall, str]:
    names = list(inspect.signature(fn).parameters)
    artifacts = None if artifacts_of is None else artifacts_of.artifacts
    return python_call(fn, fn, artifacts), names[0] if names else "event"


def _is_async(fn: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(type(fn).__call__)


def _frame(what: str) -> Frame:
    context = CURRENT.get()
    if context is None or context.frame is None:
        raise UsageError(f"{what} was called outside a flow", hint="call it inside a function with @flow")
    return cast(Frame, context.frame)


async def _awaited(future: Future[T]) -> T:
    return await future


def _value_of_run(engine: Host, pending: Pending, name: str) -> Any:
    if pending.halted is not None:
        raise pending.halted
    settled = pending.settled
    assert settled is not None
    if settled.state.ok:
        return None if settled.result is None else engine.artifacts.loads(settled.result)
    raise failure(settled.state, settled.error, name, engine.artifacts)


@overload
def task(fn: Callable[P, R], /) -> Task[P, R]: ...
@overload
def task(**options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Task[P, R]]: ...
def task(fn: Callable[P, R] | None = None, /, **options: Unpack[TaskOptions]) -> Any:
    """Make a function a task. See ``TaskOptions`` for what it takes.

    Works on functions, coroutine functions, generator functions (their result is the list of what they
    yield) and methods.

    Raises:
        InvalidPolicy: An option makes no sense.
    """
    if fn is not None:
        return Task(fn, options)
    return lambda fn: Task(fn, options)
