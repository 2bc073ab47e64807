"""Several policies looked at together, by user: `compare` says how far apart they are, `sweep` what a value does."""

from oo_sim.errors import ComparisonError
from oo_sim.studies.across import CEILING, FLOOR, Across
from oo_sim.studies.comparing import compare
from oo_sim.studies.comparison import Comparison, compare_outcomes
from oo_sim.studies.evaluating import evaluate
from oo_sim.studies.evaluation import Evaluation
from oo_sim.studies.outcomes import COLUMNS, Metric, Outcomes, check_metric, gather
from oo_sim.studies.pairs import Pair
from oo_sim.studies.sequential import FIRST_USERS, Look, look, sizes
from oo_sim.studies.sweeping import Sweep, sweep

__all__ = [
    "CEILING",
    "COLUMNS",
    "FIRST_USERS",
    "FLOOR",
    "Across",
    "Comparison",
    "ComparisonError",
    "Evaluation",
    "Look",
    "Metric",
    "Outcomes",
    "Pair",
    "Sweep",
    "check_metric",
    "compare",
    "compare_outcomes",
    "evaluate",
    "gather",
    "look",
    "sizes",
    "sweep",
]
