"""What tests install for themselves: where that fails the test fails, unless no package registry can be reached."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

UNREACHED = ("NewConnectionError", "Connection refused", "Temporary failure in name resolution", "timed out")


def pip(python: str | Path, *arguments: str, timeout: float) -> None:
    """Run pip by the interpreter. Skips the test where no registry can be reached; fails it with pip's words where pip
    fails for any other reason."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *arguments, "--retries", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    words = done.stdout + done.stderr
    if done.returncode and any(word in words for word in UNREACHED):
        pytest.skip("no package registry can be reached from here")
    assert done.returncode == 0, words[-2000:]
