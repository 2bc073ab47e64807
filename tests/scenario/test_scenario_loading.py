"""What is named is found, and what can't be read is refused in one clear line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import oo_sim
from oo_sim.scenario import ScenarioError, load, locate, shipped

MINIMAL = "version: 1\nname: mine\nusers: 1\nrounds: 1\npolicies: [random]\nworld: {kind: linear}\n"


def refusal(name: str | Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(name)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_bare_name_is_a_shipped_scenario_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quickstart").write_text(MINIMAL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load("quickstart").name == "quickstart"
    assert load("./quickstart").name == load(Path("quickstart")).name == "mine"


def test_a_path_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "any name.txt"
    file.write_text(MINIMAL, encoding="utf-8")
    assert load(file).name == load(str(file)).name == "mine"
    assert load(file).source.name == str(file)


def test_the_folder_of_an_installed_package_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "oo_sim" / "_scenarios"
    folder.mkdir(parents=True)
    (folder / "only.yaml").write_text(MINIMAL, encoding="utf-8")
    monkeypatch.setattr(oo_sim, "__file__", str(tmp_path / "oo_sim" / "__init__.py"))
    assert list(shipped()) == ["only"]
    assert load("only").name == "mine"


def test_a_missing_name_and_a_missing_file(tmp_path: Path) -> None:
    assert refusal("quikstart") == "quikstart: there is no such scenario or file; did you mean quickstart?"
    assert "shipped scenarios are backlog, changing_users, churn, commuters" in refusal("zzz")
    missing = tmp_path / "elsewhere" / "comuters.yaml"
    assert refusal(missing) == f"{missing}: there is no such file; did you mean commuters?"


def test_a_file_beside_a_missing_one(tmp_path: Path) -> None:
    near = tmp_path / "winter_evenings.yaml"
    near.write_text(MINIMAL, encoding="utf-8")
    missing = tmp_path / "winter_evening.yaml"
    assert refusal(missing) == f"{missing}: there is no such file; did you mean {near.name}?"


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"{tmp_path}: is a directory; name a scenario file in it"
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refusal(tmp_path / "pipe")
    assert refusal("").startswith(": is not a path")
    assert refusal("a\x00b").startswith("a\\x00b: ")
    assert refusal("x" * 5000).startswith("x")
    assert "\\x1b" in refusal("\x1b[31m.yaml")


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "secret.yaml"
    file.write_text(MINIMAL, encoding="utf-8")
    monkeypatch.setattr(Path, "open", refused)
    assert refusal(file) == f"{file}: can't be read: permission denied"


def test_a_binary_and_a_large_file(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(bytes(range(256)))
    assert refusal(file) == f"{file}:3:115: the byte 0x80 is not UTF-8; save the file as UTF-8 text"
    file.write_bytes(b"#" * 3_000_000)
    assert "more than 1,000,000 bytes" in refusal(file)


def test_locate_gives_the_file() -> None:
    assert locate("linear") == shipped()["linear"]
