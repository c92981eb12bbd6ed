"""A static graph: known before it runs, so it can be looked at and run in part.

weft plan nightly.py
weft run nightly.py -p day=2026-01-01
weft run nightly.py --select report+
"""

from datetime import date

from weft import dag, task


@task(retries=2, retry_delay="1s")
def fetch(day: date) -> list[str]:
    """The day's files."""
    return [f"{day}/part-{number}" for number in range(4)]


@task
def count_words(path: str) -> int:
    """What is in one of them."""
    return sum(map(ord, path)) % 100


@task
def report(day: date, counts: list[int]) -> str:
    """The sum, for people."""
    return f"{day}: {sum(counts)} words in {len(counts)} files"


@task
def publish(text: str) -> str:
    """Where the report would be sent."""
    print(text)
    return text


@dag
def nightly(day: date = date(2026, 1, 1)) -> str:
    """Fetch the day's files, count each, report."""
    counts = count_words.map(fetch(day))
    return publish(report(day, counts))


if __name__ == "__main__":
    print(nightly())
