"""A scenario as the gate runs it, by units of work: what a policy earned from each of some users, a hash of all it did,
and a sample to audit."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np

from oo_sim.contract import I64, World
from oo_sim.engine import checkpoints
from oo_sim.engine.forks import cores
from oo_sim.engine.hashes import digest
from oo_sim.entrants import Entrant
from oo_sim.errors import RunFailedError
from oo_sim.gate.sample import Sampler, Setting
from oo_sim.kernels.tally import TOTALS
from oo_sim.scenario import Scenario
from oo_sim.show.text import plain
from oo_sim.work import Played, Store, Unit, play, recipe, remember

LEAST_LANES = 64
"""The fewest users among which the sample is taken, so that those whose decisions are kept are among them."""
LANES = 832
"""And the most: they are played in one block, in this process, where the sample is kept."""


class Measured(NamedTuple):
    """What came of n users: expected reward at C checkpoints in units of 1 / world.scale (C, n), hashes of what was
    decided and of what was earned (32 hex digits each), and the sample where it was taken."""

    totals: I64
    decisions: str
    curves: str
    sample: Sampler | None


class Stage(NamedTuple):
    """A scenario as the gate runs it."""

    scenario: Scenario
    source: str
    world: World
    store: Store | None = None  # where units are kept, of at most `size` users each
    size: int = 0

    def setting(self, entrant: Entrant) -> Setting:
        """What a policy's log says about itself."""
        scenario = self.scenario
        return Setting(entrant, scenario.seed, scenario.rounds, self.world.has_reactions, scenario.canonical())

    @property
    def marks(self) -> list[int]:
        """The checkpoints that are stored: the first few say little."""
        marks = checkpoints(self.scenario.rounds)
        return [mark for mark in marks if mark >= 10] or marks[-1:]

    def run(
        self,
        entrant: Entrant,
        first: int,
        users: int,
        workers: int | None = None,
        replicate: int = 0,
        block: int | None = None,
    ) -> Measured:
        """Run a policy for `users` users from serial number `first` on, up to the last checkpoint.

        Where they start with user 0, a sample is kept of the first few hundred; the others are at work on up to
        `workers` processes, as `oo_sim.engine.run_policy` says. Numbers and hashes depend on neither `workers` nor
        `block`. Raises RunFailedError where the policy fails.
        """
        workers = workers or cores()
        made = recipe(self.scenario, entrant)
        remember(made, self.world, entrant)
        unit = Unit(made, replicate, first, users, self.scenario.rounds, tuple(self.marks), hashed=True)
        sampled = 0 if first else min(users, block or min(LANES, max(LEAST_LANES, -(-users // workers))))
        sampler, parts = None, []
        if sampled:
            sampler = sample = Sampler(self.setting(entrant), [f"user-{j}" for j in range(sampled)])
            parts = [play(unit._replace(users=sampled), 1, sampled, lambda _: nullcontext(sample))]
        if users > sampled:
            rest = unit._replace(first=first + sampled, users=users - sampled)
            parts += (
                [play(rest, workers, block)] if self.store is None else self._kept(self.store, rest, workers, block)
            )
        if failures := [played.failure for played in parts if played.failure is not None]:
            where = f"{plain(self.scenario.name)}: {plain(entrant.label, 60)}"
            raise RunFailedError(f"{where} failed: {plain(min(failures).what)}")
        earned = np.concatenate([played.totals[0] for played in parts], axis=-1)
        hashes = np.concatenate([played.hashes[0] for played in parts])
        return Measured(earned[:, TOTALS.index("expected_reward")], digest(hashes), digest(earned), sampler)

    def _kept(self, store: Store, unit: Unit, workers: int, block: int | None) -> list[Played]:
        """What came of a unit in pieces, each taken from the store or kept there."""
        end, parts = unit.first + unit.users, list[Played]()
        sizes = unit.marks, unit.rounds, end, unit.replicate, self.size
        for found in store.missing(unit.recipe, *sizes, unit.first):
            piece, path = (found, store.where(found)) if isinstance(found, Unit) else found
            piece = piece._replace(hashed=True)
            store.take(piece, wait=True)
            played = store.read(piece, path)
            if played is None:
                played = play(piece, workers, block)
                if played.failure is None:
                    store.write(piece, played)
            store.give(piece)
            parts.append(played)
        return parts
