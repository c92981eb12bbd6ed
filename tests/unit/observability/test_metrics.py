"""What is counted of committed changes."""

from embedded_weft import Weft
from prometheus_client.parser import text_string_to_metric_families

from weft import flow, task
from weft.core.changes import Cause, RunAdded, RunChanged, TaskChanged
from weft.engine.gauges import check_engine, check_store, watch_engine, watch_store
from weft.model.errors import StoreError
from weft.model.states import RunState, TaskState
from weft.observability.metrics import GAUGES, OTHER, WORKFLOWS_MAX, Metrics
from weft.observability.readiness import Readiness


def read(metrics: Metrics) -> dict[str, float]:
    """Samples by name and label values, as ``name{a,b}``."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            labels = ",".join(sample.labels.values())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def added(run: int, workflow: str = "etl", at: float = 100.0) -> RunAdded:
    """A run was accepted."""
    return RunAdded(run, f"run_{run}", workflow, "digest", at)


def moved(state: TaskState, at: float, *, idx: int = 1, started_at: float | None = None) -> TaskChanged:
    """A task run of run 1 moved."""
    return TaskChanged(1, idx, state, 1, at, Cause.CAPACITY, started_at=started_at)


def test_a_run_from_acceptance_to_end() -> None:
    """Each stretch of a run and of its task run is in its histogram, and each change is counted."""
    metrics = Metrics(commit_s=lambda: 0.002)
    metrics.take([added(1), RunChanged(1, RunState.RUNNING, 100.5, Cause.SUBMITTED)])
    metrics.take([moved(TaskState.QUEUED, 101.0)])
    metrics.take([moved(TaskState.RUNNING, 103.0, started_at=103.0)])
    metrics.take([moved(TaskState.SUCCEEDED, 110.0, started_at=103.0)])
    metrics.take([RunChanged(1, RunState.SUCCEEDED, 111.0, Cause.CHILDREN)])
    found = read(metrics)
    assert found["weft_runs_accepted_total{etl}"] == 1
    assert found["weft_runs_ended_total{etl,succeeded}"] == 1
    assert found["weft_run_start_seconds_sum{etl}"] == 0.5
    assert found["weft_run_seconds_sum{etl}"] == 10.5
    assert found["weft_task_queue_seconds_sum{etl}"] == 2.0
    assert found["weft_task_seconds_sum{etl}"] == 7.0
    assert (found["weft_task_queue_seconds_count{etl}"], found["weft_task_seconds_count{etl}"]) == (1, 1)
    assert found["weft_task_changes_total{etl,queued}"] == 1
    assert found["weft_task_changes_total{etl,succeeded}"] == 1
    assert (found["weft_commit_changes_count"], found["weft_commit_changes_sum"]) == (5, 6)
    assert found["weft_commit_seconds_count"] == 5


def test_a_clock_that_goes_back_makes_no_sum_shrink() -> None:
    """A counter that falls means a restart to Prometheus: a negative time counts as none."""
    metrics = Metrics()
    metrics.take([added(1), moved(TaskState.QUEUED, 200.0)])
    metrics.take([moved(TaskState.SUCCEEDED, 100.0, started_at=150.0)])
    found = read(metrics)
    assert found["weft_task_queue_seconds_sum{etl}"] == 0.0
    assert found["weft_task_seconds_sum{etl}"] == 0.0
    assert found["weft_task_seconds_count{etl}"] == 1


def test_the_number_of_series_is_bounded() -> None:
    """Workflows beyond the first few hundred share one series."""
    metrics = Metrics()
    metrics.take([added(run, f"w{run}") for run in range(WORKFLOWS_MAX + 50)])
    found = read(metrics)
    accepted = {name: value for name, value in found.items() if name.startswith("weft_runs_accepted")}
    assert len(accepted) == WORKFLOWS_MAX + 1
    assert accepted[f"weft_runs_accepted_total{{{OTHER}}}"] == 50


def test_a_run_taken_over_is_looked_up_once() -> None:
    """A run that began in another process belongs to its workflow's series all the same."""
    asked: list[int] = []

    def workflow_of(run: int) -> str:
        asked.append(run)
        return "nightly"

    metrics = Metrics(workflow_of=workflow_of)
    for idx in range(3):
        metrics.take([moved(TaskState.QUEUED, 1.0, idx=idx)])
    assert read(metrics)["weft_task_changes_total{nightly,queued}"] == 3
    assert asked == [1]


