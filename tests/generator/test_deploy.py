"""The files of the live set-up parse, agree with each other and hold no keys but the one of development."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from oo_sim.generator.appeal.panel import USER
from oo_sim.generator.embed import EMBEDDER
from oo_sim.generator.gateway.settings import DEFAULT_KEY, DEFAULT_URL, Address, Options
from oo_sim.generator.judging import JUDGE
from oo_sim.generator.mock.bodies import ALIASES

ROOT = Path(__file__).parents[2]
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?::-([^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> Any:
    """The compose file."""
    return yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def litellm() -> Any:
    """The gateway's configuration."""
    return yaml.safe_load((ROOT / "deploy/litellm.yaml").read_text("utf-8"))


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    """The example environment, without comments."""
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    assert all(separator for _, separator, _ in pairs)
    return {name: value for name, _, value in pairs}


def test_every_service_is_in_the_profile_ai_and_pinned(compose: Any) -> None:
    assert set(compose["services"]) == {"ollama", "models", "litellm"}
    for service in compose["services"].values():
        assert service["profiles"] == ["ai"]
        assert re.search(r":[\w.-]*\d[\w.-]*$", service["image"])
        for other in service.get("depends_on", {}):
            assert other in compose["services"]


def test_the_gateway_listens_on_this_machine_only(compose: Any) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:4000:4000"]
    assert DEFAULT_URL.endswith(":4000")


def test_mounted_files_exist(compose: Any) -> None:
    sources = {
        volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])
    }
    files = {source for source in sources if source.startswith(".")}
    assert files
    assert sources - files == set(compose["volumes"])
    for source in files:
        assert (ROOT / "deploy" / source).is_file()


def test_no_key_but_that_of_development_stands_in_the_files() -> None:
    keys = set()
    for name in ("deploy/compose.yaml", "deploy/litellm.yaml", ".env.example"):
        keys |= set(re.findall(r"\bsk-[\w-]+", (ROOT / name).read_text("utf-8")))
    assert keys == {DEFAULT_KEY}


def test_the_aliases_are_those_of_the_client(litellm: Any) -> None:
    names = [model["model_name"] for model in litellm["model_list"]]
    assert sorted(names) == sorted(ALIASES) == sorted([Options().model, JUDGE, EMBEDDER, USER])
    for model in litellm["model_list"]:
        assert model["litellm_params"]["timeout"] < Options().call_timeout


def test_the_configuration_takes_everything_from_the_environment(compose: Any, litellm: Any) -> None:
    wanted = set(re.findall(r"os\.environ/(\w+)", yaml.safe_dump(litellm)))
    assert wanted == {"TIP_MODEL", "JUDGE_MODEL", "USER_MODEL", "EMBED_MODEL", "OLLAMA_URL", "LITELLM_MASTER_KEY"}
    assert wanted <= set(compose["services"]["litellm"]["environment"])
    assert litellm["general_settings"]["master_key"] == "os.environ/LITELLM_MASTER_KEY"


def test_the_example_environment_is_complete_and_the_defaults_agree(compose: Any, example: dict[str, str]) -> None:
    used = dict(_VARIABLE.findall(yaml.safe_dump(compose)))
    assert set(used) <= set(example)
    assert all(example[name] == default for name, default in used.items())
    assert set(example) == {*used, "LITELLM_URL", "STATE_DIR"}
    address = Address.from_env(environ=example)
    assert (address.url, address.key.get_secret_value()) == (DEFAULT_URL, DEFAULT_KEY)
