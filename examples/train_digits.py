"""Train several models on handwritten digits, side by side, and keep the best.

    pip install "weft[digits]"
    python examples/train_digits.py

The data are the 1,797 scanned digits that come with scikit-learn. Splitting is cached, each model trains in a
process of its own, and the comparison is published as a table and a confusion matrix.
"""

import io
import warnings
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

from weft import current, flow, task, unmapped

mpl.use("Agg")
from matplotlib import pyplot

MODELS: dict[str, Any] = {
    "logistic": lambda: LogisticRegression(max_iter=300),
    "forest": lambda: RandomForestClassifier(n_estimators=120, random_state=7),
    "svm-linear": lambda: SVC(kernel="linear"),
    "svm-rbf": lambda: SVC(kernel="rbf", gamma=0.001),
}


@dataclass
class Split:
    """Images as rows of 64 grey values, and the digits that they show."""

    x_train: np.ndarray
    x_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


@dataclass
class Score:
    """How one model did on images that it had not seen."""

    model: str
    accuracy: float
    confusion: np.ndarray


@task(cache="inputs", cache_ttl="1d")
def split(test_size: float) -> Split:
    """The digits, shuffled and divided."""
    x, y = load_digits(return_X_y=True)
    return Split(*train_test_split(x, y, test_size=test_size, random_state=7, stratify=y))


@task(executor="process", retries=1)
def train(model: str, data: Split) -> Score:
    """Fit one model and score it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Logistic regression says that it could go on; it need not.
        fitted = MODELS[model]().fit(data.x_train, data.y_train)
    predicted = fitted.predict(data.x_test)
    accuracy = float((predicted == data.y_test).mean())
    current().logger.info("%s: %.4f", model, accuracy)
    return Score(model, accuracy, confusion_matrix(data.y_test, predicted))


@task
def compare(scores: list[Score]) -> Score:
    """Publish the ranking, and the best model's mistakes."""
    ranked = sorted(scores, key=lambda score: -score.accuracy)
    best = ranked[0]
    context = current()
    context.table([{"model": s.model, "accuracy": round(s.accuracy, 4)} for s in ranked], title="Models")
    figure, axes = pyplot.subplots(figsize=(4, 4))
    axes.imshow(best.confusion, cmap="Blues")
    axes.set(title=f"{best.model}: {best.accuracy:.1%}", xlabel="predicted", ylabel="written")
    image = io.BytesIO()
    figure.savefig(image, format="png")
    pyplot.close(figure)
    context.image(image.getvalue(), title="Confusion")
    return best


@flow
def train_digits(test_size: float = 0.3) -> dict[str, Any]:
    """Train every model and return the best."""
    data = split(test_size)
    best = compare(train.map(list(MODELS), unmapped(data)))
    return {"best": best.model, "accuracy": round(best.accuracy, 4)}


if __name__ == "__main__":
    print(train_digits())
