"""Every fault: what is wrong, in which policy it sits, and the check that must name it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from . import faulty
from .simulator import Simulator


class Fault(NamedTuple):
    """A wrong recommender, and the check that must name it first."""

    kind: type[Simulator]
    policy: str
    check: str
    parameters: Mapping[str, Any] = MappingProxyType({})


FAULTS = [
    Fault(faulty.WrongSign, "linucb", "score"),
    Fault(faulty.WrongSign, "egreedy", "score"),
    Fault(faulty.StaleHour, "linucb", "features"),
    Fault(faulty.HourLater, "egreedy", "features"),
    Fault(faulty.StaleHourUnlogged, "linucb", "score"),
    Fault(faulty.NoDay, "egreedy", "features"),
    Fault(faulty.AgeOffByOne, "linucb", "features"),
    Fault(faulty.AgeUncapped, "greedy", "features"),
    Fault(faulty.TipsAsTasks, "greedy", "features", {"features": "oo7x"}),
    Fault(faulty.EpsilonDoubled, "egreedy", "probs"),
    Fault(faulty.EpsilonZero, "egreedy", "probs"),
    Fault(faulty.EpsilonDoubledUnlogged, "egreedy", "draw"),
    Fault(faulty.NeverExplores, "egreedy", "draw"),
    Fault(faulty.DecayIgnored, "egreedy", "probs", {"decay": 0.1}),
    Fault(faulty.TemperatureDoubled, "softmax", "probs"),
    Fault(faulty.LastOnTie, "linucb", "tie"),
    Fault(faulty.LastOnTie, "egreedy", "tie"),
    Fault(faulty.SecondBest, "linucb", "argmax"),
    Fault(faulty.SumNotOne, "random", "probs"),
    Fault(faulty.PropensityOne, "egreedy", "propensity"),
    Fault(faulty.PropensityMissing, "linucb", "propensity"),
    Fault(faulty.GreedyScoreLogged, "egreedy", "score"),
    Fault(faulty.ExploredNever, "egreedy", "explored"),
    Fault(faulty.ExploredUnlogged, "egreedy", "explored"),
    Fault(faulty.NoRoot, "linucb", "score"),
    Fault(faulty.AlphaHalved, "linucb", "score"),
    Fault(faulty.AlphaDoubled, "linucb", "score"),
    Fault(faulty.NoRegularisation, "greedy", "score"),
    Fault(faulty.UpdatesLost, "linucb", "score"),
    Fault(faulty.UpdatesTwice, "egreedy", "score"),
    Fault(faulty.Float32State, "linucb", "score"),
    Fault(faulty.ThetaStale, "egreedy", "score"),
    Fault(faulty.RewardLate, "linucb", "score"),
    Fault(faulty.NoUpdateAtZero, "greedy", "score"),
    Fault(faulty.WrongUser, "linucb", "score"),
    Fault(faulty.PreviousVector, "egreedy", "learned"),
    Fault(faulty.LoggedTwice, "softmax", "learned"),
    Fault(faulty.LearningUnlogged, "linucb", "score"),
    Fault(faulty.RewardsSwapped, "linucb", "reward"),
    Fault(faulty.RewardsClipped, "softmax", "reward"),
    Fault(faulty.RewardTooLarge, "egreedy", "reward"),
    Fault(faulty.NeverLast, "random", "draw"),
    Fault(faulty.NeverLast, "softmax", "draw"),
    Fault(faulty.OtherSeed, "egreedy", "draw"),
    Fault(faulty.OneStream, "random", "draw"),
    Fault(faulty.RoundsSkipped, "greedy", "order"),
    Fault(faulty.OracleBlind, "oracle", "argmax"),
    Fault(faulty.Rounded, "linucb", "score"),
]
