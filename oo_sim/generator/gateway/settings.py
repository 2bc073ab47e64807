"""Where the gateway is and how to speak to it. Keys come from the environment only and are never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import httpx
from pydantic import SecretStr

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.parser import ParserPolicy

DEFAULT_URL = "http://localhost:4000"
DEFAULT_KEY = "sk-oo-dev"
_KEY_LIKE = re.compile(rb"(?:\bs|\\u0073)(?:k|\\+u006[bB])(?:-|\\+u002[dD])(?:[\w-]|\\+u00[2-7][0-9a-fA-F]){16,}")
_ESCAPE = re.compile(rb"\\+u00[0-9a-fA-F]{2}")
_SHORTEST = 6  # a key of a letter or two would take whole words out of every answer
MAX_BYTES = 16 << 20
"""The most decoded bytes of an answer that are read."""


@dataclass(frozen=True)
class Options:
    """How tips are asked for. `retries` counts further tries after a malformed reply; times are seconds.

    `gateway_retries` counts further calls after one that a gateway could not answer, each behind a pause; a server
    that answers people has none. Without `max_tokens` the length of a reply is the model's own affair.
    """

    retries: int = 2
    parser: ParserPolicy = "faithful"
    salvage: bool = False
    model: str = "tip-generator"
    temperature: float = 0.7
    call_timeout: float = 30.0
    total_timeout: float = 90.0
    gateway_retries: int = 0
    max_tokens: int | None = None

    def with_(self, **changes: Any) -> Options:
        """These options with some of them changed."""
        return replace(self, **changes)


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
        """The bytes without the key, should the other side echo it, and without what looks like another one.

        However deep in JSON they stand: a character may be spelled with an escape, and that behind further backslashes.
        """
        key = self.key.get_secret_value()
        if len(key) >= _SHORTEST:
            text = _spellings(key).sub(b"***", text)
        return _KEY_LIKE.sub(lambda found: b"***" if _has_digit(found[0]) else found[0], text)


@lru_cache(maxsize=8)
def _spellings(key: str) -> re.Pattern[bytes]:
    """The key as JSON may spell it, however many times it was encoded; linear in what is searched."""
    first, *rest = (_spelling(char) for char in key)
    return re.compile(first.replace(rb"\\*+", b"").replace(rb"\\+", rb"\\") + b"".join(rest))


def _spelling(char: str) -> bytes:
    escape = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{ord(char):04x}")
    if char == "\\":
        return rb"(?:\\+u005[cC]|\\++)"
    return rb"(?:\\*+" + re.escape(char.encode()) + rb"|\\+u" + escape.encode() + b")"


def _has_digit(text: bytes) -> bool:
    """Whether a digit is in it that is not part of an escape, or an escape spells one."""
    return any(48 <= char <= 57 for char in _ESCAPE.sub(lambda found: bytes([int(found[0][-2:], 16)]), text))


def normalised(url: str, what: str = "URL") -> str:
    """The base URL without slashes at its end. Raises `GeneratorInputError`, which never shows the URL."""
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        raise GeneratorInputError(f"{what}: is not a URL; expected one such as {DEFAULT_URL}") from None
    if parsed.userinfo:
        raise GeneratorInputError(f"{what}: holds a user name or password; put the key into LITELLM_MASTER_KEY")
    if parsed.query or parsed.fragment:
        raise GeneratorInputError(f"{what}: holds a query or fragment; expected only scheme, host, port and path")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise GeneratorInputError(f"{what}: must begin with http:// or https:// and name a host")
    path = "/".join(part for part in parsed.path.split("/") if part)
    path = path.removesuffix("chat/completions").rstrip("/")
    return str(parsed.copy_with(path=f"/{path}")).rstrip("/")
