"""The judge and the embedder: verdicts by hand, both orders, and numbers that no failure can make vanish."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import httpx
import pytest

from oo_sim.errors import GeneratorInputError
from oo_sim.generator.bank import Bank, contexts_from_tasks, generate_bank
from oo_sim.generator.embed import cosine, embed_bank, embed_section
from oo_sim.generator.gateway.asking import Asker, spent
from oo_sim.generator.gateway.client import Gateway, TipGenerator
from oo_sim.generator.gateway.exchange import Usage
from oo_sim.generator.gateway.wire import WireError, read_embeddings
from oo_sim.generator.judging.pairs import UNREADABLE, Pair, judge_banks, judge_section, missing, read_verdict, score
from oo_sim.generator.metrics import Metric
from oo_sim.generator.mock import Profile, mock_gateway

from .conftest import Script, completion

GROUNDED = Profile.model_validate({"version": 1, "style": {"grounded": 1}})
VAGUE = Profile.model_validate({"version": 1, "style": {"grounded": 0}})
SILENT = Profile.model_validate({"version": 1, "fault_rate": 1, "recovery": [0], "faults": {"empty_text": 1}})


def bank(out: Path, profile: Profile, users: int = 4) -> Bank:
    """A bank of twelve contexts."""
    tasks = [{"id": "1", "content": "Water the ferns"}, {"id": "2", "content": "Open the tax letter"}]
    work = contexts_from_tasks((f"user-{at % users}", tasks, at, 0) for at in range(12))
    with TipGenerator(mock_gateway(profile)) as client:
        return generate_bank(client, work, 3, out)


def judged(gateway: Gateway, ours: Bank, theirs: Bank, concurrency: int = 1, alias: str = "judge") -> list[Pair]:
    """The judge's pairs."""
    with TipGenerator(gateway) as client:
        return judge_banks(Asker(client, concurrency=concurrency), ours, theirs, alias=alias)[0]


def numbers(section: Any) -> dict[str, Metric]:
    """Metrics by name."""
    return {metric.name: metric for metric in section.metrics}


def judge(first_position: float = 0, unparsable: float = 0) -> Gateway:
    """A mock gateway whose judge errs so often."""
    errs = {"first_position": first_position, "unparsable": unparsable}
    return mock_gateway(Profile.model_validate({"version": 1, "judge": errs}))


def test_the_better_set_wins_in_both_orders(tmp_path: Path) -> None:
    good, bad = bank(tmp_path / "good", GROUNDED), bank(tmp_path / "bad", VAGUE)
    pairs = judged(judge(), good, bad)
    assert {pair.verdicts for pair in pairs} == {("first", "second")}
    assert {pair.score for pair in judged(judge(), bad, good)} == {0.0}
    found = numbers(judge_section(pairs))
    assert (found["win rate"].value, found["win rate"].lower, found["win rate"].of) == (
        1.0,
        1.0,
        "12 of 12 pairs, ties count half",
    )
    assert found["verdicts that flip with the order"].value == 0.0
    assert found["verdicts for the first position"].value == 0.5
    assert judged(judge(), good, bad, concurrency=8) == pairs


def test_a_judge_that_likes_what_comes_first_decides_nothing(tmp_path: Path) -> None:
    found = numbers(judge_section(judged(judge(1), bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE))))
    assert found["win rate"].value == 0.5
    assert found["pairs tied"].value == 1.0
    assert found["verdicts that flip with the order"].value == 1.0
    assert found["verdicts for the first position"].value == 1.0


def test_verdicts_that_cannot_be_read_are_missing_and_no_ties(tmp_path: Path) -> None:
    pairs = judged(judge(0, 1), bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE))
    found = numbers(judge_section(pairs))
    assert {pair.score for pair in pairs} == {None}
    assert missing(pairs) == 1.0
    assert (found["win rate"].value, found["pairs tied"].value) == (None, None)
    assert found["verdicts that are missing"].of == "24 of 24 verdicts"
    assert "12 missing" in found["win rate"].note


def test_one_missing_order_makes_the_pair_missing_and_no_other(tmp_path: Path) -> None:
    pairs = judged(judge(0, 0.15), bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE))
    lost = [pair for pair in pairs if pair.verdicts and UNREADABLE in pair.verdicts]
    assert 0 < len(lost) < len(pairs)
    for pair in pairs:
        assert pair.score == (None if pair in lost else 1.0)
    assert numbers(judge_section(pairs))["win rate"].of == f"{12 - len(lost)} of 12 pairs, ties count half"


def test_a_side_without_tips_loses_unasked(tmp_path: Path) -> None:
    good, none = bank(tmp_path / "good", GROUNDED), bank(tmp_path / "none", SILENT)
    nobody = Script()
    assert {pair.score for pair in judged(nobody.gateway, good, none)} == {1.0}
    assert {pair.score for pair in judged(nobody.gateway, none, good)} == {0.0}
    assert {pair.score for pair in judged(nobody.gateway, none, none)} == {0.5}
    assert not nobody.requests
    found = numbers(judge_section(judged(nobody.gateway, none, good)))
    assert (found["win rate"].value, found["verdicts that are missing"].value) == (0.0, None)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (httpx.Response(500), "http_500"),
        (httpx.Response(401), "http_401"),
        (httpx.ConnectError("gone"), "unreachable"),
        (httpx.ReadTimeout("slow"), "timeout"),
        (httpx.Response(200, content=b"{}"), "no_completion"),
        ("A", UNREADABLE),
    ],
)
def test_a_judge_that_fails_is_missing_and_soon_asked_no_more(answer: Any, verdict: str, tmp_path: Path) -> None:
    """A dead judge used to print a win rate of 50 % [50, 50]."""
    banks = bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE)
    script = Script(*[answer] * 24)
    pairs = judged(script.gateway, *banks)
    seen = {one for pair in pairs if pair.verdicts for one in pair.verdicts}
    assert seen <= {verdict, "not_asked"}
    assert verdict in seen
    assert missing(pairs) == 1.0
    assert numbers(judge_section(pairs))["win rate"].value is None
    assert len(script.requests) == (24 if verdict == UNREADABLE else len(script.requests))
    assert verdict == UNREADABLE or len(script.requests) <= 6


def test_what_a_judge_answered_is_kept_and_its_failures_are_asked_again(tmp_path: Path) -> None:
    ours, theirs = bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE)
    winner = httpx.Response(200, json=completion('{"winner": "A"}', (70, 5)))
    first = Script(*[winner] * 10, *[httpx.Response(503)] * 14)
    kept = tmp_path / "a.asked.jsonl"
    with TipGenerator(first.gateway) as client:
        pairs, replies = judge_banks(Asker(client, kept), ours, theirs)
    assert spent(replies).asked == 10
    assert spent(replies).usage == Usage(700, 50)
    assert spent(replies).missing == 14
    assert missing(pairs) > 0.5
    kept.write_bytes(kept.read_bytes() + b'{"key": "half a li')
    second = Script(*[winner] * 14)
    with TipGenerator(second.gateway) as client:
        pairs, replies = judge_banks(Asker(client, kept), ours, theirs)
    assert len(second.requests) == 14
    assert (spent(replies).asked, spent(replies).kept, spent(replies).missing) == (14, 10, 0)
    with TipGenerator(Script().gateway) as client:  # the gateway is off: it has no answers
        assert judge_banks(Asker(client, kept), ours, theirs)[0] == pairs
        other = client.gateway._replace(label="another gateway")
    with TipGenerator(other) as client, pytest.raises(IndexError):
        judge_banks(Asker(client, kept), ours, theirs)
    kept.write_text("{}\n")
    with TipGenerator(Script().gateway) as client, pytest.raises(GeneratorInputError, match="line 1 is not a kept"):
        Asker(client, kept)


def test_banks_for_different_contexts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeneratorInputError, match="different contexts"):
        judged(judge(), bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", GROUNDED, users=3))


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ('{"winner": "A"}', "first"),
        ('```json\n{"winner": " b "}\n```', "second"),
        ('{"winner": "tie"}', "tie"),
        ('{"winner": "C"}', UNREADABLE),
        ('{"winner": null}', UNREADABLE),
        ('["A"]', UNREADABLE),
        ("A", UNREADABLE),
        ("", UNREADABLE),
        (None, UNREADABLE),
        ("[" * 9_000, UNREADABLE),
        ("[" * 12_000_000, UNREADABLE),
    ],
)
def test_verdicts(reply: str | None, verdict: str) -> None:
    assert read_verdict(reply) == verdict


