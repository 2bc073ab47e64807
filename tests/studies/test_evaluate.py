"""What another policy would have earned: weights of 1 on its own log, nothing from later, refusals that are right."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.contract import F64
from oo_sim.errors import EvaluationError
from oo_sim.logs import Part, RunLogError, open_log
from oo_sim.policies import POLICIES, make
from oo_sim.studies import Evaluation, evaluating
from oo_sim.studies.walk import Target, walk

KNOWN = [name for name in POLICIES if name not in ("oracle", "thompson", "logistic_ts")]
SAMPLED = ["thompson:samples=8", "logistic_ts:samples=8"]


def logged(to: Path, policies: list[str], scenario: str = "commuters", **sizes: Any) -> Path:
    sizes = {"users": 60, "rounds": 12} | sizes
    oo_sim.run(scenario, policies=policies, events=True, out=to, plot=False, **sizes)
    return to


def verdict(found: Evaluation, policy: str) -> tuple[str, str]:
    [row] = {(row.verdict, row.reason) for row in found.rows if row.policy == policy}
    return row


@pytest.mark.parametrize("scenario", ["commuters", "late_answers", "churn"])
def test_a_policy_on_its_own_log_has_weights_of_1(tmp_path: Path, scenario: str) -> None:
    """Passive on its own log: the same state, so the same probabilities, whatever the policy and however late rewards
    arrive."""
    policies = [*KNOWN, *SAMPLED]
    path = logged(tmp_path / "run", policies, scenario, users=40, rounds=15)
    log = open_log(path)
    for label in policies:
        target = Target(label, make(label.partition(":")[0], {"samples": 8} if ":" in label else {}))
        for part in log.parts(label, rows=200):
            pi = walk(target, part, log.manifest.seed)
            assert np.array_equal(pi, part.probs), label
    found = oo_sim.evaluate(path, ["egreedy"], "passive", logged="egreedy", estimators=["ips"], window=0)
    assert [row.value.estimate for row in found.rows] == pytest.approx([found.rows[0].value.estimate] * 2, rel=1e-12)
    assert np.abs(found.health[0].weights - 1).max() <= 1e-12


def edited(part: Part, cut: F64, seed: int) -> Part:
    """The part with other choices and rewards from each lane's cut on."""
    g = np.random.default_rng(seed)
    late = part.t >= cut[part.lane]
    sizes = part.candidates.mask.sum(axis=0)
    chosen = np.where(late, g.integers(0, sizes), part.chosen)
    learned = part.learned
    reward = np.where(learned.t_now >= cut[learned.lane], g.normal(size=len(learned.reward)), learned.reward)
    return part._replace(chosen=chosen, learned=learned._replace(reward=reward))


@pytest.mark.parametrize("scenario", ["commuters", "late_answers"])
@pytest.mark.parametrize("label", [*KNOWN, *SAMPLED])
def test_nothing_of_the_evaluated_half_reaches_a_frozen_state(tmp_path: Path, scenario: str, label: str) -> None:
    path = logged(tmp_path / "run", ["random"], scenario, users=12)
    log = open_log(path)
    [part] = log.parts("random")
    cut = np.full(len(part.lanes), 6)
    target = Target(label, make(label.partition(":")[0], {"samples": 8} if ":" in label else {}))
    before, after = (walk(target, each, 1, cut) for each in (part, edited(part, cut, 2)))
    later = part.t >= 6
    assert np.array_equal(before[:, later], after[:, later])
    assert np.isnan(before[:, ~later]).all()
    assert not np.isnan(before[:, later]).any()
    early = part._replace(learned=part.learned._replace(reward=part.learned.reward + 1.0))
    if label not in ("random", "egreedy:epsilon=1"):
        assert not np.array_equal(walk(target, early, 1, cut)[:, later], before[:, later])  # what came before does


@pytest.mark.e2e
def test_parts_of_any_size_give_the_same_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = logged(tmp_path / "run", ["egreedy:epsilon=0.5"], users=250)
    frames = []
    for rows in (1, 100, 1 << 14):
        monkeypatch.setattr("oo_sim.studies.evaluating._ROWS", rows)
        names = ["dr", "ips", "clipped-ips", "snips", "dm", "sndr", "switch-dr", "dros", "sg-ips", "sg-dr"]
        frames.append(oo_sim.evaluate(path, ["linucb", "softmax"], estimators=names).frame())
    for other in frames[1:]:
        numbers = frames[0].select_dtypes("number")
        np.testing.assert_allclose(other[numbers.columns], numbers, rtol=1e-9, atol=1e-12)
    assert set(frames[0]["verdict"]) <= {"answered", "weak"}


