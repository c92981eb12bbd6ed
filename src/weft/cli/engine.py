"""``weft engine``."""

from weft.cli.app import noun
from weft.cli.serving import Queue, Workers, serve, settings_with

app = noun("engine")


@app.default
def engine(*, queue: Queue = None, workers: Workers = None) -> int:
    """Start an engine without an API, beside others on one store.

    Several engines share the runs of their queues; when one dies, the others go on with its runs.
    """
    queues = None if queue is None else tuple(queue)
    return serve(settings_with(queues=queues, workers=workers), engine=True, server=False)
