"""What ``weft check`` warns of, and what it leaves alone."""

import pytest

from weft.cli.lint import RULES, lint
from weft.model import errors

HEAD = "from weft import dag, flow, task\nimport weft\n"


def codes(text: str) -> list[str]:
    """The codes found in a text, in order of lines."""
    return [each.code for each in lint(HEAD + text)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import random\n@flow\ndef f():\n    random.random()\n", "W1151"),
        ("from random import choice as pick\n@flow\ndef f():\n    pick([1])\n", "W1151"),
        ("import datetime as dt\n@weft.flow(name='x')\ndef f():\n    dt.datetime.now()\n", "W1151"),
        ("from datetime import date\n@dag\ndef f():\n    date.today()\n", "W1151"),
        ("import uuid\n@flow\nasync def f():\n    if True:\n        uuid.uuid4()\n", "W1151"),
        ("@flow\ndef f():\n    for x in set([1]):\n        pass\n", "W1152"),
        ("@flow\ndef f():\n    return [x for x in {1, 2}]\n", "W1152"),
        ("from time import sleep\n@flow\ndef f():\n    sleep(1)\n", "W1153"),
        ("@flow\ndef f():\n    open('x')\n", "W1154"),
        ("import subprocess\n@flow\ndef f():\n    subprocess.run([])\n", "W1154"),
        ("@flow\ndef f(): ...\nf()\ndef g(): ...\n", "W1155"),
    ],
)
def test_each_rule_finds_its_mistake(text: str, code: str) -> None:
    """However the name was imported, and wherever in the body it stands."""
    assert codes(text) == [code]


@pytest.mark.parametrize(
    "text",
    [
        "import random\n@task\ndef t():\n    random.random()\n",
        "import random\ndef plain():\n    random.random()\n",
        "import random\n@flow\ndef f(seed: int):\n    random.Random(seed).random\n",
        "@flow\ndef f():\n    weft.random()\n    weft.sleep(1)\n    weft.now()\n",
        "import time\n@flow\ndef f():\n    @task\n    def inner():\n        time.sleep(1)\n    inner()\n",
        "@flow\ndef f():\n    for x in sorted({1, 2}):\n        pass\n",
        "@flow\ndef f(): ...\nif __name__ == '__main__':\n    f()\n",
        "@flow\ndef f(): ...\nf()\n",
        "class random:\n    pass\n",
    ],
)
def test_what_is_right_is_left_alone(text: str) -> None:
    """No warning where nothing is wrong: a linter that cries wolf is switched off."""
    assert codes(text) == []


def test_codes_are_of_no_error() -> None:
    """A warning's code means nothing else."""
    taken = {each.code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "code")}
    assert not taken & set(RULES)
