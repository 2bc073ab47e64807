"""The HTTP server: the policies that were simulated answer requests, and nothing acknowledged is ever lost."""

from oo_sim.errors import ServingError
from oo_sim.serving.app import create_app

__all__ = ["ServingError", "create_app"]
