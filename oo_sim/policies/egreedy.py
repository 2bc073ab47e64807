"""Epsilon-greedy and greedy on a ridge regression (Sutton & Barto 2018, section 2.2, with linear values)."""

from __future__ import annotations

from oo_sim.contract import F64, Batch, FeatureMap, Policy
from oo_sim.features import feature_map
from oo_sim.policies import checks, explore, ridge


def _mean(state: ridge.Ridge, batch: Batch, noise: F64) -> F64:
    return ridge.mean(state, batch.x)


def egreedy(
    epsilon: float = 0.1,
    decay: float = 0.0,
    features: str | FeatureMap = "oo7",
    prior: float = 1.0,
    schedule: str = "harmonic",
    warm: str = "",
) -> Policy:
    """With probability epsilon_t any candidate, else the highest x' theta.

    With u = decay t, `schedule` is harmonic: epsilon_t = epsilon / (1 + u) (Auer, Cesa-Bianchi & Fischer 2002),
    sqrt: epsilon / (1 + u)^1/2, cbrt: epsilon / (1 + u)^1/3 (the rate of epoch-greedy, Langford & Zhang 2007), or
    exponential: epsilon e^-u. A schedule other than harmonic is among the policy's recorded parameters.

    Parameters:
        epsilon: 0 to 1; the probability of exploring in a user's first decision.
        decay: from 0; how fast it falls, 0 not at all.
        schedule: harmonic, sqrt, cbrt or exponential; how it falls.
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
        warm: a file that `oo-sim fit` wrote, to start at the people in it instead of at zero; empty for none.
    """
    phi = feature_map(features)
    epsilon, decay = checks.number("epsilon", epsilon, 0.0, 1.0), checks.number("decay", decay, 0.0)
    fresh, known = ridge.begun(phi, prior, warm)
    if schedule not in explore.SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(explore.SCHEDULES)}, not {schedule!r}")
    recorded = {} if schedule == "harmonic" else {"schedule": schedule}
    return Policy(
        "egreedy",
        phi,
        fresh,
        _mean,
        explore.epsilon_greedy(epsilon, decay, schedule),
        ridge.update,
        parameters={"epsilon": epsilon, "decay": decay, "features": phi.name, **known, **recorded},
        explores=True,
        lanes=ridge.lanes("mean", "epsilon", fresh, epsilon, decay, [*explore.SCHEDULES].index(schedule)),
    )


def greedy(features: str | FeatureMap = "oo7", prior: float = 1.0, warm: str = "") -> Policy:
    """Always the highest x' theta, the first on a tie: what a recommender without exploration earns.

    Parameters:
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
        warm: a file that `oo-sim fit` wrote, to start at the people in it instead of at zero; empty for none.
    """
    phi = feature_map(features)
    fresh, known = ridge.begun(phi, prior, warm)
    return Policy(
        "greedy",
        phi,
        fresh,
        _mean,
        explore.greedy,
        ridge.update,
        parameters={"features": phi.name, **known},
        lanes=ridge.lanes("mean", "greedy", fresh),
    )


def softmax(temperature: float = 0.1, features: str | FeatureMap = "oo7", prior: float = 1.0, warm: str = "") -> Policy:
    """Boltzmann exploration: candidates in proportion to exp(x' theta / temperature).

    Parameters:
        temperature: from 1e-6, in units of reward; small is greedy, large is random.
        features: a map by name (oo7 if not told otherwise; oo5, oo7, oo7x), or a `FeatureMap`.
        prior: from 1e-4; the ridge penalty lambda, A = prior I before anything is learned.
        warm: a file that `oo-sim fit` wrote, to start at the people in it instead of at zero; empty for none.
    """
    phi = feature_map(features)
    fresh, known = ridge.begun(phi, prior, warm)
    temperature = checks.number("temperature", temperature, 1e-6)
    return Policy(
        "softmax",
        phi,
        fresh,
        _mean,
        explore.softmax(temperature),
        ridge.update,
        parameters={"temperature": temperature, "features": phi.name, **known},
        lanes=ridge.lanes("mean", "softmax", fresh, temperature),
    )
