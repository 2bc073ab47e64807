"""A fixed trace through the server, in this process: a hash of every answer, and of what is left in store and export.

All endpoints, every reaction and its retries, restarts, a migration, and exports around the number of rows that are
held at once. Times are left out; everything else is the same on every machine, so a baseline of it shows what changed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq

from oo_sim.contract import REACTIONS, REWARDS
from oo_sim.generator import Generation, GenerationContext, Tip
from oo_sim.serving.app import create_app
from oo_sim.serving.database import open_store
from oo_sim.serving.export import ROWS, export_log
from oo_sim.serving.migrate import migrate
from oo_sim.serving.store import transaction

POLICIES = ("linucb", "egreedy", "thompson:samples=4", "bootstrap_ts", "dlinucb:gamma=0.9", "random")
SEED = 7
_LABELS = ("linucb", "egreedy", "thompson", "bootstrap_ts", "dlinucb", "random")
_VARIES = ("ts", "last_updated", "request_id", "exported_at", "versions", "msg")
"""Times, and words that are other packages'."""
_NOW = "2026-03-10T09:30:00+00:00"


def run_trace() -> list[str]:
    """Play the trace: lines of a hash and of what it is of, in order."""
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory) / "state"
        lines: list[str] = []
        for part in range(3):  # the server starts again before each
            if part == 2:
                changed = [one._asdict() for one in migrate(state, _policies(part))]
                lines.append(f"{_hash(changed)} migrate")
            asyncio.run(_part(state, part, lines))
        lines += [f"{value} {name}" for name, value in _exports(state, Path(directory))]
    return lines


def difference(before: Sequence[str], now: Sequence[str]) -> str | None:
    """The first thing that differs between two traces, in words; None where all agree."""
    for number, (was, here) in enumerate(zip(before, now, strict=False), 1):
        if was != here:
            (_, _, expected), (_, _, found) = was.partition(" "), here.partition(" ")
            what = "its result differs" if expected == found else f"{expected} was expected here"
            return f"step {number} of {len(now)}, {found}: {what}"
    if len(before) != len(now):
        return f"the trace has {len(now)} steps, and had {len(before)}"
    return None


def _policies(part: int) -> tuple[str, ...]:
    return tuple("linucb:prior=2" if part == 2 and spec == "linucb" else spec for spec in POLICIES)


class _Scripted:
    """A generator that always writes the same two tips."""

    async def generate(self, context: GenerationContext, n: int = 3, user_id: str | None = None) -> Generation:
        tips = (Tip("breathe", "Take a breath.", "You look busy."), Tip("walk", f"Walk at {context.hour_of_day}."))
        return Generation(tips[:n], "scripted", 10, 5, "v1", (), (), user_id)

    async def aclose(self) -> None:
        """Nothing to free."""


@asynccontextmanager
async def _client(state: Path, part: int) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(state, policies=_policies(part), seed=SEED, generator=_Scripted(), admin_token="trace")
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client


async def _part(state: Path, part: int, lines: list[str]) -> None:
    async with _client(state, part) as client:

        async def call(path: str, body: object = None, **headers: str) -> Any:
            method = "GET" if body is None else "POST"
            answer = await client.request(method, path, json=body, headers=headers)
            lines.append(f"{_hash([answer.status_code, _lasting(answer.json())])} {method} {path}")
            return answer.json()

        await _decide(call, random.Random(part))
        await _every_reaction(call, part)
        await _the_rest(call)


async def _decide(call: Any, chance: random.Random) -> None:
    """Decisions of some users under all policies; rewards come at once, late, twice, without a decision, or never."""
    made: list[str] = []
    for step in range(60):
        user, label = f"user {chance.randrange(4)}", _LABELS[step % len(_LABELS)]
        offered = [
            {
                "id": f"t{k}",
                "content": f"do {k}",
                "source": "llm" if k % 4 == 3 else "todoist",
                "features": _raw(chance),
            }
            for k in range(1 + chance.randrange(6))
        ]
        context = {"hour_of_day": step % 24, "day_of_week": step % 7}
        reply = await call(f"/score/{label}", {"user_id": user, "candidates": offered, "context": context})
        made.append(reply.get("decision_id", ""))
        for _ in range(chance.randrange(3)):
            late = made[chance.randrange(len(made))]
            await call("/react", {"decision_id": late, "reaction": REACTIONS[chance.randrange(len(REACTIONS))]})
        if step % 5 == 0:
            contract = {"user_id": user, "tip_id": "t0", "reward": 0.5, "features": _raw(chance), "day_of_week": 6}
            await call(f"/reward/{label}", contract)
            await call(f"/score{'/egreedy' if step % 2 else ''}", {"user_id": user, "candidates": offered})
        await call(f"/stats/{label}/{user}")
    for user in ("user 0", "user 1", "nobody"):
        await call(f"/features/{user}")


