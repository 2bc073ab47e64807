"""A unit of work: (scenario, policy, replicate, range of users) -> whole numbers that add up, in any order, anywhere.

A unit holds no code and no state, only a recipe of some hundred bytes, from which a world and a policy are built where
the work is done. Units of one recipe differ in their users and replicate alone.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import inspect
import itertools
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oo_sim.contract import I64, U64, Policy, World
from oo_sim.decide import PolicyError
from oo_sim.engine import Begin, Memory, RoundError, Watch, can_go_on, remembered, run_policy
from oo_sim.engine.tile import LEAST, compile_for
from oo_sim.entrants import Entrant, entrants
from oo_sim.errors import WorkError, raised
from oo_sim.kernels.tally import TOTALS
from oo_sim.policies import canonical
from oo_sim.scenario import Scenario, parse_spec, validate
from oo_sim.stats.exact import ExactMoments
from oo_sim.worlds import build

_ROOMS = ("kernels", "policies", "scenario", "worlds", "engine")
_FILES = ("contract.py", "decide.py", "features.py", "entrants.py")
"""Where this package's bits come from."""


class Recipe(NamedTuple):
    """All that decides what a user does, but for who it is: equal recipes give equal bits."""

    scenario: str  # canonical JSON, as of one user in one replicate
    policy: str  # a spec; of a policy handed over in Python its name, which cannot travel
    source: str  # hash of the policy's parameters and features, and of a private one's module
    bank: str  # hash of the tip bank; empty where there is none
    versions: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """The recipe's content hash (32 hex digits)."""
        return hashlib.blake2b(json.dumps(self).encode(), digest_size=16).hexdigest()

    def of(self, rounds: int) -> Recipe:
        """The same in another number of rounds."""
        return self._replace(scenario=_plain(json.loads(self.scenario) | {"rounds": rounds}))

    @property
    def stays(self) -> bool:
        """Whether it is the same in a later process, so that what comes of it can be kept."""
        return not self.source.startswith(_HERE)

    @property
    def travels(self) -> bool:
        """Whether it can be built again elsewhere."""
        return self.stays and not self.bank


class Unit(NamedTuple):
    """`users` users from serial number `first` on, in `replicates` replicates from `replicate` on; what is asked of
    them are totals at the checkpoints `marks` (C,), ascending, at none where it is empty; where it is `hashed`, a hash
    of each user's decisions and lessons; and where it `remembers`, what more rounds need to go on from here."""

    recipe: Recipe
    replicate: int
    first: int
    users: int
    rounds: int
    marks: tuple[int, ...]
    replicates: int = 1
    hashed: bool = False
    remembers: bool = False

    @property
    def decisions(self) -> int:
        """How many decisions there are at most."""
        return self.users * self.rounds * self.replicates


class Failure(NamedTuple):
    """Where and how a policy failed; the least of several is the same however the work is divided."""

    t: int
    user: int
    what: str


class Played(NamedTuple):
    """What came of a unit: sums (replicates, rounds, SUMS), totals at its checkpoints (replicates, C, TOTALS, users),
    the moments of its users' values per decision (of one replicate), how long it took, and the users' hashes
    (replicates, users), or (replicates, 0) where they were not asked for; or why its policy failed, and no numbers; and
    what its users remember (rows, users), and by whom it was played (`engine.memory`)."""

    sums: I64
    totals: I64
    moments: ExactMoments
    seconds: float
    hashes: U64
    failure: Failure | None = None
    words: I64 = np.zeros((0, 0), np.int64)
    by: str = ""

    @property
    def rounds(self) -> int:
        """How many rounds there were."""
        return int(self.sums.shape[1])


_HERE = "here"  # in place of a source: a policy that was handed over in Python exists in this process alone
_HANDED_OVER = itertools.count()
_BUILT: dict[Recipe, tuple[World, Entrant]] = {}


