"""The store that ships: one SQLite file in the state directory, which several processes may write in turn."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oo_sim.errors import ServingError
from oo_sim.logs import LoggedPolicy
from oo_sim.serving.mounts import Mount, register
from oo_sim.serving.store import DecisionRow, LearningRow, Model, Offered, StoreError, transaction

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
CREATE TABLE models (
    user TEXT NOT NULL, policy INTEGER NOT NULL, version INTEGER NOT NULL,
    decisions INTEGER NOT NULL, ticks INTEGER NOT NULL, learned INTEGER NOT NULL, since INTEGER NOT NULL,
    pulls INTEGER NOT NULL, explored INTEGER NOT NULL, rewards INTEGER NOT NULL, total REAL NOT NULL,
    updated INTEGER, state BLOB,
    PRIMARY KEY (user, policy)
) WITHOUT ROWID;
-- candidates are JSON rows, x and probs float64 bytes.
CREATE TABLE decisions (
    n INTEGER PRIMARY KEY, user TEXT NOT NULL, policy INTEGER NOT NULL, t INTEGER NOT NULL, variant INTEGER NOT NULL,
    ts INTEGER NOT NULL, hour INTEGER NOT NULL, day INTEGER NOT NULL, candidates TEXT NOT NULL, x BLOB NOT NULL,
    probs BLOB, chosen INTEGER NOT NULL, propensity REAL, score REAL NOT NULL, explored INTEGER,
    prompt_version TEXT, llm_model TEXT, tip_kind TEXT, reward REAL
);
CREATE UNIQUE INDEX decision_of_user ON decisions (user, policy, t);
CREATE TABLE learnings (
    n INTEGER PRIMARY KEY, user TEXT NOT NULL, policy INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
    ts INTEGER NOT NULL, t_decided INTEGER, t_now INTEGER NOT NULL, x BLOB, reaction TEXT, reward REAL,
    hour INTEGER, day INTEGER, is_overdue INTEGER, task_age_days REAL, priority INTEGER, is_llm INTEGER, tip_id TEXT
);
"""

