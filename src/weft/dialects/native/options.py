"""The options of ``@task`` and ``@flow``, and how they become a node's policies."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict

from weft.dialects.native.durations import Duration, seconds
from weft.dialects.native.triggers import Asset
from weft.model.errors import InvalidPolicy
from weft.model.graph import Branch, Hook, HookOn, MapMode, MapSpec
from weft.model.inputs import HookEvent
from weft.model.policies import (
    Backoff,
    Cache,
    CacheScope,
    Concurrency,
    Placement,
    RateLimit,
    Resources,
    Retry,
    Timeout,
)
from weft.model.waits import PokeWait

HookFn = Callable[[dict[str, Any]], Any]
"""A function that is told of a state change: a dict with ``run_id``, ``workflow``, ``key``, ``name``,
``state``, ``attempt``, ``error`` (a text, or None), ``result`` and ``idempotency_key``."""


class TaskOptions(TypedDict, total=False):
    """Options of a task; each has the same meaning in ``with_options``.

    Attributes:
        name: Its name; the function's by default.
        retries: Attempts after the first; -1 is no limit.
        retry_delay: The pause before another try, or a list of pauses.
        retry_backoff: Factor by which the pause grows each time; none by default.
        retry_max_delay: The longest pause.
        retry_jitter: Up to this share of the pause is added at random.
        retry_on: Only these exceptions are tried again; every one by default.
        retry_not_on: These exceptions are never tried again.
        retry_exit_codes: Exit codes of a shell task that are tried again; all by default.
        retry_max_duration: No try starts later than this after the first.
        timeout: How long one try may run.
        queued_timeout: How long it may wait for an executor.
        total_timeout: How long all tries, with the pauses between them, may take together.
        cache: ``"inputs"`` (inputs and source), ``"source"``, a ``Cache``, or False.
        cache_ttl: Age at which a cached result is no longer used; never by default.
        cache_key: A key of your own in place of the inputs.
        cache_scope: Who shares it: the ``run``, the ``workflow`` (the default), or all (``global``).
        cache_exclude: Names of arguments that do not count.
        cache_refresh: Run anyway, and keep the new result.
        version: Stands for the source in cache keys and versions.
        priority: Higher first; 0 by default.
        pool: A pool's name; one slot of it is taken.
        pools: Names of pools, with the slots that are taken.
        concurrency: A key that one task run at a time holds, or ``Concurrency``.
        rate_limit: ``(key, count, period)``: so many starts in any period.
        resources: What a try needs of a machine; threads and processes do not look at it.
        executor: Where it runs: ``thread`` or ``process``; the run's default otherwise.
        executor_options: For that executor.
        tags: For people.
        doc: For people; the docstring by default.
        label: For people, in place of the name.
        on_start: Called when a try begins. Hooks are functions, or lists of them; see ``HookFn``.
        on_success: Called when it has succeeded.
        on_failure: Called when it has failed for good.
        on_retry: Called when a try has failed and another follows.
        on_skip: Called when it is skipped.
        on_cancel: Called when it is cancelled.
        on_end: Called when it has ended, however it did.
        on_rollback: Called when it had succeeded and the run then fails: undo what it did.
        wait_for: Futures that must end first without giving a value.
        branch: Whether its result names the tasks of a ``@dag`` to follow; the others after it are skipped.
        short_circuit: Whether a false result skips all that comes after it in a ``@dag``, whatever its rule;
            ``"direct"``: only what comes directly after it.
        max_active: Items of its ``.map`` that may be live at once.
        poke: It is run again so often until it returns something true, and holds no worker in between; a
            duration, or ``poke(...)``.
        outputs: The assets that it updates: ``asset(...)``, a name, or a list of these.
        deadline: Seconds after the run's start past which it is late: automations can tell about it.
    """

    name: str
    retries: int
    retry_delay: Duration | Sequence[Duration]
    retry_backoff: float
    retry_max_delay: Duration
    retry_jitter: float
    retry_on: type[BaseException] | Sequence[type[BaseException]]
    retry_not_on: type[BaseException] | Sequence[type[BaseException]]
    retry_exit_codes: Sequence[int]
    retry_max_duration: Duration
    timeout: Duration
    queued_timeout: Duration
    total_timeout: Duration
    cache: Literal["inputs", "source"] | Cache | bool
    cache_ttl: Duration
    cache_key: str
    cache_scope: Literal["run", "workflow", "global"]
    cache_exclude: Sequence[str]
    cache_refresh: bool
    version: str
    priority: int
    pool: str
    pools: dict[str, int]
    concurrency: str | Concurrency | Sequence[Concurrency]
    rate_limit: tuple[str, int, Duration]
    resources: Resources | dict[str, float]
    executor: str
    executor_options: dict[str, Any]
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
    on_rollback: HookFn | Sequence[HookFn]
    wait_for: Sequence[Any]
    branch: bool
    short_circuit: bool | Literal["direct"]
    max_active: int
    poke: Duration | PokeWait
    outputs: Asset | str | Sequence[Asset | str]
    deadline: Duration


def check_names(options: TaskOptions, known: Mapping[str, Any]) -> None:
    """Refuse options that do not exist, which a type checker finds and Python itself does not."""
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            raise InvalidPolicy(f"there is no option {name!r}", hint=hint)
    priority: Any = options.get("priority", 0)
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise InvalidPolicy(f"priority must be a whole number, and is {priority!r}")


def deadline_of(options: TaskOptions) -> float | None:
    """Seconds after the run's start past which it is late."""
    return _positive(options, "deadline")


