"""The driver of the core's tests."""

import pytest
from core_driver import Driver


@pytest.fixture
def driver() -> Driver:
    """An engine over an empty store, with one executor called ``default``."""
    return Driver()
