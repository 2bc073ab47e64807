"""The documents: generated pages are up to date, snippets run, and what is named is there."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import oo_sim
from oo_sim.cli import COMMANDS

ROOT = Path(oo_sim.__file__).parents[1]
DOCS = ROOT / "docs"


def load_reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["cli-reference.md", "scenario-reference.md", "api-reference.md"])
def test_a_generated_page_is_up_to_date(page: str) -> None:
    written = load_reference().PAGES[page]()
    assert (DOCS / page).read_text(encoding="utf-8") == written, "run: python docs/reference.py"


def test_every_command_stands_in_the_reference_with_an_example() -> None:
    text = (DOCS / "cli-reference.md").read_text(encoding="utf-8")
    sections = re.split(r"(?m)^## ", text)[1:]
    assert [section.split("\n")[0] for section in sections] == [f"oo-sim {name}" for name in COMMANDS]
    for section in sections:
        assert "```sh\noo-sim " in section, section.split("\n")[0]


def test_every_model_of_the_schema_is_linked_and_there() -> None:
    text = (DOCS / "scenario-reference.md").read_text(encoding="utf-8")
    headings = {line[3:].lower() for line in text.splitlines() if line.startswith("## ")}
    assert set(re.findall(r"\]\(#(\w+)\)", text)) == headings - {"at the top"}


def test_the_snippets_on_extending_run() -> None:
    snippets = re.findall(r"```python\n(.*?)```", (DOCS / "extending.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 6
    names: dict[str, object] = {"__name__": "snippets"}  # a reader goes from top to bottom
    for snippet in snippets:
        exec(compile(snippet, "extending.md", "exec"), names)  # noqa: S102 (our own words)


@pytest.mark.parametrize("page", ["docs/extending.md", "CONTRIBUTING.md"])
def test_files_that_are_named_are_there(page: str) -> None:
    for named in re.findall(r"`((?:oo_sim|tests|docs|scenarios)/[\w./-]+)`", (ROOT / page).read_text(encoding="utf-8")):
        assert (ROOT / named).exists(), f"{page} names {named}"


def test_licence_citation_and_package_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"] == oo_sim.__version__
    assert citation["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert f"## {project['version']}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