_DECISION = tuple("variant" if name == "policy_hash" else name for name in DecisionRow._fields)
_TIP = ("is_overdue", "task_age_days", "priority", "is_llm", "tip_id")
_LEARNING = (*LearningRow._fields[:-1], *_TIP)


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_READ_MODEL = f"SELECT {', '.join(Model._fields)} FROM models WHERE user = ? AND policy = ?"
_INSERT_MODEL = _insert("models", ("user", "policy", *Model._fields))
_UPDATE_MODEL = (
    f"UPDATE models SET {', '.join(f'{name} = ?' for name in Model._fields)} "
    "WHERE user = ? AND policy = ? AND version = ?"
)
_DECISIONS = f"SELECT {', '.join(_DECISION)} FROM decisions"
_INSERT_DECISION = _insert("decisions", _DECISION)
_INSERT_LEARNING = _insert("learnings", _LEARNING)
_REWARDED = "UPDATE decisions SET reward = ? WHERE user = ? AND policy = ? AND t = ?"
_LATEST = f"SELECT n, {', '.join(_DECISION)} FROM decisions WHERE user = ? AND policy = ? AND t >= ? "
# States of format 1 did not note down which tip a reward was about; its decision knows.
_LEARNINGS = (
    f"SELECT {', '.join(f'l.{name}' for name in _LEARNING)}, d.candidates, d.chosen FROM learnings l "
    "LEFT JOIN decisions d ON l.tip_id IS NULL AND d.user = l.user AND d.policy = l.policy AND d.t = l.t_decided "
    "WHERE l.policy = ? ORDER BY "
)
_encoded: Callable[[Sequence[Offered]], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Database:
    """The store on an open file; see `Store`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.execute("PRAGMA busy_timeout = 0")  # whoever begins waits by itself
        self.seed = int(db.execute("SELECT value FROM meta WHERE key = 'seed'").fetchone()[0])
        self._read_names()

    def _read_names(self) -> None:
        self._ids: dict[str, int] = dict(self._db.execute("SELECT label, id FROM policies ORDER BY id").fetchall())
        self._labels = {number: label for label, number in self._ids.items()}
        found = self._db.execute("SELECT id, policy, hash FROM variants").fetchall()
        self._variants = {(self._labels[policy], key): number for number, policy, key in found}
        self._hashes = {number: key for (_, key), number in self._variants.items()}

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    @property
    def changes(self) -> int:
        """See `Store`."""
        return self._db.total_changes

    def begin(self) -> bool:
        """See `Store`."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise StoreError(str(error)) from error

    def commit(self) -> None:
        """See `Store`."""
        self._rows("COMMIT")

    def rollback(self) -> None:
        """See `Store`."""
        if self._db.in_transaction:
            self._rows("ROLLBACK")

    def snapshot(self) -> None:
        """See `Store`."""
        self._rows("BEGIN")
        self._read_names()

    def close(self) -> None:
        """See `Store`."""
        self._db.close()

    def migrations(self) -> int:
        """See `Store`."""
        return int(self._rows("PRAGMA user_version")[0][0])

    def model(self, user: str, policy: str) -> Model:
        """See `Store`."""
        found = self._rows(_READ_MODEL, (user, self._ids[policy]))
        return Model(*found[0]) if found else Model()

    def models(self, user: str) -> list[tuple[str, Model]]:
        """See `Store`."""
        found = self._rows(f"SELECT policy, {', '.join(Model._fields)} FROM models WHERE user = ?", (user,))
        return [(self._label(number), Model(*row)) for number, *row in found]

    def write_model(self, user: str, policy: str, model: Model) -> None:
        """See `Store`."""
        new, number = model._replace(version=model.version + 1), self._ids[policy]
        if model.version == 0:
            self._rows(_INSERT_MODEL, (user, number, *new))
            return
        before = self._db.total_changes
        self._rows(_UPDATE_MODEL, (*new, user, number, model.version))
        if self._db.total_changes != before + 1:
            raise RuntimeError("a model changed inside its own transaction")

    def decision(self, user: str, policy: str, t: int) -> DecisionRow | None:
        """See `Store`."""
        found = self._rows(f"{_DECISIONS} WHERE user = ? AND policy = ? AND t = ?", (user, self._ids[policy], t))
        return self._decision(found[0]) if found else None

    def history(self, user: str, limit: int) -> list[DecisionRow]:
        """See `Store`."""
        found = [
            row
            for number, since in self._rows("SELECT policy, since FROM models WHERE user = ?", (user,))
            for row in self._rows(f"{_LATEST} ORDER BY t DESC LIMIT {int(limit)}", (user, number, since))
        ]
        return [self._decision(row) for _, *row in sorted(found)[-limit:]]

    def log_decision(self, row: DecisionRow) -> None:
        """See `Store`."""
        user, policy, t, policy_hash, ts, hour, day, candidates, *rest = row
        named = (user, self._ids[policy], t, self._variants[policy, policy_hash], ts, hour, day)
        self._rows(_INSERT_DECISION, (*named, _encoded(candidates), *rest))

    def log_learning(self, row: LearningRow) -> None:
        """See `Store`."""
        user, policy, *rest, tip = row
        number = self._ids[policy]
        about = (None,) * 5 if tip is None else (tip.is_overdue, tip.task_age_days, tip.priority, tip.is_llm, tip.id)
        self._rows(_INSERT_LEARNING, (user, number, *rest, *about))
        if row.t_decided is not None:
            self._rows(_REWARDED, (row.reward, user, number, row.t_decided))

    def policies(self) -> dict[str, Mapping[str, Any]]:
        """See `Store`."""
        found = self._rows("SELECT label, learned_with FROM policies ORDER BY id")
        return {label: json.loads(text) for label, text in found}

    def register(self, policy: str, learned_with: Mapping[str, Any]) -> None:
        """See `Store`."""
        statement = (
            "INSERT INTO policies (label, learned_with) VALUES (?, ?) "
            "ON CONFLICT (label) DO UPDATE SET learned_with = excluded.learned_with"
        )
        self._rows(statement, (policy, json.dumps(learned_with, sort_keys=True)))
        self._read_names()

    def variants(self) -> list[LoggedPolicy]:
        """See `Store`."""
        rows = self._rows("SELECT description FROM variants ORDER BY id")
        return [LoggedPolicy.from_dict(json.loads(text)) for (text,) in rows]

    def add_variant(self, described: LoggedPolicy) -> None:
        """See `Store`."""
        row = (self._ids[described.label], described.hash, json.dumps(described.as_dict(), sort_keys=True))
        self._rows("INSERT OR IGNORE INTO variants (policy, hash, description) VALUES (?, ?, ?)", row)
        self._read_names()

    def decisions(self, policy: str) -> Iterator[DecisionRow]:
        """See `Store`."""
        return map(self._decision, self._stream(f"{_DECISIONS} WHERE policy = ? ORDER BY n", (self._ids[policy],)))

    def learnings(self, policy: str, by_user: bool = False) -> Iterator[LearningRow]:
        """See `Store`."""
        order = "l.user, l.seq" if by_user else "l.n"
        return map(self._learning, self._stream(_LEARNINGS + order, (self._ids[policy],)))

    def sizes(self) -> tuple[int, int]:
        """See `Store`."""
        [(users, rounds)] = self._rows("SELECT COUNT(DISTINCT user), COALESCE(MAX(t) + 1, 0) FROM decisions")
        return users, rounds

    def forget_states(self, policy: str) -> None:
        """See `Store`."""
        number = self._ids[policy]
        self._rows("UPDATE models SET state = NULL, ticks = 0, version = version + 1 WHERE policy = ?", (number,))
        self._rows(f"PRAGMA user_version = {self.migrations() + 1}")

    def _stream(self, statement: str, values: Sequence[object]) -> Iterator[Any]:
        try:
            found = self._db.execute(statement, values)
            while rows := found.fetchmany(256):
                yield from rows
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def _label(self, number: int) -> str:
        if number not in self._labels:  # another process mounted it
            self._read_names()
        return self._labels[number]

    def _decision(self, row: Sequence[Any]) -> DecisionRow:
        user, number, t, variant, ts, hour, day, candidates, x, probs, chosen, propensity, score, explored, *rest = row
        label = self._label(number)
        if variant not in self._hashes:
            self._read_names()
        offered = tuple(Offered(*one) for one in json.loads(candidates))
        explored = None if explored is None else bool(explored)
        named = (user, label, t, self._hashes[variant], ts, hour, day, offered)
        return DecisionRow(*named, x, probs, chosen, propensity, score, explored, *rest)

    def _learning(self, row: Sequence[Any]) -> LearningRow:
        *named, overdue, age, priority, is_llm, tip_id, candidates, chosen = row
        named[1] = self._label(named[1])
        if named[3] == "reset":
            return LearningRow._make([*named, None])
        if candidates is not None:
            tip_id = json.loads(candidates)[chosen][0]
        source = None if is_llm is None else "llm" if is_llm else "todoist"
        return LearningRow._make([*named, Offered(tip_id, source, None, bool(overdue), age, priority)])


def prepare(directory: Path, mounts: Iterable[Mount], seed: int | None = None) -> None:
    """Make the file if it is missing, and register the policies. Raises ServingError: the file cannot be made or used,
    has another seed, or a policy learns otherwise now."""
    create(directory, seed)
    store = open_store(directory)
    try:
        with transaction(store):
            register(store, mounts)
    except StoreError as error:
        raise ServingError(f"{directory / FILE} cannot be used: {error}") from error
    finally:
        store.close()


def open_store(directory: Path) -> Database:
    """The store of a state directory. Raises ServingError where there is none to use."""
    return Database(connect(directory))


def create(directory: Path, seed: int | None = None) -> None:
    """Make the file unless it is there. Raises ServingError: it cannot be made or used, or has another seed."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _create(directory / FILE, seed)
    except FileExistsError as error:
        raise ServingError(f"{directory} is a file; a directory for the state is expected") from error
    except (OSError, sqlite3.DatabaseError) as error:
        raise ServingError(f"{directory / FILE} cannot be made: {getattr(error, 'strerror', error)}") from error
    store = open_store(directory)
    store.close()
    if seed is not None and seed != store.seed:
        raise ServingError(
            f"--seed {seed}: this state was made with seed {store.seed}; leave --seed out, or use a new directory"
        )


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
        raise ServingError(f"{path} is not a state of oo-sim: {error}") from error
    except ServingError:
        db.close()
        raise
    return db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    """A write transaction that is rolled back where its block raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _create(path: Path, seed: int | None) -> None:
    db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        with _transaction(db):
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
        raise ServingError(f"{path} has format {found and found[0]}; this version reads formats 1 and {FORMAT}")


def _upgrade(db: sqlite3.Connection) -> None:
    """Format 1 to 2, in place: a column more, which servers of format 1 leave empty."""
    with _transaction(db):
        if db.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("1",):
            db.execute("ALTER TABLE learnings ADD COLUMN tip_id TEXT")
            db.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
