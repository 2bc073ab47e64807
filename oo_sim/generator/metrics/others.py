"""The tables of the judge's verdicts and of likeness by embeddings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from oo_sim.generator.embed import Likeness
from oo_sim.generator.judge import Pair, asked_pairs
from oo_sim.generator.metrics.metric import Metric, Section, mean, share


def judge_section(pairs: Sequence[Pair]) -> Section:
    """The win rate of ours, a tie counting half; its interval is over users, as one user's pairs hang together."""
    asked = asked_pairs(pairs)
    verdicts = [verdict for both in asked for verdict in both]
    read = [both for both in asked if "unparsable" not in both]
    decided = Counter(verdicts)
    flips = sum(both[0] == both[1] != "tie" or (both.count("tie") == 1) for both in read)
    whole = _by_user("win rate", [(pair.user_id, pair.score) for pair in pairs], is_share=True)
    return Section(
        "judge",
        (
            whole._replace(
                note=f"of {len(pairs)} pairs, ties count half; {len(pairs) - len(asked)} not asked: no tips"
            ),
            share("pairs won", sum(pair.score == 1 for pair in pairs), len(pairs), "pairs"),
            share("pairs tied", sum(pair.score == 0.5 for pair in pairs), len(pairs), "pairs"),
            share("verdicts that flip with the order", flips, len(read), "pairs with two verdicts"),
            share(
                "verdicts for the first position",
                decided["first"],
                decided["first"] + decided["second"],
                "verdicts for one side",
            ),
            share("unparsable verdicts", decided["unparsable"], len(verdicts), "verdicts", "their pairs tie"),
        ),
    )


def embed_section(found: Sequence[Likeness]) -> Section:
    """Mean cosines, with intervals over users; replies without tips have none and are named."""
    failed = sum(one.failed for one in found)
    return Section(
        "embeddings",
        (
            _known("cosine of tips in one reply", found, [one.among for one in found]),
            _known("cosine of tips to the nearest task", found, [one.to_task for one in found]),
            share("embeddings that failed", failed, len(found), "generations"),
        ),
    )


def _known(name: str, found: Sequence[Likeness], values: Sequence[float | None]) -> Metric:
    known = [(one.user_id, value) for one, value in zip(found, values, strict=True) if value is not None]
    metric = _by_user(name, known)
    return metric._replace(note=f"of {len(known)} of {len(found)} generations; the others have nothing to compare")


def _by_user(name: str, values: Iterable[tuple[str, float]], *, is_share: bool = False) -> Metric:
    users: dict[str, list[float]] = defaultdict(list)
    for user_id, value in values:
        users[user_id].append(value)
    return mean(name, [sum(each) / len(each) for each in users.values()], "users", is_share=is_share)
