"""`Run`: what an experiment leaves, from memory or from a run directory, ready to be looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.logs import SCHEMAS, EventTable, Log, Manifest, RunFiles, RunLog, RunLogError, open_log, served_tables
from oo_sim.results.result import Result, finite, renamed, spread
from oo_sim.results.summary import FATES, LEVEL, PolicySummary, dynamics_of, notes, size, summarise
from oo_sim.show import Table, Tables, number, percent, plain, plus_minus
from oo_sim.stats import Interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CURVES_PNG = "curves.png"
"""The file in a run directory that shows its curves."""
_HEADERS = (
    "policy",
    "reward\nper decision",
    "realised\nreward",
    "regret\nper user",
    "no\nreaction",
    "decisions\nper second",
)
_CELLS, _NESTED = 50_000_000, 100  # of one frame, about a gigabyte; what a list counts for
_FATES = {"rewarded": "rewarded", "pending": "pending", "expired": "expired", "never": "never\nreported"}


class Run(Result):
    """The results of one scenario under some policies.

    `curves` has one row per policy, replicate and round (sums over users), `users` one per policy,
    replicate, user and checkpoint (running totals). `path` is the run directory, None for a run in memory.
    `failures` maps the label of each policy that failed to its message.
    """

    kinds = ("curves", "loglog", "segments", "reactions", "users", "exploration", "theta")
    alt = "curves of reward and regret"

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
    def by_user(self) -> pd.DataFrame | None:
        """The users table where intervals and bands come from it; None where they come from moments: a large table
        stays in its file, and without checkpoints there is none."""
        return None if self.manifest.moments else self.users

    def require_users(self) -> pd.DataFrame:
        """The users table, for what cannot do without. Raises `RunLogError` where `checkpoints` left it empty."""
        if self.manifest.checkpoints == "off":
            raise RunLogError(
                self.path or Path(self.manifest.name),
                "holds no rows by user (--checkpoints off), and what compares or shows users requires them; run it "
                "again with --checkpoints last, or all",
            )
        return self.users

    @property
    def failures(self) -> dict[str, str]:
        """The policies that failed: label -> message."""
        return dict(self.manifest.failures)

    @property
    def drawable(self) -> bool:
        """Whether there is anything to draw: also curves without lines are."""
        return True

    @cached_property
    def rows(self) -> list[PolicySummary]:
        """The summary of each policy that has results, in order."""
        return summarise(self.manifest, self.curves, self.by_user)

    def frame(self) -> pd.DataFrame:
        """The summary as a frame, a row per policy; an interval `a` has columns `a`, `a_lower`, `a_upper`."""
        import pandas as pd  # noqa: PLC0415 (slow to import, and a run makes its decisions without it)

        return pd.DataFrame([_flat(row) for row in self.rows], columns=list(_COLUMNS))

    def table(self) -> Tables:
        """The summary; where users come and go, or rewards are late, a second table on that; without results, why."""
        failed = [f"{plain(label, 60)} failed: {plain(why)}" for label, why in self.failures.items()]
        if failed and not self.rows:
            return Tables([], failed)
        more = fates(self.manifest, self.rows)
        return Tables(
            [summary_table(self.manifest, self.rows), *([more] if more else [])], failed, [*notes(self.manifest)]
        )

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain data, as `--json` prints it: `path`, `name`, `users`, `rounds`, `replicates`, `seed`,
        `content_hash`, `level`, `rows`, `failures` (label -> message) and `notes`.

        A row has `policy`, `decisions`, the intervals `expected_reward`, `reward` (both per decision) and
        `regret_per_user`, each `{estimate, lower, upper, n}`, and `regret_per_decision`, `no_reaction`,
        `decisions_per_second`, `users_at_the_end`, and the decisions by what became of them by the end: `rewarded`,
        `pending`, `expired`, `never`. Numbers are finite or null.
        """
        keys = ("name", "users", "rounds", "replicates", "seed", "content_hash")
        return {
            "path": None if self.path is None else str(self.path),
            **{key: getattr(self.manifest, key) for key in keys},
            "level": LEVEL,
            "rows": [{key: _plain_data(value) for key, value in row._asdict().items()} for row in self.rows],
            "failures": self.failures,
            "notes": list(notes(self.manifest)),
        }

    @overload
    def decisions(self, columns: Sequence[str] | None = None, *, stream: Literal[False] = False) -> pd.DataFrame: ...
    @overload
    def decisions(self, columns: Sequence[str] | None = None, *, stream: Literal[True]) -> Iterator[pd.DataFrame]: ...
    def decisions(
        self, columns: Sequence[str] | None = None, *, stream: bool = False
    ) -> pd.DataFrame | Iterator[pd.DataFrame]:
        """The logged decisions as a frame, all columns or those named; with `stream`, as frames of some thousand rows
        one after the other, so that memory stays bounded: `for part in run.decisions(stream=True)`.

        Raises `RunLogError` when there are none, and where they are too many for one frame."""
        return _frames(self.events("decisions"), columns, stream)

    @overload
    def learnings(self, columns: Sequence[str] | None = None, *, stream: Literal[False] = False) -> pd.DataFrame: ...
    @overload
    def learnings(self, columns: Sequence[str] | None = None, *, stream: Literal[True]) -> Iterator[pd.DataFrame]: ...
    def learnings(
        self, columns: Sequence[str] | None = None, *, stream: bool = False
    ) -> pd.DataFrame | Iterator[pd.DataFrame]:
        """What the models learned, in order, as `decisions`."""
        return _frames(self.events("learnings"), columns, stream)

    def events(self, name: Literal["decisions", "learnings"]) -> EventTable:
        """One of the two event tables as it is read: in Arrow's batches, by row group, or whole. Raises `RunLogError`
        when there is none."""
        return self._files().decisions() if name == "decisions" else self._files().learnings()

    def summary(self) -> pd.DataFrame:
        """Deprecated: `frame`."""
        renamed("Run.summary()", "Run.frame()")
        return self.frame()

    def plot(self, *, log: bool = False) -> Figure:
        """Deprecated: `figure`."""
        renamed("Run.plot()", "Run.figure()")
        return self.figure(log=log)

    def _files(self) -> RunFiles:
        if self.path is None:
            raise RunLogError(
                Path(self.manifest.name), "is a run in memory, without events: run again with events=True and out=DIR"
            )
        return RunFiles(self.path)

    def __repr__(self) -> str:
        where = "in memory" if self.path is None else str(self.path)
        return f"<Run {plain(self.manifest.name)}: {len(self.rows)} policies, {size(self.manifest)}, {where}>"