def poke(
    every: Duration,
    *,
    timeout: Duration | None = None,
    backoff: float = 1.0,
    longest: Duration | None = None,
    skip: bool = False,
) -> PokeWait:
    """How a task waits for something that only asking tells.

    Args:
        every: The pause between two tries.
        timeout: How long all of it may take; then it fails.
        backoff: Factor by which the pause grows each time.
        longest: The longest pause.
        skip: Whether it is skipped past the timeout instead of failing.

    Raises:
        InvalidPolicy: A number makes no sense.
    """
    every_s = seconds(every, what="poke")
    if every_s <= 0:
        raise InvalidPolicy("poke must be a positive duration", hint='poke="30s"')
    if backoff < 1:
        raise InvalidPolicy(f"backoff is {backoff}, and pauses must not shrink")
    return PokeWait(
        interval_s=every_s,
        factor=float(backoff),
        interval_s_max=None if longest is None else seconds(longest, what="longest"),
        timeout_s=None if timeout is None else seconds(timeout, what="timeout"),
        soft_fail=skip,
    )


def poke_of(options: TaskOptions) -> PokeWait | None:
    """How a task is asked again, if it is."""
    given = options.get("poke")
    if given is None or isinstance(given, PokeWait):
        return given
    return poke(given)


def retry_of(options: TaskOptions) -> Retry | None:
    """The retry policy, if there is one."""
    limit: Any = options.get("retries", 0)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < -1:
        raise InvalidPolicy(f"retries must be a whole number from -1 up, and is {limit!r}")
    if limit == 0:
        return None
    delay = options.get("retry_delay", 0)
    backoff, first = Backoff.FIXED, 0.0
    delays: tuple[float, ...] = ()
    if isinstance(delay, float | int | str | timedelta):
        first = seconds(delay, what="retry_delay")
    else:
        delays = tuple(seconds(each, what="retry_delay") for each in delay)
        backoff = Backoff.LIST
        if not delays:
            raise InvalidPolicy("retry_delay is an empty list", hint="leave it out for no pause")
    if "retry_backoff" in options:
        backoff = Backoff.EXPONENTIAL
        if options["retry_backoff"] <= 0:
            raise InvalidPolicy(f"retry_backoff must be positive, and is {options['retry_backoff']}")
    jitter = options.get("retry_jitter", 0.0)
    if jitter < 0:
        raise InvalidPolicy(f"retry_jitter must not be negative, and is {jitter}")
    return Retry(
        limit=limit,
        delay_s=first,
        backoff=backoff,
        factor=options.get("retry_backoff", 2.0),
        max_delay_s=_optional(options, "retry_max_delay"),
        delays_s=delays,
        jitter=jitter,
        on=_names(options, "retry_on"),
        not_on=_names(options, "retry_not_on"),
        exit_codes=tuple(options.get("retry_exit_codes", ())),
        max_duration_s=_optional(options, "retry_max_duration"),
    )


def timeout_of(options: TaskOptions) -> Timeout | None:
    """The timeouts, if there are any."""
    if not options.keys() & {"timeout", "queued_timeout", "total_timeout"}:
        return None
    return Timeout(
        execution_s=_positive(options, "timeout"),
        queued_s=_positive(options, "queued_timeout"),
        total_s=_positive(options, "total_timeout"),
    )


