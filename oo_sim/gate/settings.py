"""What a repository says of its gate: `[tool.oo-sim]` in `pyproject.toml`, for the command line and pytest alike."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from oo_sim.errors import GateError
from oo_sim.gate.baseline import DIRECTORY

_KINDS = {"baselines": str, "scenarios": str, "workers": int, "strict": bool}


class Settings(NamedTuple):
    """Where baselines are kept, where scenario files stand, how many processes work, and whether changed bits fail."""

    baselines: Path = DIRECTORY
    scenarios: Path | None = None
    workers: int | None = None
    strict: bool = False
    root: Path = Path()

    def scenario(self, name: str) -> str:
        """A scenario's file, from here, the root or its directory of scenarios; else the name of a shipped one."""
        places = [Path(name), self.root / name]
        if self.scenarios is not None:
            places += [self.scenarios / name, self.scenarios / f"{name}.yaml"]
        return next((str(place) for place in places if place.is_file()), name)


def settings(start: Path | None = None) -> Settings:
    """The settings of the nearest `pyproject.toml` from `start` (here, if not told otherwise) upwards. Paths in it are
    from its own directory. Raises GateError that names the file and the key."""
    here = (start or Path.cwd()).resolve()
    for directory in (here, *here.parents):
        path = directory / "pyproject.toml"
        if path.is_file():
            return _read(path, from_here=start is None)
    return Settings()


def _read(path: Path, from_here: bool) -> Settings:
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("oo-sim", {})
    except (OSError, ValueError) as error:
        raise GateError(f"{path}: can't be read: {error}") from error
    for key, value in said.items():
        if key not in _KINDS:
            raise GateError(f"{path}: [tool.oo-sim] {key}: not known; expected {', '.join(_KINDS)}")
        if type(value) is not _KINDS[key]:
            raise GateError(f"{path}: [tool.oo-sim] {key} is {value!r}; expected {_KINDS[key].__name__}")
    root = path.parent
    if from_here and root == Path.cwd():
        root = Path()
    return Settings(
        root / said.get("baselines", DIRECTORY),
        root / said["scenarios"] if "scenarios" in said else None,
        said.get("workers"),
        said.get("strict", False),
        root,
    )
