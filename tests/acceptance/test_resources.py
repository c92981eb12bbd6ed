"""Variables, secrets and connections in tasks, wherever these run; secrets stay out of logs and errors."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from embedded_weft import Weft

from weft import connection, flow, secret, task, variable
from weft.engine.resources import CONNECTIONS, SECRETS, VARIABLES
from weft.model.connections import CONNECTION, SECRET, Connection, Secret
from weft.model.errors import NotFound, TaskFailed
from weft.model.variables import Variable
from weft.runtime import masking
from weft.runtime.logs import log_path
from weft.store.vault import open_vault


@pytest.fixture(autouse=True)
def nothing_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test hides stays hidden in its process otherwise."""
    monkeypatch.setattr(masking, "hidden", ())


@pytest.fixture
def kept(weft: Weft) -> Weft:
    """A home with one of each."""
    store, vault, now = weft.host.store, open_vault(weft.home), time.time()
    password = vault.seal(CONNECTION, "db", "p:ss/word")
    store.write(
        [
            VARIABLES.put("colour", Variable(value={"r": 1})),
            SECRETS.put("token", Secret(sealed=vault.seal(SECRET, "token", "hunter2222"))),
            CONNECTIONS.put(
                "db",
                Connection(
                    type="postgres", host="db.example", port=5432, path="main", login="me", sealed=password
                ),
            ),
        ],
        at=now,
    )
    return weft


def ask() -> dict[str, Any]:
    """Ask for everything, and say too much about it."""
    token = secret("token")
    print(f"the token is {token}!")
    found = connection("db")
    os.write(1, f"by descriptor: {found.password}\n".encode())
    return {
        "pid": os.getpid(),
        "colour": variable("colour"),
        "none": variable("nothing", 7),
        "token": len(token),
        "url": found.url,
        "shown": repr(found),
    }


in_thread = task(ask, name="in_thread", executor="thread")
in_process = task(ask, name="in_process", executor="process")


@flow
def asking(where: str) -> dict[str, Any]:
    """Ask in a task, and in the flow itself."""
    found = {"thread": in_thread, "process": in_process}[where]()
    assert variable("colour") == {"r": 1}
    return found


@pytest.mark.parametrize("where", ["thread", "process"])
def test_a_task_asks_by_name_and_its_log_keeps_the_secret(kept: Weft, where: str) -> None:
    """The same in the engine's process and in a worker's."""
    found = asking(where)
    assert (found["pid"] == os.getpid()) is (where == "thread")
    assert (found["colour"], found["none"], found["token"]) == ({"r": 1}, 7, 10)
    assert found["url"] == "postgres://me:p%3Ass%2Fword@db.example:5432/main"
    assert "p:ss/word" not in found["shown"]
    run = kept.host.store.run("@latest")
    (row,) = kept.host.store.tasks(run.run, f"name:in_{where}")
    log = log_path(kept.home, run.uid, row.idx, row.attempt).read_text()
    assert "the token is ***!" in log
    assert "hunter2222" not in log
    if where == "process":
        assert "by descriptor: ***" in log


@task(executor="process")
def leaky() -> None:
    """Fails with the secret in its message."""
    raise ValueError(f"cannot log in with {secret('token')}")


@task(executor="process")
def missing() -> None:
    """Asks for what is not there."""
    secret("nothing")


def test_an_error_does_not_tell_the_secret(kept: Weft) -> None:
    """Neither its message, nor its traceback, nor a copy of the exception."""
    with pytest.raises(TaskFailed, match=r"cannot log in with \*\*\*") as caught:
        leaky()
    row = kept.host.store.task(kept.host.store.run("@latest").run, 0)
    assert row.error is not None
    assert "hunter2222" not in row.error.traceback
    assert b"hunter2222" not in (row.error.pickled or b"")
    assert "hunter2222" not in repr(caught.value)


def test_what_is_not_there_says_how_to_make_it(kept: Weft) -> None:
    """In a worker too, with the same code."""
    with pytest.raises(NotFound) as caught:
        missing()
    assert "weft secrets set nothing" in str(caught.value)


def test_the_socket_is_of_this_user_alone(kept: Weft) -> None:
    """Its folder cannot be entered by others, and goes with the process's host."""
    asking("process")
    server = kept.host._resource_server  # the only way to its path
    assert server is not None
    folder = Path(server.path).parent
    assert folder.stat().st_mode & 0o077 == 0
    kept.close()
    assert not folder.exists()
