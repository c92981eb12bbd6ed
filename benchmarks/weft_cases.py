"""The work of each case of ``run.py``: prints one JSON line a figure, and nothing else."""

import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from weft import flow, task
from weft.embedded import close_host, open_host
from weft.model.calls import GroupCall, PythonCall
from weft.model.graph import MAIN, Graph, Group, Node
from weft.model.inputs import Output
from weft.runtime import load
from weft.runtime.host import RunRequest
from weft.settings import load_settings

CHAIN = 1_000
WIDTH = 10_000
RUNS = 1_000
BURNS = 64
BURN_LOOPS = 700_000
MILLION = 1_000_000
OPEN = 100_000


def emit(case: str, value: float) -> None:
    """Print a figure."""
    print(json.dumps({"case": case, "value": value}), flush=True)


@task
def inc(x: int) -> int:
    """The least that a task can do."""
    return x + 1


@task
def moment(x: int) -> float:
    """When it began."""
    return time.time()


@task(executor="process")
def moment_away(x: int) -> float:
    """When it began, in another process."""
    return time.time()


@task(executor="process")
def inc_away(x: int) -> int:
    """The least that a task can do, in another process."""
    return x + 1


@task(executor="process")
def burn(x: int) -> int:
    """About 50 ms of pure Python."""
    for each in range(BURN_LOOPS):
        x ^= each
    return x


@task
def wait_for_gate(x: int) -> int:
    """Never ends while the process lives."""
    time.sleep(3600)
    return x


@flow
def chain(length: int) -> float:
    """Seconds a task, one after another."""
    x = 0
    for _ in range(50):
        x = inc(x)
    begin = time.perf_counter()
    for _ in range(length):
        x = inc(x)
    return (time.perf_counter() - begin) / length


@flow
def fan_out(width: int, away: bool) -> float:
    """Seconds in all, side by side."""
    mapped = inc_away if away else inc
    assert mapped.map(range(200)).result()[-1] == 200
    begin = time.perf_counter()
    results = mapped.map(range(width)).result()
    spent = time.perf_counter() - begin
    assert results == list(range(1, width + 1))
    return spent


@flow
def latencies(count: int, away: bool) -> list[float]:
    """Seconds from ready to running, on an idle engine with warm workers."""
    timed = moment_away if away else moment
    timed.submit(0).result()
    found = []
    for at in range(count):
        time.sleep(0.005)
        begin = time.time()
        found.append(timed.submit(at).result() - begin)
    return found


@flow
def burning(count: int) -> float:
    """Seconds in all, for work that needs processors."""
    inc_away.map(range(8)).result()
    begin = time.perf_counter()
    burn.map(range(count)).result()
    return time.perf_counter() - begin


@flow
def gate(width: int) -> int:
    """Many task runs that are open."""
    return len(wait_for_gate.map(range(width)).result())


def start() -> None:
    """Import, version and a whole one-task script, as processes."""
    emit("import", timed([sys.executable, "-c", "import weft"]) - timed([sys.executable, "-c", "pass"]))
    emit("version", timed([str(Path(sys.executable).parent / "weft"), "--version"]))
    script = Path(os.environ["WEFT_HOME"]) / "one.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(
        "from weft import flow, task\n\n@task\ndef one(): return 1\n\n"
        "@flow\ndef main(): return one()\n\nprint(main())\n"
    )
    emit("cold", timed([sys.executable, str(script)]))


def timed(command: list[str]) -> float:
    """Seconds for a command, the least of five."""
    found = []
    for _ in range(5):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.perf_counter() - begin)
    return min(found)


def run_chain() -> None:
    """A chain at each durability."""
    emit("chain_full", chain(CHAIN) * 1000)
    close_host()
    os.environ["WEFT_DURABILITY"] = "relaxed"
    open_host(load_settings())
    emit("chain_relaxed", chain(CHAIN) * 1000)


def fanout() -> None:
    """A wide map on threads and on processes."""
    emit("fanout_threads", WIDTH / fan_out(WIDTH, False))
    emit("fanout_processes", WIDTH / fan_out(WIDTH, True))


