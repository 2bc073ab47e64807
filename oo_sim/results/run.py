"""`Run`: what an experiment leaves, from memory or from a run directory, ready to be looked at."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Group

from oo_sim.logs import EventTable, Manifest, RunFiles, RunLogError
from oo_sim.results import drawing
from oo_sim.results.dynamics import dynamics_of
from oo_sim.results.summary import PolicySummary, size, summarise
from oo_sim.results.table import as_dict, html_table, terminal_table
from oo_sim.show.text import plain
from oo_sim.stats import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES_PNG = "curves.png"
"""The file in a run directory that shows its curves."""


class Run:
    """The results of one scenario under some policies.

    `curves` has one row per policy, replicate and round (sums over users), `users` one per policy,
    replicate, user and checkpoint (running totals). `path` is the run directory, None for a run in memory.
    `failures` maps the label of each policy that failed to its message.
    """

    def __init__(
        self, manifest: Manifest, curves: pa.Table, users: pa.Table | None = None, path: Path | None = None
    ) -> None:
        self.manifest = manifest
        self.path = path
        self.curves: pd.DataFrame = curves.to_pandas()
        self._users = users

    @cached_property
    def users(self) -> pd.DataFrame:
        """The users table; a large one is read from the run directory when it is first asked for."""
        table = self._files().table("users") if self._users is None else self._users
        self._users = None
        frame: pd.DataFrame = table.to_pandas()
        return frame

    @property
    def failures(self) -> dict[str, str]:
        """The policies that failed: label -> message."""
        return dict(self.manifest.failures)

    @cached_property
    def rows(self) -> list[PolicySummary]:
        """The summary of each policy that has results, in order."""
        return summarise(self.manifest, self.curves, None if self.manifest.moments else self.users)

    def summary(self) -> pd.DataFrame:
        """The summary as a frame, a row per policy; an interval `a` has columns `a`, `a_lower`, `a_upper`."""
        return pd.DataFrame([_flat(row) for row in self.rows], columns=list(_COLUMNS))

    def table(self) -> Group:
        """The summary as a table for a rich console."""
        return terminal_table(self.manifest, self.rows)

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data, as `--json` prints it; see `oo_sim.results.table.as_dict`."""
        return as_dict(self.manifest, self.rows, None if self.path is None else str(self.path))

    def plot(self, *, log: bool = False) -> Figure:
        """The curves as a matplotlib figure; `log` draws regret on logarithmic axes."""
        return drawing.figure(self, log=log)

    def decisions(self) -> EventTable:
        """The logged decisions. Raises `RunLogError` when there are none."""
        return self._files().decisions()

    def learnings(self) -> EventTable:
        """What the models learned. Raises `RunLogError` when it was not logged."""
        return self._files().learnings()

    def _files(self) -> RunFiles:
        if self.path is None:
            raise RunLogError(Path(self.manifest.name), "is a run in memory, without events; give it `out`")
        return RunFiles(self.path)

    def __repr__(self) -> str:
        where = "in memory" if self.path is None else str(self.path)
        return f"<Run {plain(self.manifest.name)}: {len(self.rows)} policies, {size(self.manifest)}, {where}>"

    def _repr_html_(self) -> str:
        image = base64.b64encode(drawing.png(self.plot())).decode()
        source = f"data:image/png;base64,{image}"
        picture = f'<img alt="curves of reward and regret" style="max-width:100%" src="{source}">'
        return f"<div>{html_table(self.manifest, self.rows)}{picture}</div>"


def load_run(path: str | Path) -> Run:
    """Read a run directory. Raises `RunLogError` where something is missing, damaged or foreign."""
    files = RunFiles(path)
    read = ("curves",) if files.manifest.moments else ("curves", "users")  # a large users table stays in its file
    tables = {name: files.table(name) for name in read}
    for name, table in tables.items():
        _check_finite(files.path / f"{name}.parquet", table)
    _check_policies(files.path, files.manifest, tables)
    return Run(files.manifest, tables["curves"], tables.get("users"), files.path)


def _check_finite(path: Path, table: pa.Table) -> None:
    for name in ("reward", "expected_reward", "regret"):
        if not pc.all(pc.is_finite(table.column(name)), min_count=0).as_py():
            raise RunLogError(path, f"column {name} holds numbers that are not finite")


def _check_policies(path: Path, manifest: Manifest, tables: Mapping[str, pa.Table]) -> None:
    """Both tables must hold the policies of the manifest that did not fail, and each round some user, unless users
    come and go."""
    expected = {label for label in manifest.labels if label not in manifest.failures}
    for name, table in tables.items():
        found = set(pc.unique(table.column("policy")).to_pylist())
        if found != expected:
            raise RunLogError(path / f"{name}.parquet", f"holds policies {sorted(found)}, not {sorted(expected)}")
    least = 0 if dynamics_of(manifest).presence else 1
    if pc.any(pc.less(tables["curves"].column("users"), least)).as_py():
        raise RunLogError(path / "curves.parquet", "has rounds without users")


def _flat(row: PolicySummary) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row._asdict().items():
        if isinstance(value, Interval):
            flat |= {key: value.estimate, f"{key}_lower": value.lower, f"{key}_upper": value.upper}
        else:
            flat[key] = math.nan if value is None else value
    return flat


_NOTHING = Interval(math.nan, math.nan, math.nan, 0)
_COLUMNS = tuple(_flat(PolicySummary("", 0, _NOTHING, _NOTHING, _NOTHING, 0.0, None, None, 0.0, 0, 0, 0, 0)))
