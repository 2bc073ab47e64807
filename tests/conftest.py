"""What all tests share: a floating-point fault in NumPy code is an error, in the thread that runs the tests."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers by which the kernels' tests are chosen for other ways to compile."""
    config.addinivalue_line(
        "markers", "compiled: wants compiled kernels: too slow, or without meaning, as plain Python"
    )
    config.addinivalue_line("markers", "subprocess: starts other interpreters, so it is not run inside one of them")
    if threading.current_thread() is threading.main_thread():
        # A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def floating_point_faults() -> Iterator[None]:
    """Division by zero, overflow and invalid operations raise; underflow to zero is sound arithmetic."""
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield
