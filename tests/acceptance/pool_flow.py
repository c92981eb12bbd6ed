"""A flow of tasks in the pool ``db``, each of which leaves a file in a folder for as long as it runs.

Arguments: the folder, a name, how many tasks. A task ends after a moment, or if there is a file ``hold`` in
the folder, not at all.
"""

import os
import sys
import time
from pathlib import Path

from weft import flow, task

FOLDER = Path(sys.argv[1])
NAME = sys.argv[2]
COUNT = int(sys.argv[3])


@task(pool="db")
def work(number: int) -> int:
    """Say how many run, while this one does."""
    mine = FOLDER / "now" / f"{NAME}-{os.getpid()}-{number}"
    mine.touch()
    at_once = len(os.listdir(FOLDER / "now"))
    with open(FOLDER / f"said-{NAME}", "a") as said:
        said.write(f"{at_once}\n")
    until = time.monotonic() + 0.02
    while time.monotonic() < until or (FOLDER / "hold").exists():
        time.sleep(0.005)
    mine.unlink()
    return at_once


@flow
def everything() -> int:
    """All of them at once, as far as the pool lets them."""
    return max(work.map(range(COUNT)).result())


if __name__ == "__main__":
    everything()
