"""The HTTP server: the policies that were simulated answer requests, and nothing acknowledged is ever lost."""

from oo_sim.serving.app import create_app
from oo_sim.serving.errors import ServingError

__all__ = ["ServingError", "create_app"]
