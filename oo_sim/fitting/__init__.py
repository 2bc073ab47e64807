"""People from logs: an ordered logit with user effects and segments, learned by Laplace-EM; `oo_sim.fit` calls it."""

from oo_sim.fitting.learn import fit
from oo_sim.fitting.people import Population, Reactions
from oo_sim.fitting.result import Fit, beside

__all__ = ["Fit", "Population", "Reactions", "beside", "fit"]
