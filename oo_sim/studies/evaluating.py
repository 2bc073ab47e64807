"""`evaluate`: what another policy would have earned in a log, or why the log cannot say.

A log streams part by part, whole users at a time; what is kept are sums per user (`gathered`). What stands against an
answer, broken rows first, is in `refusals`; rows and verdicts are made in `answers`.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from oo_sim import ope
from oo_sim.contract import FeatureMap, Policy
from oo_sim.entrants import guarded
from oo_sim.errors import EvaluationError, real, together, whole
from oo_sim.features import FEATURES, raw
from oo_sim.logs import Log, Part
from oo_sim.policies import UnknownPolicyError, factory, make
from oo_sim.results import Run, log_of
from oo_sim.scenario import parse_spec
from oo_sim.show.progress import Hears, Wanted, watched
from oo_sim.studies.answers import answers
from oo_sim.studies.evaluation import Evaluation, LoggedPart
from oo_sim.studies.gathered import Asked, Gathered, gathered, merged
from oo_sim.studies.refusals import DecisionIds, check_rows
from oo_sim.studies.walk import Target

As: TypeAlias = Literal["frozen", "passive", "replay"]
QUESTIONS: tuple[As, ...] = ("frozen", "passive", "replay")
DEFAULT = ("dr", "ips", "snips", "dm")
"""The estimators unless others are named; the first is the headline."""
_ROWS = 1 << 16
"""Decisions that are held at once, about."""
_Person: TypeAlias = tuple[tuple[str, int], str]
"""What makes users of one name one user, and that name."""


def evaluate(
    log: str | Path | Log | Run | Sequence[str | Path | Log | Run],
    policies: Sequence[str | Policy],
    as_: As = "frozen",
    *,
    logged: str | None = None,
    train_until: float | None = None,
    estimators: Sequence[str] | None = None,
    window: float | None = None,
    decisions: int | None = None,
    anytime: bool = False,
    assume_iid: bool = False,
    level: float = 0.95,
    progress: Wanted = None,
) -> Evaluation:
    """Estimate from a log what other policies would have earned, with intervals over users, or refuse in words.

    `log` is a run with events or its directory, a served export, or a Parquet or CSV file of the plain layout; several
    are taken together. `as_` is the question: `frozen`, the value of the state learned from each user's log up to
    `train_until` (0.5), in the later situations; `passive`, the value of following the policy for one step at each
    logged decision while it learns from what was logged; `replay`, the value of deploying the learner, over each user's
    first accepted `decisions`. `logged` names the logging policy where the log has several. `window` replaces the log's
    reward window: rounds when simulated, seconds when served. Where what was offered depended on what was served,
    `replay` requires `assume_iid`. `anytime` adds betting intervals, for rewards of -1 to 1.
    `progress` is that of `oo_sim.run`.

    Raises EvaluationError, UnknownPolicyError, SpecError and RunLogError, each with what would be right; what the log
    cannot answer is not an error but a row whose verdict is `refused`.
    """
    if as_ not in QUESTIONS:
        raise EvaluationError(f"there is no question {as_!r}; there are {', '.join(QUESTIONS)}")
    _refuse_options(as_, train_until, estimators, decisions, anytime=anytime, assume_iid=assume_iid)
    train_until = 0.5 if train_until is None else train_until
    for name, value, what in (
        ("train_until", train_until, "a share between 0 and 1, such as 0.5"),
        ("level", level, "a confidence level between 0 and 1, such as 0.95"),
    ):
        real(name, value, what, lambda share: 0.0 < share < 1.0, error=EvaluationError)
    if isinstance(policies, str | Policy) or not policies:
        raise EvaluationError(f"policies must be a list of specs or policies, such as ['linucb'], not {policies!r}")
    if decisions is not None:
        whole("decisions", decisions, error=EvaluationError)
    if window is not None:
        real("window", window, "rounds or seconds, 0 or more", lambda value: value >= 0.0, error=EvaluationError)
    given = [log] if isinstance(log, str | Path) or not isinstance(log, Sequence) else list(log)
    logs = [log_of(one) for one in given]
    if not logs:
        raise EvaluationError("there is no log to evaluate; name a run directory, an export, or a table")
    sources = [Source(one, _logged(one, logged), window) for one in logs]
    own = any(one.manifest.own_trajectory for one in logs)
    served = any(one.manifest.served and (window is None and one.manifest.window is None) for one in logs)
    names = _estimators(estimators)
    asked = Asked(as_, train_until, names, level, anytime, decisions, own and not assume_iid, served)
    with watched("evaluate", progress) as hears:
        targets, found = read(sources, policies, asked, hears)
    rows, health = answers(found, [target.label for target in targets], asked)
    return Evaluation(
        paths=[str(one.path) for one in logs],
        logged=", ".join(dict.fromkeys(source.label for source in sources)),
        as_=as_,
        train_until=train_until,
        own_trajectory=own,
        level=level,
        part=LoggedPart(
            users=found.users,
            decisions=found.decisions,
            dropped=found.dropped,
            rewards=found.rewards,
            loose=found.loose,
            without_probs=found.no_probs,
        ),
        rows=rows,
        health=health,
        decisions=found.used,
    )


def _refuse_options(
    as_: As,
    train_until: float | None,
    estimators: Sequence[str] | None,
    decisions: int | None,
    *,
    anytime: bool,
    assume_iid: bool,
) -> None:
    """Raise EvaluationError for an option that says nothing about the question."""
    weighted = ("frozen", "passive")
    for name, given, about in (
        ("train_until", train_until is not None, ("frozen",)),
        ("estimators", estimators is not None, weighted),
        ("anytime", anytime, weighted),
        ("decisions", decisions is not None, ("replay",)),
        ("assume_iid", assume_iid, ("replay",)),
    ):
        if given and as_ not in about:
            raise EvaluationError(
                f"{name} belongs to {' and '.join(about)}, and the question is {as_}: leave it out, or ask another one"
            )


class Source(NamedTuple):
    """A log, the policy whose decisions are read, and the reward window that replaces the log's own."""

    log: Log
    label: str
    window: float | None

    def parts(self) -> Iterator[Part]:
        """The decisions, some users at a time."""
        return self.log.parts(self.label, window=self.window, rows=_ROWS)

    @property
    def people(self) -> tuple[str, int]:
        """What makes users of one name one user: in simulations, the world and the seed."""
        manifest = self.log.manifest
        simulated = not manifest.served and bool(manifest.scenario)
        return (json.dumps(manifest.scenario.get("world"), sort_keys=True), manifest.seed) if simulated else ("", 0)


