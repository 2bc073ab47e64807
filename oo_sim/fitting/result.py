"""`Fit`: a scenario learned from a log, its tables and figures, and the two files it is written to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from oo_sim.fitting.checks import Calibration, Drift
from oo_sim.fitting.em import Fitted
from oo_sim.fitting.log import Gathered
from oo_sim.fitting.people import Population
from oo_sim.fitting.precision import Precision
from oo_sim.fitting.priors import LinearPrior
from oo_sim.fitting.said import FitSaid, HeldOut, PriorSaid, Source, StartSaid, Tried
from oo_sim.fitting.search import Searched
from oo_sim.fitting.tables import held_out_table, segments_table, sentences, tried_table
from oo_sim.results.result import Result, write_all
from oo_sim.scenario import Scenario, loads
from oo_sim.show import Tables, plain

_Z = 1.959963984540054


@dataclass(frozen=True, repr=False)
class Fit(Result):
    """A scenario learned from a log: `scenario`, `people` with standard errors, and what speaks for or against it.

    Its figures are the `coefficients` with intervals, the `calibration` of rounds that were kept back, and `again`, the
    logging policy run once more in the fitted world, over the log's own curve.
    """

    log: Path
    label: str
    data: Gathered
    searched: tuple[Searched, ...]
    fitted: Fitted
    errors: Precision
    held_out: HeldOut
    calibration: dict[str, Calibration]
    drift: Drift
    priors: dict[str, LinearPrior]
    warnings: tuple[str, ...]
    yaml: str
    source: Source

    kinds: ClassVar[tuple[str, ...]] = ("coefficients", "calibration", "again")
    alt: ClassVar[str] = "means of the coefficients with their intervals, by segment"

    def __repr__(self) -> str:
        people, label = self.people, plain(self.label, 80)
        return f"<Fit of {people.segments} segments to a log of {label}: {self.data.reactions.users} users>"

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
        return pd.DataFrame(self._tried()).drop(columns="log_likelihood_by_start")

    def _tried(self) -> list[Tried]:
        return [
            {
                "segments": one.fitted.people.segments,
                "log_likelihood": float(one.fitted.log_likelihood),
                "parameters": one.fitted.people.parameters,
                "bic": float(one.fitted.bic),
                "starts": len(one.starts),
                "reached": one.reached,
                "log_likelihood_by_start": list(one.starts),
            }
            for one in self.searched
        ]

    @property
    def surely_assigned(self) -> float:
        """The share of users whose segment has a probability of .9 or more."""
        return float((self.fitted.users.share.max(axis=1) >= 0.9).mean())

    @property
    def drawable(self) -> bool:
        """A fit always has coefficients to draw."""
        return True

    def table(self) -> Tables:
        """Segments, the numbers of them that were tried, and how well is predicted what was kept back."""
        said = self.said()
        warnings = [f"Warning: {plain(warning, 1000)}." for warning in self.warnings]
        tables = [segments_table(said), tried_table(said), held_out_table(said)]
        return Tables(tables, notes=[*sentences(said), *warnings])

    def frame(self) -> pd.DataFrame:
        """The coefficients."""
        return self.coefficients

    def as_dict(self) -> dict[str, Any]:
        """What `NAME.fit.json` holds, as plain data; `oo_sim.fitting.said` lists the keys."""
        return {**self.said()}

    def said(self) -> FitSaid:
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
            "tried": self._tried(),
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
            "drift": {"term": self.drift.term, "segment": self.drift.segment, "p_value": self.drift.p_value},
            "priors": {name: _prior(prior) for name, prior in self.priors.items()},
            "warnings": list(self.warnings),
        }

    def save(self, path: str | Path, kind: str | None = None, *, style: str = "screen") -> Path:
        """Write the scenario to `path` (`mine.yaml`) and what is known of it beside it (`mine.fit.json`); or, by the
        file's ending, a figure or a table, as of every result. Returns its path."""
        to = Path(path)
        if to.suffix.lower() not in (".yaml", ".yml"):
            return super().save(to, kind, style=style)
        text = json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"
        write_all({to: self.yaml.encode(), beside(to): text.encode()})
        return to


def beside(scenario: Path) -> Path:
    """Where what is known of a fitted scenario stands: `mine.fit.json` beside `mine.yaml`."""
    return scenario.with_name(f"{scenario.stem}.fit.json")


def _prior(prior: LinearPrior) -> PriorSaid:
    inverse, b, theta = map(_numbers, prior.start)
    start: StartSaid = {"inverse": inverse, "b": b, "theta": theta}
    covariance = [_numbers(row) for row in prior.covariance]
    return {"theta": _numbers(prior.theta), "covariance": covariance, "noise": prior.noise, "start": start}


def _numbers(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    return [float(value) for value in values]
