"""What a tip bank is worth: numbers with their denominators and intervals; failures stay in every denominator."""

from oo_sim.generator.metrics.metric import Metric, Section
from oo_sim.generator.metrics.prices import read_prices
from oo_sim.generator.metrics.summary import summarise

__all__ = ["Metric", "Section", "read_prices", "summarise"]
