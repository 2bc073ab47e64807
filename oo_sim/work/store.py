"""A work directory: what came of each unit under its content hash, so that nothing is computed twice.

    work.json                          what the directory was made for, and what was asked of it last
    lock                               who works here, and on which unit, by the kernel's own locks
    units/<recipe>/<replicate>-<first>-<users>.unit
    units/<recipe>/<replicate>-<first>-<users>.state       what its users remember, where it was asked for

A unit is written under a temporary name and renamed, and holds a checksum of itself and its own address: what a crash,
a full disk or a flipped bit leaves behind is never used, only done again. Several processes share the work: each takes
units that no other has taken.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from oo_sim.contract import I64
from oo_sim.errors import WorkError
from oo_sim.kernels.tally import SUMS, TOTALS
from oo_sim.stats.exact import ExactMoments
from oo_sim.work.locks import Locks, locks
from oo_sim.work.unit import Played, Recipe, Unit, cut

_MAGIC = b"oo-sim unit 1\n"
_ABOUT, _LOCK, _STATE = "work.json", "lock", ".state"


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
        self._locks: Locks | None = None
        self._shorter: list[int] = []  # numbers of rounds after which states were kept
        self._stack = ExitStack()

    @property
    def directory(self) -> Path:
        """Where it writes."""
        return self.directories[0]

    def __enter__(self) -> Self:
        if self._writes:
            if self.directory.is_dir():
                self.about()  # before anything is written into what may be somebody else's
            try:
                (self.directory / "units").mkdir(parents=True, exist_ok=True)
                self._locks = self._stack.enter_context(locks(self.directory / _LOCK, create=True))
            except OSError as error:
                raise WorkError(f"{self.directory}: cannot be used for work: {error.strerror}") from error
            self._locks.sit()
            self._sweep(self._locks)
        return self

    def __exit__(self, *error: object) -> None:
        self._locks = None
        self._stack.close()

    def _sweep(self, held: Locks) -> None:
        """Remove what killed processes had begun to write: what nobody has taken, nobody writes."""
        for left in [*self.directory.glob(f".{_ABOUT}.*.partial"), *self.directory.glob("units/*/.*.partial")]:
            name = left.name[1:].rsplit(".", 2)[0]
            name = name if name == _ABOUT else f"{left.parent.name}/{name}"
            if held.take(name):
                left.unlink(missing_ok=True)
                held.give(name)

    def holders(self) -> list[str]:
        """Who works in the directory at the moment."""
        with suppress(OSError), locks(self.directory / _LOCK, create=False) as held:
            return held.holders()
        return []

    def take(self, unit: Unit, *, wait: bool = False) -> bool:
        """Whether this process is to do the unit: no other one has taken it. With `wait`, as soon as no other one has
        it."""
        return self._locks is None or self._locks.take(_name(unit), wait=wait)

    def give(self, unit: Unit) -> None:
        """The unit is done, or given up."""
        if self._locks is not None:
            self._locks.give(_name(unit))

    def about(self) -> dict[str, Any]:
        """What the directory was made for; empty for a new one."""
        path = self.directory / _ABOUT
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            own = (_LOCK, "units", f".{_ABOUT}.")
            if self._writes and not all(each.name.startswith(own) for each in self.directory.iterdir()):
                raise WorkError(f"{self.directory}: is not a work directory, and not empty; name a new one") from None
            return {}
        except NotADirectoryError:
            raise WorkError(f"{self.directory}: is a file, not a work directory; name a new one") from None
        except (OSError, ValueError) as error:
            raise WorkError(
                f"{path}: cannot be read: {error}; delete it to continue with the units beside it"
            ) from error
        if not isinstance(found, dict) or not {"scenario", "versions", "asked"} <= set(found):
            raise WorkError(f"{path}: does not describe a work directory")
        return found

    def made_for(
        self,
        scenario: Mapping[str, Any],
        versions: Mapping[str, str],
        asked: Mapping[str, Any],
        *,
        remembers: bool = False,
    ) -> None:
        """Note what is asked. Refuse a directory that was made for another scenario or with other versions; other
        rounds are the same scenario where states are kept, as they are from now on where it `remembers`."""
        assert self._locks is not None
        self._locks.take(_ABOUT, wait=True)
        try:
            states = self.check(scenario, versions)
            new: dict[str, Any] = {"scenario": scenario, "versions": versions, "asked": asked}
            new["states"] = sorted(states | ({scenario["rounds"]} if remembers else set()))
            self._write(self.directory / _ABOUT, json.dumps(new, indent=1, ensure_ascii=False).encode())
        finally:
            self._locks.give(_ABOUT)

    def check(self, scenario: Mapping[str, Any], versions: Mapping[str, str]) -> set[int]:
        """Refuse a directory that was made for another scenario or with other versions; after which numbers of rounds
        it has states. With any, other rounds are the same scenario."""
        known = self.about()
        states = set(known.get("states", ()))
        self._shorter = sorted(states, reverse=True)
        if states:
            known["scenario"]["rounds"] = scenario["rounds"]
        for what, now in (("scenario", scenario), ("versions", versions)):
            if known and (differs := next(differences(known[what], now), None)):
                path, was, is_ = differs
                where = path if what == "versions" else f"its scenario's {path}"
                raise WorkError(
                    f"{self.directory}: was made with {where} = {was!r:.60}, and this run has {is_!r:.60}; "
                    + ("its states were not kept (--checkpoint-states), so " if path == "rounds" else "")
                    + "name another directory for it"
                )
        return states

    def kept(self, recipe: Recipe, marks: Sequence[int], users: int, replicate: int, first: int = 0) -> list[Kept]:
        """The units of a recipe that lie among the users from `first` to before `users`, without overlap, those that
        reach far first.

        Only their names are looked at; `read` says whether they are sound.
        """
        found: list[Kept] = []
        for directory in self.directories:
            for path in (directory / "units" / recipe.key).glob(f"{replicate}-*.unit"):
                with suppress(ValueError):
                    numbers = [int(part) for part in path.name.removesuffix(".unit").split("-")]
                    if len(numbers) == 3 and first <= numbers[1] <= users - numbers[2]:
                        found.append(Kept(path, *numbers))
        chosen: list[Kept] = []
        for each in sorted(found, key=lambda kept: (kept.first, -kept.users)):
            if not chosen or each.first >= chosen[-1].first + chosen[-1].users:
                chosen.append(each)
        return chosen

    def missing(
        self, recipe: Recipe, marks: Sequence[int], rounds: int, users: int, replicate: int, size: int, first: int = 0
    ) -> Iterator[Unit | tuple[Unit, Path]]:
        """The users from `first` to before `users` in units, those that are there with their files."""
        at = first
        for kept in self.kept(recipe, marks, users, replicate, first):
            yield from cut(recipe, marks, rounds, replicate, at, kept.first, size)
            yield Unit(recipe, replicate, kept.first, kept.users, rounds, tuple(marks)), kept.path
            at = kept.first + kept.users
        yield from cut(recipe, marks, rounds, replicate, at, users, size)

    def where(self, unit: Unit) -> Path:
        """The file of a unit."""
        return self.directory / "units" / _name(unit)

    def read(self, unit: Unit, path: Path) -> Played | None:
        """What came of a unit, or None where its file is damaged, foreign or lacks a checkpoint or hashes: do it again
        then."""
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if (opened := _opened(data)) is None:
            return None
        head, raw = opened
        lacks = not set(unit.marks) <= set(head["marks"]) or unit.hashed > head.get("hashed", False)
        if head["address"] != _address(unit) or lacks or unit.remembers > head.get("remembers", False):
            return None
        count = unit.rounds * len(SUMS)
        end = count + len(head["marks"]) * len(TOTALS) * unit.users
        totals = raw[count:end].reshape(len(head["marks"]), len(TOTALS), unit.users)
        hashes = raw[end : end + unit.users * unit.hashed].reshape(1, -1).view(np.uint64)
        wanted = [head["marks"].index(mark) for mark in unit.marks]
        moments = ExactMoments(head["n"], tuple(head["sums"]), tuple(head["squares"]))
        return Played(raw[:count].reshape(1, unit.rounds, -1), totals[None, wanted], moments, head["seconds"], hashes)

    def before(self, unit: Unit) -> Played | None:
        """What came of the same users in fewer rounds, as many as there are, with what they remember; None where there
        is nothing of it, or where it is damaged or lacks a checkpoint or hashes."""
        for shorter in self._fewer(unit):
            played = self.read(shorter, path := self.where(shorter))
            if played is None:
                continue
            with suppress(OSError):
                if (opened := _opened(path.with_suffix(_STATE).read_bytes())) is not None:
                    head, raw = opened
                    if head["address"] == _address(shorter):
                        return played._replace(words=raw.reshape(-1, unit.users), by=head["by"])
        return None

    def _fewer(self, unit: Unit) -> Iterator[Unit]:
        """The same users in fewer rounds, after which states were kept, the most rounds first; none with a bank, whose
        world remembers the tips of all rounds, so that of more rounds is another one."""
        for rounds in () if unit.recipe.bank else self._shorter:
            if rounds < unit.rounds:
                marks = tuple(mark for mark in unit.marks if mark <= rounds)
                yield unit._replace(recipe=unit.recipe.of(rounds), rounds=rounds, marks=marks, remembers=False)

    def reached(self, unit: Unit) -> int:
        """How many rounds of a unit that is to be done are there, by the names of files alone (see `before`)."""
        there = (fewer for fewer in self._fewer(unit) if self.where(fewer).with_suffix(_STATE).exists())
        return next((fewer.rounds for fewer in there), 0)

    def write(self, unit: Unit, played: Played) -> None:
        """Keep what came of a unit, where anything is written. Raises WorkError where it cannot be."""
        if not self._writes:
            return
        if unit.remembers and played.words.size:
            state = {"address": _address(unit), "by": played.by}
            self._write(self.where(unit).with_suffix(_STATE), _closed(state, played.words))
        hashes = played.hashes.view(np.int64)
        n, sums, squares = played.moments
        head = {
            "address": _address(unit),
            "marks": unit.marks,
            "n": n,
            "sums": sums,
            "squares": squares,
            "seconds": played.seconds,
            "hashed": hashes.size > 0,
            "remembers": unit.remembers,
        }
        self._write(self.where(unit), _closed(head, played.sums, played.totals, hashes))

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


def _closed(head: Mapping[str, Any], *arrays: I64) -> bytes:
    """A line that says what it is, and numbers, with a checksum of both."""
    raw = arrays[0].ravel() if len(arrays) == 1 else np.concatenate([array.ravel() for array in arrays])
    line = json.dumps({**head, "bytes": raw.nbytes}).encode()
    body: bytes = line + b"\n" + pa.compress(raw, codec="zstd", asbytes=True)
    return _MAGIC + _checksum(body) + body


def _opened(data: bytes) -> tuple[dict[str, Any], I64] | None:
    """The inverse of `_closed`; None where a bit is not as it was."""
    body = data[len(_MAGIC) + 32 :]
    if data[: len(_MAGIC)] != _MAGIC or _checksum(body) != data[len(_MAGIC) : len(_MAGIC) + 32]:
        return None
    line, _, payload = body.partition(b"\n")
    head = json.loads(line)
    return head, np.frombuffer(pa.decompress(payload, head["bytes"], codec="zstd"), np.int64)


def _name(unit: Unit) -> str:
    return f"{unit.recipe.key}/{unit.replicate}-{unit.first}-{unit.users}.unit"


def _address(unit: Unit) -> list[Any]:
    return [unit.recipe.key, unit.replicate, unit.first, unit.users, unit.rounds]


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).hexdigest().encode()


def differences(a: Any, b: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The places where two plain values differ, and both values there."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from differences(a.get(key, "absent"), b.get(key, "absent"), f"{path}.{key}" if path else str(key))
    elif isinstance(a, list) and isinstance(b, list | tuple) and len(a) == len(b):
        for i, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from differences(one, other, f"{path}[{i}]")
    elif a != b:
        yield path, a, b
