"""The names that other rooms build on, pinned; every one of them is documented."""

from __future__ import annotations

import inspect

import oo_sim.generator as room
from oo_sim.generator import bank, mock

NAMES = """
Address AsyncTipGenerator Gateway GatewayError GatewayUnreachableError Generation GenerationContext GenerationError
GeneratorInputError MAX_TIPS MalformedError NoTipsError Options Parsed Prompt Task Tip TipGenerator Try Usage age_days
bank build_context default_prompt embed gateway judging load_prompt metrics mock open_gateway parse todoist
"""


def test_the_surface() -> None:
    assert sorted(dir(room)) == sorted(NAMES.split())
    for package in (room, bank, mock):
        for name in dir(package) if package is room else package.__all__:
            value = getattr(package, name)
            assert inspect.isclass(value) or not callable(value) or inspect.getdoc(value), name
