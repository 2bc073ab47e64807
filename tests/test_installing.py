"""A test that installs something is skipped only where no registry can be reached."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from _pytest.outcomes import Skipped
from installing import pip


def test_an_unreachable_registry_skips_and_a_missing_package_fails(tmp_path: Path) -> None:
    for index, outcome in (("http://127.0.0.1:9/simple", Skipped), (tmp_path.as_uri(), AssertionError)):
        with pytest.raises(outcome):
            pip(sys.executable, "download", "-d", str(tmp_path), "--index-url", index, "no-such-package", timeout=60)