def _raw(chance: random.Random) -> dict[str, object]:
    return {
        "hour_of_day": chance.randrange(24),
        "is_overdue": chance.randrange(2) == 0,
        "task_age_days": chance.randrange(-160, 800) / 16,
        "priority": chance.randrange(1, 5),
    }


async def _every_reaction(call: Any, part: int) -> None:
    """Each reaction under each policy, again in both forms, and a different one."""
    for label in _LABELS:
        for reaction, reward in zip(REACTIONS, REWARDS, strict=True):
            user = f"{reaction} {part}"
            reply = await call(
                f"/score/{label}", {"user_id": user, "candidates": [{"id": "a", "content": "", "source": "llm"}]}
            )
            decision = reply.get("decision_id", "")
            for _ in range(3):
                await call("/react", {"decision_id": decision, "reaction": reaction})
            body = {"user_id": user, "tip_id": "a", "reward": reward, "decision_id": decision}
            await call(f"/reward/{label}", body)
            other = REACTIONS[(REACTIONS.index(reaction) + 1) % len(REACTIONS)]
            await call("/react", {"decision_id": decision, "reaction": other})
            await call(f"/stats/{label}/{user}")


async def _the_rest(call: Any) -> None:
    """Every other endpoint, and what is refused."""
    tasks = [{"id": "rent", "content": "pay rent", "priority": 3, "due_date": "2026-03-08"}, {"content": "read"}]
    for n, policy in ((0, "egreedy-v1"), (2, "egreedy"), (2, "linucb-v1"), (2, "thompson"), (1, "nope")):
        body = {"user_id": "pool", "tasks": tasks, "context": {"now": _NOW}, "n_llm": n, "policy": policy}
        reply = await call("/recommend", body)
        await call("/react", {"decision_id": reply.get("decision_id", "-"), "reaction": "helpful"})
    await call("/generate", {"user_id": "pool", "context": {"tasks": tasks, "now": _NOW}, "n": 2})
    await call("/score", {"user_id": "pool", "candidates": []})
    await call("/reward", {"user_id": "pool", "tip_id": "a", "reward": 2, "features": {}})
    await call("/reset/user%201", {}, authorization="Bearer wrong")
    await call("/reset/user%201", {}, authorization="Bearer trace")
    for path in ("/health", "/stats?user_id=user%201", "/stats/user%201", "/features?user_id=pool", "/nowhere"):
        await call(path)


def _exports(state: Path, directory: Path) -> Iterator[tuple[str, str]]:
    """Exports of the state, filled up to just below, at and just above the rows that are held at once."""
    store = open_store(state)
    try:
        with transaction(store):
            decided, learned = list(store.decisions("linucb")), list(store.learnings("linucb"))
        sizes = [len(decided), len(learned)]
        for rows in (ROWS - 1, ROWS, ROWS + 1):
            with transaction(store):
                for n in range(sizes[0], rows):
                    store.log_decision(decided[n % len(decided)]._replace(user=f"filled {n}", t=0, reward=None))
                for n in range(sizes[1], rows):
                    store.log_learning(learned[n % len(learned)]._replace(user=f"filled {n}", t_decided=None))
            sizes = [rows, rows]
            out = directory / f"export-{rows}"
            export_log(state, out, window=3600.0)
            manifest = _lasting(json.loads((out / "manifest.json").read_text(encoding="utf-8")))
            yield f"export of {rows} rows: manifest", _hash(manifest)
            for name in ("decisions", "learnings"):
                table = pq.read_table(out / f"{name}.parquet")
                yield f"export of {rows} rows: {name}", _hash(table.drop_columns(["ts"]).to_pylist())
    finally:
        store.close()


def _lasting(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: _lasting(value) for key, value in body.items() if key not in _VARIES}
    return [_lasting(one) for one in body] if isinstance(body, list) else body


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
