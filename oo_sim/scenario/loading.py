"""Where scenarios come from: files, text, and those that ship with the package."""

from __future__ import annotations

import re
from pathlib import Path

import oo_sim
from oo_sim.scenario.decoding import MAX_BYTES
from oo_sim.scenario.problems import Position, Problem, ScenarioError
from oo_sim.scenario.reader import Reading, read
from oo_sim.scenario.scenario import Scenario, check
from oo_sim.scenario.text import did_you_mean, plain

_NO_PATH = "is not a path that can be looked up; name a scenario file"
_BARE_NAME = re.compile(r"[A-Za-z0-9_-]+")


def load(path_or_name: str | Path) -> Scenario:
    """The scenario of a file, or the shipped one of that name. Raises ScenarioError with all problems."""
    if not isinstance(path_or_name, str | Path):
        kind = type(path_or_name).__name__
        raise TypeError(
            f"a scenario is a Scenario, a file's path or a shipped name, not a {kind}; validate() reads plain data"
        )
    return judged(opened(path_or_name))


def loads(text: str | bytes, name: str = "scenario") -> Scenario:
    """The scenario of a text; messages call it `name`. Raises ScenarioError with all problems."""
    return judged(read(text, name))


def opened(path_or_name: str | Path) -> Reading:
    """What a file, or the shipped scenario of that name, holds, not yet judged. Raises ScenarioError without one."""
    path = locate(path_or_name)
    return read(_bytes(path), str(path))


def judged(reading: Reading) -> Scenario:
    """The scenario of what was read. Raises ScenarioError with all problems."""
    problems = list(reading.problems)
    scenario = None
    if () not in reading.refused:
        scenario, found = check(reading.data, reading.source)
        problems += [problem for problem in found if not reading.covers(problem.path)]
    if problems or scenario is None:
        raise ScenarioError(problems)
    return scenario


def shipped() -> dict[str, Path]:
    """The scenarios that ship with the package, by name."""
    package = Path(oo_sim.__file__).parent
    for folder in (package / "_scenarios", package.parent / "scenarios"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    return {}


def locate(path_or_name: str | Path) -> Path:
    """The file that is meant; a bare name such as `quickstart` is a shipped one. Raises ScenarioError."""
    known, text = shipped(), str(path_or_name)
    if isinstance(path_or_name, str) and text in known:
        return known[text]
    path = Path(path_or_name)
    if message := _not_a_file(path, text):
        raise _unreadable(text, message)
    return path


def _not_a_file(path: Path, text: str) -> str:
    """Why a path can't be read as a file; empty when it can."""
    if not text:
        return _NO_PATH
    try:
        if path.is_file():
            return ""
        if path.is_dir():
            return "is a directory; name a scenario file in it"
        if path.exists():
            return "is not a regular file; save the scenario to one"
    except (OSError, ValueError):
        return _NO_PATH
    return f"there is no such {'scenario or file' if _BARE_NAME.fullmatch(text) else 'file'}{_hint(path)}"


def _hint(path: Path) -> str:
    """Names near that of a missing file: beside it first, then shipped ones."""
    known = shipped()
    beside = sorted(file.name for file in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    near = did_you_mean(path.name, beside) if path.suffix else ""
    return near or did_you_mean(path.stem, known) or f"; shipped scenarios are {', '.join(known)}"


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(str(path), f"can't be read: {(error.strerror or 'error').lower()}") from None


def _unreadable(name: str, message: str) -> ScenarioError:
    return ScenarioError([Problem(Position(), (), message, plain(name))])
