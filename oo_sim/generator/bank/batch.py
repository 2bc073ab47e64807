"""Generations for many contexts, several at once, resumable; what comes out does not depend on their order."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import NamedTuple, NoReturn

from oo_sim.generator.bank.files import Bank, Journal, check_same, read_bank, write_bank
from oo_sim.generator.bank.record import OK, BankInfo, Record, Work, context_text, failed, is_answered, succeeded
from oo_sim.generator.errors import GenerationError, StoppedError
from oo_sim.generator.gateway.client import AGAIN, TipGenerator

Progress = Callable[[int, int], None]
RETRIED = 64
"""Occurrences that a call and its own repetitions take, so that what is asked again later is another request."""


def bank_info(client: TipGenerator, work: Sequence[Work], n: int, seed: int) -> BankInfo:
    """What a bank of this work, made by this client, is made with."""
    digest = hashlib.blake2b(digest_size=12)
    for one in work:
        digest.update(f"{one.user_id}\0{context_text(one.context)}\0".encode())
    options = client.options
    return BankInfo(
        prompt_version=client.prompt.version,
        canary=client.prompt.canary,
        gateway=client.gateway.label,
        latency=client.gateway.latency,
        seed=seed,
        n=n,
        parser=options.parser,
        salvage=options.salvage,
        retries=options.retries,
        model=options.model,
        temperature=options.temperature,
        call_timeout=options.call_timeout,
        total_timeout=options.total_timeout,
        contexts=digest.hexdigest(),
        max_tokens=options.max_tokens,
        gateway_retries=options.gateway_retries,
    )


class Limits(NamedTuple):
    """When to stop asking: after so many contexts in a row for which the gateway failed, or so many tokens."""

    failures: int = 5
    tokens: int | None = None


def generate_bank(
    client: TipGenerator,
    work: Sequence[Work],
    n: int,
    out: Path,
    *,
    seed: int = 1,
    concurrency: int = 1,
    progress: Progress | None = None,
    retry_failed: bool = False,
    limits: Limits | None = None,
) -> Bank:
    """Makes the bank and writes it to `out`; failures are records too.

    A run that was stopped goes on from its journal beside `out`; a bank that is complete is read, not made again, but
    for its failures where `retry_failed`. Raises `GeneratorInputError` when either belongs to a run made with something
    else, and `StoppedError` at a limit, when what was done until then is in the journal, or where there is no bank
    and the gateway answered nothing at all.
    """
    info = bank_info(client, work, n, seed)
    before: dict[int, Record] = {}
    if out.exists():
        bank = read_bank(out)
        check_same(out, bank.info, info)
        before = {one.position: one for one in bank.records}
        work_left = [one for one in work if retry_failed and before[one.position].status != OK]
        if not work_left:
            return bank
    else:
        work_left = list(work)
    with Journal(out, info) as journal:
        todo = [one for one in work_left if one.position not in journal.done]
        _report(progress, journal, len(work_left))
        ask = partial(_one, client, n, before)
        guard = _Guard(journal, limits or Limits(), concurrency, len(work_left), out)
        pool = ThreadPoolExecutor(concurrency)
        try:
            for record, more in _asked(pool, ask, todo, concurrency):
                guard.add(record, more)
                _report(progress, journal, len(work_left))
            guard.end()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        known = before | journal.done
        bank = Bank(info, tuple(known[one.position] for one in work))
    write_bank(out, bank)
    journal.remove()
    return bank


def _asked(
    pool: Executor, ask: Callable[[Work], Record], todo: Sequence[Work], concurrency: int
) -> Iterator[tuple[Record, bool]]:
    """The records as they come, and whether there is more to ask; no more is asked ahead than keeps threads busy.

    Those that come together come in the order of their work, so that what fails in a row was asked in a row.
    """
    left = deque(todo)
    waiting: list[Future[Record]] = []
    while left or waiting:
        while left and len(waiting) < 2 * concurrency:
            waiting.append(pool.submit(ask, left.popleft()))
        done = wait(waiting, return_when=FIRST_COMPLETED).done
        for future in [one for one in waiting if one in done]:
            waiting.remove(future)
            yield future.result(), bool(left)


class _Guard:
    """Keeps records in the journal, and gives up at a limit.

    Failures of the gateway wait until something else comes: those that end in giving up are the outage's, not theirs,
    and are asked about again when the work goes on.
    """

    def __init__(self, journal: Journal, limits: Limits, concurrency: int, total: int, out: Path) -> None:
        self._journal, self._limits, self._total, self._out = journal, limits, total, out
        self._lost: list[Record] = []
        self._most = limits.failures + concurrency - 1  # calls that were under way together fail together
        self._tokens = sum(sum(one.usage) for one in journal.done.values())

    def add(self, record: Record, more: bool) -> None:
        """Keeps the record. Raises `StoppedError` at a limit, where there is `more` to do."""
        self._tokens += sum(record.usage)
        if not record.is_answered:
            self._lost.append(record)
            if more and len(self._lost) >= self._most:
                self._give_up()
            return
        self.flush()
        self._journal.add(record)
        limit = self._limits.tokens
        if limit is not None and self._tokens >= limit and more:
            raise StoppedError(
                f"Stopped: {self._tokens:,} tokens of the {limit:,} allowed are used. {self._kept()} Give the same "
                "command with a larger --budget-tokens to go on."
            )

    def flush(self) -> None:
        """Keeps the failures that turned out to be no outage, or at least not one that led to giving up."""
        for record in self._lost:
            self._journal.add(record)
        self._lost.clear()

    def end(self) -> None:
        """All has been asked. Raises `StoppedError` where the gateway answered nothing: a bank of that is none."""
        tries = [one for record in self._lost for one in record.tries]
        if self._lost and not self._journal.done and not self._out.exists() and not any(map(is_answered, tries)):
            self._give_up()
        self.flush()

    def _give_up(self) -> NoReturn:
        raise StoppedError(
            f"Stopped: the gateway failed for {len(self._lost)} contexts in a row, the last time with: "
            f"{self._lost[-1].message}. {self._kept()} See that the gateway answers, and give the same command again."
        )

    def _kept(self) -> str:
        done = len(self._journal.done)
        where = f" and kept in {self._journal.path}" if done else ""
        return f"{done:,} of {self._total:,} contexts are done{where}; {self._out} is not written yet."


def _one(client: TipGenerator, n: int, before: Mapping[int, Record], work: Work) -> Record:
    """The record of one context, behind the tries that were made for it before."""
    earlier = before[work.position].tries if work.position in before else ()
    occurrence = work.occurrence + AGAIN * RETRIED * len(earlier)
    try:
        made = succeeded(work, n, client.generate(work.context, n, work.user_id, occurrence=occurrence))
    except GenerationError as error:
        made = failed(work, n, client.prompt.version, error)
    return made._replace(tries=(*earlier, *made.tries))


def _report(progress: Progress | None, journal: Journal, total: int) -> None:
    if progress is not None:
        progress(len(journal.done), total)
