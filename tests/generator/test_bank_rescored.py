"""Rescoring reads a bank's answers again by other rules, and asks nobody."""

from __future__ import annotations

from pathlib import Path

import httpx

from oo_sim.generator.bank import (
    Record,
    read_bank,
    rescore,
    write_bank,
)
from oo_sim.generator.mock import mock_gateway

from .banks import bank
from .conftest import TIPS, Script


def by_failure(records: tuple[Record, ...]) -> list[tuple[int, str | None, int]]:
    """Status, failure and number of tries of each record."""
    return [(record.status, record.failure, len(record.tries)) for record in records]


def test_rescoring_with_the_same_settings_changes_nothing(tmp_path: Path) -> None:
    for profile, parser in (("hostile", "faithful"), ("hostile", "lenient"), ("typical_small_model", "faithful")):
        made = bank(tmp_path / f"{profile} {parser}", mock_gateway(profile), parser=parser)
        again = rescore(made, parser=parser)  # type: ignore[arg-type]
        assert by_failure(again.records) == by_failure(made.records)
        assert [record.tips for record in again.records] == [record.tips for record in made.records]
        assert [record.usage for record in again.records] == [record.usage for record in made.records]


def test_rescoring_with_fewer_retries_is_a_run_with_fewer_retries(tmp_path: Path) -> None:
    made = bank(tmp_path / "two", mock_gateway("typical_small_model"))
    for retries in (0, 1):
        direct = bank(tmp_path / f"{retries}", mock_gateway("typical_small_model"), retries=retries)
        again = rescore(made, parser="faithful", retries=retries)
        assert by_failure(again.records) == by_failure(direct.records)
        assert [record.usage for record in again.records] == [record.usage for record in direct.records]


def test_rescoring_leniently_drops_tries_that_were_not_needed(tmp_path: Path) -> None:
    script = Script(f"Sure: {TIPS}", TIPS, "no", "no", f"So: {TIPS}")
    faithful = bank(tmp_path / "a", script.gateway, n=2)
    assert by_failure(faithful.records) == [(200, None, 2), (502, "prose", 3)]
    lenient = rescore(faithful, parser="lenient")
    assert by_failure(lenient.records) == [(200, None, 1), (200, None, 3)]
    assert lenient.info.parser == "lenient"


def test_what_was_not_recorded_is_not_made_up(tmp_path: Path) -> None:
    lenient = bank(tmp_path / "a", Script(f"Sure: {TIPS}").gateway, n=1, parser="lenient")
    assert by_failure(rescore(lenient, parser="faithful").records) == [(502, "not_recorded", 1)]
    assert by_failure(rescore(lenient, parser="faithful", retries=0).records) == [(502, "prose", 1)]
    failed = bank(tmp_path / "b", Script("no").gateway, n=1, retries=0)
    assert by_failure(rescore(failed, parser="faithful", retries=2).records) == [(502, "not_recorded", 1)]
    lost = bank(tmp_path / "c", Script("no", httpx.ReadTimeout("slow")).gateway, n=1)
    assert by_failure(rescore(lost, parser="faithful").records) == [(503, "timeout", 2)]
    assert by_failure(rescore(lost, parser="faithful", retries=0).records) == [(502, "no_json", 1)]


def test_rescored_banks_can_be_written(tmp_path: Path) -> None:
    again = rescore(bank(tmp_path / "a", mock_gateway("hostile")), parser="lenient", salvage=True)
    write_bank(tmp_path / "b", again)
    assert read_bank(tmp_path / "b") == again
