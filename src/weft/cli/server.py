"""``weft server``."""

from weft.cli.app import noun
from weft.cli.serving import Host, Port, serve, settings_with

app = noun("server")


@app.default
def server(*, host: Host = None, port: Port = None) -> int:
    """Start the API without an engine, beside others on one store."""
    return serve(settings_with(host=host, port=port), engine=False, server=True)
