"""Where the gateway is and how to speak to it. Keys come from the environment only and are never shown."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from oo_sim.generator.errors import GeneratorInputError
from oo_sim.generator.parser import ParserPolicy

DEFAULT_URL = "http://localhost:4000"
DEFAULT_KEY = "sk-oo-dev"
_KEY_LIKE = re.compile(rb"\bsk-(?=[\w-]*\d)[\w-]{16,}")
_SHORTEST = 6  # a key of a letter or two would take whole words out of every answer
MAX_BYTES = 16 << 20
"""The most decoded bytes of an answer that are read."""


@dataclass(frozen=True)
class Options:
    """How tips are asked for. `retries` counts further tries after a malformed reply; times are seconds."""

    retries: int = 2
    parser: ParserPolicy = "faithful"
    salvage: bool = False
    model: str = "tip-generator"
    temperature: float = 0.7
    call_timeout: float = 30.0
    total_timeout: float = 90.0


@dataclass(frozen=True)
class Address:
    """A gateway's base URL, without a slash at its end, and its bearer key."""

    url: str = DEFAULT_URL
    key: SecretStr = field(default_factory=lambda: SecretStr(DEFAULT_KEY))

    @classmethod
    def from_env(cls, url: str | None = None, environ: Mapping[str, str] | None = None) -> Address:
        """`LITELLM_URL` (or `url`) and `LITELLM_MASTER_KEY`. Raises `GeneratorInputError`."""
        env = os.environ if environ is None else environ
        what = "LITELLM_URL" if url is None else "--gateway"
        chosen = normalised(url if url is not None else env.get("LITELLM_URL") or DEFAULT_URL, what)
        key = (env.get("LITELLM_MASTER_KEY") or DEFAULT_KEY).strip()
        if not key or not all("!" <= char <= "~" for char in key):
            raise GeneratorInputError("LITELLM_MASTER_KEY: must be printable ASCII without blanks")
        return cls(chosen, SecretStr(key))

    def redact(self, text: bytes) -> bytes:
        """The bytes without the key, should the other side echo it, and without what looks like another one."""
        key = self.key.get_secret_value()
        if len(key) >= _SHORTEST:
            for written in (key, json.dumps(key)[1:-1]):
                text = text.replace(written.encode(), b"***")
        return _KEY_LIKE.sub(b"***", text)


def normalised(url: str, what: str = "URL") -> str:
    """The base URL without slashes at its end. Raises `GeneratorInputError`, which never shows the URL."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        raise GeneratorInputError(f"{what}: is no URL; one such as {DEFAULT_URL} is wanted") from None
    if parsed.userinfo:
        raise GeneratorInputError(f"{what}: holds a user name or password; put the key into LITELLM_MASTER_KEY")
    if parsed.query or parsed.fragment:
        raise GeneratorInputError(f"{what}: holds a query or fragment; only scheme, host, port and path are wanted")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise GeneratorInputError(f"{what}: must begin with http:// or https:// and name a host")
    path = "/".join(part for part in parsed.path.split("/") if part)
    path = path.removesuffix("chat/completions").rstrip("/")
    return str(parsed.copy_with(path=f"/{path}")).rstrip("/")
