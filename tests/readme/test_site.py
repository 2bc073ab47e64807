"""The documentation as a site: it builds without a warning, its links lead somewhere, its search has words to find."""

from __future__ import annotations

import html.parser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


class Links(html.parser.HTMLParser):
    """The local addresses that a page names."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and not value.startswith(("#", "data:", "http", "mailto:")):
                self.found.add(value.partition("#")[0].partition("?")[0])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site without its notebooks, which have tests of their own."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "docs" / "site.py"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_page_is_there_and_every_local_link_leads_to_a_file(site: Path) -> None:
    pages = {page.stem for page in site.glob("*.html")}
    assert pages >= {path.stem for path in (ROOT / "docs").glob("*.md")} | {"index", "scenarios", "changelog"}
    broken = {
        (page.name, link)
        for page in site.glob("*.html")
        for link in Links(page).found
        if link and not (page.parent / link).exists() and not link.startswith("notebooks/")
    }
    assert broken == set()


def test_nothing_is_fetched_from_elsewhere_and_the_search_knows_the_words(site: Path) -> None:
    for page in site.glob("*.html"):
        assert '<script src="http' not in page.read_text(), page.name
        assert '<link rel="stylesheet" href="http' not in page.read_text(), page.name
    index = (site / "searchindex.js").read_text()
    assert all(word in index for word in ("propens", "regret", "scenario"))  # stems, as the search has them