def read(
    sources: Sequence[Source], policies: Sequence[str | Policy], asked: Asked, hears: Hears | None = None
) -> tuple[list[Target], Gathered]:
    """What the logs hold for these policies. Raises EvaluationError where a user is in two of them."""
    codes: dict[_Person, tuple[int, int]] = {}  # of a user: the number, and the log it is in
    ceiling = _ceiling(sources) if asked.as_ == "replay" else math.nan
    targets, found = list[Target](), list[Gathered]()
    maps: set[str] = set()
    facts = [source.log.manifest for source in sources]
    done, total = 0, max(sum(each.users * each.rounds * each.replicates for each in facts), 1)
    for place, source in enumerate(sources):
        own, people, ids = list[Target](), source.people, DecisionIds()
        for part in source.parts():
            if not own:
                own = together(policies, partial(_target, source=source, part=part))
                targets = targets or own
                maps.add(", ".join(maps_of(part)[0]))
                _refuse_targets(own, maps)
            check_rows(source.log, part)
            ids.add(part)
            keys = [(people, lane.user_id) for lane in part.lanes]
            user = np.array([_code(codes, sources, place, key) for key in keys])
            found.append(gathered(part, user, own, asked, source.log.manifest.seed, ceiling))
            done += len(part.t)
            if hears is not None:
                hears(str(source.log.path), min(done, total), total)  # users who left have fewer decisions
        if not own:
            raise EvaluationError(f"{source.log.path}: holds no decision of {source.label}")
        ids.check(source.log, source.parts())
    return targets, merged(found)


