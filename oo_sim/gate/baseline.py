"""A baseline: three small files that hold what a policy did in a scenario, the same bytes whenever it does the same."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from oo_sim.contract import F64, I64
from oo_sim.errors import GateError
from oo_sim.results.result import write_all
from oo_sim.settings import BASELINES
from oo_sim.show.text import plain

DIRECTORY = BASELINES
UNIT = 2.0**-12
"""What stored rewards are counted in: far below any margin, and it keeps the files small."""
_ANCHOR = "anchor"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Accepted(_Frozen):
    """A change that somebody took as the new baseline: why, and what it cost or brought per decision."""

    reason: str
    difference: float | None
    lower: float | None
    upper: float | None
    users: int


class Facts(_Frozen):
    """What the JSON file says. `decisions` and `curves` are hashes over the first `looks[0]` users."""

    format: Literal[1]
    scenario: str
    source: str
    policy: str
    policy_hash: str
    parameters: dict[str, float | int | str]
    settings: dict[str, Any]
    environment: dict[str, str]
    marks: tuple[int, ...]
    looks: tuple[int, ...]
    decisions: str
    curves: str
    margin: float
    power: float
    versions: dict[str, str]
    accepted: tuple[Accepted, ...] = ()
    code: str = ""  # a hash of the source file of a private policy
    unchecked: bool = False  # a private policy, recorded without the check of its lanes


class Baseline(NamedTuple):
    """Facts; expected reward of n users at C checkpoints (C, n), and at the anchor's end (n,), in units of UNIT."""

    facts: Facts
    totals: I64
    anchor: I64
    log: pa.Table | None = None  # the decisions of some users, rows of `sample.LOG`

    def unchecked(self) -> Baseline:
        """The same, of a policy whose lanes are not to be checked."""
        return self._replace(facts=self.facts.model_copy(update={"unchecked": True}))

    @property
    def users(self) -> int:
        """How many users are stored."""
        return int(self.totals.shape[1])

    def steps(self, totals: I64) -> F64:
        """What the first users earn more than stored, per decision up to each checkpoint (C, n)."""
        gained = totals - self.totals[:, : totals.shape[1]]
        return np.asarray(gained * UNIT / np.array(self.facts.marks, np.float64)[:, None])

    @property
    def has_drifted(self) -> bool:
        """Whether something was accepted since the anchor."""
        return not np.array_equal(self.totals[-1], self.anchor)

    def drift(self, totals: I64) -> F64:
        """What the first users earn more than at the anchor, per decision over all rounds (1, n)."""
        gained = totals[-1:] - self.anchor[: totals.shape[1]]
        return np.asarray(gained * UNIT / self.facts.marks[-1])


def stored(totals: I64, scale: float) -> I64:
    """An engine's totals, in units of 1 / scale, as they are stored."""
    rounded: I64 = np.rint(totals * (1.0 / scale / UNIT)).astype(np.int64)
    return rounded


def save(baseline: Baseline, directory: Path) -> Path:
    """Write its files, each at once or not at all; returns the JSON file's path."""
    facts = baseline.facts
    path = path_of(directory, facts.scenario, facts.policy)
    columns = {str(mark): row for mark, row in zip(facts.marks, baseline.totals, strict=True)}
    table = pa.table({name: pa.array(row) for name, row in (columns | {_ANCHOR: baseline.anchor}).items()})
    buffer = io.BytesIO()
    packed = dict.fromkeys(table.column_names, "DELTA_BINARY_PACKED")
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        compression_level=9,
        use_dictionary=False,
        column_encoding=packed,
        write_statistics=False,
        store_schema=False,
    )
    left_out = None if facts.unchecked else {"unchecked"}
    text = (
        json.dumps(facts.model_dump(mode="json", exclude=left_out), indent=2, ensure_ascii=False, allow_nan=False)
        + "\n"
    )
    made = {path.with_suffix(".parquet"): buffer.getvalue()}
    if baseline.log is not None:
        made[path.with_suffix(".log.parquet")] = _packed(baseline.log)
    write_all(made | {path: text.encode()}, parents=True)
    return path


def path_of(directory: Path, scenario: str, policy: str) -> Path:
    """The JSON file of a policy's baseline in a scenario."""
    return directory / f"{_stem(scenario, policy)}.json"


def find(directory: Path) -> Iterator[Baseline]:
    """All baselines of a directory, in order of their names. Raises GateError where one is damaged."""
    for path in sorted(set(directory.glob("*.json")) - {directory / "matrix.json"}):
        yield read(path)


def read(path: Path) -> Baseline:
    """The baseline whose JSON file is there. Raises GateError, naming the file and what is wrong."""
    try:
        facts = Facts.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise GateError(f"{plain(path)}: is not a baseline: {where or 'the file'}: {plain(first['msg'])}") from error
    except OSError as error:
        raise GateError(f"{plain(path)}: can't be read: {error.strerror or error}") from error
    return _checked(path, facts)


def _checked(path: Path, facts: Facts) -> Baseline:
    numbers = path.with_suffix(".parquet")
    try:
        table = pq.read_table(numbers)
        wanted = [*map(str, facts.marks), _ANCHOR]
        if table.column_names != wanted or any(column.null_count for column in table.columns):
            raise GateError(f"{plain(numbers)}: holds columns {table.column_names}, not {wanted} without gaps")
        columns = np.array([column.to_numpy() for column in table.columns], np.int64)
    except FileNotFoundError as error:
        again = f"oo-sim gate record {plain(facts.source)} --policy {plain(facts.policy)} --force"
        raise GateError(
            f"{plain(numbers)}: is missing, and belongs to {plain(path.name)}: restore it from version control, or "
            f"record it again: {again}"
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise GateError(f"{plain(numbers)}: can't be read: {plain(error, 120)}; record it again") from error
    if facts.looks[-1:] != (columns.shape[1],) or list(facts.looks) != sorted(set(facts.looks)) or facts.looks[0] < 2:
        raise GateError(f"{plain(numbers)}: holds {columns.shape[1]} users, and {plain(path)} says {facts.looks}")
    return Baseline(facts, columns[:-1], columns[-1], _log(path.with_suffix(".log.parquet")))


def _packed(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=9, write_statistics=False, store_schema=False)
    return buffer.getvalue()


def _log(path: Path) -> pa.Table | None:
    """The decisions that were kept; baselines of before have none."""
    if not path.exists():
        return None
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise GateError(f"{plain(path)}: can't be read: {plain(error, 120)}; record it again") from error


def _stem(scenario: str, policy: str) -> str:
    """A file name for each scenario and policy, readable where it can be and never shared."""
    clean = re.sub(r"[^A-Za-z0-9_-]+", "-", policy)[:60]
    mark = "" if clean == policy else "-" + hashlib.blake2b(policy.encode(), digest_size=4).hexdigest()
    return f"{scenario}.{clean}{mark}"


def relative(source: str | Path) -> str:
    """A scenario's file as the baseline names it: relative to here where it lies below."""
    path = Path(source)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_posix()
