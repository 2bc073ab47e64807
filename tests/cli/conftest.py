"""What tests of commands share: a call of the command line in an empty directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from calling import Call, caller


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Calls the command line in an empty directory."""
    return caller(monkeypatch, capsys, tmp_path)
