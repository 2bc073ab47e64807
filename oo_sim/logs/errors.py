"""The one error that run directories raise."""

from __future__ import annotations

from pathlib import Path


class RunLogError(Exception):
    """A run directory cannot be read or written; the message names the file and what is wrong with it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem
