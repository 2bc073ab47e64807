"""From a scenario to a tip bank and back into its runs: contexts, grounding, events, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from oo_sim import Run, Scenario, load_scenario, run
from oo_sim.audit import audit_directory
from oo_sim.contract import F64, Batch, Policy, Probs
from oo_sim.errors import GeneratorInputError, WorkError
from oo_sim.experiment import partial, status
from oo_sim.features import FEATURES
from oo_sim.generator import Options, TipGenerator, open_gateway
from oo_sim.generator.appeal.fitted import Sample, encode, fit_appeal, write_appeal
from oo_sim.generator.appeal.keywords import about, contradicts
from oo_sim.generator.appeal.logit import probabilities
from oo_sim.generator.bank import Record, generate_bank, read_bank, write_bank
from oo_sim.generator.gateway.asking import Asker
from oo_sim.generator.mock.meaning import taste
from oo_sim.results.summary import notes
from oo_sim.scenario import validate
from oo_sim.tipbanks import logged_samples, scenario_work, tip_banks

USERS, ROUNDS = 5, 12
SMALL = load_scenario("llm_tips").with_(users=USERS, rounds=ROUNDS)
POLICIES = ["linucb:features=oo7x", "egreedy"]


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two banks: of a small model without retries, and of a good one."""
    folder = tmp_path_factory.mktemp("banks")
    for name, profile, retries in (("small", "hostile", 0), ("good", "perfect", 2)):
        with TipGenerator(open_gateway(f"mock:{profile}"), None, Options(retries=retries)) as client:
            generate_bank(client, scenario_work(SMALL), 3, folder / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def logged(banks: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Both banks and none, with events."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return play(["none", banks / "small.parquet", banks / "good.parquet"], events=True, out=out)


def play(llm: Sequence[str | Path] | None, scenario: Scenario = SMALL, **settings: Any) -> Run:
    defaults: dict[str, Any] = {"policies": POLICIES, "threads": 1, "plot": False}
    return run(scenario, llm=llm, **(defaults | settings))


def records(path: Path) -> dict[tuple[str, int], Record]:
    """The records of a bank by user and round."""
    return {(one.user_id, at % ROUNDS): one for at, one in enumerate(read_bank(path).records)}


# Contexts.


def test_contexts_go_user_by_user_and_the_prompt_shows_what_is_offered() -> None:
    work = scenario_work(SMALL)
    assert [one.user_id for one in work] == [f"user-{u}" for u in range(USERS) for _ in range(ROUNDS)]
    world = SMALL.canonical()["world"]
    for one in work:
        tasks = one.context.tasks
        assert 3 <= len(tasks) <= 5
        assert {task.content for task in tasks} <= set(world["tasks"]["titles"])
        urgency = [(not task.is_overdue, -task.priority) for task in tasks]
        assert urgency == sorted(urgency)
        assert world["clock"]["hours"][one.context.hour_of_day] > 0


def test_fewer_contexts_are_the_first_of_all() -> None:
    whole = scenario_work(SMALL)
    assert scenario_work(SMALL, 17) == whole[:17]
    fewer_users = scenario_work(SMALL.with_(users=2))
    assert [one[:3] for one in fewer_users] == [one[:3] for one in whole[: 2 * ROUNDS]]
    assert scenario_work(SMALL.with_(seed=2)) != whole


# Banks.


@pytest.mark.parametrize("llm", [["none"], ["good.parquet"], ["none", "small.parquet", "good.parquet"]])
def test_more_rounds_with_banks_are_those_of_a_run_from_the_start(llm: list[str], banks: Path, tmp_path: Path) -> None:
    names = [name if name == "none" else banks / name for name in llm]
    work: dict[str, Any] = {"resume": tmp_path / "work", "checkpoint_states": True}
    few = play(names, SMALL.with_(rounds=5), **work)
    more = play(names, **work)
    assert not few.failures | more.failures
    assert more.manifest.content_hash == play(names).manifest.content_hash
    for look in (status, partial):
        with pytest.raises(WorkError, match=r"was made with tip banks \(--llm\), files that it does not hold"):
            look(tmp_path / "work")


def test_tips_are_grounded_in_the_tasks_of_their_own_round(banks: Path) -> None:
    """The row that a bank names is that of a task whose title the text names; failures have no tips."""
    (bank,) = tip_banks(SMALL, [banks / "small.parquet"])
    seen = set()
    for (user, t), record in records(banks / "small.parquet").items():
        u, context = int(user.removeprefix("user-")), record.parsed_context
        titles = {int(task.id): task.content for task in context.tasks}
        assert bank.usable[t, u] == (min(2, len(record.tips)) if record.status == 200 else 0)
        for j in range(bank.usable[t, u]):
            text = record.tips[j].content
            named = about(text, [task.content for task in context.tasks])
            row = int(bank.about[t, j, u])
            assert (row < 0) == (named is None)
            if named is not None:
                assert titles[sorted(titles)[row]] == context.tasks[named].content
            assert bank.contradicts[t, j, u] == contradicts(text, context.hour_of_day, list(titles.values()))
            seen.add((named is None, bool(bank.contradicts[t, j, u])))
    assert len(seen) == 4


def test_the_same_texts_are_worth_the_same_whoever_wrote_them(banks: Path, tmp_path: Path) -> None:
    """Another model, prompt and gateway, and no try kept: not one bit of the results moves."""
    made = read_bank(banks / "small.parquet")
    info = made.info._replace(prompt_version="other@1", gateway="elsewhere")
    disguised = [
        one._replace(prompt_version="other@1", llm_model="another", tries=one.tries[:1]) for one in made.records
    ]
    write_bank(tmp_path / "small.parquet", made._replace(info=info, records=tuple(disguised)))
    one, other = play([banks / "small.parquet"]), play([tmp_path / "small.parquet"])
    assert one.manifest.content_hash == other.manifest.content_hash
    assert (other.manifest.policies[0].bank or {})["models"] == ["another"]


def test_a_larger_bank_serves_a_smaller_run(banks: Path) -> None:
    """Users are independent of each other, so fewer of them see what they saw."""
    whole, part = play([banks / "good.parquet"]), play([banks / "good.parquet"], users=2)
    few = whole.users[whole.users["user_id"].isin(["user-0", "user-1"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, part.users.reset_index(drop=True), check_exact=True)


# Runs.


def test_one_run_holds_every_policy_with_every_bank(logged: Run, banks: Path) -> None:
    assert list(logged.frame()["policy"]) == [f"{p}+{b}" for b in ("none", "small", "good") for p in POLICIES]
    facts = {entry.label: entry.bank or {} for entry in logged.manifest.policies}["egreedy+small"]
    failed = sum(one.status != 200 for one in records(banks / "small.parquet").values())
    assert 0 < failed == facts["failed"] < facts["generations"] == USERS * ROUNDS
    assert facts["prompt_version"].startswith("tips@")
    assert validate(logged.manifest.scenario).policies == tuple(POLICIES)


@pytest.mark.parametrize("settings", [{}, {"threads": 3}, {"block": 64}, {"block": 1, "threads": 2}])
def test_same_banks_same_bits(banks: Path, logged: Run, settings: dict[str, Any]) -> None:
    again = play(["none", banks / "small.parquet", banks / "good.parquet"], **settings)
    assert again.manifest.content_hash == logged.manifest.content_hash


def test_blocks_of_users_share_one_bank(tmp_path: Path) -> None:
    """More users than a block holds: whatever the cut, the same bits."""
    scenario = SMALL.with_(users=130, rounds=2)
    with TipGenerator(open_gateway("mock:perfect")) as client:
        generate_bank(client, scenario_work(scenario), 2, tmp_path / "many.parquet")
    hashes = {
        play(
            [tmp_path / "many.parquet"], scenario, policies=["random"], threads=threads, block=block
        ).manifest.content_hash
        for threads, block in ((1, 1000), (3, 64))
    }
    assert len(hashes) == 1


def test_a_bank_alone_gives_what_it_gives_beside_others(banks: Path, logged: Run) -> None:
    alone = play([banks / "good.parquet"]).curves
    beside = logged.curves[logged.curves["policy"].str.endswith("+good")].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.reset_index(drop=True), beside, check_exact=True)


def test_events_say_who_wrote_the_tip_that_was_served(logged: Run, banks: Path) -> None:
    assert logged.path is not None
    rows = pq.read_table(logged.path / "decisions.parquet").to_pylist()
    by_bank = {name: records(banks / f"{name}.parquet") for name in ("small", "good")}
    served = {"none": 0, "small": 0, "good": 0}
    for row in rows:
        name = row["policy"].partition("+")[2]
        record = by_bank[name][row["user_id"], row["t"]] if name != "none" else None
        usable = min(2, len(record.tips)) if record else 0
        assert [c["source"] for c in row["candidates"]].count("llm") == usable
        assert 3 <= len(row["candidates"]) - usable <= 5
        who = (row["prompt_version"], row["llm_model"], row["tip_kind"])
        if row["candidates"][row["chosen"]]["source"] == "llm":
            assert record is not None
            assert who == (record.prompt_version, record.llm_model, "advice")
            served[name] += 1
        else:
            assert who == (None, None, "task")
        _check_tasks_of_tips(row, record)
    assert served["none"] == 0 < min(served["small"], served["good"])


def _check_tasks_of_tips(row: dict[str, Any], record: Record | None) -> None:
    """A tip's task is the one that its text names, and lends it its features."""
    own = {c["task_id"]: c for c in row["candidates"] if c["source"] == "todoist"}
    for j, tip in enumerate(c for c in row["candidates"] if c["source"] == "llm"):
        assert record is not None
        tasks = record.parsed_context.tasks
        named = about(record.tips[j].content, [task.content for task in tasks])
        assert tip["task_id"] == (None if named is None else f"task-{tasks[named].id}")
        if named is not None:
            for column in ("is_overdue", "task_age_days", "priority"):
                assert tip[column] == own[tip["task_id"]][column]


def test_the_audit_is_clean(logged: Run) -> None:
    assert logged.path is not None
    report = audit_directory(logged.path)
    assert report.clean, report
    assert [policy.decisions for policy in report.policies] == [USERS * ROUNDS] * 6
    assert all("features" in policy.checks for policy in report.policies)


def test_banks_meet_the_same_tasks_and_the_same_luck(banks: Path) -> None:
    """Under a policy that serves the first task whatever happens, no bank makes a difference; under others it does."""
    played = play(["none", banks / "small.parquet", banks / "good.parquet"], policies=[always_the_first(), "random"])
    rewards = {label: part["reward"].to_numpy() for label, part in played.curves.groupby("policy")}
    a, b, c = (rewards[f"first+{name}"] for name in ("none", "small", "good"))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, c)
    assert (rewards["random+small"] != rewards["random+good"]).any()


def always_the_first() -> Policy:
    """A policy that serves the first candidate, which is a task."""

    def probs(scores: F64, batch: Batch) -> Probs:
        total = np.zeros(scores.shape)
        total[0] = 1.0
        return Probs(total, np.zeros_like(total))

    return Policy(
        "first",
        FEATURES["oo5"],
        init=np.zeros,
        score=lambda state, batch, noise: np.zeros(batch.mask.shape),
        probs=probs,
        update=lambda state, learning, noise: state,
    )


def test_users_who_come_late_are_offered_the_generations_of_the_rounds_that_they_are_there(
    banks: Path, tmp_path: Path
) -> None:
    """A bank counts rounds, a log the user's own decisions: the two are apart by the round in which the user came."""
    scenario = changed({"arrivals": {"over": 6}, "churn": {"hazard": 0.05}})
    played = play([banks / "good.parquet"], scenario, policies=["random"], events=True, out=tmp_path / "run")
    assert played.path is not None
    assert audit_directory(played.path).clean
    came: dict[str, set[int]] = {}
    rounds = {
        frozenset(task.id for task in one.parsed_context.tasks): at
        for at, one in records(banks / "good.parquet").items()
    }
    for row in pq.read_table(played.path / "decisions.parquet").to_pylist():
        own = frozenset(c["task_id"].removeprefix("task-") for c in row["candidates"] if c["source"] == "todoist")
        tips = {c["task_id"].removeprefix("task-") for c in row["candidates"] if c["source"] == "llm"}
        assert tips <= own
        came.setdefault(row["user_id"], set()).add(rounds[own][1] - row["t"])
    assert all(len(first) == 1 for first in came.values())
    assert len(set.union(*came.values())) > 1


# What is refused.


def changed(world: dict[str, Any], **top: Any) -> Scenario:
    data = SMALL.canonical() | top
    return validate(data | {"world": data["world"] | world})


REFUSED = {
    "backlog": (changed({"tasks": {"count": 3, "mode": "backlog"}}), "depends on what was served"),
    "linear": (validate(SMALL.canonical() | {"world": {"kind": "linear"}}), "no tasks to write tips about"),
    "no tips": (changed({"tips": {"count": 0}}), "offers no tips"),
    "no task": (changed({"tasks": {"count": {"min": 0, "max": 3}}, "tips": {"count": 1}}), "may offer no task"),
    "replicates": (SMALL.with_(replicates=2), "2 replicates"),
    "more users": (SMALL.with_(users=USERS + 1), f"no generation for round 1 of user-{USERS}"),
    "more rounds": (SMALL.with_(rounds=ROUNDS + 1), f"no generation for round {ROUNDS + 1} of user-0"),
    "another seed": (SMALL.with_(seed=2), "round 1 of user-0 has other tasks"),
    "other titles": (changed({"tasks": SMALL.canonical()["world"]["tasks"] | {"titles": ["nap"]}}), "other tasks"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_bank_that_does_not_fit_is_refused_before_anything_runs(why: str, banks: Path, tmp_path: Path) -> None:
    scenario, says = REFUSED[why]
    with pytest.raises(GeneratorInputError, match=says):
        play([banks / "good.parquet"], scenario, policies=["random"], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_files_that_are_no_banks_and_names_that_do_not_tell_apart(banks: Path, tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("no bank")
    shutil.copy(banks / "good.parquet", tmp_path / "small.parquet")
    wrong: list[tuple[Any, str]] = [
        ([tmp_path / "gone.parquet"], "does not exist"),
        ([tmp_path / "text.parquet"], "not a readable Parquet"),
        ([banks / "small.parquet", tmp_path / "small.parquet"], "two tip banks are called small"),
        ([], "a list of files"),
        (str(banks / "small.parquet"), "a list of files"),
    ]
    for llm, says in wrong:
        with pytest.raises(GeneratorInputError, match=says):
            play(llm)


# Appeal models.


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
        changed({"tips": world["tips"] | {"appeal": {"kind": "panel", "asks": 2}}}), [bank_path(tmp_path)]
    )
    assert other.offsets is not None
    assert (other.offsets != bank.offsets).any()  # other personas are other questions


def bank_path(folder: Path) -> Path:
    """The good bank."""
    return folder / "good.parquet"


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
