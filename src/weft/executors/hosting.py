"""The main of a host: the process of one project in which flows, coroutines and thread tasks run.

It is the ``thread`` executor as a plain script has it, and a host whose engine is elsewhere
(``runtime/remote_host.py``). The main thread reads what the engine's process sends and never waits for
anything else; whichever thread has something to say writes it, with what others have added.

What attempts print goes to their logs only. A process that user code forks must not return into Weft: it has
no stream, and ends where it would report.
"""

import faulthandler
import gc
import os
import select
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import FileBlobs
from weft.executors.thread import ThreadExecutor
from weft.model.attempts import Attempt, Ended, Report, Started
from weft.model.errors import RunPaused
from weft.runtime import resources
from weft.runtime.flow_bodies import FlowBodies
from weft.runtime.host import set_opener
from weft.runtime.lifeline import die_with
from weft.runtime.load import put_first
from weft.runtime.remote_host import RemoteHost
from weft.wire.frames import FrameReader, FrameWriter
from weft.wire.hosting import (
    Began,
    Carry,
    CloseDown,
    Finished,
    FromHost,
    HostSetup,
    Room,
    StopThese,
    decode_setup,
    decode_to_host,
    encode,
)
from weft.wire.messages import WIRE_VERSION, Hello, Showed


class Hosting:
    """A host's state.

    Args:
        stream: Its end of the channel.
        lifeline: Ends this process when it closes; a forked child must not hold it.
    """

    def __init__(self, stream: socket.socket, lifeline: int) -> None:
        self._stream = stream
        self._lifeline = lifeline
        self._reader = FrameReader(stream)
        self._writer = FrameWriter(stream, waits=True)
        self._arrived: list[bytes] = []
        self._forked = False
        self._capacity = -1
        os.register_at_fork(after_in_child=self._in_fork)

    def serve(self) -> None:
        """Work until the engine's process wants an end."""
        while not self._receive():
            pass
        setup = decode_setup(self._arrived.pop(0))
        sys.path[:] = setup.path
        if setup.project:
            put_first(setup.project)
        if setup.resources:
            source = resources.SocketSource(setup.resources)
            resources.set_source(lambda: source)
        artifacts = Artifacts(FileBlobs(Path(setup.artifacts)))
        self.host = RemoteHost(self._send, artifacts, setup.executor, setup.project)
        set_opener(lambda: self.host, keep=True)
        self.thread = self._executor(setup, artifacts)
        self.thread.start(self._report)
        self._send(Hello(WIRE_VERSION))
        grace_s = self._work()
        self.thread.close(grace_s=grace_s)
        self.host.close(RunPaused("the engine was closed", hint="weft runs resume goes on"))
        self._writer.flush()

    def _executor(self, setup: HostSetup, artifacts: Artifacts) -> ThreadExecutor:
        bodies = FlowBodies(self.host, lambda: self.thread.runner, suspend_after_s=setup.suspend_after_s)
        thread = ThreadExecutor(
            artifacts,
            Path(setup.home),
            threads=setup.threads,
            flows=bodies.carry_out,
            interrupt_flow=bodies.stop,
            tee=False,
            grace_s=setup.grace_s,
        )
        thread.runner.worker = setup.worker
        return thread

    def _work(self) -> float:
        """Do what comes in; returns the grace of the message that ends it."""
        while True:
            arrived, self._arrived = self._arrived, []
            attempts: list[Attempt] = []
            for payload in arrived:
                message = decode_to_host(payload)
                if isinstance(message, Carry):
                    attempts.append(message.attempt)
                    continue
                if attempts:
                    self.thread.submit(attempts)
                    attempts = []
                if isinstance(message, StopThese):
                    self.thread.cancel(message.ids, grace_s=message.grace_s)
                elif isinstance(message, CloseDown):
                    return message.grace_s
                else:
                    self.host.hear(message)
            if attempts:
                self.thread.submit(attempts)
            self._receive()

    def _receive(self) -> bool:
        """Wait for messages and keep them; False if none is whole yet."""
        select.select([self._stream], [], [])
        frames = self._reader.read()
        if frames is None:
            raise EOFError("the engine's process closed the stream")
        self._arrived += [payload for _, payload in frames]
        return bool(frames)

    def _report(self, reports: Sequence[Report]) -> None:
        """Tell what happened to attempts. The executor calls this from one thread at a time."""
        if self._forked:
            os._exit(0)
        add = self._writer.add
        for report in reports:
            if isinstance(report, Ended):
                self.host.over(report.id)
                add(encode(Finished(report)))
            elif isinstance(report, Started):
                add(encode(Began(report)))
            else:
                add(encode(Showed(report)))
        capacity = self.thread.capacity()
        if capacity != self._capacity:
            self._capacity = capacity
            add(encode(Room(capacity)))
        self._writer.flush()

    def _send(self, message: FromHost) -> None:
        self._writer.add(encode(message))
        self._writer.flush()

    def _in_fork(self) -> None:
        """A forked child must not hold the channel open, nor speak on it."""
        self._forked = True
        self._stream.close()
        os.close(self._lifeline)


def main(arguments: list[str]) -> None:
    """Run a host on the descriptors named in ``arguments``, as ``executors/spawned.py`` passes them."""
    stream, lifeline = map(int, arguments)
    die_with(lifeline)
    for fd in (stream, lifeline):
        os.set_inheritable(fd, False)
    faulthandler.enable()
    hosting = Hosting(socket.socket(fileno=stream), lifeline)
    gc.freeze()  # What is loaded now stays: spare the collector, and the pages that forks share.
    try:
        hosting.serve()
    except (EOFError, ConnectionError):
        pass  # The engine's process went away.