def _refuse_targets(targets: Sequence[Target], maps: set[str]) -> None:
    if len({target.label for target in targets}) < len(targets):
        raise EvaluationError("a policy is listed twice; name each once")
    if len(maps) > 1:
        raise EvaluationError(
            f"the logs do not have the same features: {' or '.join(sorted(maps))}; evaluate each alone"
        )


def _code(codes: dict[_Person, tuple[int, int]], sources: Sequence[Source], place: int, person: _Person) -> int:
    code, where = codes.setdefault(person, (len(codes), place))
    if where != place:
        both = f"{sources[where].log.path} and in {sources[place].log.path}"
        raise EvaluationError(
            f"user {person[1]} is in {both}: a user counts once, so all decisions of one must be in one log; evaluate "
            "each log alone, or put the decisions of each user together"
        )
    return code


def _logged(log: Log, wanted: str | None) -> str:
    known = [policy.label for policy in log.policies]
    if wanted is None:
        if len(known) == 1:
            return known[0]
        raise EvaluationError(
            f"{log.path}: several policies logged: {', '.join(known)}; name one: --logged LABEL, "
            "in Python logged='LABEL'"
        )
    names = [label for label in known if wanted in (label, label.partition(":")[0])]
    if wanted in known or len(names) == 1:
        return wanted if wanted in known else names[0]
    raise EvaluationError(f"{log.path}: no policy {wanted!r} logged; there are {', '.join(known)}")


def _estimators(wanted: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(DEFAULT if wanted is None else dict.fromkeys(wanted))
    for name in names:
        if name not in ope.ESTIMATORS:
            raise EvaluationError(f"there is no estimator {name!r}; there are {', '.join(ope.ESTIMATORS)}")
    return names


def maps_of(part: Part) -> tuple[Mapping[str, FeatureMap], str | None]:
    """The feature maps that this log's candidates can fill, and the one that replaces a policy's own default."""
    if part.candidates.vectors is None:
        return {name: phi for name, phi in FEATURES.items() if name != "truth"}, None
    d = part.candidates.vectors.shape[1]
    return {"raw": raw(d), "none": FEATURES["none"]}, "raw"


def _target(one: str | Policy, source: Source, part: Part) -> Target:
    maps, default = maps_of(part)
    if isinstance(one, Policy):
        policy, name = guarded(one), one.name
    elif isinstance(one, str):
        spec = parse_spec(one)
        name, parameters = str(spec), dict[str, object](spec.parameters)
        if default and "features" in inspect.signature(factory(spec.name)).parameters:
            parameters.setdefault("features", default)
        made = make(spec.name, parameters, maps)
        policy = guarded(made) if ":" in spec.name else made
    else:
        raise UnknownPolicyError(f"{one!r} is not a policy; give a spec such as 'linucb:alpha=0.5', or a Policy")
    features = policy.features
    if features.name == "truth" or (FEATURES.get(features.name) is features and features.name not in maps):
        if features.name == "truth":
            why = (
                "it chooses by true expected rewards, which logs do not hold; evaluate one that learns, such as linucb"
            )
        else:
            why = f"it requires features {features.name!r}, and this log's candidates have only {', '.join(maps)}"
        raise EvaluationError(f"policy {name}: {why}")
    described = next(each for each in source.log.policies if each.label == source.label)
    return Target(name, policy, tuple(described.feature_names) == tuple(features.names))


def _ceiling(sources: Sequence[Source]) -> float:
    """The largest 1 / p of any candidate that could have been chosen: what replay divides acceptance by."""
    least = 1.0
    for source in sources:
        for part in source.parts():
            for p in (part.probs, part.propensity[np.isnan(part.probs).any(axis=0)]):
                least = min(least, float(p[p > 0].min(initial=1.0)))  # nan is not above 0
    return 1.0 / least