@pytest.mark.e2e
def test_the_truth_is_within_the_intervals(tmp_path: Path) -> None:
    """Of 40 intervals of a large log's groups, at least 33 hold the value found by drawing 20 times as many users: by a
    coverage of .95, fewer would be found once in 1,900 such tests; fixed seeds."""
    truth = oo_sim.evaluate(
        logged(tmp_path / "all", ["random"], users=4000, seed=77), ["softmax"], estimators=["ips"]
    ).rows[1]
    assert truth.verdict == "answered"
    held = 0
    for seed in range(40):
        path = logged(tmp_path / f"run-{seed}", ["random"], users=100, seed=seed)
        row = oo_sim.evaluate(path, ["softmax"], estimators=["ips"]).rows[1]
        held += not row.value.excludes(truth.value.estimate)
    assert held >= 33


def test_replay_is_the_deployed_value(tmp_path: Path) -> None:
    """On a uniform log: within 3.5 standard errors of the learner's own run over as many rounds; fixed seeds."""
    path = logged(tmp_path / "run", ["random"], "tiny_sets", users=1500, rounds=30, seed=5)
    for policy in ("linucb", "egreedy"):
        row = oo_sim.evaluate(path, [policy], "replay", decisions=5, assume_iid=True).rows[1]
        deployed = oo_sim.run("tiny_sets", policies=[policy], users=4000, rounds=5, seed=6).rows[0].reward
        error = math.hypot(row.value.width, deployed.width) / (2 * 1.96)
        assert abs(row.value.estimate - deployed.estimate) < 3.5 * error


def test_replay_refuses_where_offers_depend_on_what_was_served(tmp_path: Path) -> None:
    path = logged(tmp_path / "run", ["random"], "backlog", users=60)
    assert open_log(path).manifest.own_trajectory
    assert "--assume-iid" in verdict(oo_sim.evaluate(path, ["linucb"], "replay"), "linucb")[1]
    frozen = oo_sim.evaluate(path, ["softmax"])
    assert any("situations that the logging policy met" in note for note in frozen.notes)


@pytest.mark.parametrize(
    ("policies", "target", "why"),
    [
        (["greedy"], "softmax", "could never have been logged"),
        (["linucb"], "softmax", "could never have been logged"),
        (["thompson"], "softmax", "not known (null"),
    ],
)
def test_logs_that_cannot_answer_are_refused(tmp_path: Path, policies: list[str], target: str, why: str) -> None:
    for seed in range(5):
        path = logged(tmp_path / f"run-{seed}", policies, seed=seed)
        found = oo_sim.evaluate(path, [target])
        assert verdict(found, target)[0] == "refused"
        assert why in verdict(found, target)[1]
        assert not found.answered


def rewritten(path: Path, to: Path, edit: Any) -> Path:
    """The log with each decision edited."""
    import shutil  # noqa: PLC0415

    shutil.copytree(path, to)
    table = pq.read_table(to / "decisions.parquet")
    rows = table.to_pylist()
    for row in rows:
        edit(row)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), to / "decisions.parquet")
    return to


def test_a_decision_id_that_two_users_share_is_named_also_where_they_are_read_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "_ROWS", 100)
    path = logged(tmp_path / "run", ["random"], users=60, rounds=20)
    ids = {row["user_id"]: row["decision_id"] for row in pq.read_table(path / "decisions.parquet").to_pylist()}

    def shared(row: dict[str, Any]) -> None:
        if row["user_id"] == "user-50" and row["t"] == 3:
            row["decision_id"] = ids["user-1"]

    with pytest.raises(RunLogError, match=f"column decision_id: is '{ids['user-1']}', which another row has too"):
        oo_sim.evaluate(rewritten(path, tmp_path / "bad", shared), ["softmax"])


def doctored(row: dict[str, Any]) -> None:
    """Epsilon .2 written as .1."""
    K = len(row["probs"])
    probs = np.array(row["probs"])
    best = probs.argmax()
    probs = np.full(K, 0.1 / K)
    probs[best] += 0.9
    row["probs"], row["propensity"] = probs.tolist(), probs[row["chosen"]]


def without_tips(row: dict[str, Any]) -> None:
    """Probabilities of LLM tips zeroed, unless one was chosen, and the others scaled up."""
    probs = np.array(row["probs"])
    llm = np.array([c["source"] == "llm" for c in row["candidates"]])
    if not llm[row["chosen"]] and (~llm).any():
        probs = np.where(llm, 0.0, probs) / probs[~llm].sum()
        row["probs"], row["propensity"] = probs.tolist(), probs[row["chosen"]]


def test_doctored_propensities_are_noticed(tmp_path: Path) -> None:
    for seed in range(4):
        path = logged(tmp_path / f"run-{seed}", ["egreedy:epsilon=0.2"], users=100, rounds=20, seed=seed)
        found = oo_sim.evaluate(rewritten(path, tmp_path / f"bad-{seed}", doctored), ["softmax"], "passive")
        assert verdict(found, "softmax")[0] == "refused"
        assert "not those that were drawn with" in verdict(found, "softmax")[1]


