"""Generations for many contexts, several at once, resumable; what comes out does not depend on their order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from oo_sim.generator.bank.files import Bank, Journal, check_same, read_bank, write_bank
from oo_sim.generator.bank.record import BankInfo, Record, Work, context_text, failed, succeeded
from oo_sim.generator.client import TipGenerator
from oo_sim.generator.errors import GenerationError

Progress = Callable[[int, int], None]


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
    )


def generate_bank(
    client: TipGenerator,
    work: Sequence[Work],
    n: int,
    out: Path,
    *,
    seed: int = 1,
    concurrency: int = 1,
    progress: Progress | None = None,
) -> Bank:
    """Makes the bank and writes it to `out`; failures are records too.

    A run that was stopped goes on from its journal beside `out`; a bank that is complete is read, not made again.
    Raises `GeneratorInputError` when either belongs to a run made with something else.
    """
    info = bank_info(client, work, n, seed)
    if out.exists():
        bank = read_bank(out)
        check_same(out, bank.info, info)
        return bank
    with Journal(out, info) as journal:
        todo = [one for one in work if one.position not in journal.done]
        _report(progress, journal, len(work))
        pool = ThreadPoolExecutor(concurrency)
        try:
            for future in as_completed([pool.submit(_one, client, one, n) for one in todo]):
                journal.add(future.result())
                _report(progress, journal, len(work))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        bank = Bank(info, tuple(journal.done[one.position] for one in work))
    write_bank(out, bank)
    journal.remove()
    return bank


def _one(client: TipGenerator, work: Work, n: int) -> Record:
    try:
        got = client.generate(work.context, n, work.user_id, occurrence=work.occurrence)
        return succeeded(work, n, got)
    except GenerationError as error:
        return failed(work, n, client.prompt.version, error)


def _report(progress: Progress | None, journal: Journal, total: int) -> None:
    if progress is not None:
        progress(len(journal.done), total)