@pytest.mark.parametrize(
    ("verdicts", "value"),
    [
        (("first", "second"), 1.0),
        (("second", "first"), 0.0),
        (("first", "first"), 0.5),
        (("tie", "first"), 0.5),
        (("tie", "tie"), 0.5),
        (("first", UNREADABLE), None),
        (("timeout", "second"), None),
    ],
)
def test_both_orders_must_agree(verdicts: tuple[str, str], value: float | None) -> None:
    assert score(verdicts) == value


def test_a_judge_that_likes_length_shows_it() -> None:
    """Ours is longer in 12 of 20 pairs; a judge of length lets it win those and no other."""
    lengths = [30] * 12 + [-30] * 8
    pairs = [
        Pair(at, f"u{at % 5}", ("first", "second") if more > 0 else ("second", "first"), float(more > 0), more)
        for at, more in enumerate(lengths)
    ]
    found = numbers(judge_section(pairs))
    assert found["win rate"].value == 0.6
    assert found["win rate of the longer set"].value == 1.0
    assert (found["win rate where ours is longer"].value, found["win rate where ours is shorter"].value) == (1.0, 0.0)
    fair = [pair._replace(longer=30 if at % 2 else -30) for at, pair in enumerate(pairs)]
    assert numbers(judge_section(fair))["win rate of the longer set"].value == 0.5


def test_the_win_rate_is_clustered_by_user() -> None:
    """Two users, ten equal pairs each: the interval is that of two values, 0 and 1, however many pairs there are."""
    pairs = [Pair(at, f"u{at % 2}", ("tie", "tie"), float(at % 2)) for at in range(20)]
    rate = numbers(judge_section(pairs))["win rate"]
    assert rate.value == 0.5
    assert rate.lower is not None
    assert rate.lower < -5  # Student's t with one degree of freedom: 0.5 - 12.7 * 0.5


def test_embeddings_of_a_bank(tmp_path: Path) -> None:
    banks = bank(tmp_path / "a", GROUNDED), bank(tmp_path / "b", VAGUE), bank(tmp_path / "c", SILENT)
    nearest = []
    for one in banks:
        with TipGenerator(mock_gateway("perfect")) as client:
            likeness, _ = embed_bank(Asker(client, concurrency=4), one)
        found = numbers(embed_section(likeness))
        nearest.append(found["cosine of tips to the nearest task"].value)
        assert found["embeddings that failed"].value == 0
    assert nearest[0] is not None
    assert nearest[1] is not None
    assert nearest[0] > 0.4 > nearest[1]
    assert nearest[2] is None


def test_embeddings_that_fail_are_counted(tmp_path: Path) -> None:
    one = bank(tmp_path / "a", GROUNDED)
    bad: list[Any] = [httpx.Response(500), httpx.ConnectError("gone"), httpx.Response(200, json={"data": []})] * 4
    with TipGenerator(Script(*bad).gateway) as client:
        found = numbers(embed_section(embed_bank(Asker(client), one)[0]))
    assert found["embeddings that failed"].value == 1.0
    assert found["cosine of tips in one reply"].value is None


def test_cosine() -> None:
    assert cosine([3, 4], [3, 4]) == pytest.approx(1.0)
    assert cosine([1, 0], [0, 1]) == 0.0
    assert cosine([0, 0], [0, 1]) == 0.0
    assert cosine([1e99, 0], [-1e99, 0]) == -1.0
    assert math.isfinite(cosine([1e-320], [1e-320]))


@pytest.mark.parametrize(
    "data",
    [None, [], [{"embedding": []}], [{"embedding": "AAAA"}], [{"embedding": [1, "2"]}], [{"embedding": [True]}], [5]],
)
def test_embeddings_that_are_none_are_refused(data: object) -> None:
    with pytest.raises(WireError):
        read_embeddings(json.dumps({"data": data}).encode(), 1)
    with pytest.raises(WireError):
        read_embeddings(b'{"data": [{"embedding": [NaN]}]}', 1)
    with pytest.raises(WireError, match="differ in length"):
        read_embeddings(b'{"data": [{"embedding": [1]}, {"embedding": [1, 2]}]}', 2)
