"""`fit`: from a log to a scenario of its people, with a measure of how much to believe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from oo_sim.contract import REACTIONS
from oo_sim.errors import FitError, real, whole
from oo_sim.fitting import heldout
from oo_sim.fitting.checks import drift
from oo_sim.fitting.log import Gathered, gather, terms_of, with_what_was_offered
from oo_sim.fitting.precision import precision, settled, singular
from oo_sim.fitting.priors import linear_priors
from oo_sim.fitting.result import Fit
from oo_sim.fitting.scenario import Shape, yaml_of
from oo_sim.fitting.search import MOST_ITERATIONS, MOST_SEGMENTS, Step, Told, preferred, search
from oo_sim.logs import Log
from oo_sim.policies import POLICIES
from oo_sim.policies.registry import ALIASES
from oo_sim.results import Run, log_of
from oo_sim.show import count
from oo_sim.show.progress import Hears, Wanted, watched

FEWEST_USERS = 30
FEWEST_DECISIONS = 20
"""The median of decisions a user below which segments cannot be told apart."""
DRIFT_ALPHA = 0.001
_RUN_USERS, _RUN_ROUNDS = 2_000, 1_000


def fit(
    log: str | Path | Log | Run,
    *,
    segments: str | int = "auto",
    logged: str | None = None,
    hold_out: float = 0.25,
    starts: int = 5,
    seed: int = 0,
    terms: str | Sequence[str] = "oo7x",
    anyway: bool = False,
    name: str = "fitted",
    progress: Wanted = None,
    told: Told | None = None,
    stage: Callable[[str], None] = lambda text: None,
) -> Fit:
    """Learn a scenario from a log: a run directory made with events, a served export, or a table of tasks and tips.

    `segments` is a number or `auto`, which tries 1 to 4 and takes the smallest BIC. `logged` is the policy whose
    decisions are read; without it those of all policies of a server are, of which each user met one. All replicates of
    a simulation are read: they are more reactions of the same users. A share `hold_out` of the users, and of each
    user's last rounds, is kept back once to measure how well unseen reactions are predicted; the scenario itself is
    fitted to all. `terms` is oo5, oo7, oo7x, or a list of terms. With `anyway`, what looks like drift is
    fitted all the same.
    `progress` is that of `oo_sim.run`; `told` receives each iteration, and `stage` what is done now.
    Raises FitError, with what would be right, where the log cannot tell, and RunLogError for a row that is wrong.
    """
    opened = log_of(log)
    terms = terms if isinstance(terms, str) else ",".join(terms)
    labels = _labels(opened, logged)
    counts = _checked(segments, hold_out, starts, seed, opened)
    stage("reading the log")
    data, left_out = with_what_was_offered(gather(opened, labels, terms_of(terms)), terms)
    warnings = [*left_out, *_refuse(data, counts)]
    if max(counts) > 1 and np.median(data.decisions) < FEWEST_DECISIONS:
        counts = (1,)  # with `auto`, one segment is what can be told
    with watched(f"fit to {', '.join(labels)}", progress) as hears:
        found = search(data.reactions, counts, starts, seed, lambda step: _tell(step, told, hears))
    best = preferred(found)
    if len(best.starts) > 1 and best.reached == 1:
        warnings.append(
            f"only one of {len(best.starts)} starts reached the best fit with {best.fitted.people.segments} segments; "
            "try more with --starts"
        )
    stage("how surely")
    fitted = settled(data.reactions, best.fitted)
    moved = drift(data.reactions, fitted.users, fitted.people)
    if moved.p_value < DRIFT_ALPHA:
        said = (
            f"{moved.term} of segment-{moved.segment + 1} differs between the halves of people's rounds beyond chance "
            f"(p = {moved.p_value:.1g}): this looks like drift, which is not fitted"
        )
        if not anyway:
            raise FitError(f"{said}; fit the later rounds alone, or give --anyway")
        warnings.append(said)
    stage("held-out users and rounds")
    held, calibration = heldout.held_out(data, fitted, found, hold_out, seed)
    stage("the scenario")
    shape = Shape(data.offers)
    settled_decisions = int(data.decisions.sum()) - data.pending
    text = yaml_of(
        name,
        fitted.people,
        data.reactions.terms,
        shape,
        1.0 - data.answered / max(settled_decisions, 1),
        min(len(data.decisions), _RUN_USERS),
        min(int(data.decisions.max()), _RUN_ROUNDS),
        _policies(labels),
        f"Fitted to {len(data.decisions)} users and {len(data.reactions.y)} reactions.",
    )
    manifest = opened.manifest
    return Fit(
        Path(opened.path),
        ", ".join(labels),
        data,
        tuple(found),
        fitted,
        precision(data.reactions, fitted),
        held,
        calibration,
        moved,
        linear_priors(fitted.people, data.reactions.terms[1:], data.situations, seed),
        tuple(warnings + shape.warnings),
        text,
        {
            "path": str(opened.path),
            "hash": manifest.content_hash,
            "served": manifest.served,
            "policies": manifest.labels,
        },
    )


def _tell(step: Step, told: Told | None, hears: Hears | None) -> None:
    if told is not None:
        told(step)
    if hears is not None:
        done = step.climb * MOST_ITERATIONS + min(step.iterations, MOST_ITERATIONS)
        hears(f"{step.segments} segments, start {step.start + 1} of {step.starts}", done, step.climbs * MOST_ITERATIONS)


def _labels(log: Log, logged: str | None) -> list[str]:
    """The policies whose decisions are read. Those of a server are taken together, as each user meets one; those of a
    simulation meet the same users with the same luck, so their reactions are not independent."""
    labels = [policy.label for policy in log.policies]
    if logged is not None and logged not in labels:
        raise FitError(f"{log.path}: holds no policy {logged!r}; there are {', '.join(labels)}")
    if logged is None and len(labels) > 1 and not log.manifest.served:
        raise FitError(
            f"{log.path}: {len(labels)} policies decided here, for the same users with the same luck; choose one with "
            f"--logged LABEL, in Python logged='LABEL': {', '.join(labels)}"
        )
    return labels if logged is None else [logged]


def _checked(segments: str | int, hold_out: float, starts: int, seed: int, log: Log) -> tuple[int, ...]:
    """The numbers of segments to try."""
    real("hold_out", hold_out, "a share above 0, up to 0.5", lambda share: 0.0 < share <= 0.5, error=FitError)
    whole("starts", starts, 1, 100, error=FitError)
    whole("seed", seed, 0, error=FitError)
    if not log.manifest.has_reactions:
        raise FitError(f"{log.path}: its rewards are not reactions, so no people can be fitted to them")
    if segments == "auto":
        return tuple(range(1, MOST_SEGMENTS + 1))
    if isinstance(segments, bool) or not str(segments).isdecimal() or not 1 <= int(segments) <= 16:
        raise FitError(f"segments must be auto, or a whole number from 1 to 16, not {segments!r}")
    return (1, int(segments)) if int(segments) > 1 else (1,)


def _refuse(data: Gathered, counts: tuple[int, ...]) -> list[str]:
    """Warnings; FitError where the log cannot tell."""
    users = int((data.reactions.sizes > 0).sum())
    if users < FEWEST_USERS:
        raise FitError(f"{count(users, 'user')} reacted; at least {FEWEST_USERS} are required")
    if missing := [REACTIONS[k] for k in np.flatnonzero(np.bincount(data.reactions.y, minlength=5) == 0)]:
        raise FitError(f"no reaction is {' or '.join(missing)}, so the cut points beside it cannot be estimated")
    if alike := singular(data.reactions):
        left = ", ".join(term for term in data.reactions.terms[1:] if term not in alike)
        raise FitError(
            f"the log cannot distinguish {', '.join(alike)} from the terms before: "
            f"what they multiply does not vary; leave them out with --terms {left.replace(', ', ',') or 'oo5'}"
        )
    median = float(np.median(data.decisions))
    warnings = []
    if median < FEWEST_DECISIONS:
        if len(counts) == 2:
            raise FitError(
                f"half of the users have {median:g} decisions or fewer; segments can be told from "
                f"{FEWEST_DECISIONS} on: give --segments 1"
            )
        if max(counts) > 1:
            warnings.append(
                f"half of the users have {median:g} decisions or fewer, too few to distinguish segments: one is fitted"
            )
    if data.late:
        warnings.append(
            f"{data.late} of {len(data.decisions)} users do not start at their first decision: what was served then "
            "depended on what is not in the log"
        )
    return warnings


def _policies(labels: Sequence[str]) -> list[str]:
    """What a run of the fitted scenario compares: the policies of the log that can be run, and two bounds."""
    own = [label for label in labels if label.partition(":")[0] in (*POLICIES, *ALIASES)]
    return list(dict.fromkeys([*own, "linucb", "linucb:features=oo7x", "random", "oracle"]))
