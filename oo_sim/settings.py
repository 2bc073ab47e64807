"""What a repository says of oo-sim: `[tool.oo-sim]` in `pyproject.toml`, for the command line and pytest alike.

What is given on the command line goes first, then the environment (`OO_SIM_WORKERS` and so on), then `pyproject.toml`.
Calls from Python read neither of the two: they depend on their arguments alone.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from oo_sim.errors import SettingsError

BASELINES = Path("scenarios/baselines")
RUNS = Path("runs")


class Settings(NamedTuple):
    """Where baselines are kept, where scenario files stand, how many processes work, where new run directories go, and
    whether changed bits fail in the gate."""

    baselines: Path = BASELINES
    scenarios: Path | None = None
    workers: int | None = None
    out: Path = RUNS
    strict: bool = False
    root: Path = Path()

    def scenario(self, name: str) -> str:
        """A scenario's file, from here, the root or its directory of scenarios; else the name of a shipped one."""
        places = [Path(name), self.root / name]
        if self.scenarios is not None:
            places += [self.scenarios / name, self.scenarios / f"{name}.yaml"]
        return next((str(place) for place in places if place.is_file()), name)


class _Kind(NamedTuple):
    """What a key takes: in words, whether a value is one, and how it is read from the environment."""

    words: str
    fits: Callable[[Any], bool]
    read: Callable[[str], Any]


def _path(example: object) -> _Kind:
    return _Kind(
        f"a path, such as {str(example)!r}", lambda v: isinstance(v, str | Path) and bool(str(v).strip()), Path
    )


_KINDS: Mapping[str, _Kind] = {
    "baselines": _path(BASELINES),
    "scenarios": _path("scenarios"),
    "workers": _Kind(
        "a whole number of at least 1",
        lambda v: type(v) is int and v >= 1,
        lambda text: int(text) if text.isdecimal() else text,
    ),
    "out": _path(RUNS),
    "strict": _Kind(
        "true or false",
        lambda v: isinstance(v, bool),
        lambda text: {"true": True, "false": False}.get(text.lower(), text),
    ),
}


def settings(
    start: Path | None = None, given: Mapping[str, Any] = {}, environment: Mapping[str, str] = os.environ
) -> Settings:
    """What holds at `start` (here, if not told otherwise).

    `pyproject.toml` is the nearest one upwards that has the table, and paths in it are from its own directory; `given`
    stands in for it key by key, and the environment for both. Raises SettingsError that names the file, the line and
    the key.
    """
    here = (start or Path.cwd()).resolve()
    root, said = _nearest(here)
    if start is None and root == here:
        root = Path()
    values = _placed(said, root) | _placed(given, here)
    for key, kind in _KINDS.items():
        name = f"OO_SIM_{key.upper()}"
        if text := environment.get(name, ""):
            values[key] = kind.read(text)
            if not kind.fits(values[key]):
                raise SettingsError(f"{name} is {text!r}; expected {kind.words}")
    return Settings(**{"baselines": root / BASELINES, **values}, root=root)


def _placed(said: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The values, paths being from `root`."""
    return {key: root / value if _KINDS[key].read is Path else value for key, value in said.items()}


def _nearest(here: Path) -> tuple[Path, Mapping[str, Any]]:
    """The directory of the nearest file that has the table, and what it says; here and nothing, where none has."""
    for directory in (here, *here.parents):
        path = directory / "pyproject.toml"
        if path.is_file():
            said = _table(path)
            if said is not None:
                return directory, said
    return here, {}


def _table(path: Path) -> Mapping[str, Any] | None:
    """The checked table of a file, None where it has none."""
    try:
        text = path.read_text(encoding="utf-8")
        said = tomllib.loads(text).get("tool", {}).get("oo-sim")
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise SettingsError(f"{path}{f':{line[1]}' if line else ''}: is not TOML: {error}") from error
    except (OSError, ValueError, AttributeError) as error:
        raise SettingsError(f"{path}: can't be read: {error}") from error
    if said is None or not isinstance(said, dict):
        return None
    for key, value in said.items():
        where = f"{path}{_line(text, key)}: [tool.oo-sim] {key}"
        if key not in _KINDS:
            near = get_close_matches(key, _KINDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_KINDS)}"
            raise SettingsError(f"{where}: not known; {hint}")
        if not _KINDS[key].fits(value):
            raise SettingsError(f"{where} is {value!r}; expected {_KINDS[key].words}")
    return said


def _line(text: str, key: str) -> str:
    """`:12`, the line on which a key of the table stands; empty where the table is written in another way."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            inside = re.fullmatch(r"\s*\[\s*tool\s*\.\s*[\"']?oo-sim[\"']?\s*\]\s*(#.*)?", line) is not None
        elif inside and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return f":{number}"
    return ""
