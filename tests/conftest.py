"""What all tests share: a floating-point fault in NumPy code is an error, in the thread that runs the tests."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("shared machine", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("shared machine")  # where making an input can take as long as somebody else's work lets it

# Bytecode is kept whatever the environment says: rewriting assertions takes each worker longer than all imports do,
# and each process that a test starts would compile the package again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers by which the kernels' tests are chosen for other ways to compile."""
    config.addinivalue_line(
        "markers", "compiled: requires compiled kernels: too slow, or without meaning, as plain Python"
    )
    config.addinivalue_line("markers", "subprocess: starts other interpreters, so it is not run inside one of them")
    for size in ("COLUMNS", "LINES"):  # readline, which pytest imports, hands its guess of a terminal on to workers
        os.environ.pop(size, None)
    if threading.current_thread() is threading.main_thread():
        # A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def warm_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What policies need of a file that `oo-sim fit` writes: a Gaussian for each feature map."""
    rng, priors = np.random.default_rng(4), {}
    for name, d in (("oo5", 5), ("oo7", 7), ("oo7x", 24)):
        root = rng.normal(size=(d, 2 * d))
        A, theta = root @ root.T / d + np.eye(d), rng.normal(scale=0.3, size=d)
        inverse = np.linalg.inv(A)[np.triu_indices(d)]
        start = {"inverse": inverse.tolist(), "b": (A @ theta).tolist(), "theta": theta.tolist()}
        priors[name] = {"start": start}
    path = tmp_path_factory.mktemp("warm") / "people.fit.json"
    path.write_text(json.dumps({"priors": priors}))
    return path


END_TO_END = {"notebooks", "readme", "slow"}
"""Rooms whose tests all run whole commands, servers or processes; elsewhere a test has the marker `e2e` itself."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is end to end by where it stands, before markers choose what is run."""
    tests = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(tests) and item.path.relative_to(tests).parts[0] in END_TO_END:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(autouse=True)
def floating_point_faults() -> Iterator[None]:
    """Division by zero, overflow and invalid operations raise; underflow to zero is sound arithmetic."""
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        yield
