"""Train models side by side and keep the best; what was trained before comes from the cache.

weft run ml.py -p max_degree=5
python ml.py
"""

import random

from weft import flow, task

Points = list[tuple[float, float]]


@task(cache="inputs")
def make_data(seed: int, count: int) -> Points:
    """Noisy points of a parabola."""
    chance = random.Random(seed)
    xs = [chance.uniform(-1, 1) for _ in range(count)]
    return [(x, 2 * x * x - x + chance.gauss(0, 0.1)) for x in xs]


@task(cache="inputs")
def train(degree: int, points: Points) -> list[float]:
    """Fit a polynomial by gradient descent."""
    weights = [0.0] * (degree + 1)
    for _ in range(500):
        slopes = [0.0] * (degree + 1)
        for x, y in points:
            error = sum(w * x**power for power, w in enumerate(weights)) - y
            for power in range(degree + 1):
                slopes[power] += 2 * error * x**power / len(points)
        weights = [w - 0.3 * slope for w, slope in zip(weights, slopes, strict=True)]
    return weights


@task
def evaluate(weights: list[float], points: Points) -> float:
    """Mean squared error on points that the model has not seen."""
    errors = [(sum(w * x**power for power, w in enumerate(weights)) - y) ** 2 for x, y in points]
    return round(sum(errors) / len(errors), 5)


@flow
def choose_model(max_degree: int = 3, seed: int = 0) -> dict[str, float]:
    """Train one model for each degree and return the best with its error."""
    degrees = range(1, max_degree + 1)
    points, unseen = make_data(seed, 200), make_data(seed + 1, 100)
    models = [train.submit(degree, points) for degree in degrees]
    errors = [evaluate.submit(model, unseen) for model in models]
    scores = {degree: error.result() for degree, error in zip(degrees, errors, strict=True)}
    for degree, error in scores.items():
        print(f"degree {degree}: error {error}")
    best = min(scores, key=lambda degree: scores[degree])
    return {"degree": best, "error": scores[best]}


if __name__ == "__main__":
    print(choose_model())
