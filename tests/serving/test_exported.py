"""A served export is a log like any other: `load_run`, `show`, `report` and the log reader take it as it is."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import oo_sim
from oo_sim.cli import main
from oo_sim.logs import FATES, RunLog, open_log
from oo_sim.results.coefficients import learned
from oo_sim.results.series import exploration_lines
from oo_sim.serving.export import export_log

from .conftest import serving, task

USERS, ROUNDS, SERVED = 12, 7, ("egreedy", "thompson")
REACTIONS = {"done": 1.0, "snooze": 0.0, "dismiss": -1.0}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A state directory, and what each rewarded decision earned."""
    home, chance, earned = tmp_path_factory.mktemp("served"), random.Random(11), {}
    with serving(home / "state", policies=("egreedy:epsilon=0.3", "thompson:samples=4"), seed=3) as client:
        for _ in range(ROUNDS):
            for user in range(USERS):
                policy = SERVED[user % 2]
                offered = [task(f"t{k}", priority=1 + k % 4) for k in range(chance.randrange(1, 5))]
                body = {"user_id": f"u{user}", "candidates": offered, "context": {"hour_of_day": 9, "day_of_week": 1}}
                reply = client.post(f"/score/{policy}", body)
                if chance.random() < 0.7:
                    reaction = chance.choice(list(REACTIONS))
                    client.post("/react", {"decision_id": reply["decision_id"], "reaction": reaction})
                    earned[reply["decision_id"]] = REACTIONS[reaction]
    return home / "state", earned


def exported(told: tuple[Path, dict[str, float]], to: Path, window: float | None = 3600.0) -> Path:
    export_log(told[0], to, window=window)
    return to


def test_the_manifest_says_what_was_exported(told: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    manifest = open_log(exported(told, tmp_path / "log")).manifest
    assert manifest.format == 2
    assert manifest.served
    assert (manifest.users, manifest.rounds, manifest.window) == (USERS, ROUNDS, 3600.0)
    assert manifest.rows == {"decisions": USERS * ROUNDS, "learnings": len(told[1])}
    assert manifest.exported_at is not None
    assert manifest.own_trajectory
    export_log(told[0], tmp_path / "other", own_trajectory=False)
    assert not open_log(tmp_path / "other").manifest.own_trajectory


def test_every_decision_has_its_reward_or_waits(told: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    for window, rest in ((3600.0, "pending"), (1e-6, None), (None, "unknown")):
        log, found = open_log(exported(told, tmp_path / f"log-{window}", window)), {}
        for policy in log.policies:
            for part in log.parts(policy.label, rows=10):
                for i, key in enumerate(part.decision_id.to_pylist()):
                    found[key] = (FATES[part.fate[i]], part.reward[i])
        assert len(found) == USERS * ROUNDS
        if rest is None:  # a window that no answer can be within
            assert set(found.values()) == {("expired", 0.0)}
        else:
            assert found == {k: ("rewarded", told[1][k]) if k in told[1] else (rest, 0.0) for k in found}


def test_what_was_explored_is_known_and_what_could_be_expected_is_not(
    told: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    run = oo_sim.load_run(exported(told, tmp_path / "log"))
    logged = run.decisions(["decision_id", "explored", "x", "chosen"]).set_index("decision_id")
    for policy, known in (("egreedy", True), ("thompson", False)):
        for part in open_log(tmp_path / "log").parts(policy, rows=10, x=True):
            rows = logged.loc[part.decision_id.to_pylist()]
            assert np.isnan(part.expected).all()
            assert (part.explored == rows["explored"].to_numpy(float)).all() if known else np.isnan(part.explored).all()
            assert part.x.tolist() == [list(x[k]) for x, k in zip(rows["x"], rows["chosen"], strict=True)]
    [line] = exploration_lines(run)
    assert line.label == "egreedy"
    assert learned(run)[0] == []  # there is no truth to compare with


def test_load_run_counts_what_was_reported(told: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    run = oo_sim.load_run(exported(told, tmp_path / "log"))
    assert {row.policy for row in run.rows} == set(SERVED)
    assert run.curves["reward"].sum() == sum(told[1].values())
    assert run.curves["done"].sum() == sum(value == 1.0 for value in told[1].values())
    for row in run.rows:
        assert row.rewarded + row.pending == row.decisions == ROUNDS * USERS / 2
        mine = [value for key, value in told[1].items() if key.startswith(row.policy + "/")]
        assert row.rewarded == len(mine)
        assert row.reward.estimate == pytest.approx(sum(mine) / row.decisions)
        assert np.isnan([row.expected_reward.estimate, row.regret_per_user.estimate]).all()
    assert len(run.decisions()) == USERS * ROUNDS


def test_probabilities_say_their_kind(told: tuple[Path, dict[str, float]], tmp_path: Path) -> None:
    log = RunLog(exported(told, tmp_path / "log"))
    rows = log.decisions().table(["policy", "probs_kind", "probs_samples"]).to_pylist()
    assert {tuple(row.values()) for row in rows} == {
        ("egreedy", "exact", None),
        ("thompson", "estimated", 4),
    }
    assert set(log.learnings().table(["tip_id"])["tip_id"].to_pylist()) <= {f"t{k}" for k in range(5)}


def test_every_command_that_reads_runs_reads_it(
    told: tuple[Path, dict[str, float]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command `report` used to answer: "`scenario` must be an object, not None"."""
    path = str(exported(told, tmp_path / "log"))
    for command in (["show", path], ["report", path, "-o", str(tmp_path / "r.html")], ["audit", path]):
        monkeypatch.setattr("sys.argv", ["oo-sim", *command])
        with pytest.raises(SystemExit) as left:
            main()
        answer = capsys.readouterr()
        assert (left.value.code or 0, answer.err) == (0, ""), command
        if command[0] == "show":
            assert "realised reward is what was reported" in " ".join(answer.out.split())
            assert "nan" not in answer.out
    page = (tmp_path / "r.html").read_text()
    assert "oo-sim evaluate" in page
    assert "nan" not in page.replace("financ", "").split("</style>")[1].partition("data:image")[0]
    assert oo_sim.load_run(path).figure() is not None
    assert "Realised" in str([a.get_title(loc="left") for a in oo_sim.load_run(path).figure().axes])
