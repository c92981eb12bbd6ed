"""Parameters that many routes share, with their documentation and bounds."""

from typing import Annotated

from litestar.params import HeaderParameter, PathParameter, QueryParameter

from weft.server.paging import TOKEN_MAX, Order
from weft.store.query import MAX_LENGTH

NUMBER_MAX = (1 << 31) - 1
"""The largest index, attempt or version."""

SEQ_MAX = (1 << 53) - 1
"""The largest number that JSON's readers all keep exact."""

NAME = r"^[^\x00-\x1f\x7f/]+$"
"""Names in addresses: no control characters, and no slash."""

RunRef = Annotated[
    str,
    PathParameter(
        description="Id of a run, the beginning of one if it is unique, or `@latest`.",
        min_length=1,
        max_length=64,
        pattern=NAME,
    ),
]
TaskIdx = Annotated[int, PathParameter(description="Index of a task run in its run.", ge=0, le=NUMBER_MAX)]
Name = Annotated[str, PathParameter(description="Its name.", min_length=1, max_length=250, pattern=NAME)]
Where = Annotated[
    str,
    QueryParameter(
        description="Terms such as `state:failed workflow:etl* since:1d`; all must hold.",
        max_length=MAX_LENGTH,
    ),
]
Limit = Annotated[int, QueryParameter(description="How many at most.", ge=1, le=1000)]
PageToken = Annotated[
    str | None,
    QueryParameter(
        name="page", description="`next` of the page before, with the same filters.", max_length=TOKEN_MAX
    ),
]
Find = Annotated[
    str,
    QueryParameter(description="Only with all of these words in what is shown, in any case.", max_length=250),
]
InOrder = Annotated[Order, QueryParameter(name="order", description="Which end comes first.")]
Prefix = Annotated[str, QueryParameter(description="Only names that begin so.", max_length=250)]
AttemptNumber = Annotated[
    int | None, QueryParameter(description="Which try; the latest by default.", ge=1, le=NUMBER_MAX)
]
IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", description="The `ETag` of what is to be replaced; `*` is any.", max_length=100
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match", description="`*`: only if there is none of this name yet.", max_length=100
    ),
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Chosen by the client: a repeated request with the same key makes nothing new.",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
    ),
]
Traceparent = Annotated[
    str | None,
    HeaderParameter(
        name="traceparent",
        description="The span that the run belongs to (W3C Trace Context); one that is none is ignored.",
        max_length=200,
    ),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", description="Go on after this event.", max_length=20),
]
