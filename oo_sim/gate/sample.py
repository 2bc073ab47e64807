"""The decisions of a few users, kept in memory in the form of a log, and their audit."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oo_sim.audit import Report, audit_tables
from oo_sim.contract import I64, Bool, Decision, Learned, Offer, Policy
from oo_sim.entrants import Entrant
from oo_sim.logs import DECISIONS, LEARNINGS, EventSource, LoggedPolicy, Recorder, RunWriter, coded

DECISIONS_AUDITED = 2000
LEAST_AUDITED = 4
"""How many users are audited at least, over all their rounds: what goes wrong late shows late."""
ROUNDS_AUDITED = 5000
"""A user's decisions that are kept at most."""
LOGGED = (0, 21, 42, 63)
"""Users whose decisions a baseline keeps, to say which was the first that changed."""
LOG = pa.schema(
    [
        ("user", pa.int32()),
        ("t", pa.int32()),
        ("features", pa.int32()),
        ("chosen", pa.int16()),
        ("score", pa.float64()),
        ("propensity", pa.float64()),
    ]
)
"""What is kept of a decision; `features` is a hash."""


class Setting(NamedTuple):
    """What a sample's log says about itself."""

    entrant: Entrant
    seed: int
    rounds: int
    has_reactions: bool
    scenario: Mapping[str, Any] | None = None  # whose world the audit derives again

    @property
    def users(self) -> int:
        """How many users are audited."""
        return max(LEAST_AUDITED, -(-DECISIONS_AUDITED // self.rounds))


class _Part:
    """Takes record batches, as a part of a run directory does."""

    def __init__(self) -> None:
        self.batches: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Keep a batch."""
        self.batches.append(batch)

    def close(self) -> None:
        """Nothing to close."""


class _Memory:
    """Takes events, as the writer of a run directory does."""

    def __init__(self) -> None:
        self.parts: dict[str, list[_Part]] = {"decisions": [], "learnings": []}

    def part(self, table: str, policy: int, replicate: int, group: int) -> _Part:
        """A new part of a table."""
        self.parts[table].append(_Part())
        return self.parts[table][-1]

    def table(self, name: str, schema: pa.Schema) -> pa.Table:
        """All rows of a table."""
        return pa.Table.from_batches([b for part in self.parts[name] for b in part.batches], coded(schema)).cast(schema)


class Sampler:
    """An observer of a block that records some of its users over all their rounds.

    They are spread from its first to its last lane, because what goes wrong at an end shows there alone.
    """

    def __init__(self, setting: Setting, user_ids: Sequence[str]) -> None:
        self._setting, self._memory = setting, _Memory()
        policy: Policy = setting.entrant.policy
        source, bank = EventSource.of(setting.entrant.label, policy, setting.entrant.hash, 0), setting.entrant.bank
        if bank is not None:
            source = source._replace(prompt_version=bank.prompt_version, models=bank.models)
        spread = np.linspace(0, len(user_ids) - 1, setting.users).astype(np.int64)
        logged = [int(user.removeprefix("user-")) for user in user_ids]
        self._lanes = np.unique([*spread.tolist(), *(logged.index(user) for user in LOGGED if user in logged)])
        ids = self._ids = [user_ids[lane] for lane in self._lanes]
        # The recorder asks its writer for parts and for nothing else.
        self._recorder = Recorder(cast(RunWriter, self._memory), 0, source, 0, ids)
        self._left = min(setting.rounds, ROUNDS_AUDITED)
        self._closed = False

    def decided(self, t: I64, offer: Offer, decision: Decision, active: Bool) -> None:
        """Take note of a round's decisions."""
        self._left -= 1
        if self._left >= 0:
            self._recorder.decided(*(_some(each, self._lanes) for each in (t, offer, decision, active)))

    def learned(self, learned: Learned) -> None:
        """Take note of what was learned in that round."""
        if self._left >= 0:
            self._recorder.learned(_some(learned, self._lanes))

    def audit(self) -> Report:
        """Derive every decision of the sample again. Raises UnusableLogError where they make no log."""
        return audit_tables(*self._tables(), self._manifest(), full=True)

    def log(self) -> pa.Table:
        """The decisions of `LOGGED` users, as rows of `LOG`."""
        decisions, _ = self._tables()
        ids = [f"user-{user}" for user in LOGGED]
        kept = decisions.filter(pc.is_in(decisions["user_id"], value_set=pa.array(ids))).sort_by("t")
        rows = kept.select(["user_id", "t", "x", "chosen", "score", "propensity"]).to_pylist()
        made = [
            {
                "user": int(row["user_id"].removeprefix("user-")),
                "features": zlib.crc32(np.array(row["x"], np.float64).tobytes()) >> 1,
                **{name: row[name] for name in ("t", "chosen", "score", "propensity")},
            }
            for row in rows
        ]
        return pa.Table.from_pylist(made, LOG).sort_by([("t", "ascending"), ("user", "ascending")])

    def _tables(self) -> tuple[pa.Table, pa.Table]:
        if not self._closed:
            self._recorder.close()
            self._closed = True
        return self._memory.table("decisions", DECISIONS), self._memory.table("learnings", LEARNINGS)

    def _manifest(self) -> dict[str, Any]:
        entrant = self._setting.entrant
        bank = None if entrant.bank is None else {"bank": entrant.bank.label, **entrant.bank.facts}
        scenario = self._setting.scenario
        world: dict[str, Any] = (
            {}
            if scenario is None
            else {"scenario": dict(scenario) | {"rounds": min(self._setting.rounds, ROUNDS_AUDITED)}}
        )
        return world | {
            "users": 1 + max(int(user.removeprefix("user-")) for user in self._ids),
            "seed": self._setting.seed,
            "has_reactions": self._setting.has_reactions,
            "sampled": True,  # the other users are not in it
            "policies": [LoggedPolicy.of(entrant.label, entrant.policy, entrant.hash, bank).as_dict()],
        }


def _some(value: Any, lanes: I64) -> Any:
    """Some lanes of an array, or of all arrays in a record."""
    if isinstance(value, np.ndarray):
        return value[..., lanes]
    if isinstance(value, tuple):
        return type(value)(*(_some(part, lanes) for part in value))
    return value
