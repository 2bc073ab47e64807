"""The one-file report: self-contained, escaped, well-formed, and the command in it repeats the run."""

from __future__ import annotations

import html
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import escape
from results.made import BuildRun

import oo_sim
from oo_sim.logs import LoggedPolicy, Manifest
from oo_sim.page import report_html
from oo_sim.page.retell import Repeat, in_words, repeat, scenario_of, warnings
from oo_sim.results import Run
from oo_sim.scenario import LinearWorld, loads, shipped
from oo_sim.show import number

NASTY = "<script>alert('x')</script>"
VOID = {"meta", "link", "img", "br"}


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not painted, which takes most of the time."""
    monkeypatch.setattr("oo_sim.page.chapter.png", lambda figure, dpi: b"")


class Reader(HTMLParser):
    """Checks that tags are balanced, and keeps what is linked and shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def run() -> Run:
    """A small run of a shipped scenario."""
    return oo_sim.run("quickstart", policies=["linucb", "random", "oracle"], users=20, rounds=30)


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return report_html([run])


def test_it_needs_nothing_from_outside(page: str) -> None:
    reader = Reader(page)
    assert {"script", "iframe", "object"}.isdisjoint(reader.tags)
    assert all(link.startswith(("data:", "#")) for link in reader.links)
    assert "@import" not in page
    assert "url(" not in page
    assert len(page) < 3_000_000


def test_no_figures_share_a_row_so_that_text_is_of_one_size_in_all(page: str) -> None:
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert "figure img" in style
    assert not re.search(r"display: *(inline-)?(grid|flex)|float:|columns:", re.sub(r"@media.*", "", style, flags=re.S))


def test_it_says_what_a_colleague_asks(page: str, run: Run) -> None:
    for words in (
        "20 users, 30 decisions each",
        "planners 60 %",
        run.manifest.content_hash,
        "alpha 1.0, features oo5",
    ):
        assert words in page
    assert re.search(
        r"linucb earns .\d\.\d{4}|linucb earns \d\.\d{4} \(\S+ to \S+\) more than choosing at random", page
    )
    for row in run.rows:
        assert f"{number(row.expected_reward.estimate)} ±" in page
    assert page.count("<img") == 6


def test_the_command_in_it_repeats_the_run(page: str, run: Run) -> None:
    command = html.unescape(re.search(r"<pre><code>(.*)\n", page).group(1))  # type: ignore[union-attr]
    words = shlex.split(command)
    assert words[:3] == ["oo-sim", "run", "quickstart"]
    options = dict(word.removeprefix("--").split("=") for word in words if "=" in word)
    policies = [words[i + 1] for i, word in enumerate(words) if word == "--policy"]
    sizes = {name: int(value) for name, value in options.items()}
    again = oo_sim.run("quickstart", policies=policies, **sizes)  # type: ignore[arg-type]
    assert again.manifest.content_hash == run.manifest.content_hash


def _repeated(manifest: Manifest) -> Repeat:
    return repeat(manifest, scenario_of(manifest))


def test_a_scenario_that_does_not_ship_stands_in_the_page(run: Run) -> None:
    changed = dict(run.manifest.scenario) | {"name": "mine"}
    again = _repeated(replace(run.manifest, scenario=changed, name="mine"))
    assert again.commands == ("oo-sim run mine.yaml",)
    assert again.file is not None
    assert loads(again.file).canonical() == changed


def test_policies_that_no_command_can_name(run: Run) -> None:
    extra = [LoggedPolicy("mine:optimist", "optimist"), LoggedPolicy("handmade", "handmade")]
    again = _repeated(replace(run.manifest, policies=(*run.manifest.policies, *extra)))
    assert "mine:optimist" in again.commands[0]
    assert "handmade" not in again.commands[0]
    assert len(again.remarks) == 2


@pytest.mark.parametrize("name", sorted(shipped()))
def test_every_shipped_scenario_is_told_in_words(name: str) -> None:
    scenario = oo_sim.load_scenario(name)
    told = " ".join(in_words(scenario))
    assert f"{scenario.users:,} users, " in told
    assert f"{scenario.rounds:,} decisions each" in told
    assert ("Rewards are reported late, or never" in told) == (scenario.feedback is not None)
    world = scenario.world
    if isinstance(world, LinearWorld):
        assert f"{world.candidates} fresh context vectors in {world.dimension} dimensions" in told
        return
    total = sum(segment.weight for segment in world.segments)
    for segment in world.segments:
        assert f"{segment.name} {segment.weight / total:.0%}".replace("%", " %") in told
    changing = any((world.drift, world.fatigue, world.churn, world.arrivals))
    assert ("Users change: " in told) == changing


def test_users_who_come_and_leave_make_fewer_decisions_and_the_words_say_so() -> None:
    told = " ".join(in_words(oo_sim.load_scenario("changing_users")))
    assert "300 users, up to 400 decisions each" in told
    for change in ("preferences drift", "appetite", "users leave", "users come"):
        assert change in told
    still = " ".join(in_words(oo_sim.load_scenario("quickstart")))
    assert "400 users, 500 decisions each" in still
    assert "Users change" not in still


def test_text_from_files_stays_text(build: BuildRun, unpainted: None) -> None:
    nasty = build(
        ("linucb", NASTY),
        name=NASTY,
        failures={"bad": NASTY},
        versions={NASTY: NASTY},
        content_hash=NASTY,
        segments=[NASTY, "\u202e"],
    )
    page = report_html([nasty], title=NASTY)
    assert "<script" not in page
    assert "\u202e" not in page
    assert page.count(str(escape(NASTY))) > 5
    assert "script" not in Reader(page).tags


def test_warnings_name_failures_and_what_the_lint_finds(run: Run) -> None:
    manifest = replace(
        run.manifest, failures={"mine": "score returned NaN"}, scenario={**run.manifest.scenario, "users": 1}
    )
    found = warnings(manifest, scenario_of(manifest))
    assert found[0] == "mine failed: score returned NaN"
    assert any("one user gives no interval" in line for line in found)


def test_one_policy_one_user_and_no_results_are_reported_too(build: BuildRun, unpainted: None) -> None:
    assert "nothing to compare" in report_html([build(("linucb",))])
    assert "no verdict" in report_html([build(("linucb", "random"), users=1)])
    assert "linucb failed" in report_html([build(("linucb",), missing=["linucb"], failures={"linucb": "x"})])


def test_several_scenarios_have_a_list_of_verdicts(build: BuildRun, unpainted: None) -> None:
    page = report_html([build(("linucb",), name="one"), build(("linucb",), name="two")])
    assert Reader(page).links[1:3] == ["#scenario-0", "#scenario-1"]
    assert "<h1>one, two</h1>" in page


def test_no_run_is_refused() -> None:
    with pytest.raises(ValueError, match="no run to report"):
        report_html([])


def test_the_style_sheet_ships_with_the_package() -> None:
    assert (Path(oo_sim.__file__).parent / "page" / "page.css").is_file()
