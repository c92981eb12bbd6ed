"""The one tree of errors, each with a stable code, what went wrong, where, and how to mend it.

The caller's faults (``UsageError`` and below) and the world's faults (``WorldError`` and below) are told
apart, because only the second kind is worth trying again. A failed task is an event, not one of these:
``TaskFailed`` is raised only to the code that asked for the task's value.

``docs/reference/errors.md`` lists every code; a test keeps the two equal.
"""

from typing import Any, ClassVar

import msgspec


class WeftError(Exception):
    """Base of every error that Weft raises on purpose.

    Args:
        what: What is wrong, one sentence without a full stop.
        where: The file, line, workflow, task or run that it is about.
        hint: How to mend it.
        fields: Facts for machines, as ``--json`` and the API show them.
    """

    code: ClassVar[str] = "W0000"
    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "", **fields: Any) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint
        self.fields = fields

    def __str__(self) -> str:
        text = f"{self.code}: {self.what}"
        if self.where:
            text += f"\n  where: {self.where}"
        if self.hint:
            text += f"\n  hint: {self.hint}"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.where, self.hint, self.fields)


def _rebuild(cls: type[WeftError], what: str, where: str, hint: str, fields: dict[str, Any]) -> WeftError:
    return cls(what, where=where, hint=hint, **fields)


class UsageError(WeftError):
    """The caller asked for something that cannot be."""

    code = "W1000"
    exit_code = 2


class NotFound(UsageError):
    """A name or id that the store or the project does not know."""

    code = "W1001"
    exit_code = 3


class InvalidWorkflow(UsageError):
    """A definition that cannot become a graph."""

    code = "W1100"
    exit_code = 4


class CycleError(InvalidWorkflow):
    """Tasks that need each other in a circle."""

    code = "W1101"


class DuplicateTask(InvalidWorkflow):
    """Two tasks of one workflow with the same name."""

    code = "W1102"


class UnknownReference(InvalidWorkflow):
    """A task, group or parameter that is named but not defined."""

    code = "W1103"


class SymbolError(InvalidWorkflow):
    """A value of a ``@dag`` used before it exists (``if``, ``for``, ``len``...)."""

    code = "W1104"


class WorkflowImportError(InvalidWorkflow):
    """The workflow's file failed to import."""

    code = "W1105"


class InvalidPolicy(InvalidWorkflow):
    """A policy (retry, timeout, cache, pool...) that makes no sense."""

    code = "W1106"


class InvalidSchedule(InvalidPolicy):
    """A schedule (cron expression, recurrence, interval, time zone...) that cannot be, or never comes."""

    code = "W1107"


class ParameterError(UsageError):
    """Parameters that do not fit the workflow's signature."""

    code = "W1200"


class UnknownParameter(ParameterError):
    """A parameter that the workflow does not take."""

    code = "W1201"


class MissingParameter(ParameterError):
    """A required parameter without a value."""

    code = "W1202"


class WrongParameterType(ParameterError):
    """A parameter whose value does not fit its annotation."""

    code = "W1203"


class NotSerializable(UsageError):
    """An argument or result that cannot be stored or sent."""

    code = "W1300"


class UntrustedValue(UsageError):
    """A pickled value met where pickles are not opened."""

    code = "W1301"


class NonDeterminism(UsageError):
    """A flow's replay made other calls than its journal recorded."""

    code = "W1400"


class InvalidTransition(UsageError):
    """A state change that the tables do not allow."""

    code = "W1401"


class RunNotResumable(UsageError):
    """A run that has ended, or is owned by a live engine."""

    code = "W1402"


class InvalidRequest(UsageError):
    """A request to the service whose body, parameters or headers are not as its API says."""

    code = "W1500"


class MalformedRequest(InvalidRequest):
    """A request that cannot be read: a body that is no JSON, a parameter that is no number."""

    code = "W1501"


class InvalidPageToken(InvalidRequest):
    """A paging token that this list, with these filters, did not give."""

    code = "W1502"


class RequestTooLarge(InvalidRequest):
    """A request whose body is larger than the service takes."""

    code = "W1503"


class WrongMediaType(InvalidRequest):
    """A request whose body is not of the media type that its route takes."""

    code = "W1504"


class WrongMethod(InvalidRequest):
    """A method that the address does not know."""

    code = "W1505"


class PreconditionRequired(InvalidRequest):
    """A change that has to say which revision it replaces (``If-Match``, ``If-None-Match``)."""

    code = "W1506"


class PreconditionFailed(InvalidRequest):
    """A change of a revision that is no longer the latest one."""

    code = "W1507"


class KeyReused(InvalidRequest):
    """An idempotency key that another request has used already."""

    code = "W1508"


class NotAuthenticated(UsageError):
    """A request without a valid token, where one is needed."""

    code = "W1510"


class NotAllowed(UsageError):
    """A request that asks for more than its token's role may do."""

    code = "W1511"


class ForeignRequest(UsageError):
    """A request that a page of another site makes, or that names a host that the service is not."""

    code = "W1512"


class OpenToAll(UsageError):
    """A service that other machines could reach, without anybody having to say who they are."""

    code = "W1513"


class NotConfigured(UsageError):
    """Something that this service was not set up for."""

    code = "W1514"


class TooMany(UsageError):
    """More of something at once than the service takes."""

    code = "W1515"


class NotRemote(UsageError):
    """A command that works on this machine's store, asked for at a service elsewhere."""

    code = "W1516"


