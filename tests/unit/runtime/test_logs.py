"""Capture of what attempts print and log."""

import contextlib
import io
import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path

import pytest

from weft.model.attempts import Attempt
from weft.model.calls import PythonCall
from weft.runtime.logs import StreamCapture, adopt, format_record, live_path, log_path


def attempt(idx: int = 1, number: int = 1) -> Attempt:
    return Attempt((1, idx, number), "run_1", "w", f"t{idx}", "t", PythonCall("m", "f"))


def log(home: Path, idx: int = 1) -> str:
    return log_path(home, "run_1", idx, 1).read_text()


@contextlib.contextmanager
def bare_root() -> Iterator[logging.Logger]:
    """The root logger as in a process where nobody configured logging; pytest adds to it as a test begins."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    try:
        yield root
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def test_installing_is_reversible(tmp_path: Path) -> None:
    """Installing and uninstalling, even twice, leaves streams and logging as they were."""
    before = sys.stdout, sys.stderr, logging.Logger.callHandlers
    one, two = StreamCapture(tmp_path), StreamCapture(tmp_path)
    one.install()
    one.install()
    two.install()
    assert sys.stdout is not before[0]
    one.uninstall()
    one.uninstall()
    assert sys.stdout is not before[0]
    two.uninstall()
    assert (sys.stdout, sys.stderr, logging.Logger.callHandlers) == before


def test_tee(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With ``tee`` output goes to the log and to the real stream; without, to the log only."""
    capture = StreamCapture(tmp_path, tee=True)
    capture.install()
    try:
        capture.begin(attempt(1))
        print("both")
        capture.end(attempt(1))
        capture.tee = False
        capture.begin(attempt(2))
        print("log only")
        sys.stdout.buffer.write(b"bytes too\n")
        capture.end(attempt(2))
    finally:
        capture.uninstall()
    assert log(tmp_path, 1) == "both\n"
    assert log(tmp_path, 2) == "log only\nbytes too\n"
    assert capsys.readouterr().out == "both\n"


def test_output_outside_attempts_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed while no attempt runs goes where it always went."""
    capture = StreamCapture(tmp_path, tee=False)
    capture.install()
    print("plain", file=sys.stderr)
    capture.uninstall()
    assert capsys.readouterr().err == "plain\n"
    assert not (tmp_path / "logs").exists()


def test_contexts_are_apart(tmp_path: Path, capture: StreamCapture) -> None:
    """Two attempts that print in turns each have their own lines."""
    contexts = [copy_context() for _ in range(2)]
    for number, context in enumerate(contexts):
        context.run(capture.begin, attempt(number))
    for line in range(3):
        for number, context in enumerate(contexts):
            context.run(print, f"{number} says {line}")
    for number, context in enumerate(contexts):
        assert context.run(capture.end, attempt(number)) == 27
        assert log(tmp_path, number) == "".join(f"{number} says {line}\n" for line in range(3))


def test_a_thread_that_outlives_its_attempt(tmp_path: Path, capture: StreamCapture) -> None:
    """What a task's own thread prints after the task's end is still added to the log."""
    context = copy_context()
    context.run(capture.begin, attempt())
    context.run(print, "in time")
    of_the_thread = context.run(copy_context)
    context.run(capture.end, attempt())
    thread = threading.Thread(target=of_the_thread.run, args=(print, "late"))
    thread.start()
    thread.join()
    assert log(tmp_path) == "in time\nlate\n"


def test_a_long_unfinished_line_is_not_held_back(tmp_path: Path, capture: StreamCapture) -> None:
    """A line is written when it ends, or when it grows long, or on flush."""
    capture.begin(attempt())
    print("x" * 10_000, end="")
    assert len(log(tmp_path)) == 10_000
    print("y", end="")
    print("z", end="", flush=True)
    assert log(tmp_path).endswith("yz")
    sys.stdout.writelines(["a", "b\n"])
    assert log(tmp_path).endswith("yzab\n")
    capture.end(attempt())


def test_text_that_no_encoding_knows(tmp_path: Path, capture: StreamCapture) -> None:
    """Lone surrogates are escaped instead of failing the task."""
    capture.begin(attempt())
    print("bad \ud800 text")
    capture.end(attempt())
    assert log(tmp_path) == "bad \\ud800 text\n"


def test_a_redirection_by_user_code_is_respected(tmp_path: Path, capture: StreamCapture) -> None:
    """Text that user code redirects goes where it wants it, also past an attempt that begins inside."""
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer):
        print("before")
        capture.begin(attempt())
        print("inside")
        capture.end(attempt())
    assert buffer.getvalue() == "before\ninside\n"
    assert log(tmp_path) == "inside\n"


def test_info_is_kept_where_logging_is_not_configured(tmp_path: Path) -> None:
    """Without any set-up records from INFO up are kept, and the root's level is put back in the end."""
    with bare_root() as root:
        capture = StreamCapture(tmp_path, tee=False)
        capture.install()
        capture.begin(attempt())
        logging.getLogger("lib").info("kept")
        logging.getLogger("lib").debug("dropped")
        logging.getLogger("lib").warning("kept too")
        capture.end(attempt())
        capture.uninstall()
        assert [line.split(" ", 1)[1] for line in log(tmp_path).splitlines()] == [
            "INFO lib: kept",
            "WARNING lib: kept too",
        ]
        assert root.level == logging.WARNING


