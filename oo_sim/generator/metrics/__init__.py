"""What a tip bank is worth: numbers with their denominators and intervals; failures stay in every denominator."""

from oo_sim.generator.metrics.metric import Metric, Section
from oo_sim.generator.metrics.summary import summarise

__all__ = ["Metric", "Section", "summarise"]
