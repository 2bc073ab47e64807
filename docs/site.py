"""Builds the documentation as a site that is read from files, search included: `make docs` writes it to site/.

    python docs/site.py [--notebooks] [OUT]

The README is its first page; the pages of this directory, the scenario guide and the change log follow. With
`--notebooks` the notebooks are executed and published with their outputs. A broken link ends the build.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = {
    "README.md": "index.md",
    "scenarios/README.md": "scenarios.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Pages that stand outside of this directory, and their names in the site."""
LINK = re.compile(r"\[(?P<words>[^\]]*)\]\((?!https?:|mailto:|#)(?P<file>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
CONTENTS = """

```{{toctree}}
:hidden:
{0}
```
"""
CONFIGURATION = """
project = "oo_sim"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "oo_sim"
html_copy_source = False
html_extra_path = ["extra"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]
"""


def main(arguments: list[str]) -> None:
    """Build the site."""
    notebooks = "--notebooks" in arguments
    out = Path(next((word for word in arguments if not word.startswith("-")), "site"))
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory)
        assemble(source)
        if notebooks:
            publish(source / "extra" / "notebooks")
        sphinx = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
        subprocess.run([*sphinx, str(source), str(out)], check=True)
    print(f"open {out / 'index.html'}")


def assemble(source: Path) -> None:
    """All pages with links as the site has them, in one directory that Sphinx reads."""
    pages = {f"docs/{path.name}": path.name for path in sorted((ROOT / "docs").glob("*.md"))} | ELSEWHERE
    (source / "extra").mkdir(parents=True)
    for path, name in pages.items():
        text = linked((ROOT / path).read_text(encoding="utf-8"), path, source)
        if name == "index.md":
            text += CONTENTS.format("\n".join(sorted(page.removesuffix(".md") for page in pages.values())))
            text = text.replace("\nindex\n", "\n")
        (source / name).write_text(text, encoding="utf-8")
    (source / "conf.py").write_text(CONFIGURATION, encoding="utf-8")


def linked(text: str, path: str, source: Path) -> str:
    """The text of a repository's file, its relative links as the site has them; what they name is copied along."""

    def link(match: re.Match[str]) -> str:
        words, file, anchor = match["words"], match["file"], match["anchor"] or ""
        place = (ROOT / path).parent.joinpath(file).resolve()
        if not place.exists():
            raise SystemExit(f"{path} links to {file}, which is not there")
        name = place.relative_to(ROOT).as_posix()
        if name in ELSEWHERE:
            return f"[{words}]({ELSEWHERE[name]}{anchor})"
        if name == "docs" or place.parent == ROOT / "docs":
            if place.suffix == ".png":
                shutil.copy(place, source / place.name)
            return f"[{words}]({'index.md' if name == 'docs' else place.name}{anchor})"
        if name.startswith("notebooks"):
            page = "notebooks/index" if name == "notebooks" else name.removesuffix(".ipynb")
            return f'<a href="{page}.html">{words}</a>'
        copied = source / "extra" / "files" / f"{name}.txt"
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place, copied) if place.is_file() else copied.write_text(listing(place))
        return f'<a href="files/{name}.txt">{words}</a>'

    return LINK.sub(link, text)


def listing(directory: Path) -> str:
    """The names of a directory's files, a line each."""
    return "\n".join(sorted(path.name for path in directory.iterdir() if not path.name.startswith((".", "__"))))


def publish(out: Path) -> None:
    """Execute the notebooks, and write them with their outputs as pages, with a list of them."""
    out.mkdir(parents=True)
    names = sorted((ROOT / "notebooks").glob("*.ipynb"))
    convert = [sys.executable, "-m", "jupyter", "nbconvert", "--execute", "--to", "html", "--output-dir", str(out)]
    for name in names:
        with tempfile.TemporaryDirectory() as work:
            shutil.copy(name, work)
            subprocess.run([*convert, name.name], cwd=work, check=True, capture_output=True)
    items = "".join(f'<li><a href="{name.stem}.html">{name.stem}</a></li>' for name in names)
    (out / "index.html").write_text(f"<!doctype html><title>Notebooks</title><ul>{items}</ul>", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
