"""Policies of a task: how it is retried, bounded in time, cached, limited and placed.

Units are in the names. A policy that is absent (``None``) costs nothing anywhere.
"""

from enum import StrEnum
from typing import Any

import msgspec


class Backoff(StrEnum):
    """How the pause between attempts grows."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"
    LIST = "list"


class Retry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """When and after what pause a failed attempt is tried again.

    Attributes:
        limit: Attempts after the first; ``-1`` is no limit.
        delay_s: The first pause.
        backoff: ``fixed``: always ``delay_s``; ``exponential``: ``delay_s * factor**n`` up to
            ``max_delay_s``; ``list``: ``delays_s[n]``, the last one repeated.
        jitter: Up to this share of the pause is added at random (0.2: up to a fifth more).
        on: Qualified exception names that are retried (any class of the exception's MRO matches); empty: all.
        not_on: Qualified exception names that are never retried.
        exit_codes: Exit codes that are retried; empty: all.
        lost_limit: Lost attempts (the worker died) that are tried again whatever ``limit`` says, because the
            task is not to blame.
        condition: An expression of the dialect, evaluated by the runtime beside the failure, whose verdict
            comes with the outcome.
        max_duration_s: No new attempt starts later than this after the first one started.
    """

    limit: int = 0
    delay_s: float = 0.0
    backoff: Backoff = Backoff.FIXED
    factor: float = 2.0
    max_delay_s: float | None = None
    delays_s: tuple[float, ...] = ()
    jitter: float = 0.0
    on: tuple[str, ...] = ()
    not_on: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = ()
    lost_limit: int = 3
    condition: str | None = None
    max_duration_s: float | None = None


class Timeout(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Bounds on time, in seconds: of one attempt's execution, of waiting in a queue, of all together."""

    execution_s: float | None = None
    queued_s: float | None = None
    total_s: float | None = None


class CacheScope(StrEnum):
    """Who may use a cached result."""

    RUN = "run"
    WORKFLOW = "workflow"
    GLOBAL = "global"


class Cache(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """When an earlier result stands in for running.

    Attributes:
        inputs: Whether the values of the inputs are part of the key.
        exclude: Names of inputs that are left out of it.
        source: Whether the task's code version is part of the key.
        key: A fixed part of the key, chosen by the user.
        ttl_s: Age at which a record is no longer used; ``None``: never too old.
        scope: Who shares it.
        refresh: Run anyway and overwrite the record.
    """

    inputs: bool = True
    exclude: tuple[str, ...] = ()
    source: bool = True
    key: str = ""
    ttl_s: float | None = None
    scope: CacheScope = CacheScope.WORKFLOW
    refresh: bool = False


class Concurrency(msgspec.Struct, frozen=True, omit_defaults=True):
    """At most ``limit`` live attempts hold ``key`` at once: 1 is a mutex, more a semaphore."""

    key: str
    limit: int = 1


class RateLimit(msgspec.Struct, frozen=True, omit_defaults=True):
    """At most ``count`` attempts that name ``key`` start in any ``per_s`` seconds."""

    key: str
    count: int
    per_s: float


class Resources(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What one attempt needs of a machine. ``custom`` are named amounts, as Dask and Ray have them."""

    cpu: float | None = None
    memory_mb: float | None = None
    gpu: float | None = None
    custom: dict[str, float] = {}


class Placement(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where an attempt may run: an executor's name ("" is the run's default) and options for it."""

    executor: str = ""
    options: dict[str, Any] = {}
