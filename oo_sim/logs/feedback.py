"""A log as other off-policy tools take it: index actions, a context, rewards and the propensity of what was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from oo_sim.errors import RunLogError
from oo_sim.features import feature_map
from oo_sim.logs.reader import Log, Part


def bandit_feedback(log: Log, label: str, *, features: str = "oo7x") -> dict[str, Any]:
    """The decisions of one policy as Open Bandit Pipeline's `bandit_feedback` (Saito et al. 2021, section 3).

    An action is a place among the K candidates of its round, since what is on offer changes: `action` (n,), `n_actions`
    K, `context` (n, K d) with the features of all candidates side by side and 0 where none stands, `reward` (n,) with 0
    where nothing was learned, `pscore` (n,), `pi_b` (n, K, 1), `position` (n,) all 0; and besides, since decisions of
    one user depend on each other, `user` (n,). Raises RunLogError where the propensity of a row is not known: no other
    tool may take it for 1.
    """
    phi, rows = feature_map(features), list[dict[str, Any]]()
    seen = 0
    for part in log.parts(label):
        if np.isnan(part.propensity).any():
            row = int(part.row[np.isnan(part.propensity)][0])
            log.refuse(row, "propensity", f"is not known, of a decision of policy {label}", False)
        rows.append(_rows(part, phi.d, phi.encode, seen))
        seen += len(part.lanes)
    if not rows:
        raise RunLogError(log.path, f"holds no decisions of policy {label}")
    K = max(part["pi_b"].shape[1] for part in rows)
    whole = {name: np.concatenate([_wide(part[name], name, K, phi.d) for part in rows]) for name in rows[0]}
    return {"n_rounds": len(whole["action"]), "n_actions": K, "position": np.zeros(len(whole["action"]), int), **whole}


def _rows(part: Part, d: int, encode: Any, first: int) -> dict[str, Any]:
    """One part's arrays, the decision first."""
    K, n = part.candidates.mask.shape
    x = np.zeros((K, d, n))
    encode(part.candidates, x)
    x *= part.candidates.mask[:, None]
    return {
        "context": x.transpose(2, 0, 1).reshape(n, K * d),
        "action": part.chosen,
        "reward": part.reward,
        "pscore": part.propensity,
        "pi_b": part.probs.T[:, :, None],
        "user": part.lane + first,
    }


def _wide(array: Any, name: str, K: int, d: int) -> Any:
    """Parts with fewer candidates get places in which none stands."""
    width = {"context": K * d, "pi_b": K}.get(name)
    if width is None:
        return array
    missing = [(0, 0), (0, width - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, missing)