def test_runs_that_left_are_forgotten() -> None:
    """A run that another engine took over holds no memory after the next scrape."""
    here = {1}
    metrics = Metrics(is_open=here.__contains__)
    metrics.take([added(1), moved(TaskState.QUEUED, 1.0)])
    here.clear()
    metrics.render()
    assert metrics._runs == {}


def test_requests_by_route() -> None:
    """The API's requests are counted by route and status, and timed by route."""
    metrics = Metrics()
    metrics.request("GET", "/api/v1/runs/{uid}", 200, 0.004)
    metrics.request("GET", "/api/v1/runs/{uid}", 404, 0.002)
    found = read(metrics)
    assert found["weft_http_requests_total{GET,/api/v1/runs/{uid},404}"] == 1
    assert found["weft_http_request_seconds_count{GET,/api/v1/runs/{uid}}"] == 2


@task
def double(x: int) -> int:
    """Twice as much."""
    return 2 * x


@task
def fails(x: int) -> int:
    """Never works."""
    raise ValueError(x)


@flow
def counted(width: int) -> int:
    """Some that work, and one that does not."""
    total = sum(double.map(range(width)).result())
    try:
        fails(1)
    except ValueError:
        pass
    return total


def test_a_real_engine(weft: Weft) -> None:
    """An engine that is watched tells of its commits, executors, lease, records and memory."""
    metrics = Metrics()
    host = weft.host
    watch_engine(metrics, host.engine)
    watch_store(metrics, host.store, host.engine.clock)
    assert counted(20) == 380
    found = read(metrics)
    assert found["weft_runs_ended_total{counted,succeeded}"] == 1
    assert found["weft_task_changes_total{counted,failed}"] == 1
    # The root, the map, its twenty items.
    assert found["weft_task_changes_total{counted,succeeded}"] == 22
    assert found["weft_task_seconds_count{counted}"] == 22  # The items, the one that failed, the flow itself.
    assert found["weft_executor_capacity{thread}"] >= 4
    assert found["weft_executor_in_use{thread}"] == 0
    assert 0 < found["weft_engine_lease_seconds"] <= host.settings.lease_s
    assert found["weft_engines_live"] == 1
    assert found["weft_engine_halted"] == 0
    assert found["weft_deliveries_due"] == 0
    assert found["process_resident_memory_bytes"] > 1e6
    assert found["process_cpu_seconds_total"] > 0
    assert found["process_start_time_seconds"] <= host.engine.clock.now()


def test_every_gauge_of_the_engine_and_its_store_is_watched(weft: Weft) -> None:
    """Only what other parts of the service watch is left without a reader here."""
    metrics = Metrics()
    watch_engine(metrics, weft.host.engine)
    watch_store(metrics, weft.host.store, weft.host.engine.clock)
    unread = {name for name, _, _ in GAUGES if getattr(metrics.registry.families[name], "read", None) is None}
    assert unread == {"weft_traces_spans_total", "weft_traces_dropped_total"}


def test_readiness_of_an_engine(weft: Weft) -> None:
    """A good engine on a good store is ready; one that has stopped for good is not even healthy."""
    readiness = Readiness()
    check_engine(readiness, weft.host.engine)
    check_store(readiness, weft.host.store)
    assert readiness.ready, readiness.ask()
    weft.host.engine.halted = StoreError("the disk is gone")
    assert not readiness.healthy
    assert next(each for each in readiness.ask() if each.name == "engine").problem.endswith(
        "the disk is gone"
    )
    weft.host.engine.halted = None
