"""The inner loop, `make quick`: the tests of the rooms that a change touches, but for those marked `slow` or `e2e`.

What counts as changed is what git says against HEAD and against where this branch left `main`, untracked files too.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
COVERED: dict[str, tuple[str, ...]] = {
    "__init__": ("test_layers.py",),
    "__main__": ("cli/test_front_door.py",),
    "bench": ("policies/test_naive.py", "cli/test_bench_commands.py"),
    "contract": ("policies", "engine/test_simulate.py", "engine/test_laws.py"),
    "decide": ("policies/test_contract.py", "engine/test_simulate.py", "engine/test_laws.py"),
    "entrants": ("policies/test_registry.py", "engine/test_laws.py", "test_private_policy.py"),
    "errors": ("test_errors.py",),
    "experiment": ("test_experiment.py", "test_lanes_check.py", "work/test_pace.py", "show/test_rounds.py"),
    "features": ("kernels/test_encode.py", "kernels/test_vectors.py", "policies/test_kinds.py"),
    "pytest_plugin": ("gate/test_plugin.py",),
    "settings": ("test_settings.py",),
}
"""What of the package has no room of tests of its own name, and the tests that cover it."""

AROUND: dict[str, tuple[str, ...]] = {
    "scenarios/baselines": ("gate/test_this_repository.py",),
    "scenarios": ("scenario",),
    "deploy": ("generator/test_deploy.py",),
    "docs": ("readme", "show/test_words.py", "generator/test_docs.py"),
    "notebooks": ("notebooks",),
    "README.md": ("readme", "show/test_words.py"),
    "pyproject.toml": ("test_layers.py", "test_settings.py"),
    "Makefile": ("test_quick.py",),
}
"""What stands beside the package, the longest paths first, and its tests."""

ALWAYS = ("test_layers.py", "show/test_words.py")
"""What looks at every file of the package."""

SMOKE = ("test_layers.py", "engine/test_simulate.py", "policies/test_registry.py")
"""What is run where nothing has changed."""


def rooms() -> set[str]:
    """The folders of tests."""
    return {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}


def of_room(room: str) -> tuple[str, ...]:
    """The tests of a room; none where there is no such room."""
    return (room,) if room in rooms() else COVERED.get(room, ())


def tests_of(changed: str) -> tuple[str, ...]:
    """The tests, as paths within `tests`, of a file of this repository; none where nothing tests it."""
    parts = Path(changed).parts
    if parts[0] == "oo_sim":
        return (*of_room(Path(parts[1]).stem), *ALWAYS)
    if parts[0] != "tests":
        return next((found for place, found in AROUND.items() if Path(changed).is_relative_to(place)), ())
    if parts[-1].startswith("test_"):
        return (str(Path(*parts[1:])),)
    if len(parts) > 2:
        return (parts[1],)
    return (f"test_{parts[1]}",) if (ROOT / "tests" / f"test_{parts[1]}").exists() else SMOKE


def chosen(changed: Iterable[str]) -> list[str]:
    """The tests of all that has changed, those that have changed themselves first; what is gone is left out."""
    files = set(changed)
    found = {path for file in files for path in tests_of(file) if (ROOT / "tests" / path).exists()}
    return sorted(found, key=lambda path: (f"tests/{path}" not in files, path))


def git(*arguments: str) -> list[str]:
    """The lines that git prints; none where it fails, as outside of a repository."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def changes() -> tuple[list[str], str]:
    """The files that have changed, and since when."""
    base = next((b for ref in ("origin/main", "main") for b in git("merge-base", "HEAD", ref)), "HEAD")
    asked = (("diff", "--name-only", "HEAD"), ("diff", "--name-only", base), ("ls-files", "-o", "--exclude-standard"))
    return sorted({file for each in asked for file in git(*each)}), base[:8]


def main(asked: Sequence[str]) -> int:
    """Say what is run and what is not, and run it."""
    if unknown := [room for room in asked if not of_room(room)]:
        known = ", ".join(sorted(rooms() | set(COVERED) - {"__init__", "__main__"}))
        raise SystemExit(f"quick: {unknown[0]!r} is not a room; there are {known}")
    if asked:
        paths, why = [path for room in asked for path in of_room(room)], f"asked for {' '.join(asked)}"
    else:
        files, base = changes()
        paths, why = chosen(files), f"{len(files)} files changed since {base}"
        if not paths:
            why = f"{why}, none of which has tests" if files else f"nothing has changed since {base}"
            paths, why = list(SMOKE), f"{why}: a small smoke test"
    left = sorted(rooms() - {Path(path).parts[0] for path in paths})
    print(f"quick: {why}\n  run: {' '.join(paths)}", flush=True)
    print(f"  not run: tests marked slow or e2e, and the rooms {' '.join(left)}; `make test` runs them", flush=True)
    command = [sys.executable, "-m", "pytest", "-n", "2", "-m", "not slow and not e2e"]
    ended = subprocess.run([*command, *(f"tests/{path}" for path in paths)], cwd=ROOT, check=False).returncode
    if ended == 5:  # all that was found is marked
        print("quick: all of these tests are marked slow or e2e: `make test`, `make test-slow`")
    return 0 if ended == 5 else ended


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
