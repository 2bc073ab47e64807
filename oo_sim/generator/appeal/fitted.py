"""An appeal that was learned: an ordered logit on embeddings and declared features of a tip, fitted to reactions."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from oo_sim.contract import REACTIONS
from oo_sim.errors import GeneratorInputError
from oo_sim.generator.appeal.logit import CUTS, fit, log_likelihood, probabilities
from oo_sim.generator.embed import EMBEDDER, cosine, embedding
from oo_sim.generator.gateway.asking import Asker, Progress, Question
from oo_sim.generator.metrics.metric import Metric, Section, known
from oo_sim.generator.metrics.text import misses_the_hour, names_a_task, sentences, words
from oo_sim.generator.texts import invalid, read_text, write_text
from oo_sim.stats import Interval, mean_interval
from oo_sim.stats.intervals import F64

LEAST = 200
"""Reactions below which nothing is fitted."""
RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0)
FOLDS = 5
_BATCH = 64
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sample(NamedTuple):
    """A tip beside the tasks of a user, at an hour; and, where it is known, the reaction: 0 to 4, the worst first."""

    user_id: str
    text: str
    tasks: tuple[str, ...]
    hour: int
    reaction: int = -1


def features(text: str, tasks: Sequence[str], hour: int) -> dict[str, float]:
    """The declared features of a tip: what can be said of it without a model."""
    said = words(text)
    short = [at for at, word in enumerate(said) if len(word) <= 3]
    dangling = sum(at + 1 >= len(said) or len(said[at + 1]) <= 3 for at in short)
    return {
        "length": math.log1p(len(said)),
        "sentences": float(sentences(text)),
        "names_a_task": float(names_a_task(text, tasks)),
        "misses_the_hour": float(misses_the_hour(text, hour)),
        "only_the_title": float(any(sorted(said) == sorted(words(task)) for task in tasks)),
        "starts_with_a_capital": float(text[:1].isupper()),
        "ends_a_sentence": float(text.rstrip()[-1:] in tuple(".!?…")),
        "short_words_that_lead_nowhere": dangling / len(short) if short else 0.0,
    }


DECLARED = tuple(features("", (), 0))


class FittedAppeal(BaseModel):
    """What `oo-sim fit-appeal` writes. Utilities are for the cut points; features are standardised."""

    model_config = _STRICT

    version: Literal[1] = 1
    cut_points: tuple[float, float, float, float]
    embedder: str
    dimensions: Annotated[int, Field(ge=0, le=100_000)]
    declared: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    ridge: float
    reactions: int
    users: int
    held_out: float
    held_out_constant: float

    @model_validator(mode="after")
    def _fits(self) -> FittedAppeal:
        d = self.dimensions + 1 + len(self.declared)
        if self.declared != DECLARED:
            raise ValueError(f"declared: these features are not those of this version, {', '.join(DECLARED)}")
        if not len(self.mean) == len(self.scale) == d == len(self.coefficients) - 1:
            raise ValueError(f"mean, scale and coefficients: expected {d}, {d} and {d + 1} numbers")
        return self

    def utilities(self, X: F64) -> F64:
        """What texts with these features (n, d) add to a utility (n,)."""
        z = (X - np.array(self.mean)) / np.array(self.scale)
        return np.asarray(self.coefficients[0] + z @ np.array(self.coefficients[1:]))


def read_appeal(path: Path) -> FittedAppeal:
    """A fitted appeal from its file. Raises `GeneratorInputError`."""
    try:
        return FittedAppeal.model_validate_json(read_text(path, "appeal"))
    except ValidationError as error:
        raise invalid(f"appeal {path}", error, "the file") from None


def encode(asker: Asker, samples: Sequence[Sample], alias: str = EMBEDDER, progress: Progress | None = None) -> F64:
    """Features of samples (n, dimensions + 1 + declared): the embedding of the text, its cosine to the nearest task,
    and the declared ones. Raises `GeneratorInputError` where the embedder gives no vectors."""
    parts = _parts(samples)
    vectors: dict[str, Sequence[float]] = {}
    replies = asker.ask(embed_questions(samples, alias), progress)
    for part, reply in zip(parts, replies, strict=True):
        if reply.failure is not None:
            raise GeneratorInputError(f"the embedder {alias!r} gave no vectors: {reply.failure}")
        vectors |= dict(zip(part, reply.vectors, strict=True))
    rows: dict[Sample, list[float]] = {}
    for one in {one._replace(user_id="", reaction=-1) for one in samples}:
        own = vectors[one.text]
        nearest = max((cosine(own, vectors[task]) for task in one.tasks), default=0.0)
        rows[one] = [*own, nearest, *features(one.text, one.tasks, one.hour).values()]
    return np.array([rows[one._replace(user_id="", reaction=-1)] for one in samples], dtype=np.float64)


def embed_questions(samples: Sequence[Sample], alias: str) -> list[Question]:
    """What `encode` asks."""
    return [embedding(alias, part) for part in _parts(samples)]


def _parts(samples: Sequence[Sample]) -> list[list[str]]:
    """All texts of the samples and their tasks, so many to a question."""
    texts = sorted({text for one in samples for text in (one.text, *one.tasks)})
    return [texts[at : at + _BATCH] for at in range(0, len(texts), _BATCH)]


class Fit(NamedTuple):
    """A fitted appeal, and what it says of samples that it was not fitted to: utilities (n,) by cross-validation."""

    appeal: FittedAppeal
    held_out: F64
    reactions: NDArray[np.int64]
    users: tuple[str, ...]


def fit_appeal(
    X: F64, samples: Sequence[Sample], *, embedder: str = EMBEDDER, cuts: Sequence[float] = CUTS, least: int = LEAST
) -> Fit:
    """The appeal of most likelihood, its ridge by cross-validation over users.

    Raises `GeneratorInputError` below `least` reactions, with users too few to hold some out, or where it predicts
    reactions that were held out no better than a constant does.
    """
    y = np.array([one.reaction for one in samples], dtype=np.int64)
    users = sorted({one.user_id for one in samples})
    if len(y) < least:
        refuse_few(len(y), least)
    if len(users) < FOLDS:
        raise GeneratorInputError(f"reactions of {len(users)} users; at least {FOLDS} are required to hold some out")
    mean, scale = X.mean(axis=0), X.std(axis=0)
    Z = (X - mean) / np.where(scale > 1e-12, scale, 1.0)
    order = {user: at % FOLDS for at, user in enumerate(np.random.default_rng(1).permutation(users))}
    fold = np.array([order[one.user_id] for one in samples])
    guesses = {ridge: _held_out(Z, y, fold, ridge, cuts) for ridge in RIDGES}
    ridge = max(RIDGES, key=lambda one: log_likelihood(guesses[one], y, cuts))
    constant = log_likelihood(_held_out(Z[:, :0], y, fold, 0.0, cuts), y, cuts)
    reached = log_likelihood(guesses[ridge], y, cuts)
    if not reached > constant:
        raise GeneratorInputError(
            f"texts do not predict reactions: held out, the log-likelihood is {reached:.4f}, that of a constant "
            f"{constant:.4f}; more reactions may help, and so may another embedder"
        )
    appeal = FittedAppeal(
        cut_points=(float(cuts[0]), float(cuts[1]), float(cuts[2]), float(cuts[3])),
        embedder=embedder,
        dimensions=X.shape[1] - 1 - len(DECLARED),
        declared=DECLARED,
        mean=tuple(map(float, mean)),
        scale=tuple(float(one) if one > 1e-12 else 1.0 for one in scale),
        coefficients=tuple(map(float, fit(Z, y, ridge, cuts))),
        ridge=ridge,
        reactions=len(y),
        users=len(users),
        held_out=reached,
        held_out_constant=constant,
    )
    return Fit(appeal, guesses[ridge], y, tuple(one.user_id for one in samples))


def refuse_few(count: int, least: int = LEAST) -> NoReturn:
    """Raises `GeneratorInputError`: there are too few reactions."""
    raise GeneratorInputError(f"{count} reactions; at least {least} are required to fit an appeal")


def fit_section(made: Fit) -> Section:
    """How well the appeal predicts what it was not fitted to: likelihood, and calibration by tenths of the utility."""
    appeal = made.appeal
    rows = [
        known(
            seen,
            Metric(f"tenth {number}: mean reward", None, f"{seen.n} held out", note=f"predicted {predicted:.3f}"),
        )
        for number, (predicted, seen) in enumerate(tenths(made), 1)
    ]
    of = f"{appeal.reactions} reactions of {appeal.users} users, held out by user"
    return Section(
        "fitted appeal",
        (
            Metric(
                "log-likelihood of a reaction", appeal.held_out, of, note=f"a constant: {appeal.held_out_constant:.4f}"
            ),
            Metric("ridge", appeal.ridge, "by cross-validation over users"),
            *rows,
        ),
    )


def calibration(made: Fit) -> float:
    """The largest distance of predicted and seen mean reward over tenths of the utility, on the scale 0 to 1."""
    return max(abs(predicted - seen.estimate) / 2 for predicted, seen in tenths(made))


def tenths(made: Fit) -> list[tuple[float, Interval]]:
    """By tenths of the utility, the lowest first: the mean reward (-1 to 1) predicted, and the one seen."""
    values = probabilities(made.held_out, made.appeal.cut_points) @ np.linspace(-1.0, 1.0, len(REACTIONS))
    rewards = made.reactions / 2.0 - 1.0
    order = np.argsort(made.held_out, kind="stable")
    return [(float(values[part].mean()), mean_interval(rewards[part])) for part in np.array_split(order, 10)]


def read_samples(path: Path) -> list[Sample]:
    """Labelled reactions from JSON lines: user_id, content, tasks (texts), hour_of_day and reaction, by name.

    Raises `GeneratorInputError`, which names the line.
    """
    text = read_text(path)
    samples = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                samples.append(_Labelled.model_validate_json(line).sample())
            except ValidationError as error:
                raise invalid(f"{path}, line {number}", error, "the line") from None
    return samples


class _Labelled(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    user_id: Annotated[str, Field(min_length=1)]
    content: str
    tasks: tuple[str, ...] = ()
    hour_of_day: Annotated[int, Field(ge=0, le=23)] = 12
    reaction: Literal["dismiss", "not_helpful", "snooze", "helpful", "done"]

    def sample(self) -> Sample:
        """The line as a sample."""
        return Sample(self.user_id, self.content, self.tasks, self.hour_of_day, REACTIONS.index(self.reaction))


def _held_out(Z: F64, y: NDArray[np.int64], fold: NDArray[np.int64], ridge: float, cuts: Sequence[float]) -> F64:
    """The utility of each row under the fit to the other folds."""
    out = np.empty(len(y))
    for number in range(FOLDS):
        here = fold == number
        w = fit(Z[~here], y[~here], ridge, cuts)
        out[here] = w[0] + Z[here] @ w[1:]
    return out


def write_appeal(path: Path, appeal: FittedAppeal) -> None:
    """Writes the file whole or not at all."""
    write_text(path, json.dumps(appeal.model_dump(mode="json"), indent=1) + "\n")
