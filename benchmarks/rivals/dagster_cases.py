"""Dagster: jobs in this process, and by the multiprocess executor, on a persistent SQLite instance."""

import logging
import os
from typing import Any

import dagster
import dagster_jobs
import measure

HOW = "SQLite instance, in process"


def instance(options: measure.Options) -> dagster.DagsterInstance:
    """An instance whose storage is in the work folder."""
    logging.disable(logging.CRITICAL)
    os.environ["DAGSTER_HOME"] = str(options.work)
    (options.work / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return dagster.DagsterInstance.get()


def execute(job: dagster.JobDefinition, on: dagster.DagsterInstance) -> Any:
    """Run to the end, or end the case."""
    done = job.execute_in_process(instance=on)
    if not done.success:
        raise SystemExit("the job failed")
    return done


def a(options: measure.Options) -> None:
    """A chain."""
    on, job = instance(options), dagster_jobs.chain_job(measure.CHAIN)
    measure.chain(lambda: execute(job, on), reps=options.reps, how=HOW)


def b(options: measure.Options) -> None:
    """A fan-out; at its pace, 10,000 would take several times the cap."""
    on, job = instance(options), dagster_jobs.fan_job(1000)
    measure.fan_out(1000, lambda: execute(job, on), reps=options.reps, how=f"{HOW}, dynamic outputs")


def c(options: measure.Options) -> None:
    """Diamonds, one after another: launching runs needs its daemon, which is slower."""
    on = instance(options)

    def work() -> None:
        for _ in range(measure.DIAMONDS):
            execute(dagster_jobs.diamond, on)

    measure.diamonds(work, reps=options.reps, how=f"{HOW}, one after another")


def d(options: measure.Options) -> None:
    """Latency."""
    on = instance(options)
    measure.latency(
        lambda: execute(dagster_jobs.stamped, on).output_for_node("stamp"),
        how=f"{HOW}, execute_in_process",
    )


def f(options: measure.Options) -> None:
    """The multiprocess executor."""
    on = instance(options)
    config = {"execution": {"config": {"max_concurrent": 2}}}

    def work() -> None:
        job = dagster.reconstructable(dagster_jobs.cpu_job)
        with dagster.execute_job(job, instance=on, run_config=config) as done:
            if not done.success:
                raise SystemExit("the job failed")

    measure.cpu(
        work,
        reps=options.reps,
        how="SQLite instance, multiprocess executor, 2 at once",
        tasks=dagster_jobs.BURNS,
    )


if __name__ == "__main__":
    measure.main({"A": a, "B1000": b, "C": c, "D": d, "F": f})
