"""What stands against an answer: rows that are broken, what makes a log unfit, what makes it unfit for one policy.

Refusals have a place in an order, and a reason in words that names the rows or figures and what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from oo_sim import ope
from oo_sim.contract import U64, Bool
from oo_sim.logs import Log, Part
from oo_sim.show import count
from oo_sim.studies.evaluation import Health
from oo_sim.studies.gathered import Asked, Gathered

MOST_UNSUPPORTED = 0.005
FEWEST_USERS, FEWEST_EFFECTIVE, FEW_EFFECTIVE = 30, 20.0, 50.0
WEIGHT_ALPHA = 0.001
MOST_LOOSE = 0.05
_SUM = 1e-6
_PROPENSITY = 1e-9


def check_rows(log: Log, part: Part) -> None:
    """Raise `RunLogError` for the first broken row, by row and column: a probability outside 0 to 1, probabilities
    that do not sum to 1 or differ from the chosen one's, a decision twice, a reward that is not finite."""
    refuse = _Refuser(log, part)
    p, total = part.propensity, np.where(part.candidates.mask, part.probs, 0.0).sum(axis=0)
    listed = part.probs[part.chosen, np.arange(len(p))]
    known, all_null = ~np.isnan(p), bool(np.isnan(p).all())
    refuse("propensity", known & ~((p > 0) & (p <= 1)), lambda i: f"is {p[i]:g}; a probability above 0, at most 1")
    if not all_null:
        refuse(
            "propensity", ~known, lambda i: "is empty or not a number; the probability of what was chosen is expected"
        )
    outside = np.asarray((((part.probs < 0) | (part.probs > 1)) & part.candidates.mask).any(axis=0))
    refuse("probs", outside, lambda i: "holds a number outside 0 to 1")
    refuse("probs", np.asarray(np.abs(total - 1) > _SUM), lambda i: f"sums to {total[i]:.6g}; probabilities sum to 1")
    refuse(
        "propensity",
        known & (np.abs(listed - p) > _PROPENSITY),
        lambda i: f"is {p[i]:.6g}, and probs say {listed[i]:.6g} of what was chosen",
    )
    refuse("reward", ~np.isfinite(part.reward), lambda i: f"is {part.reward[i]}; a finite number is expected")
    twice: Bool = np.concatenate(([False], (np.diff(part.lane) == 0) & (np.diff(part.t) == 0)))
    refuse("t", twice, lambda i: f"is {part.t[i]} a second time for user {part.lanes[part.lane[i]].user_id}")
    ids = part.decision_id.dictionary_encode()
    if len(ids.dictionary) < len(ids) - ids.null_count:
        _, first = np.unique(ids.indices.to_numpy(zero_copy_only=False), return_index=True)
        again = ids.is_valid().to_numpy(zero_copy_only=False).copy()
        again[first] = False
        refuse("decision_id", again, lambda i: f"is {ids[i].as_py()!r}, which another row has too")
    lost = ~part.learned.reset & ~np.isfinite(part.learned.reward)
    if lost.any():
        i = int(np.flatnonzero(lost)[0])
        log.refuse(
            int(part.learned.row[i]), "reward", f"is {part.learned.reward[i]}; a finite number is expected", True
        )


class DecisionIds:
    """The ids of a log's decisions as 64-bit hashes, 8 bytes each: one that two parts share is seen, whoever has it."""

    def __init__(self) -> None:
        self._hashes: list[U64] = []

    def add(self, part: Part) -> None:
        """Take the ids of a part."""
        self._hashes.append(_hashes(part))

    def check(self, log: Log, again: Iterable[Part]) -> None:
        """Raise `RunLogError` for an id that stands twice, by row: for that the log is read `again`."""
        hashes = np.sort(np.concatenate(self._hashes))
        twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        seen = set[str]()
        for part in again if len(twice) else ():
            stands = part.decision_id.is_valid().to_numpy(zero_copy_only=False).nonzero()[0]
            for i in stands[np.isin(_hashes(part), twice)]:
                name = part.decision_id[int(i)].as_py()
                if name in seen:
                    log.refuse(int(part.row[i]), "decision_id", f"is {name!r}, which another row has too", False)
                seen.add(name)


