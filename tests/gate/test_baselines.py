"""Baselines: the same bytes whenever a policy does the same, small, and refused when damaged."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import oo_sim.work
from oo_sim.contract import F64, Batch, Learning, Policy, State
from oo_sim.errors import WorkError
from oo_sim.gate import GateError, Verdict, check, github_annotations, junit, measure, record
from oo_sim.gate.baseline import UNIT, read
from oo_sim.policies import make
from oo_sim.work import Played, Unit


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON file of a small baseline."""
    directory = tmp_path_factory.mktemp("recorded")
    (path,) = record(
        "quickstart", policies=["linucb"], users=80, rounds=20, margin=0.01, directory=directory, weak=True
    )
    return path


def test_recording_again_writes_the_same_bytes(recorded: Path, tmp_path: Path) -> None:
    (again,) = record(
        "quickstart", policies=["linucb"], users=80, rounds=20, margin=0.01, directory=tmp_path, weak=True, workers=1
    )
    assert again.name == recorded.name == "quickstart.linucb.json"
    for suffix in (".json", ".parquet"):
        assert again.with_suffix(suffix).read_bytes() == recorded.with_suffix(suffix).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("quickstart.linucb.json", "quickstart.linucb.log.parquet", "quickstart.linucb.parquet")
    ]


