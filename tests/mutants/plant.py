# ruff: noqa: PLC0415 (the package is imported with the fault in it)
"""Which of the gate, the audit and the tests see each fault of `edits.py`: makes the table of docs/gate.md.

    python tests/mutants/plant.py --docs docs/gate.md [FIRST LAST]

The package is copied once, so that nobody changes it meanwhile. For each fault a process is forked, in which the one
file is read with the fault in it; kernels run without a compiler. A room's own tests are asked where neither gate nor
audit saw anything. `--keep` is a file of what was found, which the next run takes over.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
SECONDS = 900.0
_LIBRARIES = (
    "numba",
    "pandas",
    "pyarrow.parquet",
    "pyarrow.compute",
    "scipy.special",
    "scipy.stats",
    "fastapi",
    "httpx",
)
_BEGIN, _END = "<!-- planted -->", "<!-- /planted -->"


class Seen(NamedTuple):
    """What saw one fault, empty where it did not; `log` says whether a log is another with it."""

    gate: str
    audit: str
    tests: str
    log: bool


def imported_with(file: Path, old: str, new: str) -> None:
    """From here on the package is imported with the fault in that file."""
    get_code = SourceFileLoader.get_code

    def changed(self: SourceFileLoader, fullname: str) -> Any:
        if Path(self.path) != file:
            return get_code(self, fullname)
        return self.source_to_code(file.read_text(encoding="utf-8").replace(old, new).encode(), self.path)

    SourceFileLoader.get_code = changed  # type: ignore[method-assign,assignment]


def forked(work: Callable[[], Any]) -> Any:
    """What `work` returns in a process of its own; None where that ends otherwise, or takes too long."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as out, contextlib.redirect_stdout(sys.stderr):
                json.dump(work(), out)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    text, until = b"", time.monotonic() + SECONDS
    with os.fdopen(reading, "rb") as source:
        while select.select([source], [], [], max(until - time.monotonic(), 0.0))[0]:
            part = os.read(source.fileno(), 1 << 16)
            if not part:
                break
            text += part
        else:
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return json.loads(text) if status == 0 else None