class ProjectError(UsageError):
    """A project whose files cannot be deployed."""

    code = "W1600"


class ProjectTooLarge(ProjectError):
    """A project with more bytes or files than a snapshot may have."""

    code = "W1601"


class UnsafePath(ProjectError):
    """A path or link that leads out of its project."""

    code = "W1602"


class WorkflowGone(NotFound):
    """A workflow that its project does not define any more."""

    code = "W1603"


class DuplicateWorkflow(InvalidWorkflow):
    """Two workflows of one name."""

    code = "W1610"


class LoadTimedOut(WorkflowImportError):
    """A workflow file took too long to import."""

    code = "W1611"


class LoadExited(WorkflowImportError):
    """A workflow file ended the process, or left it, while it was imported."""

    code = "W1612"


class LoadOutOfMemory(WorkflowImportError):
    """A workflow file needed more memory to import than it may have."""

    code = "W1613"


class ModuleClash(WorkflowImportError):
    """One name for two modules, of which a process can hold only one."""

    code = "W1614"


class InvalidAutomation(UsageError):
    """An automation or a channel that cannot be, or that names something that is not there."""

    code = "W1700"


class InvalidTemplate(InvalidAutomation):
    """A text with holes that cannot be read."""

    code = "W1701"


class TaskFailed(WeftError):
    """A task ended without a result, and its caller asked for it.

    ``error`` is the recorded cause; when the exception itself could be sent, it is this one's ``__cause__``.
    """

    code = "W2000"


class TaskTimeout(TaskFailed):
    """A task ran, queued or retried longer than its policy allows."""

    code = "W2001"


class TaskLost(TaskFailed):
    """The process that ran the task died."""

    code = "W2002"


class TaskCancelled(TaskFailed):
    """A task or its run was cancelled."""

    code = "W2003"


class UpstreamFailed(TaskFailed):
    """A task did not run because something it needs failed."""

    code = "W2004"


class TaskSkipped(TaskFailed):
    """A task was skipped, so it has no result."""

    code = "W2005"


class RunFailed(WeftError):
    """A run ended as failed."""

    code = "W2100"


class RunPaused(WeftError):
    """A run was interrupted and waits to be resumed."""

    code = "W2101"
    exit_code = 130


class WorldError(WeftError):
    """Something outside the caller's reach failed."""

    code = "W3000"


class StoreError(WorldError):
    """The store could not do what was asked."""

    code = "W3100"


class StoreBusy(StoreError):
    """Another process holds the store's write lock; trying again helps."""

    code = "W3101"


class StoreFull(StoreError):
    """The disk is full."""

    code = "W3102"


class StoreReadOnly(StoreError):
    """The store's file or folder cannot be written."""

    code = "W3103"


class StoreCorrupt(StoreError):
    """The store's file is damaged."""

    code = "W3104"


class StoreTooNew(StoreError):
    """The store was written by a newer Weft."""

    code = "W3105"


class StaleOwner(StoreError):
    """This engine no longer owns the run; another took it over."""

    code = "W3106"


class CommitUnknown(StoreError):
    """The store failed in the middle of a commit, so its outcome must be read back."""

    code = "W3107"


class Conflict(StoreError):
    """A record is not as the writer believed: somebody else wrote it first."""

    code = "W3108"


class StoreNotEmpty(StoreError):
    """A store that is to be filled holds something."""

    code = "W3110"


class SecretUnreadable(WorldError):
    """A secret was sealed with a key that is not here."""

    code = "W3109"


class ArtifactMissing(WorldError):
    """A stored result's bytes are gone."""

    code = "W3200"


class ArtifactCorrupt(WorldError):
    """A stored result's bytes do not match their digest."""

    code = "W3201"


class ExecutorError(WorldError):
    """An executor could not be started or reached."""

    code = "W3300"


class PortTaken(WorldError):
    """The address that the service should listen on is used by another process, or is not ours to use."""

    code = "W3400"


class ServiceUnreachable(WorldError):
    """A service that gives no answer, or none that is its own."""

    code = "W3401"


class TimedOut(WorldError):
    """What was waited for did not come in time."""

    code = "W3402"


class GitFailed(WorldError):
    """Git could not give a project's files."""

    code = "W3500"


class DeliveryFailed(WorldError):
    """Somebody could not be told now; trying again may help.

    The field ``after_s``, if there is one, is how long the other side asks to be left alone.
    """

    code = "W3600"


class DeliveryRefused(WorldError):
    """Somebody cannot be told: the other side refuses this message, or it must not be sent there."""

    code = "W3601"


class InvariantViolation(WeftError):
    """Weft's own promise was broken: a bug in Weft."""

    code = "W9000"


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """A task's failure as data: it crosses processes and stays in the store.

    Attributes:
        type: The exception's qualified name (``builtins.ValueError``), or a Weft code's name.
        message: ``str(exception)``, cut at 4 KB.
        code: A Weft code for failures that Weft itself names (timeout, lost...); else "".
        traceback: The formatted traceback from user code on, cut at 16 KB.
        mro: Qualified names of the exception's classes, most specific first; retry conditions match these.
        exit_code: Of a process or container; ``-N`` for signal N.
        pickled: The exception by cloudpickle where that worked, for the caller in the same trust domain.
    """

    type: str
    message: str = ""
    code: str = ""
    traceback: str = ""
    mro: tuple[str, ...] = ()
    exit_code: int | None = None
    pickled: bytes | None = None