def _frames(table: EventTable, columns: Sequence[str] | None, stream: bool) -> pd.DataFrame | Iterator[pd.DataFrame]:
    known = [*SCHEMAS[table.name].names]
    wanted = known if columns is None else list(columns)
    if strange := [name for name in wanted if name not in known]:
        raise RunLogError(table.path, f"has no column {strange[0]!r}; there are {', '.join(known)}")
    if stream:
        return (batch.to_pandas() for batch in table.batches(wanted))
    nested = sum(pa.types.is_nested(SCHEMAS[table.name].field(name).type) for name in wanted)
    if table.num_rows * (len(wanted) + _NESTED * nested) > _CELLS:
        raise RunLogError(
            table.path,
            f"holds {table.num_rows:,} rows, too many for one frame of {len(wanted)} columns; name the columns that "
            f"are required, or take parts: for part in run.{table.name}(stream=True)",
        )
    frame: pd.DataFrame = table.table(wanted).to_pandas()
    return frame


def summary_table(manifest: Manifest, rows: Sequence[PolicySummary]) -> Table:
    """A row per policy; what is not known is `-`."""
    title, machine = f"{plain(manifest.name)}: {size(manifest)}", frozenset({len(_HEADERS) - 1})
    return Table(_HEADERS, [_cells(row) for row in rows], title, machine=machine)


def _cells(row: PolicySummary) -> tuple[str, ...]:
    return (
        plain(row.policy, 60),
        plus_minus(row.expected_reward, 4),
        number(row.reward.estimate, 4),
        plus_minus(row.regret_per_user, 2),
        percent(row.no_reaction),
        number(row.decisions_per_second, 0),
    )


def fates(manifest: Manifest, rows: Sequence[PolicySummary]) -> Table | None:
    """A second table: which share of users is still there, and what became of decisions.

    It has the columns that the scenario's dynamics make interesting; without any, there is none.
    """
    found, headers = dynamics_of(manifest), ["policy"]
    if found.presence:
        headers += ["users\nat the end", "decisions\nper user"]
    if found.reporting:
        headers += [_FATES[fate] for fate in FATES]
    if len(headers) == 1:
        return None
    return Table(headers, [_fates(row, manifest, found.presence, found.reporting) for row in rows])


def _fates(row: PolicySummary, manifest: Manifest, presence: bool, reporting: bool) -> list[str]:
    cells = [plain(row.policy, 60)]
    if presence:
        everybody = manifest.users
        cells += [percent(row.users_at_the_end / everybody)]
        cells += [number(row.decisions / (everybody * manifest.replicates), 1)]
    if reporting:
        cells += [percent(getattr(row, fate) / row.decisions if row.decisions else None) for fate in FATES]
    return cells


def load_run(path: str | Path) -> Run:
    """Read a run directory or a served export, whose curves are counted from its decisions.

    Raises `RunLogError` where something is missing, damaged or foreign.
    """
    files = RunLog(path)
    if files.manifest.served:
        return Run(replace(files.manifest, policies=files.policies), *served_tables(files), files.path)
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
            flat |= spread(key, value)
        else:
            flat[key] = math.nan if value is None else value
    return flat


def _plain_data(value: object) -> Any:
    if isinstance(value, Interval):
        return {key: _plain_data(part) for key, part in value._asdict().items()}
    return finite(value)


_NOTHING = Interval(math.nan, math.nan, math.nan, 0)
_COLUMNS = tuple(_flat(PolicySummary("", 0, _NOTHING, _NOTHING, _NOTHING, 0.0, None, None, 0.0, 0, 0, 0, 0)))


def log_of(source: str | Path | Log | Run) -> Log:
    """The log of a directory, of a table, or of a run that was made with events; a log as it is.

    Raises `RunLogError` where there is none, `TypeError` for what is none of these."""
    if isinstance(source, Run):
        return open_log(source.events("decisions").path.parent)
    if isinstance(source, str | Path):
        return open_log(source)
    if not hasattr(source, "parts"):
        raise TypeError(
            f"a log is a directory, a table's path, a Run or what open_log returns, not a {type(source).__name__}"
        )
    return source
