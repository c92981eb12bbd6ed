"""Weft: durable, fast Python workflows.

Every public name is here and is loaded when it is first used (PEP 562), so ``import weft`` costs little.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weft._version import __version__

if TYPE_CHECKING:
    from weft.dialects.native.arguments import allow_failure as allow_failure
    from weft.dialects.native.arguments import unmapped as unmapped
    from weft.dialects.native.dag import Dag as Dag
    from weft.dialects.native.dag import dag as dag
    from weft.dialects.native.flow import Flow as Flow
    from weft.dialects.native.flow import flow as flow
    from weft.dialects.native.futures import Future as Future
    from weft.dialects.native.futures import FutureList as FutureList
    from weft.dialects.native.options import poke as poke
    from weft.dialects.native.schedules import cron as cron
    from weft.dialects.native.schedules import every as every
    from weft.dialects.native.schedules import once as once
    from weft.dialects.native.schedules import rrule as rrule
    from weft.dialects.native.shaping import branch as branch
    from weft.dialects.native.shaping import fact as fact
    from weft.dialects.native.shaping import group as group
    from weft.dialects.native.shaping import logical_date as logical_date
    from weft.dialects.native.shaping import on_exit as on_exit
    from weft.dialects.native.shaping import short_circuit as short_circuit
    from weft.dialects.native.shaping import when as when
    from weft.dialects.native.shell import shell as shell
    from weft.dialects.native.steps import Approval as Approval
    from weft.dialects.native.steps import approval as approval
    from weft.dialects.native.steps import now as now
    from weft.dialects.native.steps import patch as patch
    from weft.dialects.native.steps import random as random
    from weft.dialects.native.steps import sleep as sleep
    from weft.dialects.native.steps import wait_for_event as wait_for_event
    from weft.dialects.native.symbols import Symbol as Symbol
    from weft.dialects.native.symbols import chain as chain
    from weft.dialects.native.symbols import done as done
    from weft.dialects.native.symbols import failed as failed
    from weft.dialects.native.symbols import skipped as skipped
    from weft.dialects.native.symbols import succeeded as succeeded
    from weft.dialects.native.symbols import symbol as symbol
    from weft.dialects.native.task import Task as Task
    from weft.dialects.native.task import task as task
    from weft.dialects.native.triggers import Asset as Asset
    from weft.dialects.native.triggers import When as When
    from weft.dialects.native.triggers import asset as asset
    from weft.dialects.native.triggers import happening as happening
    from weft.dialects.native.triggers import on_event as on_event
    from weft.dialects.native.triggers import on_file as on_file
    from weft.dialects.native.triggers import on_run as on_run
    from weft.dialects.native.triggers import trigger as trigger
    from weft.model.errors import TaskFailed as TaskFailed
    from weft.model.errors import WeftError as WeftError
    from weft.model.policies import Cache as Cache
    from weft.model.policies import Concurrency as Concurrency
    from weft.model.policies import Resources as Resources
    from weft.model.schedules import Cron as Cron
    from weft.model.schedules import Every as Every
    from weft.model.schedules import Once as Once
    from weft.model.schedules import RRule as RRule
    from weft.model.schedules import Schedule as Schedule
    from weft.runtime.context import Context as Context
    from weft.runtime.context import current as current
    from weft.runtime.resources import Connection as Connection
    from weft.runtime.resources import connection as connection
    from weft.runtime.resources import secret as secret
    from weft.runtime.resources import variable as variable
    from weft.runtime.signals import Fail as Fail
    from weft.runtime.signals import Skip as Skip

_PLACES = {
    "weft.dialects.native.arguments": ("allow_failure", "unmapped"),
    "weft.dialects.native.dag": ("Dag", "dag"),
    "weft.dialects.native.flow": ("Flow", "flow"),
    "weft.dialects.native.futures": ("Future", "FutureList"),
    "weft.dialects.native.options": ("poke",),
    "weft.dialects.native.schedules": ("cron", "every", "once", "rrule"),
    "weft.dialects.native.shaping": (
        "branch",
        "fact",
        "group",
        "logical_date",
        "on_exit",
        "short_circuit",
        "when",
    ),
    "weft.dialects.native.shell": ("shell",),
    "weft.dialects.native.steps": (
        "Approval",
        "approval",
        "now",
        "patch",
        "random",
        "sleep",
        "wait_for_event",
    ),
    "weft.dialects.native.symbols": (
        "Symbol",
        "chain",
        "done",
        "failed",
        "skipped",
        "succeeded",
        "symbol",
    ),
    "weft.dialects.native.task": ("Task", "task"),
    "weft.dialects.native.triggers": (
        "Asset",
        "When",
        "asset",
        "happening",
        "on_event",
        "on_file",
        "on_run",
        "trigger",
    ),
    "weft.model.errors": ("TaskFailed", "WeftError"),
    "weft.model.policies": ("Cache", "Concurrency", "Resources"),
    "weft.model.schedules": ("Cron", "Every", "Once", "RRule", "Schedule"),
    "weft.runtime.context": ("Context", "current"),
    "weft.runtime.resources": ("Connection", "connection", "secret", "variable"),
    "weft.runtime.signals": ("Fail", "Skip"),
}
_WHERE = {name: module for module, names in _PLACES.items() for name in names}

__all__ = ["__version__", *sorted(_WHERE)]


def __getattr__(name: str) -> Any:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module 'weft' has no attribute {name!r}")
    if module.startswith("weft.dialects"):
        _install_opener()
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _install_opener() -> None:
    """Tell the runtime how a call outside any engine gets one: by the composition root, loaded then."""
    host = import_module("weft.runtime.host")
    host.set_opener(lambda: import_module("weft.embedded").open_host())
