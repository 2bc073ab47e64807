"""What if: the tries of a bank under another parser or with fewer retries, without asking any model again."""

from __future__ import annotations

from dataclasses import replace

from oo_sim.generator.bank.files import Bank
from oo_sim.generator.bank.record import OK, UNREACHABLE, Record, is_answered
from oo_sim.generator.conversation import read_reply, task_ids
from oo_sim.generator.gateway.exchange import Try
from oo_sim.generator.gateway.settings import Options
from oo_sim.generator.parser import MalformedError, Parsed, ParserPolicy

NOT_RECORDED = "not_recorded"
"""The failure of a generation that would have gone on where the recorded tries end: what comes then is not known."""


def rescore(bank: Bank, *, parser: ParserPolicy, salvage: bool = False, retries: int | None = None) -> Bank:
    """The bank as it would have been; `retries` (default: as recorded) cuts the tries short.

    Tries behind the first one that now succeeds were never made, so their tokens are gone too.
    """
    options = replace(
        Options(), parser=parser, salvage=salvage, retries=bank.info.retries if retries is None else retries
    )
    info = bank.info._replace(parser=parser, salvage=salvage, retries=options.retries)
    return Bank(info, tuple(_rescored(record, options) for record in bank.records))


def _rescored(record: Record, options: Options) -> Record:
    tries: tuple[Try, ...] = ()
    taken = task_ids(record.parsed_context)
    for one in record.tries:
        if one.attempt > options.retries + 1:
            continue
        scored, parsed = _tried(one, record.n, options, taken)
        tries = (*tries, scored)
        if parsed is not None:
            return record._replace(
                status=OK, failure=None, message="", flags=parsed.flags, tips=parsed.tips, tries=tries
            )
    return _unsuccessful(record, tries, options)


def _tried(one: Try, n: int, options: Options, taken: frozenset[str]) -> tuple[Try, Parsed | None]:
    """The try as the options' parser sees it. A try that the gateway failed stays as it is."""
    if not is_answered(one):
        return one, None
    try:
        parsed = read_reply(one.reply, one.failure == "refusal", n, options, taken)
    except MalformedError as error:
        return one._replace(failure=error.cls, message=error.message, flags=()), None
    return one._replace(failure=None, message="", flags=parsed.flags), parsed


def _unsuccessful(record: Record, tries: tuple[Try, ...], options: Options) -> Record:
    lost = record._replace(flags=(), tips=(), tries=tries)
    all_tried = len(tries) == len(record.tries)
    if not is_answered(tries[-1]) or (all_tried and record.status == UNREACHABLE):
        return lost
    if all_tried and tries[-1].attempt <= options.retries:
        return lost._replace(status=502, failure=NOT_RECORDED, message=f"the recorded tries end after {len(tries)}")
    return lost._replace(status=502, failure=tries[-1].failure, message=f"no valid JSON after {len(tries)} tries")
