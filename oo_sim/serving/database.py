"""The one SQLite file in the state directory: its tables, how it is opened, and what it was made with."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from oo_sim.errors import ServingError
from oo_sim.serving.mounts import Mount

FILE = "oo-sim.sqlite3"
FORMAT = 2
"""The version of the tables and of the layout of state bytes. Format 1 had no `learnings.tip_id`."""
MAX_SEED = 2**32 - 1

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- A policy by its label, and what its users' states were learned with.
CREATE TABLE policies (id INTEGER PRIMARY KEY, label TEXT NOT NULL UNIQUE, learned_with TEXT NOT NULL);
-- Every set of parameters that a policy has decided with.
CREATE TABLE variants (
    id INTEGER PRIMARY KEY, policy INTEGER NOT NULL, hash TEXT NOT NULL, description TEXT NOT NULL,
    UNIQUE (policy, hash)
);
-- One row per user and policy. decisions, ticks and learned count from the beginning, since is the value of
-- decisions at the last reset, and pulls, explored, rewards and total count from there.
CREATE TABLE models (
    user TEXT NOT NULL, policy INTEGER NOT NULL, version INTEGER NOT NULL,
    decisions INTEGER NOT NULL, ticks INTEGER NOT NULL, learned INTEGER NOT NULL, since INTEGER NOT NULL,
    pulls INTEGER NOT NULL, explored INTEGER NOT NULL, rewards INTEGER NOT NULL, total REAL NOT NULL,
    updated INTEGER, state BLOB,
    PRIMARY KEY (user, policy)
) WITHOUT ROWID;
-- reward is what was learned from the decision, null before; candidates are JSON rows, x and probs float64 bytes.
CREATE TABLE decisions (
    n INTEGER PRIMARY KEY, user TEXT NOT NULL, policy INTEGER NOT NULL, t INTEGER NOT NULL, variant INTEGER NOT NULL,
    ts INTEGER NOT NULL, hour INTEGER NOT NULL, day INTEGER NOT NULL, candidates TEXT NOT NULL, x BLOB NOT NULL,
    probs BLOB, chosen INTEGER NOT NULL, propensity REAL, score REAL NOT NULL, explored INTEGER,
    prompt_version TEXT, llm_model TEXT, tip_kind TEXT, reward REAL
);
CREATE UNIQUE INDEX decision_of_user ON decisions (user, policy, t);
-- t_decided is null where the caller named no decision; the raw columns make the vector again under other features.
CREATE TABLE learnings (
    n INTEGER PRIMARY KEY, user TEXT NOT NULL, policy INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
    ts INTEGER NOT NULL, t_decided INTEGER, t_now INTEGER NOT NULL, x BLOB, reaction TEXT, reward REAL,
    hour INTEGER, day INTEGER, is_overdue INTEGER, task_age_days REAL, priority INTEGER, is_llm INTEGER, tip_id TEXT
);
"""


def connect(directory: Path) -> sqlite3.Connection:
    """The file, opened to be written by any one thread at a time. Raises ServingError where there is none to use."""
    path = directory / FILE
    if not path.is_file():
        raise ServingError(f"{path} does not exist; `oo-sim serve --state-dir {directory}` makes it")
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        db.execute("PRAGMA cache_size = -16000")
        _check_format(db, path)
    except sqlite3.DatabaseError as error:
        db.close()
        raise ServingError(f"{path} is no state of oo-sim: {error}") from error
    except ServingError:
        db.close()
        raise
    return db


def prepare(directory: Path, mounts: Iterable[Mount], seed: int | None = None) -> None:
    """Make the file if it is missing, and check that every policy can go on from the state that is there.

    Raises ServingError: the file cannot be made or used, has another seed, or a policy learns otherwise now.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _create(directory / FILE, seed)
    except (OSError, sqlite3.DatabaseError) as error:
        raise ServingError(f"{directory / FILE} cannot be made: {error}") from error
    db = connect(directory)
    try:
        with transaction(db):
            _check_seed(db, seed)
            for mount in mounts:
                _register(db, mount)
    finally:
        db.close()


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """A write transaction that is rolled back where its block raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def seed_of(db: sqlite3.Connection) -> int:
    """The seed of all draws."""
    return int(db.execute("SELECT value FROM meta WHERE key = 'seed'").fetchone()[0])


def policy_ids(db: sqlite3.Connection) -> dict[str, int]:
    """The policies' numbers by label."""
    return dict(db.execute("SELECT label, id FROM policies"))


def variant_ids(db: sqlite3.Connection) -> dict[tuple[int, str], int]:
    """The variants' numbers by policy and hash."""
    return {(policy, key): number for number, policy, key in db.execute("SELECT id, policy, hash FROM variants")}


def migrations(db: sqlite3.Connection) -> int:
    """How often the states were rebuilt: a server that finds another number than it began with must stop writing."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def canonical(description: object) -> str:
    """A description as text that is equal where it is equal."""
    return json.dumps(description, sort_keys=True)


def _create(path: Path, seed: int | None) -> None:
    db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        with transaction(db):
            if db.execute("SELECT 1 FROM sqlite_schema").fetchone():
                return
            for statement in _TABLES.split(";\n"):
                db.execute(statement)
            chosen = secrets.randbelow(MAX_SEED + 1) if seed is None else seed
            db.executemany("INSERT INTO meta VALUES (?, ?)", [("format", str(FORMAT)), ("seed", str(chosen))])
    finally:
        db.close()


def _check_format(db: sqlite3.Connection, path: Path) -> None:
    found = db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()
    if found == ("1",):
        _upgrade(db)
        found = (str(FORMAT),)
    if found is None or found[0] != str(FORMAT):
        raise ServingError(f"{path} has format {found and found[0]}; this version reads format {FORMAT}")


def _upgrade(db: sqlite3.Connection) -> None:
    """Format 1 to 2, in place: a column more, which servers of format 1 leave empty."""
    with transaction(db):
        if db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("1",):
            db.execute("ALTER TABLE learnings ADD COLUMN tip_id TEXT")
            db.execute("UPDATE meta SET value = '2' WHERE key = 'format'")


def _check_seed(db: sqlite3.Connection, seed: int | None) -> None:
    if seed is not None and seed != (kept := seed_of(db)):
        raise ServingError(
            f"--seed {seed}: this state was made with seed {kept}; leave --seed out, or use a new directory"
        )


def _register(db: sqlite3.Connection, mount: Mount) -> None:
    now = mount.learned_with()
    db.execute("INSERT OR IGNORE INTO policies (label, learned_with) VALUES (?, ?)", (mount.label, canonical(now)))
    number, text = db.execute("SELECT id, learned_with FROM policies WHERE label = ?", (mount.label,)).fetchone()
    if text != canonical(now):
        raise ServingError(_changed(mount.label, json.loads(text), now))
    add_variant(db, number, mount)


def add_variant(db: sqlite3.Connection, policy: int, mount: Mount) -> None:
    """Note down with which parameters the policy decides from now on."""
    row = (policy, mount.hash, canonical(mount.description()))
    db.execute("INSERT OR IGNORE INTO variants (policy, hash, description) VALUES (?, ?, ?)", row)


def _changed(label: str, before: dict[str, object], now: dict[str, object]) -> str:
    keys = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    was, wanted = (", ".join(f"{key}={side.get(key)}" for key in keys) for side in (before, now))
    return (
        f"policy {label}: the state here was learned with {was}, and cannot go on with {wanted}; "
        "mount it as it was or under another name (NAME=SPEC), or rebuild the state with `oo-sim migrate`"
    )
