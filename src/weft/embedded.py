"""The composition root of a plain ``python file.py``: an engine in this process, opened on first use.

It joins what may not know each other: the store, the executors, the engine and the flows that user code runs.
``weft run`` uses it too.
"""

import atexit
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.core.changes import Cause
from weft.core.clear import clear
from weft.core.events import Called, PauseRun
from weft.engine.engine import Engine
from weft.engine.recovery import dead_engines, process_start
from weft.executors.lazy import LazyExecutor
from weft.executors.protocol import Executor
from weft.executors.thread import ThreadExecutor
from weft.model.attempts import Attempt, AttemptId
from weft.model.errors import RunNotResumable, RunPaused, WeftError
from weft.model.rows import RunRow
from weft.model.states import RunState
from weft.observability.progress import Progress, progress
from weft.runtime.flow_bodies import FlowBodies
from weft.runtime.flows import Interrupted
from weft.runtime.host import Pending, RunRequest, wait_async
from weft.runtime.resources import set_source
from weft.settings import Settings, load_settings
from weft.store.open import make_home, open_store
from weft.store.protocol import Store

if TYPE_CHECKING:
    from weft.engine.resources import ResourceServer, StoredResources

PROGRESS_SEED = 10_000
"""Task runs of a resumed run that its display is told of; more would keep the run waiting."""


PRUNED_AT_ONCE = 100
"""Old runs that one process forgets as it ends."""


