"""A gateway that needs no network: a pure function, as an httpx transport and as an HTTP server."""

from oo_sim.generator.mock.answer import MockAnswer, MockRequest, answer
from oo_sim.generator.mock.profile import Profile, load_profile, parse_profile, profile_names
from oo_sim.generator.mock.server import MockServer
from oo_sim.generator.mock.transport import MockTransport, mock_gateway

__all__ = [
    "MockAnswer",
    "MockRequest",
    "MockServer",
    "MockTransport",
    "Profile",
    "answer",
    "load_profile",
    "mock_gateway",
    "parse_profile",
    "profile_names",
]
