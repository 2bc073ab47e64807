"""Instances of the tile: the same modules, each time on another plan.

An instance is a package of its own whose path is this directory. Its modules are these files, and what they import
`from .plan` is the instance's plan: constants to the compiler, which leaves out all that the plan switches off. It is
compiled once on a machine (`compile.cache_directory`).
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import sys
from collections.abc import Callable
from importlib.abc import InspectLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from oo_sim.contract import F64
from oo_sim.kernels.compile import INSTANCE, is_kept
from oo_sim.kernels.tally import TOTALS
from oo_sim.kernels.tile.writing import Form, plan, rows


class Users(NamedTuple):
    """A block's users and its world's numbers, as `play.play` has them."""

    who: F64
    changes: F64
    days: F64
    cdf: F64
    numbers: dict[str, float | F64]


class _Text(InspectLoader):
    """Loads a module from its text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def get_source(self, fullname: str) -> str:
        return self._text

    def get_code(self, fullname: str) -> CodeType | None:
        return self.source_to_code(self._text, f"<{fullname}>")


_HERE = Path(__file__).parent
_SLOT = 4 + 2  # of a late reward, besides its features: `late.FIELDS` in its lists, the reward and the decision


@functools.cache
def name_of(form: Form) -> str:
    """The instance's name: a hash of its plan and of the files that it is made of."""
    digest = hashlib.blake2b(plan(form).encode(), digest_size=8)
    for path in sorted(_HERE.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return INSTANCE + digest.hexdigest()


def words(form: Form, window: int) -> int:
    """How many numbers a tile remembers of a user between two rounds, where rewards are awaited for so many rounds."""
    slots = window + 1 if form.late else 0
    return rows(form)["ROWS"] + len(TOTALS) + slots * (len(form.features) + _SLOT)


def is_ready(form: Form) -> bool:
    """Whether the instance is compiled: in this process, or on disk by an earlier one."""
    module = sys.modules.get(f"{__package__}.{name_of(form)}.play")
    return (module is not None and bool(module.play.signatures)) or is_kept(name_of(form), "play", "play")


@functools.cache
def play(form: Form) -> Callable[..., Any]:
    """`play.play` of the instance; it compiles, or is loaded, when it is first called."""
    name = f"{__package__}.{name_of(form)}"
    package = ModuleType(name)
    package.__path__ = [str(_HERE)]
    sys.modules[name] = package
    spec = spec_from_loader(f"{name}.plan", _Text(plan(form)))
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    sys.modules[f"{name}.plan"] = made
    function: Callable[..., Any] = importlib.import_module(f"{name}.play").play
    return function
