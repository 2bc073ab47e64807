"""What tips cost in money, where a file says what tokens cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from oo_sim.generator.bank.record import Record
from oo_sim.generator.metrics.metric import Metric, ratio
from oo_sim.generator.texts import read_text, read_yaml

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_STRICT = ConfigDict(frozen=True, extra="forbid")
_MILLION = 1e6


class Price(BaseModel):
    """Of a million tokens of the prompt, and of the completion."""

    model_config = _STRICT

    prompt: Amount
    completion: Amount


class Prices(BaseModel):
    """What models cost, by the name that the gateway answers with or the alias that is asked."""

    model_config = _STRICT

    currency: Annotated[str, Field(min_length=1, max_length=10)]
    models: dict[str, Price]


def read_prices(path: Path) -> Prices:
    """Prices from a YAML or JSON file. Raises `GeneratorInputError`, which names the field."""
    return read_yaml(read_text(path, "prices"), Prices, f"prices {path}")


def cost(records: Sequence[Record], alias: str, prices: Prices) -> Metric:
    """The cost of 1,000 usable tips, failed tries included; not known where a model has no price."""
    rows = [(record.user_id, 0.0, len(record.tips) / 1000) for record in records]
    unpriced = set()
    uncounted = 0
    for record in records:
        price = prices.models.get(record.llm_model) or prices.models.get(alias)
        if price is None:
            unpriced.add(record.llm_model)
            continue
        usage = record.usage
        uncounted += sum(any(one.estimate) for one in record.tries)
        spent = usage.prompt_tokens * price.prompt + usage.completion_tokens * price.completion
        rows.append((record.user_id, spent / _MILLION, 0.0))
    name = f"cost of 1,000 usable tips, {prices.currency}"
    if unpriced:
        return Metric(name, None, "0 tips", note=f"no price for {', '.join(sorted(unpriced))[:100]}")
    note = f"{uncounted} tries without a count are not in it" if uncounted else "failed tries included"
    return ratio(name, rows, "thousand tips", note)
