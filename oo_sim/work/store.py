"""A work directory: what came of each unit under its content hash, so that nothing is computed twice.

    work.json                          what the directory was made for, and what was asked of it last
    lock                               held, by the kernel's own means, by the one process that works here
    units/<recipe>/<replicate>-<first>-<users>.unit

A unit is written under a temporary name and renamed, and holds a checksum of itself and its own address: what a crash,
a full disk or a flipped bit leaves behind is never used, only done again.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from oo_sim.errors import WorkError
from oo_sim.kernels.tally import SUMS, TOTALS
from oo_sim.stats.exact import ExactMoments
from oo_sim.work.unit import Played, Recipe, Unit, cut

try:
    import fcntl
except ImportError:  # pragma: no cover (elsewhere than on POSIX nothing is locked)
    fcntl = None  # type: ignore[assignment]

_MAGIC = b"oo-sim unit 1\n"
_ABOUT, _LOCK = "work.json", "lock"


class Kept(NamedTuple):
    """A unit that is there, with all checkpoints that were asked of it."""

    path: Path
    replicate: int
    first: int
    users: int


class Store:
    """One work directory, or several that are read as one. Raises WorkError where it is not what it should be."""

    def __init__(self, *directories: Path, writes: bool = True) -> None:
        self.directories = directories
        self._writes = writes
        self._lock: int | None = None

    @property
    def directory(self) -> Path:
        """Where it writes."""
        return self.directories[0]

    def __enter__(self) -> Self:
        if self._writes:
            try:
                (self.directory / "units").mkdir(parents=True, exist_ok=True)
                self._take()
            except OSError as error:
                raise WorkError(f"{self.directory}: cannot be worked in: {error.strerror}") from error
            for left in self.directory.glob("units/*/.*.partial"):  # of a process that was killed: nobody writes now
                left.unlink(missing_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take(self) -> None:
        """Lock the directory: record locks are the kernel's, not inherited by forks, and go with their process."""
        self._lock = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if fcntl is None:  # pragma: no cover
            return
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            who = os.read(self._lock, 200).decode(errors="replace").strip() or "another process"
            self.__exit__()
            raise WorkError(f"{self.directory}: {who} works here; wait for it, or name another directory") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"process {os.getpid()} on {platform.node()}".encode(), 0)

    def holder(self) -> str | None:
        """Who works in the directory at the moment."""
        try:
            lock = os.open(self.directory / _LOCK, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return os.read(lock, 200).decode(errors="replace") or "another process"
        finally:
            os.close(lock)
        return None

    def about(self) -> dict[str, Any]:
        """What the directory was made for; empty for a new one."""
        path = self.directory / _ABOUT
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            if self._writes and any(each.name not in (_LOCK, "units") for each in self.directory.iterdir()):
                raise WorkError(f"{self.directory}: is not a work directory, and not empty; name a new one") from None
            return {}
        except (OSError, ValueError) as error:
            raise WorkError(f"{path}: cannot be read: {error}; delete it if the units beside it are wanted") from error
        if not isinstance(found, dict) or not {"scenario", "versions", "asked"} <= set(found):
            raise WorkError(f"{path}: does not describe a work directory")
        return found

    def made_for(self, scenario: Mapping[str, Any], versions: Mapping[str, str], asked: Mapping[str, Any]) -> None:
        """Note what is asked. Refuse a directory that was made for another scenario or with other versions."""
        known = self.about()
        for what, now in (("scenario", scenario), ("versions", versions)):
            if known and (differs := next(_differences(known[what], now), None)):
                path, was, is_ = differs
                where = path if what == "versions" else f"its scenario's {path}"
                raise WorkError(
                    f"{self.directory}: was made with {where} = {was!r:.60}, and this run has {is_!r:.60}; "
                    "name another directory for it"
                )
        text = json.dumps({"scenario": scenario, "versions": versions, "asked": asked}, indent=1, ensure_ascii=False)
        self._write(self.directory / _ABOUT, text.encode())

    def kept(self, recipe: Recipe, marks: Sequence[int], users: int, replicate: int) -> list[Kept]:
        """The units of a recipe that lie within the first `users` users, without overlap, those that reach far first.

        Only their names are looked at; `read` says whether they are sound.
        """
        found: list[Kept] = []
        for directory in self.directories:
            for path in (directory / "units" / recipe.key).glob(f"{replicate}-*.unit"):
                with suppress(ValueError):
                    numbers = [int(part) for part in path.name.removesuffix(".unit").split("-")]
                    if len(numbers) == 3 and numbers[1] + numbers[2] <= users:
                        found.append(Kept(path, *numbers))
        chosen: list[Kept] = []
        for each in sorted(found, key=lambda kept: (kept.first, -kept.users)):
            if not chosen or each.first >= chosen[-1].first + chosen[-1].users:
                chosen.append(each)
        return chosen

    def missing(
        self, recipe: Recipe, marks: Sequence[int], rounds: int, users: int, replicate: int, size: int
    ) -> Iterator[Unit | tuple[Unit, Path]]:
        """All users in units, those that are there with their files."""
        at = 0
        for kept in self.kept(recipe, marks, users, replicate):
            yield from cut(recipe, marks, rounds, replicate, at, kept.first, size)
            yield Unit(recipe, replicate, kept.first, kept.users, rounds, tuple(marks)), kept.path
            at = kept.first + kept.users
        yield from cut(recipe, marks, rounds, replicate, at, users, size)

    def read(self, unit: Unit, path: Path) -> Played | None:
        """What came of a unit, or None where its file is damaged, foreign or lacks a checkpoint: do it again then."""
        try:
            data = path.read_bytes()
        except OSError:
            return None
        body = data[len(_MAGIC) + 32 :]
        if data[: len(_MAGIC)] != _MAGIC or _checksum(body) != data[len(_MAGIC) : len(_MAGIC) + 32]:
            return None
        line, _, payload = body.partition(b"\n")
        head = json.loads(line)
        if head["address"] != _address(unit) or not set(unit.marks) <= set(head["marks"]):
            return None
        raw = np.frombuffer(pa.decompress(payload, head["bytes"], codec="zstd"), np.int64)
        count = unit.rounds * len(SUMS)
        totals = raw[count:].reshape(len(head["marks"]), len(TOTALS), unit.users)
        wanted = [head["marks"].index(mark) for mark in unit.marks]
        moments = ExactMoments(head["n"], tuple(head["sums"]), tuple(head["squares"]))
        return Played(raw[:count].reshape(1, unit.rounds, -1), totals[None, wanted], moments, head["seconds"])

    def write(self, unit: Unit, played: Played) -> None:
        """Keep what came of a unit. Raises WorkError where it cannot be written."""
        raw = np.concatenate([played.sums.ravel(), played.totals.ravel()]).tobytes()
        n, sums, squares = played.moments
        head = {
            "address": _address(unit),
            "marks": unit.marks,
            "bytes": len(raw),
            "n": n,
            "sums": sums,
            "squares": squares,
            "seconds": played.seconds,
        }
        body = json.dumps(head).encode() + b"\n" + pa.compress(raw, codec="zstd", asbytes=True)
        where = self.directory / "units" / unit.recipe.key
        self._write(where / f"{unit.replicate}-{unit.first}-{unit.users}.unit", _MAGIC + _checksum(body) + body)

    def _write(self, path: Path, data: bytes) -> None:
        """Write a file under a temporary name, and rename it: it is there whole, or not at all."""
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise WorkError(f"{path}: cannot be written: {error.strerror}; what is done so far is kept") from error

    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.directory.glob("units/*/*.unit"))

    def free(self) -> int:
        """Bytes free where it is."""
        return shutil.disk_usage(self.directory).free


def _address(unit: Unit) -> list[Any]:
    return [unit.recipe.key, unit.replicate, unit.first, unit.users, unit.rounds]


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).hexdigest().encode()


def _differences(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The places where two plain values differ, and both values there."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from _differences(a.get(key, "absent"), b.get(key, "absent"), f"{path}.{key}" if path else str(key))
    elif isinstance(a, list) and isinstance(b, list | tuple) and len(a) == len(b):
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from _differences(one, other, f"{path}[{i}]")
    elif a != b:
        yield path, a, b
