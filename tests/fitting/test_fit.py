"""`oo_sim.fit` and `oo-sim fit` on logs of runs: what is written, what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import oo_sim
from oo_sim.cli import main
from oo_sim.errors import FitError
from oo_sim.fitting import Fit
from oo_sim.fitting.log import gather, terms_of
from oo_sim.logs import open_log
from oo_sim.scenario.models import TipsWorld

TERMS = "is_overdue,task_age,priority,is_llm"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of two policies, with events."""
    out = tmp_path_factory.mktemp("runs") / "quickstart"
    oo_sim.run("quickstart", policies=["random", "egreedy"], users=60, rounds=40, events=True, out=out, plot=False)
    return out


@pytest.fixture(scope="module")
def found(kept: Path) -> Fit:
    """The fit of what `random` logged."""
    return oo_sim.fit(kept, logged="random", terms=TERMS, starts=2)


def test_the_log_is_read_as_it_was_written(kept: Path) -> None:
    """Against the Parquet tables, joined with pandas."""
    data = gather(open_log(kept), ["egreedy"], terms_of("oo7x"))
    decided = pd.read_parquet(kept / "decisions.parquet").query("policy == 'egreedy'")
    learned = pd.read_parquet(kept / "learnings.parquet").query("policy == 'egreedy'")
    joined = decided.merge(learned, left_on=["user_id", "t"], right_on=["user_id", "t_decided"], how="left")
    known = joined[joined["reaction"].notna()]
    names = ["dismiss", "not_helpful", "snooze", "helpful", "done"]
    assert data.answered == len(data.reactions.y) == len(known)
    assert data.reactions.users == 60
    assert np.array_equal(np.bincount(data.reactions.y), [int((known["reaction"] == name).sum()) for name in names])
    row = known.iloc[0]
    served = row["candidates"][row["chosen"]]
    x = dict(zip(data.reactions.terms, data.reactions.X[0], strict=True))
    assert x["priority"] == (served["priority"] - 1) / 3
    assert x["is_overdue"] == served["is_overdue"]
    assert x["hour_sin*is_llm"] == pytest.approx(
        np.sin(2 * np.pi * row["hour_x" if "hour_x" in row else "hour"] / 24) * x["is_llm"]
    )
    offered = [c for candidates in decided["candidates"] for c in candidates]
    tasks = [c for c in offered if c["source"] == "todoist"]
    assert data.offers.priority.tolist() == [sum(c["priority"] == k for c in tasks) for k in (1, 2, 3, 4)]
    assert data.offers.ageless == sum(c["task_age_days"] == 0.0 for c in tasks)
    assert data.offers.tasks.nonzero()[0].tolist() == [8]
    assert data.offers.tips.nonzero()[0].tolist() == [2]
    assert data.late == data.pending == 0


def test_the_scenario_is_valid_and_like_the_one_that_was_logged(found: Fit) -> None:
    fitted, true = found.scenario, oo_sim.load_scenario("quickstart")
    assert isinstance(fitted.world, TipsWorld)
    assert isinstance(true.world, TipsWorld)
    assert fitted.world.tasks.count == true.world.tasks.count
    assert fitted.world.tips.count == true.world.tips.count
    assert fitted.world.tips.features == "default"
    assert fitted.world.reactions.no_reaction == pytest.approx(0.1, abs=0.03)
    for name in ("hours", "weekdays"):
        a, b = (np.array(getattr(world.clock, name)) for world in (fitted.world, true.world))
        assert a / a.sum() == pytest.approx(b / b.sum(), abs=0.03)
    a, b = np.array(fitted.world.tasks.priority), np.array(true.world.tasks.priority)
    assert a / a.sum() == pytest.approx(b / b.sum(), abs=0.02)
    assert len(fitted.world.segments) == len(true.world.segments) == 2
    mean = fitted.world.segments[0].preferences["priority"].mean
    assert mean == pytest.approx(2.0 if mean > 0 else -1.2, abs=0.5)
    oo_sim.run(fitted, policies=["random"], users=5, rounds=5, plot=False)


