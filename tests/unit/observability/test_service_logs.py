"""The log lines of the service."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from weft.model.errors import StoreBusy
from weft.observability.service_logs import JsonLines, TextLines, configure_logs, log_fields
from weft.settings import Settings


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where lines go; logging is as it was afterwards."""
    root = logging.getLogger()
    names = ["", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "httpcore", "urllib3", "asyncio"]
    before = [(logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in names]
    yield io.StringIO()
    for name, (level, handlers) in zip(names, before, strict=True):
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).handlers[:] = handlers
    logging.captureWarnings(False)
    assert not any(isinstance(each.formatter, JsonLines | TextLines) for each in root.handlers)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """The JSON lines."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_tell_what_is_known(stream: io.StringIO) -> None:
    """A line has time, level, logger and message, the place that was given, and the error's code."""
    configure_logs(Settings(log_format="json"), stream)
    log = logging.getLogger("weft.engine")
    log.info("run %s took %d ms", "a", 5, extra={"run": "run_1", "task": "clean", "attempt": 2})
    log.warning("tried again: %s", StoreBusy("another process writes", hint="wait"))
    try:
        raise StoreBusy("another process writes")
    except StoreBusy:
        log.exception("it failed")
    first, second, third = lines(stream)
    assert first.pop("time", "").endswith("Z")  # type: ignore[attr-defined]
    assert first == {
        "level": "info",
        "logger": "weft.engine",
        "message": "run a took 5 ms",
        "run": "run_1",
        "task": "clean",
        "attempt": 2,
    }
    assert second["code"] == StoreBusy.code
    assert third["code"] == StoreBusy.code
    assert "StoreBusy" in str(third["exception"])


def test_one_line_each_whatever_is_logged(stream: io.StringIO) -> None:
    """A message with line breaks is one line in both formats, so nobody can forge another."""
    for form in ("json", "text"):
        configure_logs(Settings(log_format=form), stream)
        logging.getLogger("weft.x").info("one\n2026-01-01T00:00:00.000Z INFO forged: two")
    assert len(stream.getvalue().splitlines()) == 2


def test_fields_of_the_context(stream: io.StringIO) -> None:
    """Fields that hold for a stretch of code are on its lines, nested ones too, and on no other thread's."""
    configure_logs(Settings(log_format="json"), stream)
    log = logging.getLogger("weft.server")
    with log_fields(request_id="r1"):
        with log_fields(run="run_1"):
            log.info("inside")
            other = threading.Thread(target=log.info, args=("elsewhere",))
            other.start()
            other.join()
        log.info("between")
    log.info("outside")
    found = [(each["message"], each.get("request_id"), each.get("run")) for each in lines(stream)]
    assert found == [
        ("inside", "r1", "run_1"),
        ("elsewhere", None, None),
        ("between", "r1", None),
        ("outside", None, None),
    ]


def test_text_lines(stream: io.StringIO) -> None:
    """Text for people: time, level, logger, message, fields, and a traceback below."""
    configure_logs(Settings(), stream)
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("weft.engine").exception("it failed", extra={"run": "run_1"})
    first, *rest = stream.getvalue().splitlines()
    assert first.split(" ", 1)[1] == "ERROR   weft.engine: it failed run=run_1"
    assert rest[-1] == "ValueError: bad"


def test_level_and_servers(stream: io.StringIO) -> None:
    """Less severe lines are left out; the web server's lines come through here, and only once."""
    configure_logs(Settings(log_format="json", log_level="warning"), stream)
    configure_logs(Settings(log_format="json", log_level="warning"), stream)
    logging.getLogger("weft.engine").info("no")
    logging.getLogger("uvicorn.error").warning("yes")
    logging.getLogger("httpx").info("no")
    assert [each["message"] for each in lines(stream)] == ["yes"]


def test_it_goes_to_standard_error(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output stays free for what a command prints."""
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs(Settings())
    logging.getLogger("weft").info("hello")
    assert "hello" in stream.getvalue()
