"""Carries out one attempt: from what was sent to what is reported, whatever user code does on the way.

Rules:

1. ``run`` and ``run_async`` always return an ``Ended``. Nothing that user code raises gets past them; only
   an executor's own ``Interrupt`` that strikes in the few lines after user code can, and executors expect it.
2. Each attempt has a copy of the caller's context variables to itself: nothing it sets leaks into the next.
3. A trivial attempt costs a few microseconds. So whatever can be known once per call is known once
   (``_Target``), and nothing is imported, opened or asked of the kernel that a trivial attempt does not need.
"""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextvars import copy_context
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, GeneratorType, coroutine
from typing import Any

from weft.artifacts.artifacts import Artifacts
from weft.model.attempts import Attempt, Ended, Shown
from weft.model.calls import PythonCall, ShellCall
from weft.model.errors import ErrorInfo, NotSerializable, TaskCancelled, TaskSkipped, TaskTimeout, UsageError
from weft.model.states import TaskState
from weft.model.traces import FACT
from weft.model.values import ARGS, Result
from weft.model.waits import Wait
from weft.runtime import load, tracing
from weft.runtime.context import CURRENT, TASK_LOGGER, Context
from weft.runtime.failure import describe, named
from weft.runtime.logs import Capture
from weft.runtime.meter import ProcessMeter, ThreadMeter
from weft.runtime.shell import ShellFailed, run_shell
from weft.runtime.signals import Cancelled, Fail, Skip, TimedOut, WaitFor
from weft.runtime.undisturbed import undisturbed

_TARGETS_MAX = 4096
_SUCCEEDED = TaskState.SUCCEEDED
_PLAIN = frozenset({int, float, str, bytes, list, tuple, dict, set, frozenset})

_Verdict = tuple[TaskState, Result | None, ErrorInfo | None, bool | None, tuple[str, ...] | None, Wait | None]


class _Target:
    """What is known about a call once it is loaded."""

    __slots__ = ("fn", "found", "is_async")

    def __init__(self, found: Any) -> None:
        self.found = found
        self.fn = load.callable_of(found)
        # Not what it wraps: a plain wrapper may well start a loop of its own around a coroutine function.
        self.is_async = any(
            inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
            for each in (self.fn, type(self.fn).__call__)
        )


