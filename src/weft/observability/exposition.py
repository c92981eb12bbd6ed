"""Metrics as numbers, and the Prometheus text format (version 0.0.4) that shows them.

Rules:

1. Counting is a dictionary look-up and an addition; names, labels and text are made only when somebody asks.
2. A family is declared once, with its help, and ``docs/reference/metrics.md`` is generated from that.
3. One thread at a time adds to a family, unless it is made with ``shared=True``; any thread may render.
   Reading while another thread adds may show one family a moment older than another, never a torn number.

Why by hand: the client library of Prometheus costs 95 ms at start-up and a lock with each addition, and the
format is a page of text. The tests read what is written here with that library.
"""

import threading
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what ``Registry.render`` returns."""

Labels = tuple[str, ...]
"""Values of a family's labels, in the order of their names."""

Reading = float | Mapping[Labels, float]
"""What a gauge is now: one number, or one for each set of label values."""


class Family(ABC):
    """Series of one name.

    Attributes:
        name: As Prometheus knows it; the unit comes last.
        help: One sentence.
        kind: ``counter``, ``gauge`` or ``histogram``.
        labels: Names of the labels.
    """

    kind = ""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self.name = name
        self.help = text
        self.labels = labels

    @abstractmethod
    def samples(self) -> Iterator[str]:
        """The lines of its series."""

    def render(self) -> Iterator[str]:
        """Its head and its series; nothing where there are no series."""
        lines = list(self.samples())
        if lines:
            yield f"# HELP {self.name} {_escape_help(self.help)}"
            yield f"# TYPE {self.name} {self.kind}"
            yield from lines


class Counter(Family):
    """Numbers that only grow.

    Args:
        name, text, labels: See ``Family``.
        shared: Whether several threads add to it at once.
    """

    kind = "counter"

    def __init__(self, name: str, text: str, labels: Labels = (), *, shared: bool = False) -> None:
        super().__init__(name, text, labels)
        self.values: dict[Labels, float] = {}
        self._lock = threading.Lock() if shared else None

    def add(self, labels: Labels = (), amount: float = 1.0) -> None:
        """Count."""
        if self._lock is None:
            self.values[labels] = self.values.get(labels, 0.0) + amount
            return
        with self._lock:
            self.values[labels] = self.values.get(labels, 0.0) + amount

    def samples(self) -> Iterator[str]:
        """One line for each set of label values."""
        for labels, value in list(self.values.items()):
            yield f"{self.name}{_labelled(self.labels, labels)} {_number(value)}"


class Gauge(Family):
    """Numbers that are looked at when somebody asks."""

    kind = "gauge"

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        super().__init__(name, text, labels)
        self.read: Callable[[], Reading] | None = None

    def samples(self) -> Iterator[str]:
        """One line for each set of label values; none when it cannot be read now."""
        if self.read is None:
            return
        try:
            found = self.read()
        except Exception:
            # A store that does not answer must not hide every other figure.
            return
        values = found if isinstance(found, Mapping) else {(): found}
        for labels, value in list(values.items()):
            yield f"{self.name}{_labelled(self.labels, labels)} {_number(value)}"


class Meter(Gauge):
    """A number that only grows, and is looked at when somebody asks."""

    kind = "counter"


class Histogram(Family):
    """How often values fell where.

    Args:
        name, text, labels: See ``Family``.
        bounds: Upper bounds of the buckets, rising; one without a bound follows.
        shared: Whether several threads add to it at once.
    """

    kind = "histogram"

    def __init__(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        *,
        bounds: tuple[float, ...],
        shared: bool = False,
    ) -> None:
        super().__init__(name, text, labels)
        self.bounds = bounds
        self._series: dict[Labels, list[float]] = {}
        self._lock = threading.Lock() if shared else None

    def series(self, labels: Labels = ()) -> list[float]:
        """The series of these label values: a number for each bucket, and the sum of the values last.

        Hot loops add to it themselves: ``series[bisect_left(bounds, value)] += 1; series[-1] += value``.
        """
        found = self._series.get(labels)
        if found is None:
            found = self._series[labels] = [0] * (len(self.bounds) + 1) + [0.0]
        return found

    def add(self, value: float, labels: Labels = ()) -> None:
        """Count a value."""
        if self._lock is None:
            self._add(value, labels)
            return
        with self._lock:
            self._add(value, labels)

    def _add(self, value: float, labels: Labels) -> None:
        series = self.series(labels)
        series[bisect_left(self.bounds, value)] += 1
        series[-1] += max(value, 0.0)

    def samples(self) -> Iterator[str]:
        """Cumulative buckets, the sum and the number of values, for each set of label values."""
        for labels, series in list(self._series.items()):
            *buckets, total = series
            if not any(buckets):
                continue
            running = 0.0
            for bound, bucket in zip((*self.bounds, float("inf")), buckets, strict=True):
                running += bucket
                text = "+Inf" if bound == float("inf") else f"{bound:g}"
                names = _labelled((*self.labels, "le"), (*labels, text))
                yield f"{self.name}_bucket{names} {_number(running)}"
            names = _labelled(self.labels, labels)
            yield f"{self.name}_sum{names} {_number(total)}"
            yield f"{self.name}_count{names} {_number(running)}"


class Registry:
    """The families of a process, in the order in which they were declared."""

    def __init__(self) -> None:
        self.families: dict[str, Family] = {}

    def watch(self, name: str, read: Callable[[], Reading]) -> None:
        """Say where a gauge is read; ``read`` is called with each scrape and should cost little.

        Raises:
            KeyError: No such gauge was declared.
        """
        family = self.families[name]
        assert isinstance(family, Gauge)
        family.read = read

    def render(self) -> bytes:
        """All families as text for Prometheus."""
        lines = [line for family in self.families.values() for line in family.render()]
        return ("\n".join(lines) + "\n").encode()


def _labelled(names: Labels, values: Labels) -> str:
    if not names:
        return ""
    pairs = (f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True))
    return "{" + ",".join(pairs) + "}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
