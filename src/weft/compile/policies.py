"""Policies that make no sense: negative times, limits below one, two limits for one key.

Each rule is one line of a table of checks, so that a reader sees them all.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from weft.model.calls import WaitCall
from weft.model.errors import InvalidPolicy
from weft.model.graph import Graph, Group, MapMode, MapSpec, Node
from weft.model.policies import Backoff, Retry
from weft.model.waits import ApprovalWait, EventWait, PokeWait, TimerWait, Wait

Problem = tuple[str, str]
"""What is wrong, and how to mend it."""


def check_policies(node: Node, where: str) -> None:
    """Check all policies of a node.

    Raises:
        InvalidPolicy: One of them makes no sense.
    """
    for what, hint in _problems(node):
        raise InvalidPolicy(what, where=where, hint=hint)


def check_limits(graph: Graph) -> None:
    """Check the limits of the graph and of its groups.

    Raises:
        InvalidPolicy: One of them makes no sense.
    """
    for what, hint in (
        *_at_least("max_active", graph.max_active, 1),
        *_positive("deadline_s", graph.deadline_s),
        *_positive("timeout_s", graph.timeout_s),
    ):
        raise InvalidPolicy(what, where=graph.workflow, hint=hint)
    for name, group in graph.groups.items():
        for what, hint in _at_least("max_active", group.max_active, 1):
            raise InvalidPolicy(what, where=f"group {name}", hint=hint)


def check_shared_keys(groups: Iterable[Group], root: Node) -> None:
    """Check that every task gives a shared key the same limit: which of two would hold?

    Raises:
        InvalidPolicy: Two tasks do not.
    """
    seen: dict[tuple[str, str], tuple[object, str]] = {}
    for node in (root, *(node for group in groups for node in group.nodes)):
        limits: list[tuple[str, str, object]] = [
            ("concurrency key", c.key, c.limit) for c in node.concurrency
        ]
        limits += [("rate limit", rate.key, (rate.count, rate.per_s)) for rate in node.rate_limits]
        for kind, key, limit in limits:
            before, other = seen.setdefault((kind, key), (limit, node.key))
            if before != limit:
                raise InvalidPolicy(
                    f"the {kind} {key!r} has two limits: {before} in {other!r} and {limit} in {node.key!r}",
                    where=node.key,
                    hint="give it the same limit everywhere, or use two keys",
                )


def _problems(node: Node) -> Iterator[Problem]:
    if node.retry is not None:
        yield from _retry(node.retry)
    if node.timeout is not None:
        yield from _positive("the execution timeout", node.timeout.execution_s)
        yield from _positive("the queued timeout", node.timeout.queued_s)
        yield from _positive("the total timeout", node.timeout.total_s)
    if node.cache is not None:
        yield from _positive("the cache's ttl", node.cache.ttl_s)
    for pool, slots in node.pools.items():
        yield from _at_least(f"the slots of pool {pool!r}", slots, 1)
    for each in node.concurrency:
        yield from _at_least(f"the limit of concurrency key {each.key!r}", each.limit, 1)
    for rate in node.rate_limits:
        yield from _at_least(f"the count of rate limit {rate.key!r}", rate.count, 1)
        yield from _positive(f"the period of rate limit {rate.key!r}", rate.per_s)
    if node.resources is not None:
        needs = {"cpu": node.resources.cpu, "memory_mb": node.resources.memory_mb, "gpu": node.resources.gpu}
        for name, amount in {**needs, **node.resources.custom}.items():
            yield from _at_least(f"the resource {name!r}", amount, 0)
    yield from _positive("deadline_s", node.deadline_s)
    if node.map is not None:
        yield from _map(node.map)
    if isinstance(node.call, WaitCall):
        yield from _wait(node.call.wait)


def _retry(retry: Retry) -> Iterator[Problem]:
    if retry.limit < -1:
        yield f"a retry limit of {retry.limit} makes no sense", "0 is never, -1 is without limit"
    yield from _at_least("the retry delay", retry.delay_s, 0)
    yield from _at_least("the longest retry delay", retry.max_delay_s, 0)
    yield from _at_least("the retry jitter", retry.jitter, 0)
    yield from _at_least("the limit of lost attempts", retry.lost_limit, 0)
    yield from _positive("the backoff factor", retry.factor)
    yield from _positive("the retries' longest duration", retry.max_duration_s)
    for delay_s in retry.delays_s:
        yield from _at_least("each retry delay", delay_s, 0)
    if retry.backoff is Backoff.LIST and not retry.delays_s:
        yield "the list of retry delays is empty", "name at least one delay"


def _map(spec: MapSpec) -> Iterator[Problem]:
    yield from _at_least("the map's max_active", spec.max_active, 1)
    yield from _at_least("the map's max_items", spec.max_items, 0)
    yield from _at_least("the map's tolerate", spec.tolerate, 0)
    if spec.empty not in ("skip", "succeed"):
        yield f"an empty map cannot end as {spec.empty!r}", "use 'skip' or 'succeed'"
    if spec.fixed is not None:
        return
    if spec.mode is MapMode.SEQUENCE:
        if (spec.end is None) == (spec.count is None):
            yield "a sequence needs an end or a count, and not both", "give one of them"
    elif not spec.over:
        yield "the map has nothing to map over", "name at least one input"


def _wait(wait: Wait) -> Iterator[Problem]:
    if isinstance(wait, TimerWait):
        if (wait.until_s is None) == (wait.delay_s is None):
            yield "a timer needs a moment or a delay, and not both", "give one of them"
        yield from _at_least("the timer's delay", wait.delay_s, 0)
    elif isinstance(wait, EventWait):
        if not wait.name:
            yield "the awaited event has no name", "name it"
        yield from _positive("the event's timeout", wait.timeout_s)
    elif isinstance(wait, ApprovalWait):
        if wait.default not in ("", "approve", "reject"):
            yield f"an approval cannot default to {wait.default!r}", "use 'approve', 'reject' or nothing"
        yield from _positive("the approval's timeout", wait.timeout_s)
    elif isinstance(wait, PokeWait):
        yield from _positive("the poke interval", wait.interval_s)
        yield from _positive("the poke interval's factor", wait.factor)
        yield from _positive("the longest poke interval", wait.interval_s_max)
        yield from _positive("the poke timeout", wait.timeout_s)


def _at_least(what: str, amount: Any, least: int) -> Iterator[Problem]:
    if amount is not None and not amount >= least:
        yield f"{what} is {amount:g}", f"it must be at least {least}"


def _positive(what: str, amount: float | None) -> Iterator[Problem]:
    if amount is not None and not amount > 0:
        yield f"{what} is {amount:g}", "it must be more than 0"