class Runner:
    """Carries out attempts, in threads of one process or alone in it.

    Args:
        artifacts: Opens inputs and stores results.
        home: Weft's folder.
        worker: The name under which attempts are reported.
        capture: Where output goes.
        show: Takes what attempts publish; from any thread.
        own_process: Whether attempts have the process to themselves: then its CPU time, its children's and
            its environment variables are theirs.
    """

    def __init__(
        self,
        artifacts: Artifacts,
        home: Path,
        worker: str,
        capture: Capture,
        *,
        show: Callable[[Shown], None] | None = None,
        own_process: bool = False,
    ) -> None:
        self.artifacts = artifacts
        self.home = home
        self.worker = worker
        self.capture = capture
        self.show: Callable[[Shown], None] = show or _drop
        self._own_process = own_process
        self._meter: ProcessMeter | ThreadMeter = ProcessMeter() if own_process else ThreadMeter()
        self._targets: dict[PythonCall, _Target] = {}
        self._generation = load.generation
        self._traced = tracing.traced()

    def run(self, attempt: Attempt, *, frame: Any = None) -> Ended:
        """Carry out an attempt and wait for it; a coroutine function runs on an event loop of its own.

        Args:
            attempt: What to do.
            frame: For ``Context.frame``.
        """
        ended: Ended = copy_context().run(self._run, attempt, frame, False)  # type: ignore[assignment]
        return ended

    def run_sync(self, attempt: Attempt) -> Ended | None:
        """Carry out an attempt, unless it is one for ``run_async``: then ``None``, and nothing was called."""
        return copy_context().run(self._run, attempt, None, True)

    async def run_async(self, attempt: Attempt, *, frame: Any = None) -> Ended:
        """Carry out an attempt on the running event loop; must be a task of its own."""
        started = time.time()
        self._open(attempt, frame)
        spent = [0.0]
        try:
            value = self._call(attempt)
            if isinstance(value, CoroutineType):
                value = await _metered(value, spent)
            elif isinstance(value, AsyncGeneratorType):
                value = await _metered(_collect(value), spent)
            verdict = self._returned(attempt, value)
        except BaseException as exc:
            verdict = self._raised(attempt, exc)
        size = self.capture.end(attempt)
        ended = time.time()
        peak = self._meter.end(0.0, ended - started)[1]
        return self._report(attempt, verdict, started, ended, spent[0], peak, size)

    def known_async(self, call: Any) -> bool:
        """Whether a call is best run on an event loop; False for code that has not been loaded yet."""
        target = self._targets.get(call) if type(call) is PythonCall else None
        return target is not None and target.is_async

    def stopped(self, attempt: Attempt, started: float, error: ErrorInfo, state: TaskState) -> Ended:
        """The report of an attempt that an executor gave up on."""
        return Ended(attempt.id, state, None, error, started, time.time(), self.worker)

    def _run(self, attempt: Attempt, frame: Any, leave_async: bool) -> Ended | None:
        started = time.time()
        self._open(attempt, frame)
        meter = self._meter
        mark = meter.begin()
        try:
            call = attempt.call
            if leave_async and type(call) is PythonCall and self._target(call, attempt).is_async:
                self.capture.end(attempt)
                return None
            value = self._call(attempt)
            kind = type(value)
            if kind is GeneratorType:
                value = list(value)
            elif kind is CoroutineType or kind is AsyncGeneratorType:
                value = _run_alone(value)
            verdict = self._returned(attempt, value)
        except BaseException as exc:
            verdict = self._raised(attempt, exc)
        size = self.capture.end(attempt)
        ended = time.time()
        cpu, peak = meter.end(mark, ended - started)
        return self._report(attempt, verdict, started, ended, cpu, peak, size)

    def _open(self, attempt: Attempt, frame: Any) -> None:
        CURRENT.set(Context(attempt, self, frame))
        self.capture.begin(attempt)

    def _report(
        self,
        attempt: Attempt,
        verdict: _Verdict,
        started: float,
        ended: float,
        cpu: float,
        peak: int,
        size: int,
    ) -> Ended:
        state, result, error, retry, chosen, wait = verdict
        who = self.worker
        return Ended(
            attempt.id, state, result, error, started, ended, who, retry, chosen, wait, cpu, peak, size
        )

    def _target(self, call: PythonCall, attempt: Attempt) -> _Target:
        if self._generation != load.generation:
            self._generation = load.generation
            self._targets.clear()
        target = self._targets.get(call)
        if target is None:
            with undisturbed():
                found = load.load(call, project=attempt.project, unpickle=self.artifacts.loads)
            target = _Target(found)
            if len(self._targets) >= _TARGETS_MAX:
                self._targets.clear()
            self._targets[call] = target
        return target

    def _call(self, attempt: Attempt) -> Any:
        call = attempt.call
        if type(call) is PythonCall:
            target = self._target(call, attempt)
            args, kwargs = self._arguments(attempt)
            fn = target.fn
            if attempt.phase == "check":
                fn = getattr(target.found, "check", _unsatisfied)
            if self._traced or FACT in attempt.facts:
                tracing.attach(attempt, variable=self._traced and self._own_process)
            if attempt.env:
                return self._with_env(attempt, fn, args, kwargs)
            return fn(*args, **kwargs)
        if isinstance(call, ShellCall):
            if attempt.phase == "check":
                return False
            args, kwargs = self._arguments(attempt)
            if args:
                raise UsageError("a shell task takes its inputs by name", where=attempt.key)
            return run_shell(
                call,
                kwargs,
                write=self.capture.write,
                env=tracing.environment(attempt),
                cwd=attempt.project or None,
                own_group=not self._own_process,
            )
        raise UsageError(
            f"a {type(call).__name__} cannot be carried out here",
            where=attempt.key,
            hint="choose an executor that can, with executor=",
        )

    def _arguments(self, attempt: Attempt) -> tuple[Any, dict[str, Any]]:
        inputs = attempt.inputs
        if not inputs:
            return (), {}
        resolve = self.artifacts.resolve
        packed = inputs.get(ARGS)
        if packed is None:
            return (), {name: resolve(bound) for name, bound in inputs.items()}
        args, kwargs = resolve(packed)
        if len(inputs) > 1:
            kwargs = {**kwargs, **{name: resolve(each) for name, each in inputs.items() if name != ARGS}}
        return args, kwargs

    def _with_env(self, attempt: Attempt, fn: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        if not self._own_process:
            raise UsageError(
                "environment variables of one task cannot be set where tasks share a process",
                where=attempt.key,
                hint="run it with executor='process'",
            )
        before = {name: os.environ.get(name) for name in attempt.env}
        os.environ.update(attempt.env)
        try:
            value = fn(*args, **kwargs)
            if isinstance(value, GeneratorType):
                return list(value)
            if isinstance(value, CoroutineType | AsyncGeneratorType):
                return _run_alone(value)
            return value
        finally:
            for name, old in before.items():
                if old is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = old

    def _returned(self, attempt: Attempt, value: Any) -> _Verdict:
        if attempt.phase == "check":
            value = bool(value)
        elif not _tells(value):
            wait = self._poke(attempt)
            if wait is not None:
                return TaskState.WAITING, None, None, None, None, wait
        chosen = _chosen(value) if attempt.branch else None
        result = self.artifacts.dumps(value, what=f"the result of task {attempt.key!r}")
        return _SUCCEEDED, result, None, None, chosen, None

    def _poke(self, attempt: Attempt) -> Wait | None:
        """When to ask a task again that had nothing to tell; ``None`` for one that is asked once."""
        target = self._targets.get(attempt.call) if type(attempt.call) is PythonCall else None
        wait: Wait | None = None if target is None else getattr(target.found, "poke", None)
        return wait

    def _raised(self, attempt: Attempt, exc: BaseException) -> _Verdict:
        """What an exception means. Ends the chain of references to its frames, which hold the task's data."""
        try:
            return self._meaning(attempt, exc)
        finally:
            exc.__traceback__ = None

    def _meaning(self, attempt: Attempt, exc: BaseException) -> _Verdict:
        state = TaskState.FAILED
        if isinstance(exc, Skip):
            error = ErrorInfo(TaskSkipped.__name__, exc.reason, TaskSkipped.code)
            return TaskState.SKIPPED, None, error, None, None, None
        if isinstance(exc, WaitFor):
            return TaskState.WAITING, None, None, None, None, exc.wait
        if isinstance(exc, Fail):
            return state, None, describe(exc), False, None, None
        if isinstance(exc, TimedOut):
            return state, None, timeout_error(attempt, exc), None, None, None
        if isinstance(exc, Cancelled | KeyboardInterrupt) or _is_asyncio_cancel(exc):
            return TaskState.CANCELLED, None, cancel_error(exc), None, None, None
        if isinstance(exc, SystemExit):
            code = exc.code if isinstance(exc.code, int) else 0 if exc.code is None else 1
            return state, None, describe(exc, exit_code=code), self._verdict(attempt, exc), None, None
        if isinstance(exc, ShellFailed):
            return state, None, describe(exc, exit_code=exc.exit_code), None, None, None
        error = describe(exc)
        return state, None, error, self._verdict(attempt, exc), None, None

    def _verdict(self, attempt: Attempt, exc: BaseException) -> bool | None:
        """Whether to try again, as the task's own condition says; ``None`` leaves it to the policy."""
        if attempt.phase == "check" or not isinstance(attempt.call, PythonCall):
            return None
        target = self._targets.get(attempt.call)
        if target is None:
            # The code did not even load. Another try meets the same code, unless the world was at fault.
            return False if isinstance(exc, UsageError) else None
        condition = getattr(target.found, "retry_if", None)
        try:
            verdict = None if condition is None else condition(exc)
        except Exception:
            TASK_LOGGER.exception("the retry condition of %s failed, so it is not retried", attempt.key)
            return False
        if verdict is None:
            return False if isinstance(exc, NotSerializable) else None
        return bool(verdict)


def _tells(value: Any) -> bool:
    """Whether a value is more than "not yet"; what has no plain truth (an array, a table) always is."""
    return not (value is None or value is False or (type(value) in _PLAIN and not value))


def timeout_error(attempt: Attempt, exc: BaseException | None = None) -> ErrorInfo:
    """The failure of an attempt that ran too long; ``exc`` shows where it was."""
    return named(TaskTimeout, f"it ran longer than its limit of {attempt.timeout_s:g} s", exc)


def cancel_error(exc: BaseException | None = None) -> ErrorInfo:
    """The end of an attempt that was cancelled; ``exc`` shows where it was."""
    return named(TaskCancelled, "it was cancelled while it ran", exc)


def _chosen(value: Any) -> tuple[str, ...] | None:
    """Which branches a branching task's value follows; ``None`` follows all."""
    if isinstance(value, str) and value:
        return (value,)
    if not value:
        return ()
    if isinstance(value, list | tuple | set | frozenset) and all(isinstance(each, str) for each in value):
        return tuple(sorted(value)) if isinstance(value, set | frozenset) else tuple(value)
    return None


def _is_asyncio_cancel(exc: BaseException) -> bool:
    """Whether this is ``asyncio.CancelledError``, without importing asyncio to ask."""
    return any(
        kind.__name__ == "CancelledError" and kind.__module__ == "asyncio.exceptions"
        for kind in type(exc).__mro__
    )


def _run_alone(value: Any) -> Any:
    """Run a coroutine, or exhaust an async generator, on a new event loop in this thread."""
    import asyncio  # noqa: PLC0415 - 30 ms that a script without coroutines need not pay

    return asyncio.run(_collect(value) if isinstance(value, AsyncGeneratorType) else value)


async def _collect(stream: AsyncIterator[Any]) -> list[Any]:
    return [each async for each in stream]


@coroutine
def _metered(inner: Coroutine[Any, Any, Any], spent: list[float]) -> Generator[Any, Any, Any]:
    """Drive a coroutine as ``await`` does, adding up the CPU time of its steps."""
    sent: Any = None
    thrown: BaseException | None = None
    while True:
        mark = time.thread_time()
        try:
            if thrown is None:
                waits_for = inner.send(sent)
            else:
                error, thrown = thrown, None
                waits_for = inner.throw(error)
        except StopIteration as done:
            return done.value
        finally:
            spent[0] += time.thread_time() - mark
        try:
            sent = yield waits_for
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as exc:
            thrown = exc


def _unsatisfied(*args: Any, **kwargs: Any) -> bool:
    return False


def _drop(shown: Shown) -> None:
    """Nobody is shown anything."""