def test_what_is_known_of_a_fit(found: Fit, tmp_path: Path) -> None:
    yaml = found.save(tmp_path / "mine.yaml")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["mine.fit.json", "mine.yaml"]
    assert oo_sim.load_scenario(yaml) == found.scenario
    said = json.loads((tmp_path / "mine.fit.json").read_text())
    assert said["log"]["hash"]
    assert (said["users"], said["decisions"], said["reactions"]) == (60, 2400, len(found.data.reactions.y))
    assert [len(one["log_likelihood_by_start"]) for one in said["tried"]] == [1, 2, 2, 2]
    held = said["held_out"]
    assert held["new_users"]["fit"] > held["new_users"]["constant"] + 0.05
    assert held["later_rounds"]["fit"] > held["later_rounds"]["constant"] + 0.05
    assert set(said["priors"]) == {"oo5", "oo7", "oo7x"}
    assert len(said["calibration"]["decile"]["rows"]) == 10
    assert list(found.coefficients["term"].unique()) == list(found.data.reactions.terms)
    assert (found.coefficients["mean_error"] > 0).all()


def test_a_fit_is_drawn_and_written_as_every_result_is(found: Fit, tmp_path: Path) -> None:
    for kind in found.kinds:
        assert found.save(tmp_path / f"{kind}.png", kind).stat().st_size > 5_000
    with pytest.raises(ValueError, match="there are coefficients, calibration, again"):
        found.figure("curves")
    assert found.frame().equals(found.coefficients)
    assert len(found.save(tmp_path / "mine.csv").read_text().splitlines()) == 1 + len(found.frame())
    said = str(found.table())
    assert "60 users, 2,400 decisions of random" in said
    assert "smallest BIC" in said
    assert "data:image/png" in found._repr_html_()


def test_a_prior_is_what_regressions_of_the_people_give(found: Fit) -> None:
    """The mean theta explains mean rewards: on average over people, predictions at all candidates agree with them."""
    prior = found.priors["oo7"]
    assert prior.theta.shape == (7,)
    assert np.linalg.eigvalsh(prior.covariance).min() > -1e-12
    assert 0.2 < prior.noise < 0.8
    assert prior.theta[4] == pytest.approx(0.1, abs=0.25)  # priority: people disagree, so the mean is small
    assert prior.covariance[4, 4] > 0.05  # and the covariance large


def called(
    *arguments: str | Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """The exit code of `oo-sim fit`, and what it printed."""
    monkeypatch.setattr(sys, "argv", ["oo-sim", "fit", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert isinstance(end.value.code, int)
    return end.value.code, "".join(capsys.readouterr())


def test_the_command(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "My People.yaml"
    wanted = (kept, "-o", out, "--logged", "random", "--terms", TERMS, "--segments", "2", "--starts", "1")
    code, said = called(*wanted, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 0, said
    assert "users never seen" in said
    assert "My People.fit.json" in said.replace("\n", "")
    assert oo_sim.load_scenario(out).name == "my-people"
    code, said = called(kept, "-o", out, monkeypatch=monkeypatch, capsys=capsys)
    assert code == 2
    assert "choose one with --logged LABEL, in Python logged='LABEL': random, egreedy" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"logged": "linucb"}, "holds no policy 'linucb'; there are random, egreedy"),
        ({"segments": "many"}, "segments must be auto, or a whole number from 1 to 16, not 'many'"),
        ({"starts": 101}, "starts must be a whole number from 1 to 100, not 101"),
        ({"terms": "oo5,mood"}, "terms: 'oo5' is not a term"),
    ],
)
def test_options_that_are_refused(kept: Path, changes: dict[str, str], said: str) -> None:
    with pytest.raises(FitError, match=said):
        oo_sim.fit(kept, **{"logged": "random", "terms": TERMS, **changes})  # type: ignore[arg-type]


def logged(tmp_path: Path, scenario: object, users: int, rounds: int) -> Path:
    oo_sim.run(scenario, policies=["random"], users=users, rounds=rounds, events=True, out=tmp_path / "log", plot=False)  # type: ignore[arg-type]
    return tmp_path / "log"


def test_too_few_users_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="29 users reacted; at least 30 are required"):
        oo_sim.fit(logged(tmp_path, "quickstart", 29, 10), terms=TERMS)


def test_rewards_that_are_not_reactions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="not reactions"):
        oo_sim.fit(logged(tmp_path, "linear", 30, 10))


def test_reactions_that_nobody_had_are_named(tmp_path: Path) -> None:
    world = oo_sim.load_scenario("quickstart").canonical()
    world["world"]["reactions"]["cut_points"] = [-60.0, -0.5, 0.5, 1.5]
    path = tmp_path / "kind.yaml"
    path.write_text(json.dumps(world))
    with pytest.raises(FitError, match="no reaction is dismiss, so the cut points beside it cannot be estimated"):
        oo_sim.fit(logged(tmp_path, path, 40, 30), terms=TERMS)


