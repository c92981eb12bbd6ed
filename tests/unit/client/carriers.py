"""A transport that answers from a list, for tests of the client without a service."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from weft.client import Client

Reply = tuple[int, Any] | Exception | httpx.Response


class Script(httpx.BaseTransport):
    """Gives the next reply to each request, and keeps the requests.

    Args:
        replies: Status and body (sent as JSON), a whole response, or an exception.
    """

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        request.read()
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx.Response):
            return reply
        status, body = reply
        return httpx.Response(status, content=msgspec.json.encode(body))


def scripted(*replies: Reply, slept: Callable[[float], None] = lambda seconds: None) -> tuple[Client, Script]:
    """A client whose service gives these replies, and the service."""
    script = Script(*replies)
    return Client("http://weft.test", token="", transport=script, sleep=slept), script


def problem(code: str, detail: str = "no", **more: Any) -> dict[str, Any]:
    """The body of a refusal."""
    return {
        "type": f"urn:weft:error:{code}",
        "title": "",
        "status": 0,
        "detail": detail,
        "code": code,
        **more,
    }


RUN = {
    "id": "run_1",
    "workflow": "etl",
    "version": 1,
    "dialect": "native",
    "state": "running",
    "tags": [],
    "created_at": "2026-01-01T00:00:00Z",
}
