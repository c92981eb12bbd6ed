"""OpenLineage events, checked against the schemas' own classes."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from embedded_weft import Weft
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    documentation_job,
    error_message_run,
    job_type_job,
    nominal_time_run,
    parent_run,
    processing_engine_run,
    source_code_location_job,
    tags_run,
)
from openlineage.client.serde import Serde

from weft import Skip, dag, flow, sleep, task
from weft.model.calls import GroupCall, PythonCall
from weft.model.graph import MAIN, Declared, Graph, Group, Node
from weft.model.inputs import Output
from weft.observability.lineage import Lineage, LineageEvent
from weft.observability.openlineage import PRODUCER, dataset, nominal_time, run_uuid, task_uuid
from weft.runtime.host import RunRequest

RUN_FACETS = {
    "parent": parent_run.ParentRunFacet,
    "nominalTime": nominal_time_run.NominalTimeRunFacet,
    "errorMessage": error_message_run.ErrorMessageRunFacet,
    "processing_engine": processing_engine_run.ProcessingEngineRunFacet,
    "tags": tags_run.TagsRunFacet,
}
JOB_FACETS = {
    "jobType": job_type_job.JobTypeJobFacet,
    "documentation": documentation_job.DocumentationJobFacet,
    "sourceCodeLocation": source_code_location_job.SourceCodeLocationJobFacet,
}
ATTEMPTS: list[int] = []


@task
def double(x: int) -> int:
    """Twice as much."""
    return 2 * x


@task(retries=1)
def second_time(x: int) -> int:
    """Works the second time."""
    ATTEMPTS.append(x)
    if len(ATTEMPTS) == 1:
        raise ValueError("not yet")
    return x


@task
def boom(x: int) -> int:
    """Never works."""
    raise ValueError("boom")


@flow
def etl(width: int) -> int:
    """What a night needs."""
    return sum(double.map(range(width)).result()) + second_time(1)


@task(cache="inputs", cache_scope="global")
def kept(x: int) -> int:
    """Need not run twice."""
    return x


@task
def given_up() -> None:
    """Sees that there is nothing to do."""
    raise Skip("nothing to do")


@flow
def many(width: int) -> int:
    """One of each."""
    sleep("1ms")
    kept(width)
    given_up.submit()
    static()
    return sum(double.map(range(width)).result())


@flow
def broken() -> None:
    """One fails, and the next cannot begin."""
    double.submit(boom.submit(1)).result()


@dag
def static() -> int:
    """One after the other."""
    return double(double(1))


@pytest.fixture(autouse=True)
def _fresh() -> None:
    """Each test tries anew."""
    ATTEMPTS.clear()


def told(weft: Weft) -> list[LineageEvent]:
    """The events of all that happened, each of them a valid one."""
    store = weft.host.store
    events = Lineage(store).events(store.events_since(0, limit=100_000))
    for event in events:
        check(event)
    return events


def check(event: LineageEvent) -> None:
    """The classes that are made from the schemas take it, and write it as it is."""

    def facets(given: dict[str, Any], classes: dict[str, Any]) -> dict[str, Any]:
        made = {}
        for name, fields in given.items():
            fields = dict(fields)
            url = fields.pop("_schemaURL")
            made[name] = classes[name](producer=fields.pop("_producer"), **fields)
            assert made[name]._schemaURL == url
        return made

    made = RunEvent(
        eventType=RunState[event["eventType"]],
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=Run(event["run"]["runId"], facets(event["run"]["facets"], RUN_FACETS)),
        job=Job(event["job"]["namespace"], event["job"]["name"], facets(event["job"]["facets"], JOB_FACETS)),
        inputs=[InputDataset(**each, facets=None, inputFacets=None) for each in event["inputs"]],
        outputs=[OutputDataset(**each, facets=None, outputFacets=None) for each in event["outputs"]],
    )
    assert made.schemaURL == event["schemaURL"]
    assert Serde.to_dict(made) == Serde.remove_nulls_and_enums(event)


def kinds(events: list[LineageEvent]) -> dict[str, list[str]]:
    """What was told of each job, in order."""
    found: dict[str, list[str]] = {}
    for event in events:
        found.setdefault(event["job"]["name"], []).append(event["eventType"])
    return found


def test_a_flow(weft: Weft) -> None:
    """The run and each task are told of once at each turn; a map stands for its items."""
    etl(3)
    events = told(weft)
    assert kinds(events) == {
        "etl": ["START", "COMPLETE"],
        "etl.double": ["START", "COMPLETE"],
        "etl.second_time": ["START", "RUNNING", "COMPLETE"],
    }
    uid = weft.run().uid
    run = events[0]
    assert run["run"]["runId"] == run_uuid(uid)
    assert run["job"]["facets"]["documentation"]["description"] == "What a night needs."
    location = run["job"]["facets"]["sourceCodeLocation"]
    assert location["url"].endswith("test_lineage.py")
    for event in events:
        if event["job"]["name"] != "etl":
            parent = event["run"]["facets"]["parent"]
            assert parent["run"]["runId"] == parent["root"]["run"]["runId"] == run_uuid(uid)
            assert parent["job"] == {"namespace": "weft", "name": "etl"}
    calls = {task_uuid(uid, each.idx) for each in weft.tasks() if each.kind == "call"}
    assert {event["run"]["runId"] for event in events} == {run_uuid(uid), *calls}


def test_each_begins_once_and_before_it_ends(weft: Weft) -> None:
    """Groups, maps of groups, waits, cache hits, skips: what ends has begun, once, whatever it is."""
    many(2)
    many(2)
    by_run: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for event in told(weft):
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
        names[event["run"]["runId"]] = event["job"]["name"]
    for run, found in by_run.items():
        assert found[0] == "START", (names[run], found)
        assert found.count("START") == 1, (names[run], found)
        assert found[-1] in ("COMPLETE", "FAIL", "ABORT"), (names[run], found)
    assert {"many", "many.static", "many.kept", "many.given_up", "many.double"} <= set(names.values())
    assert all("[" not in name for name in names.values())


def test_failures(weft: Weft) -> None:
    """A failure is told with its error and where it came from; what could not begin is not told of."""
    with pytest.raises(Exception, match="boom"):
        broken()
    events = told(weft)
    assert kinds(events) == {"broken": ["START", "FAIL"], "broken.boom": ["START", "FAIL"]}
    error = next(each for each in events if each["eventType"] == "FAIL")["run"]["facets"]["errorMessage"]
    assert error["message"] == "boom"
    assert "test_lineage.py" in error["stackTrace"]


def test_a_static_workflow_has_a_nominal_time(weft: Weft) -> None:
    """The logical date is what the run is about."""
    static()
    events = told(weft)
    assert Counter(each["eventType"] for each in events) == {"START": 3, "COMPLETE": 3}
    assert events[0]["job"]["facets"]["jobType"]["jobType"] == "DAG"
    assert all("nominalTime" in each["run"]["facets"] for each in events)


def declared(name: str, uri: str) -> tuple[Declared, ...]:
    """An output."""
    return (Declared(name, uri=uri),)


def test_datasets(weft: Weft) -> None:
    """What a node declares it produces; what reads its result consumes that. START promises nothing yet."""
    first = Node(key="extract", call=PythonCall(__name__, "one"), outputs=declared("raw", "s3://lake/raw/a"))
    second = Node(
        key="load",
        call=PythonCall(__name__, "same"),
        inputs={"x": Output("extract")},
        outputs=declared("orders", ""),
    )
    graph = Graph(
        workflow="shop",
        root=Node(key="shop", call=GroupCall(MAIN)),
        groups={MAIN: Group(nodes=(first, second))},
    )
    facts = {
        "data_interval_start": datetime(2026, 1, 1, tzinfo=UTC),
        "data_interval_end": datetime(2026, 1, 2, tzinfo=UTC),
    }
    weft.host.run(RunRequest(graph, {}, tags=("nightly",), facts=facts))
    found = {(each["job"]["name"], each["eventType"]): each for each in told(weft)}
    raw = {"namespace": "s3://lake", "name": "raw/a"}
    assert found["shop.extract", "START"]["outputs"] == []
    assert found["shop.extract", "COMPLETE"]["outputs"] == [raw]
    assert found["shop.load", "START"]["inputs"] == [raw]
    assert found["shop.load", "COMPLETE"]["outputs"] == [{"namespace": "weft", "name": "orders"}]
    facets = found["shop", "START"]["run"]["facets"]
    assert facets["nominalTime"]["nominalStartTime"] == "2026-01-01T00:00:00.000Z"
    assert facets["nominalTime"]["nominalEndTime"] == "2026-01-02T00:00:00.000Z"
    assert [each["key"] for each in facets["tags"]["tags"]] == ["nightly"]


def one() -> int:
    """1."""
    return 1


def same(x: int) -> int:
    """What it is given."""
    return x


def test_a_retried_run_goes_on(weft: Weft) -> None:
    """A run that ended and runs again has the same id, and goes on instead of beginning."""
    with pytest.raises(Exception, match="boom"):
        broken()
    weft.host.retry(weft.run().run)
    assert kinds(told(weft)) == {
        "broken": ["START", "FAIL", "RUNNING", "FAIL"],
        "broken.boom": ["START", "FAIL", "RUNNING", "FAIL"],
    }


def test_a_run_that_is_gone_is_passed_over(weft: Weft) -> None:
    """Changes of a run that was deleted meanwhile mean nothing, and stop nothing."""
    static()
    store = weft.host.store
    events = store.events_since(0, limit=1000)
    store.delete_runs([weft.run().run])
    static()
    later = store.events_since(events[-1].seq, limit=1000)
    found = Lineage(store).events([*events, *later])
    assert len(found) == 6
    assert {each["run"]["facets"].get("parent", {}).get("run", each["run"])["runId"] for each in found} == {
        run_uuid(weft.run().uid)
    }


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("s3://bucket/a/b.parquet", "s3://bucket", "a/b.parquet"),
        ("postgres://user:secret@db:5432/shop.public.orders", "postgres://db:5432", "shop.public.orders"),
        ("file:///data/x.csv", "file", "/data/x.csv"),
        ("gs://bucket", "gs://bucket", "orders"),
        ("", "here", "orders"),
        ("orders_table", "here", "orders"),
    ],
)
def test_names_of_datasets(uri: str, namespace: str, name: str) -> None:
    """Addresses are named by OpenLineage's rules, without passwords; other assets by their own name."""
    assert dataset(Declared("orders", uri=uri), "here") == {"namespace": namespace, "name": name}


def test_ids_are_uuids_of_version_7() -> None:
    """Ids are valid, differ for each run and task run, and sort by time as the runs' own do."""
    first, second = "run_01M84RZNV89DXW36E8R3QR666M", "run_01M84RZNW6YX0EGBA73NG3H6MQ"
    ids = [run_uuid(first), task_uuid(first, 0), task_uuid(first, 1), run_uuid(second)]
    assert len(set(ids)) == 4
    assert {UUID(each).version for each in ids} == {7}
    assert run_uuid(first) < run_uuid(second)
    assert run_uuid(first)[:13] == task_uuid(first, 1)[:13]


def test_nominal_time_needs_a_date() -> None:
    """Facts that are no dates are no nominal time; a date without a zone is UTC."""
    assert nominal_time({"logical_date": "yesterday"}) == {}
    assert nominal_time({"logical_date": datetime(2026, 1, 1)}) == {
        "nominalStartTime": "2026-01-01T00:00:00.000Z"
    }
    assert PRODUCER.startswith("https://")