def test_recording_goes_on_where_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a work directory the same bytes come, and what is kept there is not played again."""
    settings: dict[str, Any] = {"policies": ["egreedy"], "users": 1000, "rounds": 8, "margin": 0.1, "weak": True}
    plain, done = tmp_path / "plain", 0

    def play(unit: Unit, *arguments: Any) -> Played:
        nonlocal done
        done += unit.users if unit.first >= measure.LANES else 0
        if done > stop:
            raise KeyboardInterrupt
        return oo_sim.work.play(unit, *arguments)

    record("quickstart", directory=plain, workers=1, **settings)
    monkeypatch.setattr(measure, "play", play)
    for stop in (200, 2000, 0):  # of 2 x 168 users that are in no sample
        done = 0
        with suppress(KeyboardInterrupt):
            record("quickstart", directory=tmp_path / str(stop), threads=1, resume=tmp_path / "work", **settings)
        assert done == {200: 336, 2000: 168, 0: 0}[stop]
    for stop in (2000, 0):
        for path in plain.rglob("*.*"):
            assert (tmp_path / str(stop) / path.relative_to(plain)).read_bytes() == path.read_bytes()
    with pytest.raises(WorkError, match="was made with its scenario's rounds = 8, and this run has 9"):
        record("quickstart", directory=tmp_path / "x", resume=tmp_path / "work", **(settings | {"rounds": 9}))


def test_a_baseline_is_small_and_reads_back(recorded: Path) -> None:
    baseline = read(recorded)
    assert baseline.users == 80
    assert baseline.facts.looks == (64, 80)
    assert baseline.facts.marks == (10, 20)
    assert np.array_equal(baseline.anchor, baseline.totals[-1])
    assert baseline.steps(baseline.totals[:, :64]).shape == (2, 64)
    one_more = baseline.totals + round(1 / UNIT)
    assert np.allclose(baseline.steps(one_more), [[1 / 10], [1 / 20]], atol=1e-12)
    assert recorded.stat().st_size < 6000
    assert recorded.with_suffix(".parquet").stat().st_size < 4000


def test_how_many_users_are_stored_follows_from_the_power(tmp_path: Path) -> None:
    counts = []
    for power in (0.9, 0.999):
        (path,) = record(
            "quickstart",
            policies=["random"],
            rounds=10,
            margin=0.05,
            power=power,
            directory=tmp_path / str(power),
            weak=True,
        )
        baseline = read(path)
        assert baseline.facts.power == pytest.approx(power, abs=0.01)
        counts.append(baseline.users)
    assert 64 < counts[0] < counts[1]


def test_a_scenario_without_anything_to_earn_wants_a_margin(tmp_path: Path) -> None:
    """Where the oracle is no better than random choice, no margin follows."""
    flat = tmp_path / "flat.yaml"
    flat.write_text(
        "version: 1\nname: flat\nusers: 10\nrounds: 5\npolicies: [random]\nworld:\n  kind: tips\n  tasks: {count: 3}\n"
        "  segments: [{name: all, preferences: {intercept: 0.5}}]\n"
    )
    with pytest.raises(GateError, match=r"flat: the oracle earns 0\.0000 more than random choice"):
        record(flat, users=64, directory=tmp_path, weak=True)
    record(flat, users=64, margin=0.01, directory=tmp_path, weak=True)
    assert check(flat, directory=tmp_path).exit_code == 0


DAMAGES: dict[str, Callable[[Path], object]] = {
    "is not a baseline": lambda path: path.write_text("{"),
    "looks": lambda path: change(path, looks=[5, "many"]),
    "says": lambda path: change(path, looks=[64, 81]),
    "Extra inputs": lambda path: change(path, more=1),
    "format": lambda path: change(path, format=2),
    "holds columns": lambda path: change(path, marks=[5, 20]),
    "record it again": lambda path: path.with_suffix(".parquet").write_bytes(b"PAR1"),
    "is missing, and belongs to": lambda path: path.with_suffix(".parquet").unlink(),
}


def change(path: Path, **facts: object) -> None:
    """Change some facts of a baseline."""
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


@pytest.mark.parametrize("words", DAMAGES)
def test_a_damaged_baseline_is_refused_by_name(words: str, recorded: Path, tmp_path: Path) -> None:
    for suffix in (".json", ".parquet"):
        (tmp_path / recorded.name).with_suffix(suffix).write_bytes(recorded.with_suffix(suffix).read_bytes())
    DAMAGES[words](tmp_path / recorded.name)
    with pytest.raises(GateError, match=words) as refused:
        check("quickstart", directory=tmp_path)
    assert str(tmp_path / "quickstart.linucb") in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"users": 63}, "at least 64"),
        ({"power": 1.0}, "between 0.5 and 1"),
        ({"power": 0.1}, "between 0.5 and 1"),
        ({"margin": 0.0}, "above 0"),
        ({"margin": float("nan")}, "above 0"),
    ],
)
def test_wrong_wishes_are_refused_before_any_work(wrong: dict[str, float], words: str, tmp_path: Path) -> None:
    with pytest.raises(GateError, match=words):
        record("quickstart", directory=tmp_path, weak=True, **wrong)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_what_has_no_baseline_is_named(recorded: Path, tmp_path: Path) -> None:
    with pytest.raises(GateError, match="linear: there is no baseline"):
        check("linear", directory=recorded.parent)
    with pytest.raises(GateError, match="egreedy: there is no baseline"):
        check("quickstart", policies=["egreedy"], directory=recorded.parent)
    with pytest.raises(GateError, match="there is no baseline"):
        check(directory=tmp_path)


def test_other_environments_are_not_comparable_and_audited_all_the_same(recorded: Path) -> None:
    from oo_sim.scenario import load  # noqa: PLC0415

    other = load("quickstart").with_(seed=5)
    (case,) = check(other, directory=recorded.parent).cases
    assert case.verdict is Verdict.NOT_COMPARABLE
    assert case.exit_code == 4
    assert "seed was 1 and is 5" in case.text
    assert [(layer.name, layer.status.value) for layer in case.layers] == [
        ("environment", "failed"),
        ("first difference", "skipped"),
        ("audit", "passed"),
        ("statistics", "skipped"),
    ]
    wrong = make("linucb")._replace(probs=make("random").probs, explores=True)
    (case,) = check(other, policies=[wrong], directory=recorded.parent).cases
    assert case.verdict is Verdict.VIOLATION
    assert case.exit_code == 5


def test_a_policy_that_raises_fails(recorded: Path) -> None:
    def score(*_: object) -> None:
        raise ZeroDivisionError("not today")

    broken: Policy = make("linucb")._replace(score=score)  # type: ignore[arg-type]
    (case,) = check("quickstart", policies=[broken], directory=recorded.parent).cases
    assert (case.verdict, case.exit_code) == (Verdict.FAILED, 1)
    assert "round 1: raised ZeroDivisionError: not today (test_baselines.py, line" in case.text


def test_a_wrong_policy_that_raises_later_is_a_violation(tmp_path: Path) -> None:
    """The audit has seen the first users by then, and what it saw stands. The margin is too small for 64 users."""
    record("quickstart", policies=["linucb"], users=80, rounds=20, margin=1e-5, directory=tmp_path, weak=True)
    sound, calls = make("linucb", {"alpha": 1.05}), 0

    def score(state: State, batch: Batch, noise: F64) -> F64:
        nonlocal calls
        calls += 1
        if calls > 20:
            raise ZeroDivisionError("not today")
        return sound.score(state, batch, noise)

    wrong = make("linucb")._replace(score=score)
    (case,) = check("quickstart", policies=[wrong], directory=tmp_path, workers=1, unchecked=True).cases
    assert (case.verdict, case.exit_code) == (Verdict.VIOLATION, 5)
    assert [layer.name for layer in case.layers] == ["environment", "hashes", "first difference", "audit", "run"]
    assert "audit: linucb: user user-0" in case.text
    assert "round 1: raised ZeroDivisionError: not today (test_baselines.py, line" in case.text


def test_names_of_files_are_never_shared(tmp_path: Path) -> None:
    specs = ["linucb:alpha=0.5", "linucb:alpha=0.5,features=oo7", "linucb:alpha=0.55"]
    paths = record("quickstart", policies=specs, users=64, rounds=5, margin=0.1, directory=tmp_path, weak=True)
    assert len(set(paths)) == 3
    assert [read(path).facts.policy for path in paths] == specs
    assert check(directory=tmp_path).exit_code == 0


def test_other_versions_explain_a_change_and_are_none(recorded: Path, tmp_path: Path) -> None:
    """A baseline that was recorded on another Python or NumPy is as good; where something did change, they are told."""
    for suffix in (".json", ".parquet"):
        (tmp_path / recorded.name).with_suffix(suffix).write_bytes(recorded.with_suffix(suffix).read_bytes())
    change(tmp_path / recorded.name, versions={"numpy": "1.0", "python": "3.99.0"})
    assert [case.verdict for case in check("quickstart", directory=tmp_path).cases] == [Verdict.IDENTICAL]
    other = make("linucb", {"alpha": 1.5})._replace(name="linucb")
    (case,) = check("quickstart", policies=[other], directory=tmp_path).cases
    told = [layer.text for layer in case.layers if "recorded with numpy 1.0 (here 2" in layer.text]
    assert len(told) == 1
    assert "python 3.99.0 (here 3." in told[0]


def test_other_checkpoints_are_not_comparable(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Curves kept at other rounds than a version of this package would keep cannot be set against each other."""
    monkeypatch.setattr("oo_sim.gate.measure.checkpoints", lambda rounds: [rounds])
    (case,) = check("quickstart", directory=recorded.parent).cases
    assert (case.verdict, case.exit_code) == (Verdict.NOT_COMPARABLE, 4)
    assert "other checkpoints; record it again" in case.text
    assert [layer.name for layer in case.layers] == ["environment", "first difference", "audit", "statistics"]


