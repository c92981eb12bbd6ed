"""``weft up``."""

from weft.cli.app import noun
from weft.cli.serving import Host, Port, Queue, Workers, serve, settings_with

app = noun("up")


@app.default
def up(*, host: Host = None, port: Port = None, queue: Queue = None, workers: Workers = None) -> int:
    """Start the service: API, schedules, triggers and engine in one process.

    Deployed workflows run here: weft deploy. It listens on this machine only, unless --host says otherwise,
    which needs a token: weft tokens create.
    """
    queues = None if queue is None else tuple(queue)
    settings = settings_with(host=host, port=port, queues=queues, workers=workers)
    return serve(settings, engine=True, server=True)
