"""`Fit`: a scenario learned from a log, its tables, and the two files it is written to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oo_sim.fitting.checks import Calibration, Drift
from oo_sim.fitting.em import Fitted
from oo_sim.fitting.log import Gathered
from oo_sim.fitting.people import Population
from oo_sim.fitting.precision import Precision
from oo_sim.fitting.priors import LinearPrior
from oo_sim.fitting.search import Searched
from oo_sim.scenario import Scenario, loads

_Z = 1.959963984540054


@dataclass(frozen=True)
class Fit:
    """A scenario learned from a log: `scenario`, `people` with standard errors, and what speaks for or against it."""

    log: Path
    label: str
    data: Gathered
    searched: tuple[Searched, ...]
    fitted: Fitted
    errors: Precision
    held_out: dict[str, Any]
    calibration: dict[str, Calibration]
    drift: Drift
    priors: dict[str, LinearPrior]
    warnings: tuple[str, ...]
    yaml: str
    source: dict[str, Any]

    @property
    def people(self) -> Population:
        """The fitted population, its mean intercept at 0, the largest segment first."""
        return self.fitted.people

    @property
    def scenario(self) -> Scenario:
        """The fitted scenario, as if it had been loaded from its file."""
        return loads(self.yaml, f"fit of {self.log}")

    @property
    def coefficients(self) -> pd.DataFrame:
        """One row per segment and term: mean and sd over users, their standard errors, and 95 % bounds of the mean."""
        p, e, terms = self.people, self.errors, self.data.reactions.terms
        rows = [
            {
                "segment": f"segment-{s + 1}",
                "share": p.share[s],
                "term": term,
                "mean": p.mean[s, j],
                "mean_error": e.mean[s, j],
                "lower": p.mean[s, j] - _Z * e.mean[s, j],
                "upper": p.mean[s, j] + _Z * e.mean[s, j],
                "sd": p.sd[s, j],
                "sd_error": e.sd[s, j],
            }
            for s in range(p.segments)
            for j, term in enumerate(terms)
        ]
        return pd.DataFrame(rows)

    @property
    def segments(self) -> pd.DataFrame:
        """One row per number of segments that was tried: log likelihood, BIC, and how many starts came to the top."""
        return pd.DataFrame(
            {
                "segments": [s.fitted.people.segments for s in self.searched],
                "log_likelihood": [s.fitted.log_likelihood for s in self.searched],
                "parameters": [s.fitted.people.parameters for s in self.searched],
                "bic": [s.fitted.bic for s in self.searched],
                "starts": [len(s.starts) for s in self.searched],
                "reached": [s.reached for s in self.searched],
            }
        )

    @property
    def surely_assigned(self) -> float:
        """The share of users whose segment has a probability of .9 or more."""
        return float((self.fitted.users.share.max(axis=1) >= 0.9).mean())

    def as_dict(self) -> dict[str, Any]:
        """What `NAME.fit.json` holds."""
        p, e, data = self.people, self.errors, self.data
        terms = data.reactions.terms
        return {
            "format": 1,
            "log": self.source,
            "policy": self.label,
            "users": len(data.decisions),
            "decisions": int(data.decisions.sum()),
            "reactions": len(data.reactions.y),
            "terms": list(terms),
            "cut_points": _numbers(p.cuts),
            "cut_point_errors": _numbers(e.cuts),
            "people": [
                {
                    "name": f"segment-{s + 1}",
                    "share": float(p.share[s]),
                    "share_error": float(e.share[s]),
                    "mean": dict(zip(terms, _numbers(p.mean[s]), strict=True)),
                    "mean_error": dict(zip(terms, _numbers(e.mean[s]), strict=True)),
                    "sd": dict(zip(terms, _numbers(p.sd[s]), strict=True)),
                    "sd_error": dict(zip(terms, _numbers(e.sd[s]), strict=True)),
                }
                for s in range(p.segments)
            ],
            "tried": [
                {**row, "log_likelihood_by_start": list(one.starts)}
                for row, one in zip(self.segments.to_dict("records"), self.searched, strict=True)
            ],
            "held_out": self.held_out,
            "calibration": {
                name: {
                    "group": c.group.tolist(),
                    "predicted": _numbers(c.predicted),
                    "observed": _numbers(c.observed),
                    "rows": c.rows.tolist(),
                }
                for name, c in self.calibration.items()
            },
            "assignment": {
                "sure": self.surely_assigned,
                "mean_probability": float(self.fitted.users.share.max(axis=1).mean()),
            },
            "drift": self.drift._asdict(),
            "priors": {name: _prior(prior) for name, prior in self.priors.items()},
            "warnings": list(self.warnings),
        }

    def save(self, path: str | Path) -> tuple[Path, Path]:
        """Write the scenario to `path` (`mine.yaml`) and what is known of it beside it (`mine.fit.json`)."""
        to = Path(path)
        beside = to.with_name(f"{to.stem}.fit.json")
        text = json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"
        to.write_text(self.yaml, encoding="utf-8")
        beside.write_text(text, encoding="utf-8")
        return to, beside


def _prior(prior: LinearPrior) -> dict[str, Any]:
    start = {name: _numbers(part) for name, part in prior.start._asdict().items()}
    covariance = [_numbers(row) for row in prior.covariance]
    return {"theta": _numbers(prior.theta), "covariance": covariance, "noise": prior.noise, "start": start}


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    return [float(value) for value in values]
