"""Variables, secrets and connections for the code that an engine's executors carry out.

The store's records are read and opened here, in the engine's process; workers ask over a Unix socket in a
folder that only this user can enter.
"""

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from weft.model.connections import CONNECTION, SECRET, Connection, Secret
from weft.model.errors import NotFound, WeftError
from weft.model.variables import VARIABLE, Variable
from weft.runtime.resources import Question, Reply, Source
from weft.store.protocol import Reader
from weft.store.records import Collection

VARIABLES = Collection(VARIABLE, Variable)
SECRETS = Collection(SECRET, Secret)
CONNECTIONS = Collection(CONNECTION, Connection)

if TYPE_CHECKING:
    from weft.store.vault import Vault

_LINE_MAX = 4096
_HINTS = {
    "variable": "weft variables set {name} VALUE",
    "secret": "weft secrets set {name}",
    "connection": "weft connections set {name}",
}


class StoredResources:
    """``runtime.resources.Source`` over a store.

    Args:
        store: Where the records are.
        vault: Opens the vault, when there is first something to open.
    """

    def __init__(self, store: Reader, vault: "Callable[[], Vault]") -> None:
        self._store = store
        self._vault = vault

    def find(self, kind: str, name: str) -> Any:
        """See ``Source.find``."""
        try:
            return self._found(kind, name)
        except NotFound as exc:
            hint = _HINTS.get(kind, "").format(name=name)
            raise NotFound(f"there is no {kind} {name!r}", where=name, hint=hint) from exc

    def _found(self, kind: str, name: str) -> Any:
        if kind == VARIABLE:
            return VARIABLES.require(self._store, name).value.value
        if kind == SECRET:
            return self._vault().open(SECRET, name, SECRETS.require(self._store, name).value.sealed)
        if kind == CONNECTION:
            found = CONNECTIONS.require(self._store, name).value
            password = "" if found.sealed is None else self._vault().open(CONNECTION, name, found.sealed)
            fields: dict[str, Any] = msgspec.to_builtins(found)
            fields.pop("sealed", None)
            fields.pop("description", None)
            return {**fields, "password": password}
        raise NotFound(f"there are no resources of kind {kind!r}")


class ResourceServer:
    """Answers the workers of this process.

    Args:
        source: Where the answers are.

    Attributes:
        path: Of the socket, for workers.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._folder = tempfile.mkdtemp(prefix="weft-")  # 0700, and short: socket paths must be.
        self.path = str(Path(self._folder, "resources"))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._owner = os.getpid()
        self._connections: set[socket.socket] = set()

    def start(self) -> None:
        """Answer from now on."""
        self._socket.bind(self.path)
        self._socket.listen(128)
        threading.Thread(target=self._accept, name="weft-resources", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        if self._owner != os.getpid():
            return
        for each in (self._socket, *list(self._connections)):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # Nobody was at its other end.
        self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.add(connection)
            threading.Thread(
                target=self._serve, args=(connection,), name="weft-resources", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as stream:
                while line := stream.readline(_LINE_MAX):
                    stream.write(msgspec.json.encode(self._answer(line)) + b"\n")
                    stream.flush()
        except OSError:
            pass  # The worker is gone.
        finally:
            self._connections.discard(connection)

    def _answer(self, line: bytes) -> Reply:
        try:
            question = msgspec.json.decode(line, type=Question)
            return Reply(value=self._source.find(question.kind, question.name))
        except WeftError as exc:
            return Reply(code=exc.code, what=exc.what, where=exc.where, hint=exc.hint)
        except msgspec.MsgspecError as exc:
            return Reply(code="W1000", what=f"that is no question: {exc}")
