"""Prints the lowest version that pyproject.toml allows of everything that oo-sim runs on, as constraints for pip.

A lower bound is a promise, and `.ci/run` keeps it: it installs these and runs tests on them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

FLOOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*>=\s*(?P<version>[0-9.]+)")
RUNS_ON = ("serve", "dask")  # extras of users; those of developers are tools, which may be newer

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
extras = [project["optional-dependencies"][extra] for extra in RUNS_ON]
for requirement in sum(extras, project["dependencies"]):
    floor = FLOOR.fullmatch(requirement)
    if floor is None:
        raise SystemExit(f"pyproject.toml: {requirement!r} has no lower bound; write name>=version")
    print(f"{floor['name']}=={floor['version']}")