def _hashes(part: Part) -> U64:
    texts = part.decision_id.drop_null().to_numpy(zero_copy_only=False)
    return pd.util.hash_array(texts, categorize=False)


class _Refuser:
    def __init__(self, log: Log, part: Part) -> None:
        self._log, self._row = log, part.row

    def __call__(self, column: str, wrong: Bool, why: Callable[[int], str]) -> None:
        if wrong.any():
            i = int(np.flatnonzero(wrong)[np.argmin(self._row[wrong])])
            more = f" ({int(wrong.sum())} such rows)" if wrong.sum() > 1 else ""
            self._log.refuse(int(self._row[i]), column, f"{why(i)}{more}", False)


def about_the_log(found: Gathered, asked: Asked) -> list[tuple[int, str]]:
    """What stands against the log whatever the policy: the place in the order of refusals, and why."""
    against = []
    if found.unknown:
        against.append((2, "the logged probabilities are not known (null, as of Thompson sampling with one sample); "
                           "log a policy whose probabilities are, such as thompson:samples=100"))  # fmt: skip
    elif found.uniform and found.users >= FEWEST_USERS:
        weight = found.uniform.mean("w")
        p = ope.weight_test(weight)
        if not p >= WEIGHT_ALPHA:
            against.append(
                (4, f"the logged probabilities are not those that were drawn with: 'uniform over what is supported' "
                    f"has mean weight {weight.mean():.3f} instead of 1 ({_surely(p)})"))  # fmt: skip
    if found.used == 0 and not found.unknown:
        against.append((7, "no decision is left: the reward window reaches past the log's end; give a shorter window"))
    if found.rewards and found.loose > MOST_LOOSE * found.rewards:
        share = found.loose / found.rewards
        against.append((7, f"{share:.1%} of rewards belong to no decision ({found.loose:,} of {found.rewards:,}); at "
                           f"most {MOST_LOOSE:.0%} may: send decision ids with rewards"))  # fmt: skip
    if asked.no_window:
        against.append((7, "a served log requires a reward window, after which a missing reward is no reward: --window "
                           "24h here, or export-log --window"))  # fmt: skip
    return against


def about_the_policy(health: Health, largest: float, refused: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """What stands against a policy's answer, that about the log included, in the order of refusals."""
    d, against = health.diagnostics, list(refused)
    if health.unsupported > MOST_UNSUPPORTED:
        u = health.unsupported * largest
        against.append((3, f"{health.unsupported:.1%} of the policy's choices could never have been logged "
                           f"(probability 0); no data can narrow what they earned below {2 * u:.3f}"))  # fmt: skip
    if d.users < FEWEST_USERS:
        against.append(
            (1, f"{count(d.users, 'user')}; at least {FEWEST_USERS} are required, as intervals are over users")
        )
    elif not d.p_value >= WEIGHT_ALPHA:
        weight = d.mean_weight.estimate
        why = "hardly ever chose what the policy would" if weight < 1 else "gave what it chose too low a probability"
        against.append((5, f"the mean weight is {weight:.3f} instead of 1 ({_surely(d.p_value)}): the log {why}"))
    if d.users >= FEWEST_USERS and d.effective_users < FEWEST_EFFECTIVE:
        against.append((6, f"effective users {d.effective_users:.1f} of {d.users}: a few carry all the weight; at "
                           f"least {FEWEST_EFFECTIVE:g} are required"))  # fmt: skip
    return sorted(against, key=lambda each: each[0])


def _surely(p: float) -> str:
    """How surely a mean weight is not 1, by the p-value of its test; nan where weights do not vary."""
    return "the same for every user" if np.isnan(p) else f"p = {p:.1g}"
