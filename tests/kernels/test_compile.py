"""The cache of compiled kernels: never stale, never in the way. Each case is a copy of the package of its own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import numba
import pytest
from numba.core import caching
from numba.core.registry import cpu_target

import oo_sim
from oo_sim.kernels import compile as compiling

pytestmark = [pytest.mark.subprocess, pytest.mark.compiled]

PACKAGE = Path(oo_sim.__file__).parent
SWITCHES = ("NUMBA_CACHE_DIR", "NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT", "NUMBA_OPT", "XDG_CACHE_HOME")

REPORT = """
import numpy as np
from oo_sim.kernels.compile import cache_directory
from oo_sim.kernels.tips import uniform_quantile
values = np.array([[0.25, 0.75]])
uniform_quantile(-1.0, 1.0, values)
print(cache_directory())
print(values.tolist(), sum(uniform_quantile.stats.cache_hits.values()))
"""


def twice(x: Any) -> Any:
    """A kernel that is compiled anew for each kind of number."""
    return 2 * x


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of what compiled code comes from, importable from `tmp_path / "site"`."""
    copy = tmp_path / "site" / "oo_sim"
    (copy / "kernels").mkdir(parents=True)
    for source in (*PACKAGE.glob("*.py"), *(PACKAGE / "kernels").glob("*.py")):
        shutil.copy(source, copy / source.relative_to(PACKAGE))
    return copy


def report(package: Path, home: Path, **environment: str) -> tuple[str, str]:
    """Where a process of its own keeps compiled kernels; and what one of them returns, with its cache hits."""
    inherited = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    done = subprocess.run(
        [sys.executable, "-B", "-c", REPORT],
        env=inherited | {"PYTHONPATH": str(package.parent), "HOME": str(home)} | environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    directory, result = done.stdout.splitlines()
    return directory, result


def test_an_edited_kernel_is_never_served_stale(package: Path, tmp_path: Path) -> None:
    """Unchanged, the second process compiles nothing; after an edit the next one runs the new code."""
    directory, result = report(package, tmp_path)
    assert Path(directory).parent == package / "kernels" / "__pycache__"
    assert result == "[[-0.5, 0.5]] 0"
    assert report(package, tmp_path) == (directory, "[[-0.5, 0.5]] 1")

    source = package / "kernels" / "tips.py"
    text = source.read_text()
    edited = text.replace("low + (high - low) * values[k, i]", "high - (high - low) * values[k, i]")
    assert edited != text
    source.write_text(edited)
    elsewhere, changed = report(package, tmp_path)
    assert elsewhere != directory
    assert changed == "[[0.5, -0.5]] 0"


def test_a_chosen_cache_directory_is_used(package: Path, tmp_path: Path) -> None:
    directory, _ = report(package, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "chosen"))
    assert Path(directory).parent == tmp_path / "chosen"


def block(place: Path) -> None:
    """Make a directory impossible to write, for root as well: a file stands where it would be."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("in the way")


def test_a_package_that_cannot_be_written_falls_back_to_the_users_cache(package: Path, tmp_path: Path) -> None:
    block(package / "kernels" / "__pycache__")
    directory, _ = report(package, tmp_path)
    assert Path(directory).parent == tmp_path / ".cache" / "oo_sim"
    assert report(package, tmp_path)[1] == "[[-0.5, 0.5]] 1"


def test_where_nothing_can_be_written_kernels_still_run(package: Path, tmp_path: Path) -> None:
    block(package / "kernels" / "__pycache__")
    block(tmp_path / ".cache")
    assert report(package, tmp_path) == ("None", "[[-0.5, 0.5]] 0")


def found_here(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path | None:
    """The directory that this process would choose for a package that cannot be written."""
    block(package / "kernels" / "__pycache__")
    monkeypatch.setattr(compiling, "_ROOM", package / "kernels")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    return compiling.cache_directory.__wrapped__()


def test_the_users_cache_is_where_the_user_says(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    directory = found_here(package, monkeypatch)
    assert directory is not None
    assert directory.parent == tmp_path / "xdg" / "oo_sim"


def test_a_user_without_a_home_can_still_run(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is run under a user number that no file knows: `~` then stands for itself."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert found_here(package, monkeypatch) is None
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_key_covers_every_source_switch_version_and_processor(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = package / "kernels"
    keys = {compiling.cache_key(room)}
    sources = [*sorted(room.glob("*.py")), package / "contract.py"]
    for source in sources:
        text = source.read_text()
        source.write_text(text + "# another byte\n")
        keys.add(compiling.cache_key(room))
        source.write_text(text)
    for switch in ("NUMBA_BOUNDSCHECK", "NUMBA_OPT"):
        monkeypatch.setenv(switch, "2")
        keys.add(compiling.cache_key(room))
        monkeypatch.delenv(switch)
    monkeypatch.setattr(numba, "__version__", "0.0")
    keys.add(compiling.cache_key(room))
    monkeypatch.undo()
    monkeypatch.setattr(cpu_target.target_context.codegen(), "_get_host_cpu_name", lambda: "generic")
    keys.add(compiling.cache_key(room))
    monkeypatch.undo()
    assert len(keys) == len(sources) + 5
    assert compiling.cache_key(room) in keys


def test_two_processes_that_compile_at_once_keep_both_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba reads an index, chooses a number for its file, and writes the index: here it takes its time in between."""
    write = caching.IndexDataCacheFile._save_index

    def slowly(self: Any, overloads: Any) -> None:
        time.sleep(0.3)
        cast(Any, write)(self, overloads)

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_index", slowly)
    monkeypatch.setattr(compiling, "cache_directory", lambda: tmp_path)

    def compiled_for(value: complex) -> Any:
        doubled = compiling.kernel(twice)
        assert doubled(value) == 2 * value
        return doubled

    processes = [multiprocessing.get_context("fork").Process(target=compiled_for, args=(v,)) for v in (3, 1.5, 1j)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    for value in (3, 1.5, 1j):
        assert sum(compiled_for(value).stats.cache_hits.values()) == 1


def test_old_kernels_are_removed_also_while_another_process_removes_them(tmp_path: Path) -> None:
    for name, age in (("kernels-old", 40), ("kernels-new", 20)):
        (tmp_path / name).mkdir()
        then = time.time() - age * 24 * 3600
        os.utime(tmp_path / name, (then, then))
    (tmp_path / "kernels-gone").symlink_to(tmp_path / "nowhere")  # as what was listed, and is not there any more
    compiling._forget_old(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"kernels-new", "kernels-gone"}


def test_other_peoples_kernels_keep_their_own_cache() -> None:
    """Numba's directory is one setting for the whole process; it is put back after each kernel."""
    settings: Any = numba.config
    before = settings.CACHE_DIR
    compiling.kernel(lambda x: x)
    assert before == settings.CACHE_DIR


def test_arithmetic_is_strict() -> None:
    """Division by zero is IEEE's, not an exception, and no fused multiply-add is contracted."""

    @compiling.kernel
    def fused(a: float, b: float, c: float) -> float:
        return a * b + c

    @compiling.kernel
    def divided(a: float, b: float) -> float:
        return a / b

    a = 1.0 + 2.0**-30
    assert fused(a, a, -1.0 - 2.0**-29) == 0.0  # a fused one would keep the 2^-60
    assert divided(1.0, 0.0) == float("inf")