class LocalHost:
    """An engine in this process, with the threads and processes that it needs.

    Args:
        settings: See ``weft.settings``.

    Attributes:
        executor: The default executor's name.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.executor = settings.executor
        home = settings.home_path
        make_home(home)
        self.store: Store = open_store(settings.store_url, durability=settings.durability)
        self.artifacts = Artifacts(FileBlobs(home / "artifacts"))
        self._flows = FlowBodies(self, lambda: self.thread.runner, suspend_after_s=settings.suspend_after_s)
        self.thread = ThreadExecutor(
            self.artifacts,
            home,
            threads=settings.threads or None,
            flows=self._flows.carry_out,
            interrupt_flow=self._flows.stop,
        )
        workers = settings.workers or os.cpu_count() or 1
        self._resource_server: ResourceServer | None = None
        set_source(lambda: self._resources)
        process = LazyExecutor("process", self._process_executor, capacity=workers)
        executors: dict[str, Executor] = {"thread": self.thread, "process": process}
        pid = os.getpid()
        self.engine = Engine(
            self.store,
            self.artifacts,
            executors,
            default=settings.executor,
            pools=settings.pools,
            name=f"{socket.gethostname()}:{pid}",
            host=socket.gethostname(),
            pid=pid,
            process_started=process_start(pid),
            lease_s=settings.lease_s,
        )
        self._interrupts = 0
        self._carrying: dict[int, AttemptId] = {}
        self._closed = False
        self._progress: Progress | None = None
        self._progress_made = False
        self.thread.capture.install()
        self.engine.start()

    @cached_property
    def _resources(self) -> "StoredResources":
        """Variables, secrets and connections; cryptography and all that loads for the first question."""
        from weft.engine.resources import StoredResources  # noqa: PLC0415 - see above
        from weft.store.vault import open_vault  # noqa: PLC0415 - see above

        home, key = self.settings.home_path, self.settings.secret_key
        return StoredResources(self.store, lambda: open_vault(home, key))

    def _process_executor(self) -> Executor:
        from weft.engine.resources import ResourceServer  # noqa: PLC0415 - for worker processes only

        self._resource_server = ResourceServer(self._resources)
        self._resource_server.start()
        return process_executor(self.settings, resources=self._resource_server.path)

    # --- what a flow asks (runtime.host.Host) -------------------------------------------------------------

    def call(self, make: Callable[[int], Called], *, inline: bool) -> Pending:
        """See ``runtime.host.Host``."""
        self._check_interrupted()
        pending = self.engine.call(make, carry_out=self._carry_out if inline else None)
        # The signal is not let through while this thread turns the engine.
        self._check_interrupted()
        return pending

    def submit(self, request: RunRequest) -> Pending:
        """See ``runtime.host.Host``."""
        return self.engine.submit(request, carry_out=self._carry_out if request.inline else None)

    def run(self, request: RunRequest) -> Pending:
        """Start a run and see it through.

        Raises:
            RunPaused: It was interrupted, and can be resumed.
        """
        self._show_progress()
        pending = self.submit(request)
        return self._see_through(pending)

    async def run_async(self, request: RunRequest) -> Pending:
        """Start a run, and wait for it on the running event loop.

        If that is cancelled, as Ctrl-C does, the run is left as an interrupted one is.
        """
        self._show_progress()
        request.inline = False
        pending = self.submit(request)
        try:
            await wait_async(pending)
        except BaseException:
            self.leave(pending.run, _paused(pending))
            self._drain(pending)
            if pending.settled is None:
                print(f"\nerror: {_paused(pending)}", file=sys.stderr)
            raise
        finally:
            if self._progress is not None:
                self._progress.finish(pending.run)
        return pending

    def leave(self, run: int, error: WeftError) -> None:
        """See ``runtime.host.Host``."""
        self.engine.leave(run, error)

    def now(self) -> float:
        """See ``runtime.host.Host``."""
        return self.engine.clock.now()

    # --- resuming -----------------------------------------------------------------------------------------

    def resume(self, run: int) -> Pending:
        """Go on with a run whose engine is gone, and see it through.

        Raises:
            RunNotResumable: It has ended, or a live engine owns it.
        """
        row = self.store.run_by_id(run)
        if row.state.terminal:
            raise RunNotResumable(
                f"run {row.uid} has {row.state}", hint="weft runs retry makes its failed tasks run again"
            )
        dead = dead_engines(self.store.engines())
        if row.owner == self.engine.id and row.state is RunState.PAUSED:
            dead.append(self.engine.id)  # It was left here, and goes on here.
        return self._go_on(row, dead)

    def retry(self, run: int, task: int | None = None) -> Pending:
        """Run again what failed in a run that has ended, and see it through.

        Args:
            run: The run.
            task: Instead of what failed: this task run and all that comes after it.

        Raises:
            RunNotResumable: It has not ended, or there is nothing to run again.
        """
        row = self.store.run_by_id(run)
        if not row.state.terminal:
            raise RunNotResumable(f"run {row.uid} has not ended", hint=f"weft runs resume {row.uid}")
        epoch = self.store.claim(self.engine.id, now=self.now(), runs=[run]).get(run)
        if epoch is None:
            # Its last engine still lives, and has no more to do with it.
            engines = [each.engine for each in self.store.engines()]
            epoch = self.store.claim(self.engine.id, now=self.now(), runs=[run], dead=engines)[run]
        tasks = () if task is None else (task,)
        changes = clear(
            self.store.load(run),
            tasks=tasks,
            downstream=task is not None,
            only_failed=task is None,
            at=self.now(),
        )
        if not changes:
            raise RunNotResumable(
                f"there is nothing to run again in run {row.uid}",
                hint=f"weft runs replay {row.uid} runs it anew",
            )
        self.store.commit(changes, engine=self.engine.id, epochs={run: epoch})
        return self._go_on(self.store.run_by_id(run), [self.engine.id])

    def _go_on(self, row: RunRow, dead: Sequence[int]) -> Pending:
        """Take a stored run over from engines that are dead, and see it through."""
        run = row.run
        progress = self._show_progress()
        if progress is not None:
            progress.seed(row, self.store.tasks(run, limit=PROGRESS_SEED))
        handles = self.engine.recover([run], dead=dead, inline=[run], carry_out=self._carry_out)
        if run not in handles:
            owner = next((each for each in self.store.engines() if each.engine == row.owner), None)
            who = f"{owner.name}, process {owner.pid}" if owner is not None else "another engine"
            raise RunNotResumable(
                f"run {row.uid} is being run by {who}", hint="weft runs watch follows it", run=row.uid
            )
        return self._see_through(handles[run])

    def close(self) -> None:
        """Stop, and let go of the runs; those that have not ended can be resumed."""
        if self._closed:
            return
        self._closed = True
        self.engine.close(grace_s=2.0)
        if self._resource_server is not None:
            self._resource_server.close()
        self.thread.capture.uninstall()
        if self.settings.keep_days > 0 and self.engine.halted is None:
            self._prune()
        self.store.close()

    def _prune(self) -> None:
        """Forget runs that ended long ago, and their logs; a few at a time, so that no exit takes long."""
        ended_before = self.engine.clock.now() - self.settings.keep_days * 86_400
        try:
            pruned = self.store.prune(ended_before=ended_before, limit=PRUNED_AT_ONCE)
        except WeftError:
            return  # A full or busy store is no reason to end badly: the next process tries again.
        for uid in pruned:
            shutil.rmtree(self.settings.home_path / "logs" / uid, ignore_errors=True)

    # --- carrying out -------------------------------------------------------------------------------------

    def _see_through(self, pending: Pending) -> Pending:
        try:
            with self._interruptible(pending):
                try:
                    pending.wait()
                except Interrupted:
                    self._drain(pending)
        finally:
            if self._progress is not None:
                self._progress.finish(pending.run)
        if pending.halted is not None:
            raise pending.halted
        if pending.settled is None:
            raise _paused(pending)
        return pending

    def _show_progress(self) -> Progress | None:
        """The display of what runs here, made when there is something to show; ``None`` for none."""
        if not self._progress_made:
            self._progress_made = True
            self._progress = progress(self.settings.progress)
            if self._progress is not None:
                self.engine.listen(self._progress.take)
        return self._progress

    def _carry_out(self, attempt: Attempt) -> None:
        if getattr(attempt.call, "flow", False):
            self.engine.post(self._flows.carry_out_here(attempt))
        else:
            thread = threading.get_ident()
            self._carrying[thread] = attempt.id
            try:
                self.engine.post(self.thread.runner.run(attempt))
            finally:
                del self._carrying[thread]
        self._check_interrupted()

    # --- interruption -------------------------------------------------------------------------------------

    def _check_interrupted(self) -> None:
        if self._interrupts and threading.current_thread() is threading.main_thread():
            raise Interrupted

    def _drain(self, pending: Pending) -> None:
        """Wait for the attempts that are under way; nothing new starts."""
        run = pending.run
        while self.engine.busy(run) or self._carries(run):
            if pending.settled is not None or self.engine.halted is not None:
                return
            self.engine.clock.sleep(0.01)

    def _carries(self, run: int) -> bool:
        """Whether a thread carries out a task of the run that its flow called."""
        return any(attempt_id[0] == run for attempt_id in list(self._carrying.values()))

    @contextmanager
    def _interruptible(self, pending: Pending) -> Iterator[None]:
        """Ctrl-C once: stop gracefully. Twice: at once. Only where signals arrive: in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        second: list[tuple[int, int]] = []

        def stop(number: int, frame: FrameType | None) -> None:
            self._interrupts += 1
            if self._interrupts > 1:
                _stop_at_once()
            second.append(_watch_for_another())
            if self._progress is not None:
                self._progress.interrupted()
            os.write(2, b"\nstopping: waiting for the tasks that run (Ctrl-C again to stop at once)\n")
            self.engine.tell([PauseRun(pending.run, Cause.INTERRUPTED)])
            # A task that this thread carries out may end, and the engine must: both look again after that.
            if not self.engine.turning_here and threading.get_ident() not in self._carrying:
                raise Interrupted

        try:
            before = signal.signal(signal.SIGINT, stop)
        except ValueError:
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            for fd, watched in second:
                signal.set_wakeup_fd(watched)
                os.close(fd)
            self._interrupts = 0


