"""Options of ``@task``: what they become, and that nonsense is refused where it is written."""

from typing import Any

import pytest

from weft import task
from weft.dialects.native.options import TaskOptions
from weft.model.errors import InvalidPolicy
from weft.model.graph import HookOn, Node
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


def node(**options: Any) -> Node:
    """The node of a task with these options."""

    @task(**options)
    def work(x: int) -> int:
        """Does the work."""
        return x

    return work.node()


def test_no_options_cost_nothing() -> None:
    """A task without options has no policies."""
    plain = node()
    assert (plain.retry, plain.timeout, plain.cache, plain.resources) == (None, None, None, None)
    assert (plain.pools, plain.concurrency, plain.rate_limits, plain.hooks) == ({}, (), (), ())
    assert plain.doc == "Does the work."


@pytest.mark.parametrize(
    ("options", "retry"),
    [
        ({"retries": 2}, Retry(limit=2)),
        ({"retries": -1, "retry_delay": "1m"}, Retry(limit=-1, delay_s=60.0)),
        (
            {"retries": 2, "retry_delay": [1, "2s"]},
            Retry(limit=2, backoff=Backoff.LIST, delays_s=(1.0, 2.0)),
        ),
        (
            {"retries": 2, "retry_delay": 1, "retry_backoff": 3.0, "retry_max_delay": "1h"},
            Retry(limit=2, delay_s=1.0, backoff=Backoff.EXPONENTIAL, factor=3.0, max_delay_s=3600.0),
        ),
        ({"retries": 1, "retry_jitter": 0.2}, Retry(limit=1, jitter=0.2)),
        (
            {"retries": 1, "retry_on": OSError, "retry_not_on": [KeyError, ValueError]},
            Retry(limit=1, on=("builtins.OSError",), not_on=("builtins.KeyError", "builtins.ValueError")),
        ),
        ({"retries": 1, "retry_exit_codes": [75]}, Retry(limit=1, exit_codes=(75,))),
        ({"retries": 9, "retry_max_duration": "1d"}, Retry(limit=9, max_duration_s=86400.0)),
        ({"retry_delay": 5}, None),
    ],
)
def test_retry(options: dict[str, Any], retry: Retry | None) -> None:
    """Options of retries become the policy."""
    assert node(**options).retry == retry


