"""What `NAME.fit.json` holds, key by key: what a fit says of itself, for the report, its figures and other programs."""

from __future__ import annotations

from typing import TypedDict


class Source(TypedDict):
    """The log that was fitted."""

    path: str
    hash: str
    served: bool
    policies: list[str]


class SegmentSaid(TypedDict):
    """A segment of people; means and standard deviations by term, and the errors of each."""

    name: str
    share: float
    share_error: float
    mean: dict[str, float]
    mean_error: dict[str, float]
    sd: dict[str, float]
    sd_error: dict[str, float]


class Tried(TypedDict):
    """A number of segments that was tried."""

    segments: int
    log_likelihood: float
    parameters: int
    bic: float
    starts: int
    reached: int
    log_likelihood_by_start: list[float]


class Score(TypedDict):
    """Log likelihoods per reaction of what was kept back: under the fit, one segment, and a constant."""

    users: int
    reactions: int
    fit: float
    one_segment: float
    constant: float


class HeldOut(TypedDict):
    """What was kept back: users never seen, and the later rounds of the others."""

    new_users: Score
    later_rounds: Score


class CalibrationSaid(TypedDict):
    """Predicted and observed mean reward by group of rows."""

    group: list[int]
    predicted: list[float]
    observed: list[float]
    rows: list[int]


class Assignment(TypedDict):
    """How surely users belong to a segment."""

    sure: float
    mean_probability: float


class DriftSaid(TypedDict):
    """The term whose meaning moved most, and the chance of that by luck."""

    term: str
    segment: int
    p_value: float


class StartSaid(TypedDict):
    """Where a ridge regression of a new user starts."""

    inverse: list[float]
    b: list[float]
    theta: list[float]


class PriorSaid(TypedDict):
    """The linear prior of a new user under a feature map."""

    theta: list[float]
    covariance: list[list[float]]
    noise: float
    start: StartSaid


class FitSaid(TypedDict):
    """The whole file."""

    format: int
    log: Source
    policy: str
    users: int
    decisions: int
    reactions: int
    terms: list[str]
    cut_points: list[float]
    cut_point_errors: list[float]
    people: list[SegmentSaid]
    tried: list[Tried]
    held_out: HeldOut
    calibration: dict[str, CalibrationSaid]
    assignment: Assignment
    drift: DriftSaid
    priors: dict[str, PriorSaid]
    warnings: list[str]