def diamonds() -> None:
    """A thousand runs of ten tasks, all submitted at once."""
    host = open_host()
    load.register("weft_bench", "join", join)
    call = PythonCall("weft_bench", "join")
    middle = tuple(Node(key=f"m{at}", call=call, inputs={"a": Output("first")}) for at in range(8))
    last = Node(key="last", call=call, inputs={each.key: Output(each.key) for each in middle})
    nodes = (Node(key="first", call=call), *middle, last)
    graph = Graph(
        workflow="diamond", root=Node(key="diamond", call=GroupCall(MAIN)), groups={MAIN: Group(nodes=nodes)}
    )
    host.submit(RunRequest(graph, {})).wait()
    begin = time.perf_counter()
    pending = host.engine.submit_all([RunRequest(graph, {}) for _ in range(RUNS)])
    for each in pending:
        each.wait()
    spent = time.perf_counter() - begin
    assert all(each.settled is not None and each.settled.state.ok for each in pending)
    emit("diamonds", RUNS * len(nodes) / spent)


def join(**inputs: int) -> int:
    """A node of a diamond."""
    return sum(inputs.values()) + 1


def latency() -> None:
    """From ready to running."""
    for name, away in (("latency", True), ("latency_threads", False)):
        found = sorted(latencies(300, away))
        emit(f"{name}_p50", statistics.median(found) * 1000)
        emit(f"{name}_p99", found[int(len(found) * 0.99)] * 1000)


def cpu() -> None:
    """How near to ideal two processes come."""
    begin = time.perf_counter()
    for at in range(8):
        burn.fn(at)
    alone = (time.perf_counter() - begin) / 8
    ideal = alone * BURNS / (os.cpu_count() or 1)
    emit("cpu", ideal / burning(BURNS))


def memory() -> None:
    """Bytes for each task run that is pending: an open map's, and a static graph's."""
    from weft.core.changes import RunAdded
    from weft.core.events import CapacityChanged, Submitted
    from weft.core.state import State
    from weft.core.step import step_all

    call = PythonCall("m", "f")
    nodes = tuple(Node(key=f"n{at}", call=call, needs=() if not at else ("n0",)) for at in range(100_000))
    graph = Graph(workflow="w", root=Node(key="w", call=GroupCall(MAIN)), groups={MAIN: Group(nodes=nodes)})
    before = rss()
    state = State()
    step_all(
        state, [CapacityChanged("default", 1), Submitted(RunAdded(1, "r", "w", "d", 0.0), graph, 1)], 0.0
    )
    emit("memory_pending", (rss() - before) / len(nodes))


def rss() -> int:
    """Bytes of memory in use now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def million() -> None:
    """A map of a million items, to its end."""
    begin = time.perf_counter()
    spent = fan_out(MILLION, False)
    emit("million_rate", MILLION / spent)
    emit("memory_million", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    emit("million_s", time.perf_counter() - begin)


def idle() -> None:
    """What an engine with nothing to do costs."""
    open_host()
    inc_away(1)
    before, begin = time.process_time(), time.perf_counter()
    time.sleep(5.0)
    emit("idle_cpu", (time.process_time() - before) / (time.perf_counter() - begin))
    emit("idle_rss", rss())


def recovery() -> None:
    """A process with many open task runs is killed; seconds until another has them all running again."""
    script = "import weft_cases, sys; sys.argv=['x']; from weft_cases import *; gate(OPEN)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "WEFT_THREADS": "4"}
    child = subprocess.Popen([sys.executable, "-c", script], env=environment, start_new_session=True)
    host = open_host()
    while True:
        time.sleep(0.2)
        rows = host.store.runs(limit=1)
        if rows and host.store.maps(rows[0].run) and host.store.counts(rows[0].run).get("running"):  # type: ignore[call-overload]  # a StrEnum's value finds it
            break
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    from weft.engine.recovery import dead_engines

    begin = time.perf_counter()
    handles = host.engine.recover([rows[0].run], dead=dead_engines(host.store.engines()))
    assert handles
    while not host.engine.busy(rows[0].run):
        time.sleep(0.005)
    emit("recovery", time.perf_counter() - begin)
    os._exit(0)


CASES: dict[str, Callable[[], None]] = {
    "start": start,
    "chain": run_chain,
    "fanout": fanout,
    "diamonds": diamonds,
    "latency": latency,
    "cpu": cpu,
    "memory": memory,
    "million": million,
    "idle": idle,
    "recovery": recovery,
}

if __name__ == "__main__":
    CASES[sys.argv[1]]()
