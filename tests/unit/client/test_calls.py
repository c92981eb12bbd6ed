"""What is sent for an operation, and what its answers become, without a network."""

from datetime import UTC, datetime

import httpx
import pytest
from carriers import RUN, problem, scripted

from weft.client import operations
from weft.client.address import address
from weft.client.call import Answer
from weft.client.models import Bulk, Signal, VariableBody
from weft.client.problems import error_of
from weft.model import errors


def test_a_call_is_data() -> None:
    """Path, query and method are there before anything is sent; names are encoded."""
    made = operations.preview_schedule("etl#daily", count=3)
    assert made.request.method == "GET"
    assert made.request.target == "/api/v1/schedules/etl%23daily/preview?count=3"
    assert made.repeatable


def test_what_was_not_given_is_not_sent() -> None:
    """Parameters and fields that nobody gave are the service's to choose; falsehood is sent."""
    assert operations.list_workflows().at(None).request.target == "/api/v1/workflows"
    assert operations.list_workflows(gone=False).at("t").request.target.endswith("?gone=false&page=t")
    assert operations.send_signal("r", Signal(name="go")).request.body == b'{"name":"go"}'
    assert operations.send_signal("r", Signal(name="go", payload=None)).request.body is not None
    body = operations.change_runs(Bulk(action="pause", where="x", dry_run=False)).request.body
    assert body is not None
    assert b'"dry_run":false' in body


def test_answers_are_typed_and_may_have_more_fields() -> None:
    """Times are times, and a field that a newer service adds is no error."""
    client, _ = scripted((200, RUN | {"colour": "blue"}))
    run = client.runs.show("run_1")
    assert run.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert not hasattr(run, "colour")


def test_a_refusal_is_the_error_that_was_raised_there() -> None:
    """The class is found by its code; what, where, hint and facts come along."""
    refusal = problem("W1202", "day is missing", where="etl", hint="give it", fields={"name": "day"})
    client, _ = scripted((422, refusal))
    with pytest.raises(errors.MissingParameter) as caught:
        client.runs.show("run_1")
    error = caught.value
    assert (error.what, error.where, error.hint) == ("day is missing", "etl", "give it")
    assert error.fields["name"] == "day"
    assert error.fields["status"] == 422


@pytest.mark.parametrize(("status", "kind"), [(422, errors.UsageError), (500, errors.WorldError)])
def test_a_code_of_a_newer_service_tells_whose_fault_it_is(status: int, kind: type[Exception]) -> None:
    """A code that this version does not know is still caught as the caller's or the world's."""
    client, _ = scripted((status, problem("W1999")))
    with pytest.raises(kind) as caught:
        client.runs.show("run_1")
    assert type(caught.value) is kind


def test_every_code_comes_back_as_its_class() -> None:
    """No class of the tree is lost on the way, whatever facts it carries."""
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.WeftError):
            body = b'{"detail":"x","code":"%s","fields":{"what":1,"where":2,"state":3}}' % error.code.encode()
            assert type(error_of(409, body, "x")) is error


def test_what_is_no_service_is_said_to_be_none() -> None:
    """A proxy's page, a wrong shape and a broken answer are one coded error."""
    page = httpx.Response(404, content=b"<html>nothing here</html>")
    client, _ = scripted(page, (200, {"id": 3}), httpx.Response(200, content=b"{"))
    for said in ("nothing here", "cannot be read", "cannot be read"):
        with pytest.raises(errors.ServiceUnreachable, match=said):
            client.runs.show("run_1")


def test_nothing_and_bytes_are_not_decoded() -> None:
    """An operation without an answer gives None, and a bundle comes as it is."""
    client, _ = scripted(httpx.Response(204), httpx.Response(200, content=b"{}\n{}\n"))
    client.runs.delete("run_1")
    assert client.runs.export("run_1") == b"{}\n{}\n"
    assert operations.delete_run("x").take(Answer(204, {}, b"")) is None  # type: ignore[func-returns-value]


def test_pages_are_asked_for_when_they_are_reached() -> None:
    """Iterating goes through every page; whoever stops early asks for no more."""
    first = {"items": [RUN | {"id": "a"}, RUN | {"id": "b"}], "next": "t/1"}
    client, script = scripted((200, first), (200, {"items": [RUN | {"id": "c"}]}), (200, first))
    assert [each.id for each in client.runs.list(where="state:failed", page_size=2)] == ["a", "b", "c"]
    assert [str(each.url.query, "ascii") for each in script.requests] == [
        "where=state%3Afailed&limit=2",
        "where=state%3Afailed&limit=2&page=t%2F1",
    ]
    assert next(iter(client.runs.list())).id == "a"
    assert len(script.requests) == 3


def test_update_reads_changes_and_writes_until_nobody_was_in_between() -> None:
    """A document that somebody else wrote meanwhile is read and changed anew; a new one must not be there."""
    stamp = {"name": "x", "description": "", "changed_at": "2026-01-01T00:00:00Z"}
    client, script = scripted(
        (404, problem("W1001")),
        (412, problem("W1507")),
        (200, stamp | {"value": 4, "etag": '"7"'}),
        (200, stamp | {"value": 5, "etag": '"8"'}),
    )
    made = client.variables.update("x", lambda old: VariableBody(value=old.value + 1 if old else 1))
    assert made.value == 5
    assert [each.headers.get("if-none-match") for each in script.requests] == [None, "*", None, None]
    assert script.requests[3].headers["if-match"] == '"7"'
    assert script.requests[3].content == b'{"value":5}'


def test_address_and_token_come_from_the_argument_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument wins; a bare host means http; a Unix socket is an address like any other."""
    monkeypatch.setenv("WEFT_SERVER", "weft.example:1")
    monkeypatch.setenv("WEFT_TOKEN", "weft_a")
    assert address().url == "http://weft.example:1"
    assert address().headers == {"Authorization": "Bearer weft_a"}
    assert address("https://b.example/weft/", "").headers == {}
    assert address("https://b.example/weft/").url == "https://b.example/weft"
    assert address("unix:///run/weft.sock").socket == "/run/weft.sock"
    assert address("http://[::1]:4200").loopback
    assert not address().loopback


@pytest.mark.parametrize(
    "text", ["ftp://x", "http://", "http://x:port", "unix:here", "http://u:p@x", "http://x?y"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Before anything is sent, with an example of an address."""
    with pytest.raises(errors.UsageError, match="is no address"):
        address(text)


def test_a_token_with_a_line_break_is_refused() -> None:
    """It would be a header of its own, or a crash far away from its cause."""
    with pytest.raises(errors.UsageError, match="token"):
        address("http://x", "weft_a\n")
