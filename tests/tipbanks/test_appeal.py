"""Appeal models: what tips of a bank are worth to users, by whom it is judged, and what a run tells about it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow.parquet as pq
import pytest

from oo_sim import Run
from oo_sim.errors import GeneratorInputError
from oo_sim.generator import TipGenerator, open_gateway
from oo_sim.generator.appeal.fitted import Sample, encode, fit_appeal, write_appeal
from oo_sim.generator.appeal.logit import probabilities
from oo_sim.generator.bank import read_bank
from oo_sim.generator.gateway.asking import Asker
from oo_sim.generator.mock.meaning import taste
from oo_sim.results.summary import notes
from oo_sim.tipbanks import logged_samples, tip_banks

from .conftest import SMALL, changed, play


@pytest.fixture(scope="module")
def appeal_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An appeal fitted to what a panel's taste makes of tips."""
    rng, samples = np.random.default_rng(1), []
    tasks = tuple(SMALL.canonical()["world"]["tasks"]["titles"])
    texts = [f"Do {task} now: it takes five minutes." for task in tasks] + ["Drink some water.", "You lazy idiot."] * 4
    for at in range(600):
        text = texts[at % len(texts)]
        level = int(rng.choice(5, p=probabilities([taste(text, tasks, 9)])[0]))
        samples.append(Sample(f"u{at % 30}", text, tasks, 9, level))
    path = tmp_path_factory.mktemp("appeal") / "appeal.json"
    with TipGenerator(open_gateway("mock")) as client:
        write_appeal(path, fit_appeal(encode(Asker(client), samples), samples).appeal)
    return path


def test_one_table_holds_the_verdict_under_every_appeal_model(banks: Path, tmp_path: Path, appeal_file: Path) -> None:
    llm: list[str | Path] = ["none", banks / "small.parquet", banks / "good.parquet"]
    kinds = ["keywords", "panel", f"fitted:{appeal_file}"]
    played = play(llm, policies=["random"], appeal=kinds, out=tmp_path / "run")
    names = [f"{bank}@{kind}" for bank in ("small", "good") for kind in ("keywords", "panel", "fitted")]
    assert list(played.frame()["policy"]) == [f"random+{name}" for name in ("none", *names)]
    facts = {entry.label: dict(entry.bank or {}) for entry in played.manifest.policies}
    assert [facts[f"random+{name}"]["appeal"] for name in names] == ["keywords", "panel", "fitted"] * 2
    assert len({facts[f"random+{name}"]["hash"] for name in names}) == 6
    rewards = dict(zip(played.frame()["policy"], played.frame()["reward"], strict=True))
    assert len(set(rewards.values())) == 7
    told = " ".join(notes(played.manifest))
    for says in ("by keywords: a toy", "by a panel", "as fitted to reactions"):
        assert says in told
    only = play(llm, policies=["random"])
    before = {name.partition("@")[0]: value for name, value in rewards.items() if "@" not in name or "@key" in name}
    assert dict(zip(only.frame()["policy"], only.frame()["reward"], strict=True)) == before


def test_a_panel_gives_the_same_numbers_again_with_the_gateway_off(
    banks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("good.parquet", "small.parquet"):
        shutil.copy(banks / name, tmp_path / name)
    llm: list[str | Path] = [tmp_path / "good.parquet", tmp_path / "small.parquet"]
    first = play(llm, policies=["random"], appeal=["panel"])
    assert (tmp_path / "good.parquet.asked.jsonl").exists()

    def off(*_: object) -> NoReturn:
        raise AssertionError("a model was asked")

    monkeypatch.setattr("oo_sim.generator.mock.transport.answer", off)
    again = play(llm, policies=["random"], appeal=["panel"])
    assert again.manifest.content_hash == first.manifest.content_hash
    (tmp_path / "good.parquet.asked.jsonl").unlink()
    with pytest.raises(AssertionError, match="a model was asked"):
        play(llm, policies=["random"], appeal=["panel"])


def test_the_scenario_names_the_appeal_and_its_personas_are_told(banks: Path, tmp_path: Path) -> None:
    shutil.copy(banks / "good.parquet", tmp_path / "good.parquet")
    world = SMALL.canonical()["world"]
    people = [segment | {"persona": f"persona {at}"} for at, segment in enumerate(world["segments"])]
    scenario = changed({"segments": people, "tips": world["tips"] | {"appeal": {"kind": "panel", "asks": 2}}})
    (bank,) = tip_banks(scenario, [tmp_path / "good.parquet"])
    assert (bank.label, bank.facts["appeal"], bank.facts["appeal_answers"]) == ("good", "panel", 4)
    assert bank.offsets is not None
    assert len(np.unique(bank.offsets)) > 3
    (other,) = tip_banks(
        changed({"tips": world["tips"] | {"appeal": {"kind": "panel", "asks": 2}}}), [tmp_path / "good.parquet"]
    )
    assert other.offsets is not None
    assert (other.offsets != bank.offsets).any()  # other personas are other questions


def test_appeals_that_do_not_exist_are_refused(banks: Path, tmp_path: Path) -> None:
    for appeal, says in (
        (["taste"], "appeal 'taste': there are keywords, panel, fitted"),
        (["fitted"], "name the file"),
        ([f"fitted:{tmp_path / 'none.json'}"], "cannot be read"),
    ):
        with pytest.raises(GeneratorInputError, match=says):
            play([banks / "good.parquet"], appeal=appeal)
    deaf = tmp_path / "deaf.yaml"
    deaf.write_text("version: 1\nuser: {unparsable: 1}\n")
    shutil.copy(banks / "good.parquet", tmp_path / "good.parquet")
    with pytest.raises(GeneratorInputError, match="answers are missing"):
        play([tmp_path / "good.parquet"], appeal=["panel"], gateway=f"mock:{deaf}")


def test_reactions_of_a_logged_run_are_joined_with_the_texts(logged: Run, banks: Path) -> None:
    assert logged.path is not None
    samples = logged_samples(logged.path, [banks / "small.parquet", banks / "good.parquet"])
    rows = pq.read_table(logged.path / "decisions.parquet").to_pylist()
    served = sum(row["candidates"][row["chosen"]]["source"] == "llm" for row in rows)
    assert 0.8 * served < len(samples) <= served
    texts = {
        tip.content
        for name in ("small", "good")
        for one in read_bank(banks / f"{name}.parquet").records
        for tip in one.tips
    }
    assert {one.text for one in samples} <= texts
    assert {one.reaction for one in samples} == set(range(5))
    with pytest.raises(GeneratorInputError, match="--llm"):
        logged_samples(logged.path, [])
