"""Turns on traces where the settings ask for them, and loads nothing of OpenTelemetry where they do not."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from weft.model.errors import UsageError
from weft.settings import Settings

if TYPE_CHECKING:
    from weft.observability.spans import Source, Spans


def open_tracing(
    settings: Settings, source: "Source", *, resource: Mapping[str, str] | None = None
) -> "Spans | None":
    """Make spans from now on, if ``settings.traces`` says where they go; else ``None``.

    Give ``Spans.take`` to ``engine.listen``, and close what is returned at the end. To be called before any
    worker starts: workers learn from the environment that their attempts are traced.

    Args:
        settings: ``traces`` and ``traces_sample``.
        source: The store, for what began earlier.
        resource: More about this process, for every span.

    Raises:
        UsageError: The packages for it are not installed, or the address is none.
    """
    where = settings.traces
    if not where:
        return None
    if where != "console" and not where.startswith(("http://", "https://")):
        raise UsageError(
            f"traces cannot be sent to {where!r}",
            where="setting traces",
            hint="name an OTLP/HTTP collector, as http://localhost:4318, or console",
        )
    try:
        from weft.observability.spans import Spans, exporter_for  # noqa: PLC0415 - 250 ms, and an extra

        exporter = exporter_for(where)
    except ImportError as exc:
        raise UsageError(
            f"traces need a package that is not installed: {exc.name}",
            where="setting traces",
            hint="pip install 'weft[otel]'",
        ) from exc
    os.environ["WEFT_TRACES"] = where
    os.environ["WEFT_TRACES_SAMPLE"] = str(settings.traces_sample)
    spans = Spans(source, exporter, ratio=settings.traces_sample, resource=resource)
    spans.start()
    return spans
