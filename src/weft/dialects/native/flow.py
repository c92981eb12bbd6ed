"""``@flow``: plain Python that calls tasks, made durable by a journal, and when it runs by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, ParamSpec, TypeVar, Unpack, cast, overload

from weft.dialects.native.options import TaskOptions
from weft.dialects.native.parameters import Parameters
from weft.dialects.native.schedules import ScheduleOptions, positive, schedules_of
from weft.dialects.native.task import Task, with_inputs
from weft.dialects.native.triggers import TriggerOptions, triggers_of
from weft.model.graph import Graph, Parameter
from weft.model.inputs import Input, Param
from weft.runtime.host import Host, RunRequest

P = ParamSpec("P")
R = TypeVar("R")


class FlowOptions(TaskOptions, ScheduleOptions, TriggerOptions, total=False):
    """Options of a flow: those of a task, and when it runs by itself."""


class Flow(Task[P, R]):
    """A decorated flow. See ``flow``.

    Attributes:
        schedules: When it runs by itself.
        triggers: What else makes it run.
        max_active_runs: Runs of it that may be open at once.
    """

    is_flow = True
    known_options: ClassVar[Mapping[str, Any]] = {
        **TaskOptions.__annotations__,
        **ScheduleOptions.__annotations__,
        **TriggerOptions.__annotations__,
    }

    def __init__(self, fn: Callable[P, R], options: TaskOptions, *, bound: tuple[Any, ...] = ()) -> None:
        super().__init__(fn, options, bound=bound)
        self._parameters: Parameters | None = None

    def _configure(self, options: TaskOptions) -> None:
        super()._configure(options)
        given: Mapping[str, Any] = options
        self.max_active_runs = positive(given, "max_active_runs")
        self.schedules = schedules_of(given, self.max_active_runs)
        self.triggers = triggers_of(given)

    @property
    def parameters(self) -> Parameters:
        """What it takes."""
        if self._parameters is None:
            self._parameters = Parameters(self.fn, self.name)
        return self._parameters

    def graph(self, engine: Host) -> Graph:
        """The workflow as a graph: its root alone, because what it calls is known only as it runs."""
        return graph_of_call(self, self.parameters, engine)

    def request(self, engine: Host, args: Any, kwargs: Any) -> RunRequest:
        """A run of this flow with these arguments, checked.

        Raises:
            ParameterError: They do not fit.
            NotSerializable: One of them cannot be stored.
        """
        bound = self.parameters.bind((*self._bound, *args), kwargs)
        dumps = engine.artifacts.dumps
        params = {name: dumps(value, what=f"parameter {name!r}") for name, value in bound.items()}
        return RunRequest(self.graph(engine), params, inline=self._inlines())

    def _request(self, engine: Host, args: Any, kwargs: Any) -> RunRequest:
        return self.request(engine, args, kwargs)


def graph_of_call(task: Task[..., Any], parameters: Parameters, engine: Host) -> Graph:
    """A workflow that is one call of a task or flow, with a parameter for each of its own."""
    node = task.node(engine)
    dumps = engine.artifacts.dumps
    params = tuple(
        Parameter(
            each.name,
            None if each.default is each.empty else dumps(each.default, what=f"default of {each.name}"),
            each.default is each.empty,
            parameters.schema(each.name),
        )
        for each in parameters
    )
    inputs: dict[str, Input] = {each.name: Param(each.name) for each in parameters}
    return Graph(
        workflow=task.name, root=with_inputs(node, inputs), params=params, doc=node.doc, tags=node.tags
    )


@overload
def flow(fn: Callable[P, R], /) -> Flow[P, R]: ...
@overload
def flow(**options: Unpack[FlowOptions]) -> Callable[[Callable[P, R]], Flow[P, R]]: ...
def flow(fn: Callable[P, R] | None = None, /, **options: Unpack[FlowOptions]) -> Any:
    """Make a function a flow: plain Python that calls tasks, made durable by a journal.

    It takes what a task takes (``TaskOptions``) and, to run by itself, ``schedule``, ``catchup``, ``start``,
    ``end``, ``max_active_runs`` (``ScheduleOptions``) and ``trigger`` (``TriggerOptions``).

    Its parameters are checked against their annotations. On resume the function runs again from the top and
    what it called before returns at once; so between calls it must decide by its arguments and by what calls
    return: use ``weft.now``, ``weft.random`` and ``weft.sleep`` for time and chance.

    Raises:
        InvalidPolicy: An option makes no sense.
    """
    given = cast(TaskOptions, options)
    if fn is not None:
        return Flow(fn, given)
    return lambda fn: Flow(fn, given)