def test_a_baseline_that_tells_too_little_is_refused(tmp_path: Path) -> None:
    """The message says how many users would do, and which margin; with --weak it is recorded all the same."""
    few = {"policies": ["linucb"], "users": 64, "rounds": 20, "margin": 0.01, "directory": tmp_path}
    with pytest.raises(GateError, match=r"64 users, a loss of 0\.01000 .* with power 0\.\d+ only") as refused:
        record("quickstart", **few)  # type: ignore[arg-type]
    wanted, margin = re.findall(r"([\d,]+) users give 0\.8, or --margin (0\.\d+)", str(refused.value))[0]
    assert not list(tmp_path.iterdir())
    record("quickstart", **few | {"margin": float(margin) * 1.01})  # type: ignore[arg-type]
    assert int(wanted.replace(",", "")) > 64
    with pytest.raises(GateError, match=r"linucb\.json: exists already"):
        record("quickstart", **few, weak=True)  # type: ignore[arg-type]
    (path,) = record("quickstart", **few, weak=True, force=True)  # type: ignore[arg-type]
    assert read(path).facts.margin == 0.01


def test_strict_fails_what_statistics_would_pass_and_says_what_changed_first(recorded: Path) -> None:
    """The parameter, with its old and new value; and the first decision: user, round, field, before and after."""
    other = make("linucb", {"alpha": 1.0 + 1e-9})
    (mild,) = check("quickstart", policies=[other], directory=recorded.parent).cases
    assert "alpha was 1.0 and is 1.000000001" in next(layer.text for layer in mild.layers if layer.name == "hashes")
    first = next(layer.text for layer in mild.layers if layer.name == "first difference")
    assert re.match(r"user-\d+, decision 1 \(t=0\): score 1\.\d+ before, 1\.\d+ now$", first), first
    shifted = make("linucb")._replace(score=_nudged(make("linucb")))
    for strict, verdict in ((False, Verdict.EQUIVALENT), (True, Verdict.CHANGED)):
        report = check("quickstart", policies=[shifted], directory=recorded.parent, strict=strict)
        (case,) = report.cases
        assert (case.verdict, case.exit_code) == (verdict, int(strict))
        failures = [each for each in ET.fromstring(junit(report)).iter("testcase") if each.find("failure") is not None]
        assert [each.get("name") for each in failures] == (["hashes", "first difference"] if strict else [])
        annotations = github_annotations(report)
        assert len(annotations) == int(strict)
        for text in (case.change, *annotations):
            assert re.search(
                r"first difference: user-\d+, decision \d+ \(t=\d+\): score [\d.]+ before, [\d.]+ now", text
            )
            assert "equivalent" not in text


