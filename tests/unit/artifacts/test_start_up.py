"""What it costs to have artifacts at hand."""

import subprocess
import sys

_LOADED = """
import sys
import weft.artifacts.artifacts, weft.artifacts.publish
from weft.artifacts.artifacts import Artifacts
from weft.artifacts.blobs import MemoryBlobs
artifacts = Artifacts(MemoryBlobs())
assert artifacts.loads(artifacts.dumps({"a": (1, {2})})) == {"a": (1, {2})}
heavy = {"numpy", "pandas", "polars", "pyarrow", "cloudpickle", "pydantic", "asyncio"}
print(sorted(heavy & set(sys.modules)))
"""


def test_plain_values_load_no_heavy_library() -> None:
    """Importing the package and storing plain data brings in none of the libraries it can serve."""
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
