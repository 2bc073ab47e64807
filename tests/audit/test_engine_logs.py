"""What the engine logs passes the audit: two codes, written apart, agree on every decision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.audit import UnusableLogError, audit, audit_directory, open_log
from oo_sim.policies import with_model

POLICIES = ["linucb", "egreedy:decay=0.05", "greedy", "softmax", "thompson:samples=5", "random", "oracle"]


@pytest.mark.parametrize("scenario", ["quickstart", "linear", "exact_ties", "tiny_sets"])
def test_engine_logs_are_clean(scenario: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    oo_sim.run(scenario, policies=POLICIES, users=20, rounds=20, events=True, out=out, plot=False)
    report = audit_directory(out)
    assert report.clean, report
    assert [policy.decisions for policy in report.policies] == [400] * len(POLICIES)
    judged = {policy.label: set(policy.checks) for policy in report.policies}
    assert {"score", "argmax", "tie", "draw"} <= judged["linucb"]
    assert {"score", "probs", "explored", "draw"} <= judged["egreedy:decay=0.05"]


def test_how_many_threads_judge_a_world_changes_nothing(tmp_path: Path) -> None:
    """A right log, and one under another seed, in which all that was drawn is wrong; each user is a shard."""
    out = tmp_path / "run"
    oo_sim.run("quickstart", policies=["linucb"], users=3, rounds=6, events=True, out=out, plot=False)
    log = open_log(out)
    for seed in (log.manifest["seed"], 5):
        manifest = {**log.manifest, "seed": seed}
        one, two = (audit(log.decisions, log.learnings, manifest, numbers=1, full=True, workers=n) for n in (1, 2))
        assert one == two
        assert one.clean == (seed != 5)
        assert one.world.startswith("3 of 3 users")


@pytest.mark.parametrize("scenario", ["tiny_sets", "linear"])
def test_a_log_all_of_whose_decisions_are_refused_has_a_report(scenario: str, tmp_path: Path) -> None:
    """What was learned then belongs to no decision, and nothing is wrong with the scenario."""
    out = tmp_path / "run"
    oo_sim.run(scenario, policies=["linucb"], users=3, rounds=4, events=True, out=out, plot=False)
    path = out / "decisions.parquet"
    table = pq.read_table(path)
    place, field = table.schema.get_field_index("t"), table.schema.field("t").with_nullable(True)
    pq.write_table(table.set_column(place, field, pa.nulls(len(table), field.type)), path)
    report = audit_directory(out)
    assert [(each.table, each.reason, each.count) for each in report.refused] == [("decisions", "t is null", 12)]
    assert not report.clean


@pytest.mark.parametrize("wrong", [False, True])
def test_texts_that_no_dictionary_holds_are_read_as_they_are(
    wrong: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrow refuses nested texts of a size that no test can write: here it refuses each first try."""
    out = tmp_path / "run"
    oo_sim.run("quickstart", policies=["egreedy"], users=6, rounds=20, events=True, out=out, plot=False)
    if wrong:
        table = pq.read_table(out / "decisions.parquet")
        score = pa.array([1.0, *table["score"].to_pylist()[1:]])
        changed = table.set_column(table.schema.get_field_index("score"), table.schema.field("score"), score)
        pq.write_table(changed, out / "decisions.parquet")
    expected, refused = audit_directory(out), list[str]()
    assert expected.clean != wrong

    class Refusing(pq.ParquetFile):  # type: ignore[misc]
        def __init__(self, *given: Any, read_dictionary: list[str] | None = None, **named: Any) -> None:
            self.few = read_dictionary
            super().__init__(*given, read_dictionary=read_dictionary, **named)

        def read_row_group(self, group: int, **given: Any) -> pa.Table:
            if self.few:
                refused.extend(self.few)
                raise pa.ArrowNotImplementedError("Nested data conversions not implemented for chunked array outputs")
            return super().read_row_group(group, **given)

    monkeypatch.setattr(pq, "ParquetFile", Refusing)
    assert audit_directory(out).policies == expected.policies
    assert refused


@pytest.mark.parametrize("schedule", ["sqrt", "cbrt", "exponential"])
def test_every_schedule_of_exploration_is_known(schedule: str, tmp_path: Path) -> None:
    """What the engine logs is clean; the same log under another schedule's name is not, from the second decision on."""
    out = tmp_path / "run"
    spec = f"egreedy:decay=0.05,epsilon=0.3,schedule={schedule}"
    oo_sim.run("quickstart", policies=[spec], users=10, rounds=30, events=True, out=out, plot=False)
    (found,) = audit_directory(out).policies
    assert found.wrong == 0, found
    assert not found.notes
    assert {"score", "probs", "explored", "draw"} <= set(found.checks)
    manifest = json.loads((out / "manifest.json").read_text())
    del manifest["policies"][0]["parameters"]["schedule"]
    (out / "manifest.json").write_text(json.dumps(manifest))
    (found,) = audit_directory(out).policies
    assert found.first is not None
    assert (found.first.check, found.first.t) == ("probs", 1)
    assert found.checks["probs"].wrong == 10 * 29


@pytest.mark.parametrize("schedule", ["linear", ["sqrt"], None])
def test_a_schedule_that_is_not_known_is_said(schedule: object, tmp_path: Path) -> None:
    out = tmp_path / "run"
    oo_sim.run("quickstart", policies=["egreedy"], users=3, rounds=5, events=True, out=out, plot=False)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["policies"][0]["parameters"]["schedule"] = schedule
    (out / "manifest.json").write_text(json.dumps(manifest))
    (found,) = audit_directory(out).policies
    assert "is not known here" in found.notes[0]
    assert "score" not in found.checks


def test_warm_starts_are_derived_again(tmp_path: Path, warm_file: Path) -> None:
    """Every score follows from the Gaussian that the manifest holds; another Gaussian, as valid, does not give them."""
    specs = [f"{name}:prior=2,warm={warm_file}" for name in with_model("ridge")]
    other = f"thompson:samples=4,warm={warm_file}"
    out = tmp_path / "run"
    oo_sim.run("quickstart", policies=[*specs, other], users=8, rounds=20, events=True, out=out, plot=False)
    report = audit_directory(out)
    assert report.clean, report
    assert all("score" in policy.checks for policy in report.policies)
    manifest = json.loads((out / "manifest.json").read_text())
    for policy in manifest["policies"]:
        policy["parameters"]["prior"] *= 1.5  # as sure again of the same theta, by half more
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert all(policy.wrong for policy in audit_directory(out).policies)


@pytest.mark.parametrize("text", ["gaussian:AAAA", "people.fit.json", 3, "gaussian:" + "A" * 400])
def test_a_warm_start_that_is_not_one_is_refused(text: object, tmp_path: Path) -> None:
    out = tmp_path / "run"
    oo_sim.run("quickstart", policies=["linucb"], users=3, rounds=5, events=True, out=out, plot=False)
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["policies"][0]["parameters"]["warm"] = text
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UnusableLogError, match="warm is not a Gaussian"):
        audit_directory(out)
