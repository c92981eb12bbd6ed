"""The Python client against the application: in process, over a socket, waiting and asynchronous."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from api_service import BASE, Service, serving
from litestar import Litestar
from litestar.testing import TestClient

from weft.client import AsyncClient, Client
from weft.client.models import Answer, Bulk, NewRun, NewToken, PoolBody, Signal, VariableBody
from weft.client.patience import Patience
from weft.model import errors
from weft.server.app import create_app
from weft.server.serve import HttpServer


@pytest.fixture
def weft_client(client: TestClient[Litestar]) -> Client:
    """A client of the service inside the process; there is no connection to close."""
    return Client(BASE, token="", transport=client._transport)


def test_a_run_from_its_start_to_its_result(service: Service, weft_client: Client) -> None:
    """The handle waits for the end and gives what the flow returned."""
    handle = weft_client.run("doubled", {"number": 4}, tags=["a"])
    assert handle.result(timeout_s=20) == 8
    run = handle.wait()
    assert run.state == "succeeded"
    assert run.tags == ["a"]
    assert run.params["number"].value == 4


def test_a_failure_is_raised_with_its_cause(service: Service, weft_client: Client) -> None:
    """The result of a run that failed is an error that says why; its tasks tell more."""
    handle = weft_client.run("failing")
    with pytest.raises(errors.RunFailed, match="no 1 today"):
        handle.result(timeout_s=20)
    failed = [each.key for each in weft_client.tasks.list(handle.id, where="state:failed") if each.idx]
    assert failed
    assert weft_client.tasks.explain(handle.id, failed[0]).state == "failed"
    assert weft_client.tasks.count(handle.id)["failed"] >= 1


def test_one_key_makes_one_run(service: Service, weft_client: Client) -> None:
    """The same key gives the same run; with other parameters it is refused by its code."""
    first = weft_client.run("doubled", {"number": 4}, key="k")
    assert weft_client.run("doubled", {"number": 4}, key="k").id == first.id
    with pytest.raises(errors.KeyReused):
        weft_client.run("doubled", {"number": 5}, key="k")
    first.wait(timeout_s=20)


def test_moments_are_filters_too(weft_client: Client) -> None:
    """What was done since then, and nothing of what was done before."""
    weft_client.pools.put("p", PoolBody(slots=1), if_none_match="*")
    now = datetime.now(UTC)
    since = {each.operation for each in weft_client.audit.list(since=now - timedelta(hours=1))}
    assert since == {"put_pool"}
    assert list(weft_client.audit.list(since=now + timedelta(hours=1))) == []


def test_refusals_are_weft_errors(weft_client: Client) -> None:
    """The class that the service raised is the class that the caller catches."""
    with pytest.raises(errors.NotFound):
        weft_client.run("nothing")
    with pytest.raises(errors.UnknownParameter):
        weft_client.run("doubled", {"nmuber": 1})
    with pytest.raises(errors.InvalidPageToken):
        weft_client.runs.list().page("elsewhere")
    with pytest.raises(errors.PreconditionRequired):
        weft_client.pools.put("cpu", PoolBody(slots=2))


def test_lists_cross_pages(service: Service, weft_client: Client) -> None:
    """Every run comes once, whatever the size of a page, and bulk operations count them."""
    runs = {weft_client.run("doubled").id for _ in range(5)}
    for run in runs:
        service.ended(run)
    assert [each.id for each in weft_client.runs.list(page_size=2)] == sorted(runs, reverse=True)
    counted = weft_client.runs.change(Bulk(action="delete", where="workflow:doubled"))
    assert (counted.count, counted.dry_run) == (5, True)


def test_documents_have_etags(weft_client: Client) -> None:
    """Reading, changing and writing takes what is there; a stale ETag is refused."""

    def grown(old: object) -> VariableBody:
        return VariableBody(value=[*getattr(old, "value", []), 1])

    made = weft_client.variables.update("x", grown)
    assert weft_client.variables.update("x", grown).value == [1, 1]
    with pytest.raises(errors.PreconditionFailed):
        weft_client.variables.put("x", VariableBody(value=0), if_match=made.etag)
    weft_client.variables.delete("x", if_match=weft_client.variables.show("x").etag)
    assert list(weft_client.variables.list()) == []


def test_people_and_events(service: Service, weft_client: Client) -> None:
    """An approval is found and answered; an event is sent under an id."""
    asking = weft_client.run("asking")
    service.until(lambda: bool(service.store.tasks(service.store.run(asking.id).run, "state:waiting")))
    [waiting] = weft_client.approvals.list()
    weft_client.approvals.answer(waiting.run, waiting.idx, Answer(approved=True))
    assert asking.wait(timeout_s=20).state == "succeeded"
    with pytest.raises(errors.RunNotResumable):
        weft_client.runs.send_signal(asking.id, Signal(name="go", payload=1, id="1"))


def test_the_asynchronous_client_does_the_same(service: Service) -> None:
    """Runs side by side on one event loop, lists and results included."""

    async def use() -> list[int]:
        transport = httpx.ASGITransport(service.app())
        async with AsyncClient(BASE, token="", transport=transport) as client:
            handles = await asyncio.gather(*[client.run("doubled", {"number": n}) for n in range(3)])
            results = await asyncio.gather(*[each.result(timeout_s=20) for each in handles])
            assert {each.id async for each in client.runs.list(page_size=1)} == {each.id for each in handles}
            assert (await client.variables.update("x", lambda old: VariableBody(value=1))).value == 1
            with pytest.raises(errors.NotFound):
                await client.runs.create(NewRun(workflow="nothing"))
            return results

    assert asyncio.run(use()) == [0, 2, 4]


def test_events_and_logs_are_followed_over_a_socket(service: Service) -> None:
    """Changes come as they are committed, from any point on; a log ends with its attempt."""
    with serving(service) as url, Client(url, token="") as client:
        begin = client.system.status().seq
        handle = client.run("doubled", {"number": 21})
        ended = False
        for event in client.events.follow(run=handle.id, after=begin):
            ended = any((each.kind, each.state) == ("run", "succeeded") for each in event.data.changes)
            if ended:
                break
        assert ended
        [task] = client.tasks.list(handle.id, where="name:double")
        text = "".join(each.data.text for each in client.logs.follow(handle.id, task.idx))
        assert text == "doubling 21\n"
        assert client.logs.read(handle.id, task.idx).text == text


def test_events_come_to_the_asynchronous_client(service: Service) -> None:
    """The same stream on an event loop."""

    async def use(url: str) -> str:
        async with AsyncClient(url, token="") as client:
            begin = (await client.system.status()).seq
            handle = await client.run("doubled")
            async for event in client.events.follow(kinds="run", after=begin):
                if any(each.state == "succeeded" for each in event.data.changes):
                    return handle.id
        return ""

    with serving(service) as url:
        assert asyncio.run(use(url)).startswith("run")


def test_a_token_is_sent(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the argument or from WEFT_TOKEN; one that is not known is refused."""
    with serving(service) as url:
        with Client(url, token="") as client:
            made = client.tokens.make(NewToken(name="t", role="viewer"))
        monkeypatch.setenv("WEFT_TOKEN", made.token)
        with Client(url) as client:
            assert client.system.me().role == "viewer"
            with pytest.raises(errors.NotAllowed):
                client.run("doubled")
        with Client(url, token="weft_" + "0" * 43) as client, pytest.raises(errors.NotAuthenticated):
            client.system.me()


def test_a_unix_socket_is_an_address(service: Service, tmp_path: Path) -> None:
    """A service that listens on a file is reached through it."""
    path = tmp_path / "weft.sock"
    server = HttpServer(create_app(service.services), service.services, uds=str(path), grace_s=1.0)
    server.start()
    try:
        with Client(f"unix://{path}", token="") as client:
            assert client.run("doubled", {"number": 3}).result(timeout_s=20) == 6
    finally:
        server.stop()


def test_nobody_there(service: Service) -> None:
    """A service that was stopped is unreachable: a coded error, not the transport's."""
    with serving(service) as url:
        pass
    with Client(url, patience=Patience(retries=0)) as client, pytest.raises(errors.ServiceUnreachable):
        client.system.health()


def test_a_bundle_goes_from_store_to_store(service: Service, weft_client: Client) -> None:
    """What export gives import takes, once the run is gone."""
    handle = weft_client.run("doubled")
    handle.wait(timeout_s=20)
    bundle = weft_client.runs.export(handle.id)
    assert msgspec.json.decode(bundle.splitlines()[0])
    weft_client.runs.delete(handle.id)
    with pytest.raises(errors.NotFound):
        handle.show()
    assert weft_client.runs.import_(bundle).id == handle.id