@functools.cache
def versions() -> tuple[tuple[str, str], ...]:
    """Everything whose change can move bits: this package's sources, NumPy, Numba, Python and the kind of machine."""
    digest, root = hashlib.blake2b(digest_size=8), Path(__file__).parent.parent
    for path in [*(root / name for name in _FILES), *(p for r in _ROOMS for p in sorted((root / r).rglob("*.py")))]:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return (
        ("oo-sim", f"{version('oo-sim')} ({digest.hexdigest()})"),
        *((name, version(name)) for name in ("numpy", "numba")),
        ("python", ".".join(platform.python_version_tuple()[:2])),
        ("machine", platform.machine()),
    )


def apart(scenario: Scenario) -> dict[str, Any]:
    """A scenario as of one user in one replicate, without its words and policies: what decides what a user meets."""
    return scenario.with_(users=1, replicates=1, policies=["random"], description="").canonical()


def recipe(scenario: Scenario, entrant: Entrant) -> Recipe:
    """The recipe of a policy in a scenario; two spellings of one policy have the same."""
    text = _plain(apart(scenario))
    bank = "" if entrant.bank is None else str(entrant.bank.facts.get("hash", entrant.bank.label))
    policy = entrant.name
    if entrant.made == "registry":
        spec = parse_spec(policy)
        name, parameters = canonical(spec.name, dict(spec.parameters))
        policy = f"{name}:{','.join(f'{key}={value}' for key, value in parameters)}".removesuffix(":")
    return Recipe(text, policy, _source(entrant), bank, versions())


