"""Plain tables as logs: one Parquet or CSV file of anybody's, a row per decision.

| column | |
|---|---|
| `user` | whose decision it is, text or number |
| `order` | a number or a time that orders the decisions of a user |
| `probability` | of what was chosen, above 0 and at most 1 |
| `reward` | a number; empty where there was no reaction, which counts 0 |
| `probs` | optional: the probabilities of all on offer, in their order; without it unsupported mass is not known |
| `decision_id` | optional: a text that no other row has; rows may lack it |

and what was on offer, in one of three ways:

* candidates with features: `x`, a list of vectors, one a candidate, and `chosen`, the place of the chosen one from 0;
* fixed actions and a context: `action`, the one chosen, any number of columns `context_NAME` with numbers, and
  optionally `actions`, those on offer (a list; in CSV separated by |). Without it every action that occurs is always
  on offer, in sorted order. For each action a vector is made: 1 and the context in the action's own block, 0 elsewhere,
  so that linear policies learn a model per action (Li et al. 2010, disjoint);
* tasks and tips: `candidates`, a list of objects with `source` (`llm` for tips of a language model), `priority` (1 to
  4), `is_overdue` (0 or 1) and `task_age_days`; `chosen`; and `hour` (0 to 23) and `day` (0 is Monday).

In CSV, `x`, `candidates` and `probs` are JSON. A table of more than a million rows streams, and must be in order of
user, and within a user of `order`. CSV of more than 64 MB is rewritten as a temporary Parquet file first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.contract import F64, I64, Bool, Candidates
from oo_sim.errors import RunLogError
from oo_sim.logs.columns import mask_of, spread, whole
from oo_sim.logs.lanes import ROWS, Lane
from oo_sim.logs.manifest import LoggedPolicy, Manifest
from oo_sim.logs.plain_columns import ROW, split
from oo_sim.logs.plain_table import PlainTable, starts
from oo_sim.logs.reader import NEVER, REWARDED, Learned, Part

LABEL = "logged"
"""What the policy of a plain table is called."""
_NUMBERS = 1 << 23
"""Features of candidates that are held at once, about."""


class PlainLog:
    """A plain table, cut into parts. Raises `RunLogError` that names the column, and the row from 0
    (in CSV the line of the file)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._table = PlainTable(path)
        self._actions = self._table.actions
        self._names = sorted(name for name in self._table.names if name.startswith("context_"))
        self._width: int | None = None  # of vectors `x`
        self.manifest = Manifest(
            name=path.stem,
            policies=(LoggedPolicy(LABEL, LABEL, features="" if "candidates" in self._table.names else "raw"),),
            seed=0,
            users=self._table.users,
            rounds=self._table.most,
            window=0,
        )

    @property
    def policies(self) -> tuple[LoggedPolicy, ...]:
        """The one policy that a plain table is of."""
        return self.manifest.policies

    def refuse(self, row: int, column: str, why: str, learned: bool) -> NoReturn:
        """Raise `RunLogError` for a row that is wrong."""
        self._table.refuse(row, {"propensity": "probability", "t": "order"}.get(column, column), why)

    def parts(self, label: str, *, window: float | None = None, rows: int = ROWS, x: bool = False) -> Iterator[Part]:
        """The decisions, some users at a time. Rewards belong to their rows, so a `window` changes nothing."""
        if label != LABEL:
            raise RunLogError(self.path, f"a plain table has one policy, {LABEL!r}, not {label!r}")
        if self._actions:
            rows = min(rows, max(1, _NUMBERS // (len(self._actions) ** 2 * (1 + len(self._names)))))
        for table in self._table.tables(rows):
            yield self._part(table, x)

    def _part(self, table: pa.Table, x: bool) -> Part:
        row, n = np.asarray(table[ROW].to_numpy(), np.int64), len(table)
        first = starts(table)
        sizes = np.diff(np.append(first, n))
        lane = np.repeat(np.arange(len(first)), sizes)
        t = np.arange(n) - first[lane]
        candidates, chosen = self._offered(table, row)
        given = table["reward"].cast(pa.float64())
        reward = np.asarray(pc.fill_null(given, 0.0).to_numpy(), np.float64)
        has = np.asarray(given.is_valid().to_numpy(), np.bool_)
        places = np.flatnonzero(has)
        vectors = np.zeros((1, 0, n)) if candidates.vectors is None else candidates.vectors
        served = np.ascontiguousarray(vectors[chosen if vectors.shape[1] else 0, :, np.arange(n)])
        ids = table["decision_id"] if "decision_id" in table.column_names else None
        return Part(
            [Lane(str(name), 0) for name in table["user"].take(pa.array(first)).to_pylist()],
            lane,
            t,
            row,
            candidates,
            chosen,
            self._probs(table, row, candidates.mask),
            np.asarray(table["probability"].cast(pa.float64()).to_numpy(), np.float64),
            pa.array([f"row {i}" for i in row]) if ids is None else ids.combine_chunks(),
            reward,
            np.full(n, -1),
            np.where(has, REWARDED, NEVER),
            np.ones(n, np.bool_),
            np.full(n, np.nan),
            np.full(n, np.nan),
            served if x else np.zeros((n, 0)),
            Learned(
                lane[places],
                row[places],
                np.zeros(len(places), np.bool_),
                places,
                t[places],
                t[places],
                reward[places],
                np.full(len(places), -1),
                served[places],
            ),
        )

    def _offered(self, table: pa.Table, row: I64) -> tuple[Candidates, I64]:
        """The candidates, and the place of the chosen one (n,)."""
        if self._actions:
            return self._blocks(table, row)
        column = table["x" if "x" in table.column_names else "candidates"].combine_chunks()
        name = "candidates" if pa.types.is_struct(column.type.value_type) else "x"
        sizes = np.asarray(pc.fill_null(pc.list_value_length(column), 0).to_numpy(), np.int64)
        self._first(row, name, sizes < 1, lambda i: "has no candidates, or one without features")
        stands = mask_of(sizes)
        flat = column.flatten()
        candidates = (self._vectors if name == "x" else self._tips)(table, flat, stands, row)
        try:
            chosen = whole(table, "chosen")
        except pa.ArrowException:
            raise RunLogError(self.path, "column chosen must hold whole numbers, places from 0") from None
        wrong = (chosen < 0) | (chosen >= sizes)
        self._first(row, "chosen", wrong, lambda i: f"is {chosen[i]}, and {sizes[i]} candidates are on offer")
        return candidates, chosen

    def _vectors(self, table: pa.Table, flat: pa.Array, stands: Bool, row: I64) -> Candidates:
        widths = np.asarray(pc.fill_null(pc.list_value_length(flat), 0).to_numpy(), np.int64)
        owner = np.repeat(np.arange(len(row)), stands.sum(axis=0))
        self._first(row, "x", _any(owner, widths < 1, len(row)), lambda i: "has no candidates, or one without features")
        d = self._width = self._width or int(widths[0])
        other = _any(owner, widths != d, len(row))
        self._first(row, "x", other, lambda i: f"has a vector of another length than {d}, that of others")
        numbers = np.asarray(flat.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64).reshape(
            -1, d
        )
        odd = _any(owner, np.asarray(~np.isfinite(numbers).all(axis=1)), len(row))
        self._first(row, "x", odd, lambda i: "holds what is not a finite number")
        return _plain(stands, np.stack([spread(stands, numbers[:, j]) for j in range(d)], axis=1))

    def _tips(self, table: pa.Table, flat: pa.Array, stands: Bool, row: I64) -> Candidates:
        owner = np.repeat(np.arange(len(row)), stands.sum(axis=0))
        columns = {}
        for name in ("is_overdue", "task_age_days", "priority"):
            values = np.asarray(flat.field(name).cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
            odd = _any(owner, ~np.isfinite(values), len(row))
            self._first(row, "candidates", odd, lambda i, name=name: f"has a candidate without a number {name}")
            columns[name] = spread(stands, values)
        source = flat.field("source")
        none = _any(owner, source.is_null().to_numpy(zero_copy_only=False), len(row))
        self._first(
            row, "candidates", none, lambda i: "has a candidate without source; llm or another word is expected"
        )
        is_llm = np.asarray(pc.equal(source, "llm").to_numpy(zero_copy_only=False), np.float64)
        hour, day = (np.asarray(table[name].cast(pa.int64()).to_numpy(), np.int64) for name in ("hour", "day"))
        serial = np.full(stands.shape, -1)
        return Candidates(**columns, is_llm=spread(stands, is_llm), hour=hour, day=day, mask=stands, serial=serial)

    def _blocks(self, table: pa.Table, row: I64) -> tuple[Candidates, I64]:
        A, n = len(self._actions), len(table)
        place = {a: i for i, a in enumerate(self._actions)}
        context = np.ones((n, 1 + len(self._names)))
        for j, name in enumerate(self._names, 1):
            context[:, j] = table[name].cast(pa.float64()).to_numpy()
        action = np.array([place[str(a)] for a in table["action"].to_pylist()])
        kinds: list[Sequence[int]] = [range(A)]  # the sets of actions that were on offer, and which one each row had
        kind = np.zeros(n, np.int64)
        if "actions" in table.column_names:
            known: dict[tuple[int, ...], int] = {}
            offered = [tuple(place[a] for a in split(each)) for each in table["actions"].to_pylist()]
            kind = np.array([known.setdefault(each, len(known)) for each in offered])
            kinds = list(known)
        twice = np.array([len(set(each)) < len(each) for each in kinds])[kind]
        where = np.full((len(kinds), A), -1)
        for i, each in enumerate(kinds):
            where[i, list(each)] = range(len(each))
        chosen = where[kind, action]
        self._first(
            row, "action", chosen < 0, lambda i: f"is {self._actions[action[i]]!r}, which is not among those on offer"
        )
        self._first(row, "actions", twice, lambda i: "offers an action twice")
        sizes = np.array([len(each) for each in kinds])[kind]
        vectors = np.zeros((int(sizes.max(initial=1)), A, context.shape[1], n))
        for i, each in enumerate(kinds):
            rows = np.flatnonzero(kind == i)
            for k, a in enumerate(each):
                vectors[k, a, :, rows] = context[rows]
        return _plain(mask_of(sizes), vectors.reshape(len(vectors), -1, n)), chosen

    def _probs(self, table: pa.Table, row: I64, stands: Bool) -> F64:
        if "probs" not in table.column_names:
            return np.where(stands, np.nan, 0.0)
        column, sizes = table["probs"].combine_chunks(), stands.sum(axis=0)
        given = np.asarray(pc.fill_null(pc.list_value_length(column), -1).to_numpy(), np.int64)
        wrong = (given >= 0) & (given != sizes)
        self._first(row, "probs", wrong, lambda i: f"has {given[i]} numbers for {sizes[i]} candidates")
        flat = np.full(int(sizes.sum()), np.nan)
        values = np.asarray(column.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
        known = np.repeat(given >= 0, sizes)
        flat[known] = values
        owner = np.repeat(np.arange(len(row)), sizes)[known]
        self._first(row, "probs", _any(owner, np.isnan(values), len(row)), lambda i: "holds what is not a number")
        return spread(stands, flat)

    def _first(self, row: I64, column: str, wrong: Bool, why: object) -> None:
        """Raise `RunLogError` for the first row that is wrong."""
        if wrong.any():
            i = int(np.flatnonzero(wrong)[np.argmin(row[wrong])])
            assert callable(why)
            self._table.refuse(int(row[i]), column, why(i))


def _any(owner: I64, wrong: Bool, n: int) -> Bool:
    """Which of n rows own something that is wrong."""
    return np.asarray(np.bincount(owner[wrong], minlength=n) > 0)


def _plain(stands: Bool, vectors: F64) -> Candidates:
    """Candidates of which nothing but vectors (K, d, n) is known."""
    zero, none = np.zeros(stands.shape), np.zeros(stands.shape[1], np.int64)
    return Candidates(zero, zero, zero, zero, none, none, stands, np.full(stands.shape, -1), None, vectors)
