"""The service that owns runs: it feeds the core, makes its decisions durable, and then acts on them."""