def planted(edits: list[Any], ask: bool, place: Path) -> Iterator[tuple[Any, Seen]]:
    """Each fault in turn, planted in a copy at `place`, and what sees it; the room's tests are asked where nothing else
    did."""
    for name in ("oo_sim", "scenarios", "tests"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copy(ROOT / "pyproject.toml", place)
    sys.path[:0] = [str(place / "tests"), str(place)]
    for name in _LIBRARIES:
        importlib.import_module(name)
    sound = forked(_everything)
    assert sound is not None
    assert not sound["wrong"], sound["wrong"]
    for edit in edits:
        seen = forked(partial(_seen, edit, sound, place))
        seen = Seen("import fails", "import fails", "", True) if seen is None else Seen(*seen)
        if ask and not (seen.gate or seen.audit):
            seen = seen._replace(tests=_tested(edit, place))
        yield edit, seen


def _interpreted() -> None:
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    importlib.import_module("numba").config.DISABLE_JIT = 1


def _everything() -> dict[str, Any]:
    _interpreted()
    from mutants import probe

    sight = probe.look(None)
    lines, _, wrong, _ = probe.served(None)
    return {"cells": sight.cells, "served": lines, "wrong": sight.audit or wrong} | {
        "numbers": probe.numbers(),
        "logs": probe.logged(),
    }


def _seen(edit: Any, sound: dict[str, Any], place: Path) -> Seen:
    _interpreted()
    imported_with(place / "oo_sim" / edit.file, edit.old, edit.new)
    from mutants import probe

    stem, room = Path(edit.file).stem, edit.room
    gate = audit = ""
    log = False
    if room not in ("serving", "stats", "generator", "tipbanks"):
        sight = probe.look(sound["cells"], stem)
        gate, audit, log = sight.gate, sight.audit, sight.log
    if not gate and room == "stats":
        gate = probe.other_number(sound["numbers"])
    if not gate and (room == "logs" or audit):
        gate = probe.other_log(sound["logs"])
        log = log or bool(gate)
    if not gate and room in ("serving", "policies", "decide"):
        _, gate, found, changed = probe.served(sound["served"])
        audit, log = audit or found, log or changed
    return Seen(gate, audit, "", log)


def _tested(edit: Any, place: Path) -> str:
    """Whether the room's tests see it, in a process with compiled kernels, unless the fault is in one."""

    def work() -> int:
        if edit.room == "kernels":
            _interpreted()
        imported_with(place / "oo_sim" / edit.file, edit.old, edit.new)
        import pytest

        os.chdir(place)
        # Asserts stay plain: pytest would read a plugin's package, which is this one, past the fault.
        options = ["-q", "-x", "-n0", "--assert=plain", "-p", "no:cacheprovider", "-m", "not slow and not subprocess"]
        return int(pytest.main([edit.tests, *options]))

    return "no" if forked(work) == 0 else "yes"


def table(rows: list[tuple[Any, Seen]]) -> str:
    """What was planted, in figures and as a table in markdown."""
    logged = [seen for _, seen in rows if seen.log]
    moved = [seen for _, seen in rows if seen.log or seen.gate]
    blind = [edit for edit, seen in rows if not (seen.gate or seen.audit or seen.tests == "yes")]
    lines = [
        f"{len(rows)} faults. The audit sees {sum(bool(s.audit) for s in logged)} of the {len(logged)} that change a "
        f"log, the gate {sum(bool(s.gate) for s in moved)} of the {len(moved)} that change a log or a number, "
        f"nothing {len(blind)}.",
        "",
        "| in | fault | gate | audit | tests |",
        "|---|---|---|---|---|",
    ]
    for edit, seen in rows:
        old, new = (" ".join(text.split()).replace("|", "\\|") for text in (edit.old, edit.new or "nothing"))
        said = [*(text.replace("|", "\\|") or "-" for text in (seen.gate, seen.audit)), seen.tests or "not asked"]
        lines.append(f"| {edit.file} | `{old}` → `{new}` | {' | '.join(said)} |")
    return "\n".join(lines) + "\n"


def _key(edit: Any) -> str:
    return f"{edit.file}: {edit.old} -> {edit.new}"


def _kept(path: Path | None) -> dict[str, Seen]:
    if path is None or not path.exists():
        return {}
    return {key: Seen(*seen) for key, seen in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def main() -> None:
    """Plant some faults, or all, and write the table."""
    every = importlib.import_module("edits").EDITS  # beside this file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("range", nargs="*", type=int)
    parser.add_argument("--no-tests", action="store_true", help="do not ask tests where nothing else sees a fault")
    parser.add_argument("--only", default="", help="faults in files whose path contains this")
    parser.add_argument("--keep", type=Path, help="what was found, a line of JSON for each fault")
    parser.add_argument("--docs", type=Path, help="the page whose table is written anew")
    given = parser.parse_args()
    first, last = given.range or (0, len(every))
    wanted = [one for one in every[first:last] if given.only in one.file]
    known = _kept(given.keep)
    with tempfile.TemporaryDirectory(prefix="oo-sim-mutants-") as place:
        for edit, seen in planted([one for one in wanted if _key(one) not in known], not given.no_tests, Path(place)):
            known[_key(edit)] = seen
            print(edit.file, repr(edit.new)[:60], seen, flush=True)
            if given.keep:
                with given.keep.open("a", encoding="utf-8") as out:
                    out.write(json.dumps([_key(edit), seen]) + "\n")
    rows = [(one, known[_key(one)]) for one in wanted]
    if given.docs:
        page = given.docs.read_text(encoding="utf-8")
        before, after = page.partition(_BEGIN)[0], page.partition(_END)[2]
        given.docs.write_text(f"{before}{_BEGIN}\n{table(rows)}{_END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
