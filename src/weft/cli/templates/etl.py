"""A durable flow: kill it at any point, and `weft runs resume @latest` goes on where it was.

weft run etl.py -p cities=3
python etl.py
"""

import random

from weft import flow, task


@task(retries=3, retry_delay="1s")
def extract(city: str) -> list[float]:
    """Pretend to ask a service that sometimes fails."""
    numbers = random.Random(city)
    return [round(numbers.uniform(-5, 25), 1) for _ in range(24)]


@task
def transform(city: str, hours: list[float]) -> tuple[str, float, float]:
    """One row a city: its name, its lowest and its highest temperature."""
    return city, min(hours), max(hours)


@task
def load(rows: list[tuple[str, float, float]]) -> str:
    """Where the rows would go to a database; returns the warmest city."""
    for city, low, high in rows:
        print(f"{city:<10} {low:>6} to {high:>5}")
    return max(rows, key=lambda row: row[2])[0]


@flow
def etl(cities: int = 5) -> str:
    """Extract and transform each city side by side, then load them together."""
    names = ["Oslo", "Porto", "Quito", "Riga", "Sofia", "Tunis", "Turin", "Utrecht"][:cities]
    hours = extract.map(names)
    rows = transform.map(names, hours)
    return load(rows)


if __name__ == "__main__":
    print(etl())
