"""Compares policies by user: outcomes of runs that fit together in, differences and how sure they are out."""

from oo_sim.comparison.across import CEILING, FLOOR, Across
from oo_sim.comparison.outcomes import COLUMNS, ComparisonError, Metric, Outcomes, check_metric, gather
from oo_sim.comparison.pairs import Pair
from oo_sim.comparison.result import Comparison, compare_outcomes
from oo_sim.comparison.sequential import FIRST_USERS, Look, look, sizes

__all__ = [
    "CEILING",
    "COLUMNS",
    "FIRST_USERS",
    "FLOOR",
    "Across",
    "Comparison",
    "ComparisonError",
    "Look",
    "Metric",
    "Outcomes",
    "Pair",
    "check_metric",
    "compare_outcomes",
    "gather",
    "look",
    "sizes",
]
