"""Several policies looked at together: `compare` says how far apart they are, `sweep` what a parameter does."""

from oo_sim.studies.comparing import compare
from oo_sim.studies.sweeping import sweep
from oo_sim.studies.swept import Sweep

__all__ = ["Sweep", "compare", "sweep"]