def _plain(scenario: dict[str, Any]) -> str:
    return json.dumps(scenario, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _source(entrant: Entrant) -> str:
    """What else than its name makes a policy what it is: also files that parameters name, and a private module."""
    if entrant.made == "registry":
        return entrant.hash
    if entrant.made == "here":
        return f"{_HERE} {next(_HANDED_OVER)}"
    module = parse_spec(entrant.name).name.partition(":")[0]
    path = inspect.getsourcefile(importlib.import_module(module))
    if path is None:
        raise WorkError(f"policy {entrant.name}: the source of {module} is not a file, so its work cannot be kept")
    return f"{entrant.hash} {hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()}"


def remember(recipe: Recipe, world: World, entrant: Entrant) -> None:
    """Keep what a recipe makes, so that it is not built again; a policy handed over in Python cannot be."""
    while len(_BUILT) >= 64:
        _BUILT.pop(next(iter(_BUILT)))
    _BUILT[recipe] = world, entrant


def _built(recipe: Recipe) -> tuple[World, Entrant]:
    """The world and the policy of a recipe. Raises WorkError where they cannot be those that were meant."""
    if recipe not in _BUILT:
        for (name, there), (_, here) in zip(recipe.versions, versions(), strict=True):
            if there != here:
                raise WorkError(f"a worker on {platform.node()} has {name} {here}, and the work was made with {there}")
        scenario = validate(json.loads(recipe.scenario))
        world = build(scenario)
        (entrant,) = entrants(world, [recipe.policy])
        if _source(entrant) != recipe.source:
            raise WorkError(f"policy {recipe.policy}: on {platform.node()} its module or a file that it names differs")
        remember(recipe, world, entrant)
    return _BUILT[recipe]


def prepare(unit: Unit, left: int) -> None:
    """Load or compile what a unit needs, so that compiling does not count as deciding. Whether it pays to compile tiles
    is asked of `left`, all decisions that its policy has yet to make, if the unit is large enough for tiles."""
    world, entrant = _built(unit.recipe)
    warm_up(world, entrant.policy, left if unit.decisions >= LEAST and not unit.hashed else 0)


def warm_up(world: World, policy: Policy, decisions: int) -> None:
    """The same for so many decisions of a policy."""
    try:
        run_policy(world, policy, seed=0, users=1, rounds=1, threads=1)
        compile_for(world, policy, decisions)
    except Exception:  # it will fail again, and then be listed
        return


def cut(
    recipe: Recipe, marks: Sequence[int], rounds: int, replicate: int, first: int, end: int, size: int
) -> Iterator[Unit]:
    """The users from `first` to before `end`, in units that end at multiples of `size`."""
    while first < end:
        after = min((first // size + 1) * size, end)
        yield Unit(recipe, replicate, first, after - first, rounds, tuple(marks))
        first = after


def play(
    unit: Unit,
    workers: int = 1,
    block: int | None = None,
    watch: Watch | None = None,
    progress: Callable[[int], None] | None = None,
    before: Played | None = None,
) -> Played:
    """Do a unit of work, on so many workers of this machine; a policy that fails is part of what comes of it. Where
    there is a `before`, what came of the same users in fewer rounds, only the others are played, if that is possible
    here."""
    world, entrant = _built(unit.recipe)
    start, marks = time.perf_counter(), unit.marks or (unit.rounds,)
    begin = None
    fits = before is not None and len(before.words) == remembered(world, entrant.policy, before.by)
    if before is not None and fits and can_go_on(world, entrant.policy, before.by):
        begin = Begin(Memory(before.rounds, before.by, before.words), before.hashes[0])
        marks = tuple(mark for mark in marks if mark > before.rounds) or (unit.rounds,)
    try:
        result = run_policy(
            world,
            entrant.policy,
            seed=json.loads(unit.recipe.scenario)["seed"],
            users=unit.users,
            rounds=unit.rounds,
            threads=workers,
            block=block,
            marks=marks if marks[-1] == unit.rounds else (*marks, unit.rounds),
            watch=watch,
            progress=progress,
            fork=entrant.built_in,
            first=unit.first,
            replicate=unit.replicate,
            replicates=unit.replicates,
            hashed=unit.hashed,
            begin=begin,
            remembers=unit.remembers,
        )
    except RoundError as error:
        nothing, failure = np.zeros((0, 0, 0, 0), np.int64), Failure(error.t, error.user, blame(error))
        return Played(nothing, nothing, NOBODY, time.perf_counter() - start, nothing.view(np.uint64), failure)
    moments = moments_of(result.totals[0, -1], world.scale, unit.rounds) if unit.replicates == 1 else NOBODY
    totals, sums, seconds = result.totals[:, : len(unit.marks)], result.sums, time.perf_counter() - start
    if before is not None and begin is not None:
        totals, seconds = (
            np.concatenate([before.totals, totals], axis=1)[:, : len(unit.marks)],
            seconds + before.seconds,
        )
        sums = np.concatenate([before.sums, sums], axis=1)
    return Played(sums, totals, moments, seconds, result.hashes, words=result.words[0], by=result.by)


VALUES = ("reward", "expected_reward", "regret")
"""What moments are of: reward and expected reward per decision, regret per round."""
_AT_ONCE = 1 << 16  # users whose values are made at a time: they take a multiple of what their totals take
NOBODY = ExactMoments(0, (0,) * len(VALUES), (0,) * len(VALUES))


def moments_of(totals: I64, scale: float, rounds: int) -> ExactMoments:
    """The moments of those users who decided, out of their totals (TOTALS, n) after `rounds` rounds."""
    found = NOBODY
    for start in range(0, totals.shape[1], _AT_ONCE):
        some = totals[:, start : start + _AT_ONCE]
        reward, expected, regret, decisions = some[:, some[TOTALS.index("decisions")] > 0].astype(np.float64)
        values = np.stack([reward / scale / decisions, expected / scale / decisions, regret / scale / rounds])
        found = found.merged(ExactMoments.of(values))
    return found


def blame(error: RoundError) -> str:
    """What went wrong in a policy, in which round and for whom, and where in its own code."""
    cause = error.__cause__
    if isinstance(cause, PolicyError):
        return f"round {error.t + 1}, user-{error.user}: {cause.what}"
    return f"round {error.t + 1}: {raised(cause)}"
