"""How kernels are compiled: strict IEEE arithmetic, no GIL, and a disk cache that can never serve a stale kernel.

Numba notices an edit to a kernel, but not to another kernel that it calls. So the cache directory is keyed by a hash
of every source that compiled code can come from: this package and `contract.py`, which is all it may import. Versions
of Numba and processors have directories of their own too: a cache may be in a home that many machines share.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numba
from numba.core.registry import cpu_target

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

F = TypeVar("F", bound=Callable[..., Any])

_ROOM = Path(__file__).parent
_MONTH = 30 * 24 * 3600
_FLAGS = ("NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT", "NUMBA_OPT")


def cache_key(room: Path = _ROOM) -> str:
    """Hash of all sources that compiled code can come from, and of what else decides what they are compiled to:
    switches, Numba's version and the processor. Those of tiles are in their instances' names."""
    digest = hashlib.blake2b(digest_size=8)
    for path in [*sorted(room.glob("*.py")), room.parent / "contract.py"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    switches = [os.environ.get(flag) for flag in _FLAGS]
    digest.update(repr([switches, numba.__version__, cpu_target.target_context.codegen().magic_tuple()]).encode())
    return digest.hexdigest()


def _candidates() -> Iterator[Path]:
    """Where compiled kernels may be kept, best first: beside the package, else with the user's caches."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(chosen)
    yield _ROOM / "__pycache__"
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    if home.is_absolute():  # it is not where the user has no home
        yield home / "oo_sim"


def _writable(directory: Path) -> bool:
    """Whether files can be made in the directory, which is made if missing. Asking the permission bits would not
    notice a read-only mount."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


@functools.cache
def cache_directory() -> Path | None:
    """Where this process keeps compiled kernels, or None where no directory can be written: then each process
    compiles anew. A shared temporary directory is never used, because a cached kernel is code."""
    for parent in _candidates():
        directory = parent / f"kernels-{cache_key()}"
        fresh = not directory.exists()
        if _writable(directory):
            if fresh:
                _forget_old(parent)
            return directory
    return None


def _forget_old(parent: Path) -> None:
    """Remove the kernels of earlier sources that have not been written for a month."""
    for directory in parent.glob("kernels-*"):
        with suppress(OSError):  # another process removes it too
            if time.time() - directory.stat().st_mtime > _MONTH:
                shutil.rmtree(directory, ignore_errors=True)


def _compiled(function: F, inline: Literal["never", "always"], cache: bool = True, **options: bool) -> F:
    directory, njit = cache_directory() if cache else None, cast(Any, numba.njit)
    compiler = njit(
        nogil=True, error_model="numpy", fastmath=False, inline=inline, cache=directory is not None, **options
    )
    with _cache_in(str(directory / _instance(function.__module__)) if directory else ""):
        return _kept_if_possible(cast(F, compiler(function)))


def _kept_if_possible(compiled: F) -> F:
    """The kernel, which runs all the same where there is no room on the disk to keep it. One process at a time keeps
    one: Numba numbers files by what an index says, and two that read it at once would give two kernels one number."""
    cache = getattr(compiled, "_cache", None)  # a plain function without a compiler has none
    if cache is not None and cache.cache_path is not None:
        keep = cache.save_overload

        def save(*what: Any) -> None:
            with suppress(OSError), _alone_in(Path(cache.cache_path)):
                keep(*what)

        cache.save_overload = save
    return compiled


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Hold the lock of a cache directory, which a process that is killed gives back."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _instance(module: str) -> str:
    """The directory within the cache of what one file was compiled to: tiles compile their files for many plans."""
    package = module.rpartition(".")[0].rpartition(".")[2]
    return package if package.startswith(INSTANCE) else "."


INSTANCE = "of_"
"""How the names of `kernels.tile.instances` begin."""


def is_kept(instance: str, module: str, name: str) -> bool:
    """Whether an earlier process compiled the kernel `name` of the instance's module and it is on disk."""
    directory = cache_directory()
    return directory is not None and any((directory / instance).glob(f"*/{module}.{name}-*.nbi"))


def is_compiling() -> bool:
    """Whether kernels are compiled at all (`NUMBA_DISABLE_JIT`)."""
    return not cast(Any, numba.config).DISABLE_JIT


@contextmanager
def _cache_in(directory: str) -> Iterator[None]:
    """Numba's cache directory is one setting for the whole process: other people's kernels keep their own."""
    settings: Any = numba.config
    saved, settings.CACHE_DIR = settings.CACHE_DIR, directory
    try:
        yield
    finally:
        settings.CACHE_DIR = saved


def kernel(function: F) -> F:
    """Compile a function on first use, strictly: no fastmath, no contraction, IEEE division, GIL released."""
    return _compiled(function, "never")


def inner(function: F) -> F:
    """Compile a kernel that only others call, and with them: it has no way in from Python and is not kept on disk."""
    return _compiled(function, "never", cache=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def scalar(function: F) -> F:
    """Compile a function of scalars that is always inlined: a call in a loop over lanes would keep the loop from being
    vectorised."""
    return _compiled(function, "always")


def lane(function: F) -> F:
    """The same for functions of one lane of a tile, which only compiled functions call."""
    return _compiled(function, "always", cache=False)
