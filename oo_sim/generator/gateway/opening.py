"""Gateways by name: `mock`, `mock:PROFILE`, `live`, a URL, or `cassette:FILE`."""

from __future__ import annotations

from pathlib import Path

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.gateway.cassette import cassette_gateway, recording_gateway
from oo_sim.generator.gateway.client import Gateway
from oo_sim.generator.gateway.settings import Address
from oo_sim.generator.mock.transport import mock_gateway

DEFAULT_PROFILE = "perfect"


def open_gateway(
    spec: str,
    *,
    seed: int = 1,
    record: Path | None = None,
    go_on: bool = False,
    replay_failures: bool = False,
    connections: int = 16,
) -> Gateway:
    """The gateway that `spec` names; `record` keeps a live one's exchanges. Raises `GeneratorInputError`.

    `live` is where the environment's LITELLM_URL points; the key is always the environment's. A recording that exists
    is gone on with only where `go_on`, as its answers are another day's, and may be another model's.
    """
    kind, _, rest = spec.partition(":")
    if kind in ("live", "http", "https") and (kind != "live" or not rest):
        address = Address.from_env(None if kind == "live" else spec)
        if record is not None:
            if record.exists() and not go_on:
                raise GeneratorInputError(
                    f"{record}: exists, and its answers would be replayed as if they came now; choose another "
                    "--record, or give --continue to replay what it holds and record the rest"
                )
            return recording_gateway(record, address, connections)
        return Gateway.live(address, connections)
    if record is not None:
        raise GeneratorInputError(f"--record: expected a live gateway, not {spec!r:.60}")
    if kind == "mock":
        return mock_gateway(rest or DEFAULT_PROFILE, seed)
    if kind == "cassette" and rest:
        return cassette_gateway(Path(rest), replay_failures)
    raise GeneratorInputError(
        f"gateway {kind!r:.60}: there are mock, mock:PROFILE, live, a URL of http:// or https://, and cassette:FILE"
    )
