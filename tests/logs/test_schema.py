"""The columns of every table, spelled out: a change here is a change of the format."""

from __future__ import annotations

import pyarrow as pa
import pytest

from oo_sim.logs import SCHEMAS
from oo_sim.logs.schema import DECISIONS, conform, features_of, with_features

CANDIDATES = (
    "list<item: struct<id: string not null, source: string not null, task_id: string, "
    "is_overdue: bool not null, task_age_days: double not null, priority: int8 not null> not null>"
)
NUMBERS = "list<item: double not null>"
GOLDEN = {
    "curves": """policy string!, replicate int32!, round int32!, users int64!, reward double!,
        expected_reward double!, regret double!, dismiss int64!, not_helpful int64!, snooze int64!,
        helpful int64!, done int64!, none int64!, pending int64!, rewarded int64!, expired int64!,
        never int64!""",
    "users": """policy string!, replicate int32!, user_id string!, segment string, round int32!,
        reward double!, expected_reward double!, regret double!, decisions int64!""",
    "decisions": """policy string!, policy_hash string!, replicate int32!, user_id string!, t int32!,
        decision_id string!, ts timestamp[us, tz=UTC], hour int8!, day int8!, candidates CANDIDATES!,
        x list<item: NUMBERS not null>!, probs NUMBERS, probs_kind string, probs_samples int32,
        chosen int16!, propensity double, score double!,
        explored bool, expected_reward double, best_expected_reward double, prompt_version string,
        llm_model string, tip_kind string""",
    "learnings": """policy string!, replicate int32!, user_id string!, seq int64!, kind string!,
        decision_id string, tip_id string, x NUMBERS, reaction string, reward double, t_decided int32, t_now int32!,
        ts timestamp[us, tz=UTC]""",
}


@pytest.mark.parametrize("name", GOLDEN)
def test_columns_are_the_golden_ones(name: str) -> None:
    spelled = ", ".join(f"{f.name} {f.type}{'' if f.nullable else '!'}" for f in SCHEMAS[name])
    golden = " ".join(GOLDEN[name].split())
    assert spelled == golden.replace("CANDIDATES", CANDIDATES).replace("NUMBERS", NUMBERS)


def test_no_table_is_without_a_golden() -> None:
    assert set(SCHEMAS) == set(GOLDEN)


def test_feature_names_travel_in_the_metadata() -> None:
    names = {"hash-2": ("b", "ä"), "hash-1": ("a",)}
    assert features_of(with_features(DECISIONS, names)) == names
    assert features_of(DECISIONS) == {}


def test_conform_reorders_and_widens_but_loses_nothing() -> None:
    schema = pa.schema([pa.field("a", pa.int64(), nullable=False), pa.field("b", pa.string())])
    table = pa.table({"b": ["x", None], "a": pa.array([1, 2], pa.int32())})
    assert conform(table, schema).schema == schema
    with pytest.raises(ValueError, match="column a holds nulls"):
        conform(pa.table({"a": [1, None], "b": ["x", "y"]}), schema)
    with pytest.raises(ValueError, match=r"missing \['b'\], unknown \['c'\]"):
        conform(pa.table({"a": [1], "c": [1]}), schema)
    with pytest.raises(ValueError, match="wrong types"):
        conform(pa.table({"a": [0.5], "b": ["x"]}), schema)
