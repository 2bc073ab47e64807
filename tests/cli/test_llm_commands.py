"""`oo-sim generate SCENARIO` and `oo-sim run SCENARIO --llm`: from a scenario to the reward that its tips earn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from calling import Call

SIZE = ("--users", 3, "--rounds", 5)


def test_generate_and_compare(call: Call, tmp_path: Path) -> None:
    for name, profile in (("a", "perfect"), ("b", "typical_small_model")):
        code, out, _ = call("generate", "llm_tips", *SIZE, "--gateway", f"mock:{profile}", "--out", f"{name}.parquet")
        assert code == 0
        assert "of 15 generations" in out
    command = ("run", "llm_tips", *SIZE, "--policy", "random", "--no-plot", "--json")
    code, out, _ = call(*command, "--llm", "none,a.parquet", "--llm", "b.parquet", "--out", "r")
    assert code == 0
    policies = json.loads((tmp_path / "r" / "manifest.json").read_text())["policies"]
    assert [(one["label"], one["llm"]["bank"]) for one in policies] == [
        ("random+none", "none"),
        ("random+a", "a"),
        ("random+b", "b"),
    ]
    assert len(json.loads(out)["runs"]) == 1
    code, shown, _ = call("show", "r")
    assert code == 0
    assert "random+b" in shown
    assert "reward, not regret, compares policies" in " ".join(shown.split())
    assert call("compare", "r")[0] == 0
    code, _, err = call("compare", "r", "--metric", "regret")
    assert code == 2
    assert "regret can't be compared" in err


@pytest.mark.e2e
def test_a_fitted_appeal_from_labels_or_a_log_and_three_appeals_in_one_table(call: Call, tmp_path: Path) -> None:
    size = ("--users", 12, "--rounds", 20)
    assert call("generate", "llm_tips", *size, "--out", "good.parquet")[0] == 0
    command = ("run", "llm_tips", *size, "--policy", "random", "--no-plot", "--llm", "good.parquet")
    assert call(*command, "--appeal", "panel", "--events", "--out", "log")[0] == 0
    code, _, err = call("fit-appeal", "log", "--llm", "good.parquet", "-o", "appeal.json")
    assert code == 2
    assert "reactions; at least 200 are required" in err
    assert 30 < int(err.split()[0]) < 200
    kinds = [("Do it now.", "done"), ("You lazy idiot, do it.", "dismiss")] * 150
    lines = [
        {"user_id": f"u{at % 20}", "content": text, "tasks": ["call the dentist"], "reaction": reaction}
        for at, (text, reaction) in enumerate(kinds)
    ]
    (tmp_path / "labels.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    code, out, _ = call("fit-appeal", "labels.jsonl", "-o", "appeal.json")
    assert code == 0
    assert "300 reactions of 20 users" in out
    code, out, _ = call(*command, "--appeal", "keywords,panel,fitted:appeal.json", "--out", "three")
    assert code == 0
    for kind in ("keywords", "panel", "fitted"):
        assert f"random+good@{kind}" in out
    assert "a toy" in " ".join(out.split())
    (tmp_path / "few.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines[:50]))
    code, _, err = call("fit-appeal", "few.jsonl")
    assert code == 2
    assert "50 reactions; at least 200" in err


def test_a_scenario_file_gives_the_contexts_of_the_shipped_one(call: Call, tmp_path: Path) -> None:
    code, text, _ = call("scenario", "show", "llm_tips")
    assert code == 0
    (tmp_path / "mine.yaml").write_text(text)
    for source, name in (("mine.yaml", "a"), ("llm_tips", "b")):
        assert call("generate", source, "--contexts", 4, "--out", name)[0] == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["generate", "lm_tips"], "did you mean llm_tips?"),
        (["generate", "none.yaml"], "there is no such file"),
        (["generate", "quickstart"], "200,000 contexts"),
        (["generate", "linear", "--contexts", "2"], "no tasks to write tips about"),
        (["generate", "backlog", "--contexts", "2"], "depends on what was served"),
        (["generate", "llm_tips", "--users", "0"], "users"),
        (["generate", "none.jsonl", "--users", "2"], "for scenarios"),
        (["run", "llm_tips", "--llm", "none.parquet"], "none.parquet: does not exist"),
        (["run", "llm_tips", "--llm", ","], "a list of files"),
        (["run", "linear", "--llm", "none"], "no tasks to write tips about"),
        (["run", "tiny_sets", "--llm", "none"], "tiny_sets: "),
    ],
)
def test_bad_input_ends_with_2_and_one_message(call: Call, arguments: list[str], says: str) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert says in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err


def test_a_dry_run_knows_the_appeals_and_asks_nobody(call: Call, tmp_path: Path) -> None:
    assert call("generate", "llm_tips", *SIZE, "--out", "a.parquet")[0] == 0
    command = ("run", "llm_tips", *SIZE, "--policy", "random", "--no-plot", "--llm", "a.parquet", "--out", "r")
    both = (*command, "--appeal", "keywords,panel")
    code, out, _ = call(*both, "--dry-run")
    assert code == 0
    assert "30 decisions" in out
    assert "gateway: 60 questions about tips" in out  # 15 rounds of two tips, in both orders
    assert not (tmp_path / "a.parquet.asked.jsonl").exists()
    code, _, err = call(*command, "--appeal", "tarot", "--dry-run")
    assert (code, "tarot" in err) == (2, True)
    assert call(*both)[0] == 0
    assert "gateway:" not in call(*both, "--dry-run")[1]
