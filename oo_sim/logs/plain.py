"""Plain tables as logs: one Parquet or CSV file of anybody's, a row per decision.

| column | |
|---|---|
| `user` | whose decision it is, text or number |
| `order` | a number or a time that orders the decisions of a user |
| `probability` | of what was chosen, above 0 and at most 1 |
| `reward` | a number; empty where there was no reaction, which counts 0 |
| `probs` | optional: the probabilities of all on offer, in their order; without it unsupported mass is not known |
| `decision_id` | optional: text that no other row has |

and what was on offer, in one of two ways:

* candidates with features: `x`, a list of vectors, one a candidate, and `chosen`, the place of the chosen one from 0;
* fixed actions and a context: `action`, the one chosen, any number of columns `context_NAME` with numbers, and
  optionally `actions`, those on offer (a list; in CSV separated by |). Without it every action that occurs is always
  on offer, in sorted order. For each action a vector is made: 1 and the context in the action's own block, 0 elsewhere,
  so that linear policies learn a model per action (Li et al. 2010, disjoint).

In CSV, `x` and `probs` are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from oo_sim.contract import F64, I64, Bool, Candidates
from oo_sim.errors import RunLogError
from oo_sim.logs.lanes import ROWS, Lane
from oo_sim.logs.manifest import LoggedPolicy, Manifest
from oo_sim.logs.reader import NEVER, REWARDED, Learned, Part

LABEL = "logged"
"""What the policy of a plain table is called."""
_COMMON = ("user", "order", "probability", "reward")
_JSON = ("x", "probs")


class PlainLog:
    """A plain table, read whole and cut into parts. Raises `RunLogError` that names the column, and the row from 0."""

    def __init__(self, path: Path) -> None:
        self.path = path
        table = self._sorted(self._read())
        self._table = table
        self._row = np.asarray(table["__row"].to_numpy(), np.int64)
        users = table["user"].combine_chunks()
        starts = np.flatnonzero(np.concatenate(([True], _changes(users)))) if len(table) else np.zeros(0, np.int64)
        self._starts = starts
        self._ids = [str(users[int(i)].as_py()) for i in starts]
        self._actions = self._find_actions()
        self.manifest = Manifest(
            name=path.stem,
            policies=(LoggedPolicy(LABEL, LABEL, features="raw"),),
            seed=0,
            users=len(starts),
            rounds=int(np.diff(np.append(starts, len(table))).max(initial=0)),
            window=0,
        )

    @property
    def policies(self) -> tuple[LoggedPolicy, ...]:
        """The one policy that a plain table is of."""
        return self.manifest.policies

    def refuse(self, row: int, column: str, why: str, learned: bool) -> NoReturn:
        """Raise `RunLogError` for a row that is wrong."""
        name = {"propensity": "probability", "t": "order"}.get(column, column)
        raise RunLogError(self.path, f"row {row}, column {name}: {why}")

    def parts(self, label: str, *, window: float | None = None, rows: int = ROWS) -> Iterator[Part]:
        """The decisions, some users at a time. Rewards belong to their rows, so a `window` changes nothing."""
        if label != LABEL:
            raise RunLogError(self.path, f"a plain table has one policy, {LABEL!r}, not {label!r}")
        ends = np.append(self._starts, len(self._table))
        at = 0
        while at < len(self._starts):
            stop = max(at + 1, int(np.searchsorted(ends, ends[at] + rows, "right")) - 1)
            yield self._part(at, min(stop, len(self._starts)), ends)
            at = stop

    def _part(self, first: int, stop: int, ends: I64) -> Part:
        table, row = self._table.slice(ends[first], ends[stop] - ends[first]), self._row[ends[first] : ends[stop]]
        n = len(table)
        sizes = np.diff(ends[first : stop + 1])
        lane = np.repeat(np.arange(stop - first), sizes)
        t = np.arange(n) - np.repeat(ends[first:stop] - ends[first], sizes)
        vectors, stands, chosen = self._offered(table, row)
        probs = self._probs(table, row, stands)
        given = table["reward"].cast(pa.float64())
        reward = np.asarray(pc.fill_null(given, 0.0).to_numpy(), np.float64)
        has = np.asarray(given.is_valid().to_numpy(), np.bool_)
        places = np.flatnonzero(has)
        zero = np.zeros(stands.shape)
        candidates = Candidates(
            zero, zero, zero, zero, np.zeros(n, np.int64), np.zeros(n, np.int64), stands, np.full(stands.shape, -1),
            None,
            vectors,
        )  # fmt: skip
        x = np.ascontiguousarray(vectors[chosen, :, np.arange(n)])
        ids = table["decision_id"].cast(pa.string()) if "decision_id" in table.column_names else None
        return Part(
            [Lane(name, 0) for name in self._ids[first:stop]],
            lane,
            t,
            row,
            candidates,
            chosen,
            probs,
            np.asarray(table["probability"].cast(pa.float64()).to_numpy(), np.float64),
            pa.array([f"row {i}" for i in row]) if ids is None else ids.combine_chunks(),
            reward,
            np.full(n, -1),
            np.where(has, REWARDED, NEVER),
            np.ones(n, np.bool_),
            Learned(
                lane[places],
                row[places],
                np.zeros(len(places), np.bool_),
                places,
                t[places],
                t[places],
                reward[places],
                np.full(len(places), -1),
                x[places],
            ),
        )

    def _read(self) -> pa.Table:
        ending = self.path.suffix.lower()
        if ending not in (".csv", ".parquet", ".pq"):
            raise RunLogError(self.path, "is neither a run directory nor a .csv or .parquet file")
        try:
            table = pa_csv.read_csv(self.path) if ending == ".csv" else pq.read_table(self.path)
        except (pa.ArrowException, OSError) as error:
            first = (str(error).splitlines() or [""])[0][:200]
            raise RunLogError(self.path, f"cannot be read as a table: {first}") from error
        self._check_columns(table)
        table = table.append_column("__row", pa.array(np.arange(len(table))))
        self._check_values(table)
        return self._lists(table)

    def _check_columns(self, table: pa.Table) -> None:
        missing = [name for name in _COMMON if name not in table.column_names]
        if missing:
            raise RunLogError(
                self.path, f"has no column {', '.join(missing)}; there are {', '.join(table.column_names)}"
            )
        if ("x" in table.column_names) == ("action" in table.column_names):
            raise RunLogError(
                self.path, "needs either x and chosen (candidates with features) or action (fixed actions)"
            )
        if "x" in table.column_names and "chosen" not in table.column_names:
            raise RunLogError(self.path, "has x and no column chosen, the place of the chosen candidate")

    def _check_values(self, table: pa.Table) -> None:
        for name in ("user", "order", "probability", "chosen", "action", "x"):
            if name in table.column_names and table[name].null_count:
                at = int(np.flatnonzero(table[name].is_null().to_numpy())[0])
                self.refuse(at, name, "is empty; a value is expected in every row", False)
        for name in ("user", "action"):
            if name in table.column_names and _is_text(table[name].type):
                blank = np.flatnonzero(pc.equal(pc.utf8_trim_whitespace(table[name]), "").to_numpy())
                if len(blank):
                    self.refuse(int(blank[0]), name, "is empty; a value is expected in every row", False)
        for name in ("probability", "reward", *(c for c in table.column_names if c.startswith("context_"))):
            self._numbers(table, name)
        if not len(table):
            raise RunLogError(self.path, "has no rows")
        if "decision_id" in table.column_names:
            ids = table["decision_id"].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
            _, once = np.unique(ids, return_index=True)
            again = np.setdiff1d(np.arange(len(ids)), once)
            if len(again):
                twice = table["decision_id"][int(again[0])].as_py()
                self.refuse(int(again[0]), "decision_id", f"is {twice!r}, which another row has too", False)

    def _lists(self, table: pa.Table) -> pa.Table:
        """The table with its JSON texts as lists."""
        for name in _JSON:
            if name in table.column_names and _is_text(table[name].type):
                table = table.set_column(table.column_names.index(name), name, self._parsed(table, name))
        return table

    def _numbers(self, table: pa.Table, name: str) -> None:
        column = table[name]
        if _is_text(column.type):
            for at, value in enumerate(column.to_pylist()):
                if value is not None and not _is_number(value):
                    self.refuse(at, name, f"is {value!r}; a number is expected", False)
        elif not (
            pa.types.is_floating(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type)
        ):
            raise RunLogError(self.path, f"column {name} holds {column.type}; numbers are expected")
        else:
            values = column.cast(pa.float64()).to_numpy()
            bad = np.flatnonzero(~np.isfinite(values) & np.asarray(column.is_valid().to_numpy(), np.bool_))
            if len(bad):
                self.refuse(int(bad[0]), name, f"is {values[bad[0]]}; a finite number is expected", False)
            if name.startswith("context_") and column.null_count:
                self.refuse(int(np.flatnonzero(column.is_null().to_numpy())[0]), name, "is empty", False)

    def _parsed(self, table: pa.Table, name: str) -> pa.Array:
        values = []
        for at, text in enumerate(table[name].to_pylist()):
            try:
                values.append(None if text is None or text == "" else json.loads(text))
            except (ValueError, RecursionError):
                self.refuse(at, name, f"is {str(text)[:40]!r}; a JSON list is expected", False)
        depth: Callable[[pa.DataType], pa.DataType] = pa.list_
        kind = depth(depth(pa.float64())) if name == "x" else depth(pa.float64())
        for at, value in enumerate(values):
            try:
                pa.array([value], kind)
            except (pa.ArrowException, TypeError, ValueError):
                what = "a list of vectors" if name == "x" else "a list of numbers"
                self.refuse(at, name, f"is {str(value)[:40]}; {what} is expected", False)
        return pa.array(values, kind)

    def _sorted(self, table: pa.Table) -> pa.Table:
        for name in ("user", "order"):
            if pa.types.is_nested(table[name].type):
                raise RunLogError(
                    self.path, f"column {name} holds {table[name].type}; a text, number or time is expected"
                )
        if pa.types.is_floating(table["order"].type):
            bad = np.flatnonzero(~np.isfinite(table["order"].to_numpy()))
            if len(bad):
                self.refuse(int(bad[0]), "order", "is not a finite number", False)
        table = table.sort_by([("user", "ascending"), ("order", "ascending"), ("__row", "ascending")])
        user, order = table["user"].combine_chunks(), table["order"].combine_chunks()
        same = np.flatnonzero(~_changes(user) & ~_changes(order))
        if len(same):
            at = int(same[0]) + 1
            row = int(table["__row"][at].as_py())
            self.refuse(row, "order", f"is {order[at].as_py()} a second time for user {user[at].as_py()}", False)
        return table

    def _find_actions(self) -> list[str]:
        if "action" not in self._table.column_names:
            return []
        known = {str(a) for a in pc.unique(self._table["action"]).to_pylist()}
        if "actions" in self._table.column_names:
            known |= {a for offered in self._table["actions"].to_pylist() for a in _split(offered)}
        return sorted(known)

    def _offered(self, table: pa.Table, row: I64) -> tuple[F64, Bool, I64]:
        """Vectors (K, d, n), which candidates stand (K, n), and the place of the chosen one (n,)."""
        return self._vectors(table, row) if not self._actions else self._blocks(table, row)

    def _vectors(self, table: pa.Table, row: I64) -> tuple[F64, Bool, I64]:
        lists, d = table["x"].to_pylist(), 0
        for i, vectors in enumerate(lists):
            if not vectors or any(v is None or len(v) == 0 for v in vectors):
                self.refuse(int(row[i]), "x", "has no candidates, or one without features", False)
            d = d or len(vectors[0])
            if any(len(v) != d for v in vectors):
                self.refuse(int(row[i]), "x", f"has a vector of another length than {d}, that of others", False)
            if not np.isfinite(np.array(vectors, float)).all():
                self.refuse(int(row[i]), "x", "holds what is not a finite number", False)
        sizes = np.array([len(v) for v in lists])
        stands = np.arange(int(sizes.max()))[:, None] < sizes
        out = np.zeros((len(lists), len(stands), d))
        out[stands.T] = np.concatenate([np.array(v, float) for v in lists])
        try:
            chosen = np.asarray(table["chosen"].cast(pa.int64()).to_numpy(), np.int64)
        except pa.ArrowException:
            raise RunLogError(self.path, "column chosen must hold whole numbers, places from 0") from None
        wrong = np.flatnonzero((chosen < 0) | (chosen >= sizes))
        if len(wrong):
            i = int(wrong[np.argmin(row[wrong])])
            self.refuse(int(row[i]), "chosen", f"is {chosen[i]}, and {sizes[i]} candidates are on offer", False)
        return np.ascontiguousarray(out.transpose(1, 2, 0)), stands, chosen

    def _blocks(self, table: pa.Table, row: I64) -> tuple[F64, Bool, I64]:
        place, A, n = {a: i for i, a in enumerate(self._actions)}, len(self._actions), len(table)
        names = sorted(name for name in table.column_names if name.startswith("context_"))
        context = np.ones((n, 1 + len(names)))
        for j, name in enumerate(names, 1):
            context[:, j] = table[name].cast(pa.float64()).to_numpy()
        offered: list[Sequence[str]] = [self._actions] * n
        if "actions" in table.column_names:
            offered = [_split(each) for each in table["actions"].to_pylist()]
        chosen = np.zeros(n, np.int64)
        sizes = np.array([len(each) for each in offered])
        vectors = np.zeros((n, int(sizes.max(initial=1)), A, 1 + len(names)))
        for i, (each, action) in enumerate(zip(offered, table["action"].to_pylist(), strict=True)):
            if str(action) not in each:
                self.refuse(int(row[i]), "action", f"is {action!r}, which is not among those on offer", False)
            if len(set(each)) < len(each):
                self.refuse(int(row[i]), "actions", "offers an action twice", False)
            chosen[i] = each.index(str(action))
            vectors[i, np.arange(len(each)), [place[a] for a in each]] = context[i]
        stands = np.arange(vectors.shape[1])[:, None] < sizes
        flat = vectors.reshape(n, vectors.shape[1], -1)
        return np.ascontiguousarray(flat.transpose(1, 2, 0)), stands, chosen

    def _probs(self, table: pa.Table, row: I64, stands: Bool) -> F64:
        out = np.where(stands, np.nan, 0.0)
        if "probs" not in table.column_names:
            return out
        for i, (probs, size) in enumerate(zip(table["probs"].to_pylist(), stands.sum(axis=0), strict=True)):
            if probs is None:
                continue
            if len(probs) != size or any(p is None for p in probs):
                self.refuse(int(row[i]), "probs", f"has {len(probs)} numbers for {size} candidates", False)
            out[:size, i] = probs
        return out


def _changes(column: pa.Array) -> Bool:
    """Between which neighbours the value changes."""
    return np.asarray(pc.not_equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False), np.bool_)


def _split(actions: Any) -> Sequence[str]:
    if actions is None:
        return []
    return [a.strip() for a in actions.split("|")] if isinstance(actions, str) else [str(a) for a in actions]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
