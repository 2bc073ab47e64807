"""The kernels' tests again, in interpreters of their own: with array bounds checked, and as plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.subprocess
@pytest.mark.parametrize(
    ("switch", "chosen"),
    [("NUMBA_BOUNDSCHECK", "not subprocess"), ("NUMBA_DISABLE_JIT", "not subprocess and not compiled")],
    ids=["bounds checked", "without compiler"],
)
def test_kernels_pass_their_tests(switch: str, chosen: str) -> None:
    """An index out of bounds, which compiled code would follow silently, is an error here; so is integer overflow."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(HERE), "-m", chosen, "-p", "no:cacheprovider", "-W", "error"],
        env=os.environ | {switch: "1"},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