def test_basic_config_still_works(tmp_path: Path) -> None:
    """``logging.basicConfig`` inside a task adds its handler, and no record is in the log twice."""
    with bare_root() as root:
        capture = StreamCapture(tmp_path, tee=False)
        capture.install()
        capture.begin(attempt())
        logging.basicConfig(level=logging.INFO, format="mine %(message)s")
        assert len(root.handlers) == 1
        logging.getLogger("lib").info("once")
        capture.end(attempt())
        capture.uninstall()
        assert log(tmp_path) == "mine once\n"


def test_other_handlers_keep_working(tmp_path: Path) -> None:
    """A handler that writes elsewhere gets its records, and the log has them too."""
    with bare_root() as root:
        elsewhere = io.StringIO()
        root.addHandler(logging.StreamHandler(elsewhere))
        capture = StreamCapture(tmp_path, tee=False)
        capture.install()
        capture.begin(attempt())
        logging.getLogger("lib").warning("both")
        capture.end(attempt())
        logging.getLogger("lib").warning("after")
        capture.uninstall()
        assert elsewhere.getvalue() == "both\nafter\n"
        assert log(tmp_path).endswith("WARNING lib: both\n")


def test_filters_of_loggers_apply(tmp_path: Path, capture: StreamCapture) -> None:
    """A filter that redacts or drops records does so for the log as well."""
    logger = logging.getLogger("secretive")
    logger.setLevel(logging.INFO)

    def redact(record: logging.LogRecord) -> bool:
        record.msg = str(record.msg).replace("hunter2", "***")
        return "drop" not in record.msg

    logger.addFilter(redact)
    capture.begin(attempt())
    logger.info("password hunter2")
    logger.info("drop me")
    capture.end(attempt())
    logger.removeFilter(redact)
    assert log(tmp_path).endswith("INFO secretive: password ***\n")
    assert "drop" not in log(tmp_path)


def test_a_record_that_cannot_be_formatted() -> None:
    """A bad format string is shown as it is; an exception is shown with its traceback."""
    record = logging.LogRecord("n", logging.ERROR, "f.py", 1, "%d items", ("x",), None)
    assert b"'%d items' ('x',)" in format_record(record)
    try:
        raise KeyError("deep")
    except KeyError:
        record = logging.LogRecord("n", logging.ERROR, "f.py", 1, "failed", (), sys.exc_info())
    assert b"KeyError: 'deep'" in format_record(record)


def run_worker(home: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with an ``FdCapture`` for worker ``w/1`` installed."""
    head = """
        import logging, os, subprocess, sys
        from pathlib import Path
        from weft.model.attempts import Attempt
        from weft.model.calls import PythonCall
        from weft.runtime.logs import FdCapture

        def attempt(idx):
            return Attempt((1, idx, 1), "run_1", "w", "t", "t", PythonCall("m", "f"))

        capture = FdCapture(Path(sys.argv[1]), "w/1")
        capture.install()
    """
    code = textwrap.dedent(head) + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=False, timeout=60
    )


def test_descriptors_catch_everything(tmp_path: Path) -> None:
    """Prints, raw writes, child processes and log records are all in the attempt's log, in order."""
    done = run_worker(
        tmp_path,
        """
        capture.begin(attempt(1))
        print("print")
        os.write(2, b"raw\\n")
        subprocess.run(["sh", "-c", "echo child"])
        logging.getLogger("lib").info("record")
        print("unfinished", end="")
        size = capture.end(attempt(1))
        capture.begin(attempt(2))
        assert capture.end(attempt(2)) == 0
        capture.begin(attempt(3))
        print("third")
        capture.end(attempt(3))
        capture.uninstall()
        capture.uninstall()
        print(size)
        """,
    )
    assert done.stderr == ""
    text = log(tmp_path)
    assert int(done.stdout) == len(text)
    lines = text.splitlines()
    assert lines[:3] == ["print", "raw", "child"]
    assert lines[3].endswith("INFO lib: record")
    assert lines[4] == "unfinished"
    assert not log_path(tmp_path, "run_1", 2, 1).exists()
    assert log(tmp_path, 3) == "third\n"
    assert not live_path(tmp_path, "w/1").exists()


def test_a_crash_leaves_the_live_file(tmp_path: Path) -> None:
    """After a crash the live file has all that was said, and becomes the attempt's log."""
    run_worker(tmp_path, "capture.begin(attempt(1)); print('last words'); os.abort()")
    assert adopt(live_path(tmp_path, "w/1"), attempt(1)) == 11
    assert log(tmp_path) == "last words\n"
    assert adopt(live_path(tmp_path, "w/1"), attempt(1)) == 11


def test_a_silent_crash_leaves_no_log(tmp_path: Path) -> None:
    """An empty live file is removed."""
    run_worker(tmp_path, "capture.begin(attempt(1)); os._exit(1)")
    assert adopt(live_path(tmp_path, "w/1"), attempt(1)) == 0
    assert not live_path(tmp_path, "w/1").exists()
    assert not log_path(tmp_path, "run_1", 1, 1).exists()


def test_a_second_turn_adds_to_the_log(tmp_path: Path) -> None:
    """An attempt that runs again under the same number adds to its log instead of replacing it."""
    for word in ("one", "two"):
        run_worker(tmp_path, f"capture.begin(attempt(1)); print('{word}'); capture.end(attempt(1))")
    assert log(tmp_path) == "one\ntwo\n"


def test_logging_of_a_worker_is_not_doubled(tmp_path: Path) -> None:
    """A handler that prints to the captured descriptors is not joined by a second line."""
    done = run_worker(
        tmp_path,
        """
        logging.basicConfig(level=logging.INFO, format="mine %(message)s")
        capture.begin(attempt(1))
        logging.getLogger("lib").info("once")
        capture.end(attempt(1))
        """,
    )
    assert done.returncode == 0
    assert log(tmp_path) == "mine once\n"