@pytest.mark.parametrize(
    ("options", "name", "policy"),
    [
        ({"timeout": "5m"}, "timeout", Timeout(execution_s=300.0)),
        (
            {"queued_timeout": 1, "total_timeout": 2},
            "timeout",
            Timeout(queued_s=1.0, total_s=2.0),
        ),
        ({"cache": "inputs"}, "cache", Cache()),
        ({"cache": True, "cache_ttl": "1d"}, "cache", Cache(ttl_s=86400.0)),
        ({"cache": "source"}, "cache", Cache(inputs=False)),
        ({"cache_key": "k"}, "cache", Cache(key="k", inputs=False)),
        ({"cache": False, "cache_key": "k"}, "cache", None),
        ({"cache": Cache(ttl_s=1.0)}, "cache", Cache(ttl_s=1.0)),
        ({"cache": "inputs", "cache_scope": "global"}, "cache", Cache(scope=CacheScope.GLOBAL)),
        (
            {"cache": "inputs", "cache_exclude": ["x"], "cache_refresh": True},
            "cache",
            Cache(exclude=("x",), refresh=True),
        ),
        ({"pool": "db"}, "pools", {"db": 1}),
        ({"pool": "db", "pools": {"db": 3, "api": 1}}, "pools", {"db": 3, "api": 1}),
        ({"concurrency": "one"}, "concurrency", (Concurrency("one"),)),
        ({"concurrency": Concurrency("two", 2)}, "concurrency", (Concurrency("two", 2),)),
        (
            {"concurrency": [Concurrency("a"), Concurrency("b")]},
            "concurrency",
            (Concurrency("a"), Concurrency("b")),
        ),
        ({"rate_limit": ("api", 5, "1m")}, "rate_limits", (RateLimit("api", 5, 60.0),)),
        (
            {"resources": {"cpu": 2, "gpu": 1, "fpga": 3}},
            "resources",
            Resources(cpu=2, gpu=1, custom={"fpga": 3}),
        ),
        ({"resources": Resources(memory_mb=10)}, "resources", Resources(memory_mb=10)),
        (
            {"executor": "process", "executor_options": {"a": 1}},
            "placement",
            Placement(executor="process", options={"a": 1}),
        ),
        ({"priority": 5}, "priority", 5),
        ({"tags": ["a", "b"]}, "tags", ("a", "b")),
        ({"doc": "Other."}, "doc", "Other."),
        ({"label": "L"}, "label", "L"),
        ({"name": "other"}, "name", "other"),
        ({"deadline": "1h"}, "deadline_s", 3600.0),
    ],
)
def test_other_policies(options: dict[str, Any], name: str, policy: Any) -> None:
    """Every other option becomes its part of the node."""
    assert getattr(node(**options), name) == policy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retries": -2}, "retries must be"),
        ({"retries": 1.5}, "retries must be"),
        ({"retries": True}, "retries must be"),
        ({"retries": 1, "retry_delay": "soon"}, "retry_delay 'soon' is no length of time"),
        ({"retries": 1, "retry_delay": []}, "retry_delay"),
        ({"retries": 1, "retry_jitter": -1}, "retry_jitter"),
        ({"retries": 1, "retry_backoff": 0}, "retry_backoff"),
        ({"retries": 1, "retry_on": "OSError"}, "retry_on"),
        ({"timeout": "5 apples"}, "timeout '5 apples'"),
        ({"timeout": 0}, "timeout"),
        ({"cache": "sometimes"}, "cache='sometimes' is not known"),
        ({"cache": "inputs", "cache_scope": "planet"}, "cache_scope"),
        ({"pools": {"db": 0}}, "at least one slot"),
        ({"concurrency": Concurrency("k", 0)}, "concurrency"),
        ({"rate_limit": ("api", 0, 1)}, "must be positive"),
        ({"resources": {"cpu": -1}}, "resources"),
        ({"priority": "high"}, "priority"),
        ({"retriess": 3}, "no option 'retriess'"),
    ],
)
def test_nonsense_is_refused_where_it_is_written(options: dict[str, Any], message: str) -> None:
    """What makes no sense is an error of the decorator, not of the run."""
    with pytest.raises(InvalidPolicy, match=message):
        node(**options)


def test_unknown_option_has_a_hint() -> None:
    """A misspelt option names the one that was meant."""
    with pytest.raises(InvalidPolicy) as caught:
        node(retry_dealy=3)
    assert caught.value.hint == "did you mean 'retry_delay'?"


def test_options_are_those_of_the_type() -> None:
    """Each hook moment has its option."""
    for moment in HookOn:
        assert f"on_{moment.value}" in TaskOptions.__annotations__


def test_hooks() -> None:
    """One hook or several for a moment; each names its function."""

    def told(event: dict[str, Any]) -> None: ...

    hooks = node(on_success=told, on_failure=[told, told], on_end=lambda event: None).hooks
    assert [hook.on for hook in hooks] == [HookOn.SUCCESS, HookOn.FAILURE, HookOn.FAILURE, HookOn.END]
    assert hooks[0].name.endswith("told")
    assert list(hooks[0].inputs) == ["event"]


def test_with_options_changes_only_what_it_names() -> None:
    """The copy keeps the other options and the condition, and the task stays as it was."""

    @task(retries=2, tags=["a"])
    def work() -> None: ...

    @work.retry_when
    def never(error: BaseException) -> bool:
        return False

    other = work.with_options(retries=5, name="other")
    assert (other.name, other.options["retries"], other.options["tags"]) == ("other", 5, ["a"])
    assert (work.name, work.options["retries"]) == ("work", 2)
    assert other.retry_if(OSError()) is False