def _nudged(policy: Policy) -> Callable[[State, Batch, F64], F64]:
    """Scores that differ in the last bits alone."""
    return lambda state, batch, noise: policy.score(state, batch, noise) * (1.0 + 1e-13)


def test_a_late_fault_is_seen_by_the_audit(tmp_path: Path) -> None:
    """A theta that is not refreshed after decision 250: the whole horizon of some users is derived again."""
    sound = make("linucb")
    record("quickstart", policies=["linucb"], users=64, rounds=300, margin=0.05, directory=tmp_path, weak=True)

    def update(state: State, learning: Learning, noise: F64) -> State:
        return sound.update(state, learning, noise) if learning.t_now[0] < 250 else state

    (case,) = check("quickstart", policies=[sound._replace(update=update)], directory=tmp_path).cases
    assert case.verdict is Verdict.VIOLATION
    assert re.search(r"decision 25\d \(t=25\d\): score", case.text), case.text


def test_a_gain_is_looked_at_as_long_as_a_loss() -> None:
    """What may be a gain of the margin is settled at the last look alone."""
    from oo_sim.gate.judge import Finding, judge  # noqa: PLC0415

    z = np.linspace(-1.0, 1.0, 100)
    z /= z.std(ddof=1)
    for mean, early in ((0.004, Finding.INCONCLUSIVE), (0.0, Finding.EQUIVALENT), (0.02, Finding.IMPROVED)):
        steps = (mean + 0.025 * z)[None]
        assert judge(steps, (10,), 0.01, last=False).finding is early
        assert judge(steps, (10,), 0.01).finding is (Finding.EQUIVALENT if mean < 0.01 else Finding.IMPROVED)


def test_a_private_policy_is_known_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "gated_here.py"
    source.write_text(
        "from oo_sim.policies import make\n\ndef mine():\n    return make('greedy')._replace(name='mine')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    few = {"users": 64, "rounds": 10, "margin": 0.05, "weak": True}
    (path,) = record("quickstart", policies=["gated_here:mine"], directory=tmp_path / "kept", **few)  # type: ignore[arg-type]
    assert len(read(path).facts.code) == 32
    source.write_text(source.read_text().replace("make('greedy')", "make('greedy', {'prior': 3.0})"))
    monkeypatch.delitem(sys.modules, "gated_here")
    (case,) = check("quickstart", directory=tmp_path / "kept").cases
    assert "the file that the policy is written in" in next(c.text for c in case.layers if c.name == "hashes")