def cache_of(options: TaskOptions) -> Cache | None:
    """The cache policy, if there is one."""
    cache = options.get("cache", "cache_key" in options)
    if cache is False:
        return None
    if isinstance(cache, Cache):
        return cache
    if cache not in (True, "inputs", "source"):
        raise InvalidPolicy(f"cache={cache!r} is not known", hint='use "inputs", "source", a Cache or False')
    scope = options.get("cache_scope", "workflow")
    if scope not in tuple(CacheScope):
        raise InvalidPolicy(f"cache_scope={scope!r} is not known", hint='use "run", "workflow" or "global"')
    return Cache(
        inputs=cache != "source" and "cache_key" not in options,
        exclude=tuple(options.get("cache_exclude", ())),
        key=options.get("cache_key", ""),
        ttl_s=_optional(options, "cache_ttl"),
        scope=CacheScope(scope),
        refresh=options.get("cache_refresh", False),
    )


def pools_of(options: TaskOptions) -> dict[str, int]:
    """Pools with slots."""
    pools = dict(options.get("pools", {}))
    if "pool" in options:
        pools.setdefault(options["pool"], 1)
    for name, slots in pools.items():
        if slots < 1:
            raise InvalidPolicy(f"pool {name!r}: a task needs at least one slot, not {slots}")
    return pools


def concurrency_of(options: TaskOptions) -> tuple[Concurrency, ...]:
    """Concurrency keys."""
    given = options.get("concurrency", ())
    if isinstance(given, str):
        return (Concurrency(given),)
    keys = (given,) if isinstance(given, Concurrency) else tuple(given)
    for each in keys:
        if each.limit < 1:
            raise InvalidPolicy(f"concurrency {each.key!r}: the limit must be at least 1, not {each.limit}")
    return keys


def rate_limits_of(options: TaskOptions) -> tuple[RateLimit, ...]:
    """Rate limits."""
    if "rate_limit" not in options:
        return ()
    key, count, period = options["rate_limit"]
    per_s = seconds(period, what="rate_limit")
    if count < 1 or per_s <= 0:
        raise InvalidPolicy(f"rate_limit {key!r}: count and period must be positive")
    return (RateLimit(key, count, per_s),)


def resources_of(options: TaskOptions) -> Resources | None:
    """Resources."""
    given = options.get("resources")
    if given is None or isinstance(given, Resources):
        return given
    for name, amount in given.items():
        if amount < 0:
            raise InvalidPolicy(f"resources: {name} must not be negative, and is {amount}")
    known = {name: given[name] for name in ("cpu", "memory_mb", "gpu") if name in given}
    custom = {name: amount for name, amount in given.items() if name not in known}
    return Resources(**known, custom=custom)


def placement_of(options: TaskOptions) -> Placement:
    """Where it runs."""
    return Placement(executor=options.get("executor", ""), options=options.get("executor_options", {}))


def branch_of(options: TaskOptions) -> Branch | None:
    """How its result steers what comes after it."""
    short = options.get("short_circuit", False)
    if short not in (True, False, "direct"):
        raise InvalidPolicy(f"short_circuit={short!r} is not known", hint='use True or "direct"')
    if options.get("branch"):
        if short:
            raise InvalidPolicy("a task cannot have both branch and short_circuit", hint="choose one")
        return Branch.CHOOSE
    if not short:
        return None
    return Branch.SHORT_CIRCUIT if short is True else Branch.SHORT_CIRCUIT_DIRECT


def map_of(options: TaskOptions, mode: MapMode = MapMode.ZIP) -> MapSpec:
    """How its ``.map`` is carried out."""
    most = options.get("max_active")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise InvalidPolicy(f"max_active must be a whole number from 1 up, and is {most!r}")
    return MapSpec(mode=mode, max_active=most)


def hooks_of(options: TaskOptions, call: Callable[[HookFn], Any]) -> tuple[Hook, ...]:
    """Hooks; ``call`` names a function for the graph and tells its first parameter's name."""
    hooks: list[Hook] = []
    for moment in HookOn:
        given: Any = options.get(f"on_{moment.value}", ())
        for fn in (given,) if callable(given) else given:
            python, parameter = call(fn)
            hooks.append(Hook(moment, python, python.qualname, {parameter: HookEvent()}))
    return tuple(hooks)


def _optional(options: TaskOptions, name: str) -> float | None:
    given: Any = options.get(name)
    return None if given is None else seconds(given, what=name)


def _positive(options: TaskOptions, name: str) -> float | None:
    number = _optional(options, name)
    if number == 0:
        raise InvalidPolicy(f"{name} must be longer than 0", hint="leave it out for no limit")
    return number


def _names(options: TaskOptions, name: str) -> tuple[str, ...]:
    given: Any = options.get(name, ())
    kinds = (given,) if isinstance(given, type | str) else tuple(given)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise InvalidPolicy(f"{name} takes exception classes, and {kind!r} is none")
    return tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
