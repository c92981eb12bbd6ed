"""The words of OpenLineage's format: facets, datasets' names, ids and moments.

What is told, and when, is ``lineage.py``'s business. The schemas are public, at https://openlineage.io/spec.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from weft._version import __version__
from weft.model.graph import Declared

PRODUCER = f"https://pypi.org/project/weft/{__version__}"
"""Who says it."""

_SPEC = "https://openlineage.io/spec"
SCHEMA = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = {
    "parent": "1-2-0/ParentRunFacet",
    "nominalTime": "1-0-1/NominalTimeRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "tags": "1-0-0/TagsRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "documentation": "1-1-0/DocumentationJobFacet",
    "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet",
}
"""The facets that are used, with the versions of their schemas."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def dataset(declared: Declared, namespace: str) -> dict[str, str]:
    """A declared output's name, by OpenLineage's rules for addresses; without one it is the asset's own."""
    address = urlsplit(declared.uri)
    if not address.scheme:
        return {"namespace": namespace, "name": declared.name}
    if not address.netloc:
        return {"namespace": address.scheme, "name": address.path or declared.name}
    where = address.netloc.rpartition("@")[2]  # A password is nobody's name.
    return {"namespace": f"{address.scheme}://{where}", "name": address.path.lstrip("/") or declared.name}


def nominal_time(facts: Mapping[str, Any]) -> dict[str, str]:
    """The time that a run is about, as ``NominalTimeRunFacet`` has it; empty if nobody said."""
    start = facts.get("data_interval_start") or facts.get("logical_date")
    if not isinstance(start, datetime):
        return {}
    end = facts.get("data_interval_end")
    found = {"nominalStartTime": moment(start)}
    if isinstance(end, datetime):
        found["nominalEndTime"] = moment(end)
    return found


def run_uuid(uid: str) -> str:
    """A run's id as a UUID of version 7: its ULID has the same time in the same place."""
    number = 0
    for letter in uid.rpartition("_")[2]:
        number = number << 5 | _ALPHABET.index(letter)
    return _uuid7(number)


def task_uuid(uid: str, idx: int) -> str:
    """A task run's id as a UUID of version 7, of the time of its run."""
    number = UUID(run_uuid(uid)).int
    rest = int.from_bytes(sha256(f"{uid}/{idx}".encode()).digest()[:10], "big")
    return _uuid7(number >> 80 << 80 | rest)


def _uuid7(number: int) -> str:
    number &= (1 << 128) - 1
    number = number & ~(0xF << 76) | 7 << 76
    return str(UUID(int=number & ~(0x3 << 62) | 2 << 62))


def facet(name: str, /, **fields: Any) -> dict[str, Any]:
    """A facet of ``FACETS`` with its fields."""
    folder, _, schema = FACETS[name].partition("/")
    url = f"{_SPEC}/facets/{folder}/{schema}.json#/$defs/{schema}"
    return {"_producer": PRODUCER, "_schemaURL": url, **fields}


def moment(when: datetime) -> str:
    """A time as the format has it; one without a zone is UTC."""
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
