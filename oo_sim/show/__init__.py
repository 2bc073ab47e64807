"""How things are shown, whatever they are: harmless text, numbers in words, tables."""

from oo_sim.show.progress import COMPILING, is_cold
from oo_sim.show.tables import Table, Tables, data_address, picture
from oo_sim.show.text import bracketed, count, interval_text, minus, number, p_value, percent, plain, plus_minus, signed

__all__ = [
    "COMPILING",
    "Table",
    "Tables",
    "bracketed",
    "count",
    "data_address",
    "interval_text",
    "is_cold",
    "minus",
    "number",
    "p_value",
    "percent",
    "picture",
    "plain",
    "plus_minus",
    "signed",
]