def _watch_for_another() -> tuple[int, int]:
    """Have a thread end the process at the next Ctrl-C.

    Python runs a signal's handler in the main thread, between two steps of its own: C code that does not
    return, and a sleep that is entered just then, would keep it waiting.

    Returns:
        The descriptor to close when it is not to be watched any more, and the one to hand signals to then.
    """
    read, write = os.pipe()
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def watch() -> None:
        while signals := os.read(read, 64):
            if signal.SIGINT in signals:
                _stop_at_once()
        os.close(read)

    threading.Thread(target=watch, name="weft-interrupt", daemon=True).start()
    return write, before


def _stop_at_once() -> NoReturn:
    os.write(2, b"\nstopped at once; the run can be resumed\n")
    os._exit(130)


def _paused(pending: Pending) -> RunPaused:
    return RunPaused(
        f"run {pending.uid} was interrupted",
        hint=f"go on with it: weft runs resume {pending.uid}",
        run=pending.uid,
    )


def process_executor(settings: Settings, *, resources: str = "") -> Executor:
    """The process executor; a script of threads alone never loads it."""
    from weft.executors.process import ProcessExecutor  # noqa: PLC0415 - see above

    return ProcessExecutor(
        settings.home_path,
        settings.home_path / "artifacts",
        workers=settings.workers or None,
        main_file=_user_script(),
        resources=resources,
    )


def _user_script() -> str | None:
    """The script that is being run; ``None`` if that is the ``weft`` command, which workers need not load."""
    main = sys.modules.get("__main__")
    command = sys.modules.get("weft.cli.main")
    if command is not None and getattr(main, "main", None) is getattr(command, "main", None):
        return None
    return getattr(main, "__file__", None)


def _exit(code: int) -> None:
    """The first of the functions that run at exit: run the others, and leave with this code."""
    atexit.unregister(_exit)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # Nobody reads it any more.
    os._exit(code)


_host: LocalHost | None = None
_owner = 0
_lock = threading.Lock()


def open_host(settings: Settings | None = None) -> LocalHost:
    """The process's host; made on the first call, with ``settings`` or those in force."""
    global _host, _owner
    with _lock:
        if _host is None or _owner != os.getpid():
            _hide_tracebacks()
            _host = LocalHost(settings or load_settings())
            _owner = os.getpid()
            atexit.register(_host.close)
        return _host


def close_host() -> None:
    """Close the process's host; the next call opens another."""
    global _host
    with _lock:
        if _host is not None:
            atexit.unregister(_host.close)
            _host.close()
            _host = None


def _hide_tracebacks() -> None:
    """A coded error that ends a script needs no traceback, and sets the exit code."""
    before = sys.excepthook

    def show(kind: type[BaseException], exc: BaseException, trace: Any) -> None:
        if not isinstance(exc, WeftError):
            before(kind, exc, trace)
            return
        print(f"error: {exc}", file=sys.stderr)
        if exc.exit_code != 1:
            # Python ends with 1 after any exception. So: do all that it does at its end, then end ourselves.
            atexit.register(_exit, exc.exit_code)

    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = show
