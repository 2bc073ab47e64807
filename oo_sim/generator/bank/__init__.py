"""The tip bank: generations for many contexts, made once, kept with every try, and scored again offline."""

from oo_sim.generator.bank.batch import Limits, generate_bank
from oo_sim.generator.bank.files import Bank, read_bank, write_bank
from oo_sim.generator.bank.record import BankInfo, Record, Work
from oo_sim.generator.bank.rescore import rescore
from oo_sim.generator.bank.sources import contexts_from_tasks, read_contexts

__all__ = [
    "Bank",
    "BankInfo",
    "Limits",
    "Record",
    "Work",
    "contexts_from_tasks",
    "generate_bank",
    "read_bank",
    "read_contexts",
    "rescore",
    "write_bank",
]