def test_probabilities_zeroed_for_tips_alone_are_refused(tmp_path: Path) -> None:
    path = logged(tmp_path / "run", ["egreedy:epsilon=0.2"], users=100, rounds=20)
    found = oo_sim.evaluate(rewritten(path, tmp_path / "bad", without_tips), ["softmax"], "passive")
    assert verdict(found, "softmax")[0] == "refused"


def test_few_users_are_refused_and_few_effective_ones_weak(tmp_path: Path) -> None:
    found = oo_sim.evaluate(logged(tmp_path / "few", ["random"], users=29), ["softmax"])
    assert "29 users; at least 30 are required" in verdict(found, "softmax")[1]
    weak = oo_sim.evaluate(
        logged(tmp_path / "weak", ["random"], users=90), ["greedy"], estimators=["ips", "snips", "dr"]
    )
    health = weak.health[0].diagnostics
    assert 20 < health.effective_users < 50
    assert verdict(weak, "greedy")[0] == "weak"
    assert [row.estimator for row in weak.rows] == ["mean", "ips", "dr"]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"as_": "live"}, "there is no question 'live'; there are frozen, passive, replay"),
        ({"train_until": 1.0}, "a share between 0 and 1"),
        ({"policies": []}, "policies must be a list"),
        ({"policies": ["linucb", "linucb"]}, "listed twice"),
        ({"policies": ["oracle"]}, "policy oracle: it chooses by true expected rewards, which logs do not hold"),
        ({"estimators": ["magic"]}, "there is no estimator 'magic'; there are ips"),
        ({"logged": "softmax"}, "no policy 'softmax' logged; there are random, egreedy"),
        ({"logged": None}, "several policies logged: random, egreedy; name one: --logged LABEL, in Python"),
        ({"as_": "replay", "decisions": 0}, "at least 1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(tmp_path: Path, how: dict[str, Any], why: str) -> None:
    path = logged(tmp_path / "run", ["random", "egreedy"], users=5, rounds=3)
    asked = {"policies": ["linucb"], "logged": "random"} | how
    with pytest.raises((EvaluationError, ValueError), match=why.replace("(", r"\(")):
        oo_sim.evaluate(path, **asked)


def test_the_numbers_are_there_in_every_form(tmp_path: Path) -> None:
    path = logged(tmp_path / "run", ["egreedy:epsilon=0.4"], users=90, rounds=12)
    found = oo_sim.evaluate(path, ["softmax"], anytime=True)
    frame, data = found.frame(), found.as_dict()
    assert list(frame["estimator"]) == ["mean", "dr", "ips", "snips", "dm", "ips, anytime"]
    assert [row["estimate"] for row in data["rows"]] == pytest.approx(list(frame["estimate"]))
    assert data["rows"][4]["estimate_lower"] is None
    wide, t = frame.iloc[5], frame.iloc[2]
    assert wide["estimate_lower"] < t["estimate_lower"] < t["estimate_upper"] < wide["estimate_upper"]
    for name in ("found.csv", "found.tex", "found.md", "found.json"):
        assert found.save(tmp_path / name).stat().st_size > 200
    assert "Question (frozen)" in str(found.table())


def test_several_logs_are_taken_together_user_by_user(tmp_path: Path) -> None:
    """Of the same policy and of another one, each with its own probabilities; a user in two of them is named."""
    paths = [
        logged(tmp_path / f"{seed}", [policy], seed=seed, users=40)
        for seed, policy in enumerate(["random", "random", "egreedy:epsilon=0.5"])
    ]
    alone = [oo_sim.evaluate(path, ["softmax"], estimators=["ips"]).rows[1].value.estimate for path in paths]
    for some in ([0, 1], [0, 1, 2]):
        found = oo_sim.evaluate([paths[i] for i in some], ["softmax"], estimators=["ips"])
        assert found.rows[1].value.estimate == pytest.approx(np.mean([alone[i] for i in some]), rel=1e-12)
        assert found.part.users == 40 * len(some)
    assert found.logged == "random, egreedy:epsilon=0.5"
    again = logged(tmp_path / "again", ["egreedy"], seed=1, users=5)
    with pytest.raises(EvaluationError, match=r"user user-0+ is in .*1 and in .*again: a user counts once"):
        oo_sim.evaluate([paths[1], again], ["softmax"])
    table = tmp_path / "t.csv"
    table.write_text("user,order,action,probability,reward\n" + "".join(f"u{i},1,a,1,1\n" for i in range(40)))
    with pytest.raises(EvaluationError, match="do not have the same features"):
        oo_sim.evaluate([paths[1], table], ["softmax"])