def test_short_logs_have_one_segment(tmp_path: Path) -> None:
    log = logged(tmp_path, "quickstart", 40, 12)
    with pytest.raises(FitError, match="give --segments 1"):
        oo_sim.fit(log, terms=TERMS, segments=2)
    found = oo_sim.fit(log, terms=TERMS)
    assert found.people.segments == 1
    assert any("too few to distinguish segments" in warning for warning in found.warnings)


def test_hours_that_do_not_vary_are_refused_by_name(tmp_path: Path) -> None:
    world = oo_sim.load_scenario("quickstart").canonical()
    world["world"]["clock"]["hours"] = {"9": 1.0}
    path = tmp_path / "nine.yaml"
    path.write_text(json.dumps(world))
    log = logged(tmp_path, path, 40, 20)
    with pytest.raises(FitError, match=r"cannot distinguish hour_sin, hour_cos, .* with --terms is_overdue,"):
        oo_sim.fit(log)
    assert oo_sim.fit(log, terms=TERMS, segments=1).people.segments == 1


def test_what_looks_like_drift_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    """With the default terms, of which those on LLM tips are left out, as there are none."""
    log = logged(tmp_path, "drift_abrupt", 60, 400)
    with pytest.raises(FitError, match=r"this looks like drift, which is not fitted; .*--anyway"):
        oo_sim.fit(log, segments=1)
    found = oo_sim.fit(log, segments=1, anyway=True)
    assert "no LLM tips were on offer" in found.warnings[0]
    assert "hour_sin*priority" in found.data.reactions.terms
    assert not any("is_llm" in term for term in found.data.reactions.terms)
    assert "this looks like drift" in found.warnings[-1]


def test_users_who_started_before_the_log_are_counted(kept: Path) -> None:
    data = gather(open_log(kept), ["random"], terms_of(TERMS))
    assert dataclasses.asdict(data.offers)["whole"] is True
    assert data.late == 0


def test_replicates_are_more_reactions_of_the_same_users(tmp_path: Path) -> None:
    out = tmp_path / "log"
    oo_sim.run("quickstart", policies=["random"], users=35, rounds=6, replicates=2, events=True, out=out, plot=False)
    data = gather(open_log(out), ["random"], terms_of(TERMS))
    assert data.reactions.users == 35
    assert data.decisions.tolist() == [12] * 35
    owner = data.reactions.owner
    assert (np.diff(data.decided_at)[np.diff(owner) == 0] >= 0).all()
    learned = pd.read_parquet(out / "learnings.parquet")
    assert len(data.reactions.y) == len(learned)
    for user in (0, 20):  # the reactions of both replicates are this user's own
        own = learned[learned["user_id"] == f"user-{user}"]["reaction"].value_counts()
        names = ["dismiss", "not_helpful", "snooze", "helpful", "done"]
        assert np.bincount(data.reactions.y[owner == user], minlength=5).tolist() == [own.get(n, 0) for n in names]


def test_policies_of_a_server_are_taken_together_unless_they_share_a_user(kept: Path, tmp_path: Path) -> None:
    """A log of two policies whose users are the same is one of a simulation; here each user is given to one of them."""
    log = open_log(kept)
    with pytest.raises(FitError, match="user user-0 met several policies; choose one, --logged LABEL or in Python"):
        gather(log, ["random", "egreedy"], terms_of(TERMS))
    with pytest.raises(FitError, match="for the same users with the same luck; choose one with --logged"):
        oo_sim.fit(kept, terms=TERMS)
    out = tmp_path / "apart"
    shutil.copytree(kept, out)
    for name in ("decisions", "learnings"):
        table = pq.read_table(out / f"{name}.parquet")
        even = np.array([int(user[-1]) % 2 == 0 for user in table["user_id"].to_pylist()])
        own = np.array(table["policy"].to_pylist()) == np.where(even, "random", "egreedy")
        pq.write_table(table.filter(pa.array(own)), out / f"{name}.parquet")
    data = gather(open_log(out), ["random", "egreedy"], terms_of(TERMS))
    assert data.reactions.users == 60
    assert set(data.decisions) == {40}
