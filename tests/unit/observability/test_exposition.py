"""The text that Prometheus reads, read with Prometheus's own library."""

import threading

import pytest
from prometheus_client.parser import text_string_to_metric_families

from weft.observability.exposition import Counter, Family, Gauge, Histogram, Registry


def read(*families: Family) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    """What Prometheus understands: by family, each sample's name, labels and value."""
    registry = Registry()
    registry.families = {each.name: each for each in families}
    found = text_string_to_metric_families(registry.render().decode())
    return {each.name: [(s.name, s.labels, s.value) for s in each.samples] for each in found}


def test_counter() -> None:
    """A counter has one sample for each set of label values."""
    counter = Counter("weft_things_total", "Things.", ("kind",))
    counter.add(("a",))
    counter.add(("b",), 2.5)
    counter.add(("a",))
    assert read(counter)["weft_things"] == [
        ("weft_things_total", {"kind": "a"}, 2.0),
        ("weft_things_total", {"kind": "b"}, 2.5),
    ]


@pytest.mark.parametrize("value", ['say "hi"', "back\\slash", "two\nlines", "åäö 漢", "{x=1}"])
def test_any_text_can_be_a_label(value: str) -> None:
    """Quotes, backslashes and new lines in a workflow's name do not break the page."""
    counter = Counter("weft_things_total", 'Things, "quoted" \\ and\nbroken.', ("kind",))
    counter.add((value,))
    assert read(counter)["weft_things"] == [("weft_things_total", {"kind": value}, 1.0)]


def test_histogram_is_cumulative() -> None:
    """Buckets count what is not above their bound; the last has no bound; sum and count follow."""
    histogram = Histogram("weft_span_seconds", "Spans.", ("of",), bounds=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.add(value, ("x",))
    samples = {
        (name, labels.get("le")): value for name, labels, value in read(histogram)["weft_span_seconds"]
    }
    assert samples == {
        ("weft_span_seconds_bucket", "0.1"): 2,
        ("weft_span_seconds_bucket", "1"): 3,
        ("weft_span_seconds_bucket", "+Inf"): 4,
        ("weft_span_seconds_sum", None): pytest.approx(7.65),
        ("weft_span_seconds_count", None): 4,
    }


def test_a_gauge_that_cannot_be_read_hides_nothing_else() -> None:
    """A store that does not answer costs its own gauges only."""
    broken, good = Gauge("weft_broken", "Broken."), Gauge("weft_good", "Good.", ("name",))

    def fails() -> float:
        raise OSError("the database is away")

    broken.read = fails
    good.read = lambda: {("a",): 1.0}
    assert read(broken, good) == {"weft_good": [("weft_good", {"name": "a"}, 1.0)]}


def test_shared_families_lose_nothing() -> None:
    """Several threads may add to a shared family at once."""
    counter = Counter("weft_things_total", "Things.", shared=True)
    histogram = Histogram("weft_span_seconds", "Spans.", bounds=(1.0,), shared=True)

    def work() -> None:
        for _ in range(5000):
            counter.add()
            histogram.add(0.5)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = read(counter, histogram)
    assert found["weft_things"][0][2] == 20_000
    assert found["weft_span_seconds"][-1][2] == 20_000
