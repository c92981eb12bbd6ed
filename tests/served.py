"""A real service in processes of its own, as its users start it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0


class Served:
    """``weft up``, or a part of it, on a home of the test's own.

    Args:
        home: Weft's folder.
        words: The command and its options.
        env: Settings.
    """

    def __init__(self, home: Path, *words: str, **env: str) -> None:
        self.home = home
        self.env = {**os.environ, "WEFT_HOME": str(home), "WEFT_DRAIN_S": "5", **env}
        self.log = home.parent / f"{home.name}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "weft", *(words or ("up", "--port", "0"))],
                env=self.env,
                stdout=log,
                stderr=log,
                cwd=home.parent,
                start_new_session=True,
            )
        until(lambda: "is ready" in self.said or self.process.poll() is not None, self._why)
        found = re.search(r"is ready at (\S+)", self.said)
        self.url = found[1] if found else ""

    @property
    def said(self) -> str:
        """What it has written so far."""
        return self.log.read_text("utf-8", "replace")

    def get(self, path: str) -> Any:
        """Ask the API."""
        return self._call("GET", path, None)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Tell the API."""
        return self._call("POST", path, body, headers)

    def run(self, workflow: str, **params: Any) -> str:
        """Start a run; returns its id."""
        return str(self.post("/runs", {"workflow": workflow, "params": params})["id"])

    def ended(self, run: str) -> Any:
        """A run, once it has ended."""
        until(lambda: self.get(f"/runs/{run}")["ended_at"] is not None, self._why)
        return self.get(f"/runs/{run}")

    def weft(self, *words: str) -> str:
        """Type a command beside it; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "weft", *words],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kill(self) -> None:
        """End it as a power cut would: nothing is cleaned up."""
        self.process.kill()
        self.process.wait()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def _call(self, method: str, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            data=data,
            method=method,
            headers={**({"Content-Type": "application/json"} if data is not None else {}), **(headers or {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as exc:
            raise AssertionError(f"{method} {path}: {exc.code} {exc.read().decode()}") from exc

    def _why(self) -> str:
        return self.said


def until(holds: Callable[[], object], why: Callable[[], str] = str) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"it never came to hold: {why()}"
        time.sleep(0.02)
