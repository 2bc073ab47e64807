"""Judges: models that compare tips or grade them, and people whose labels hold them to account."""

from oo_sim.generator.judging.labelling import LabelServer, questions
from oo_sim.generator.judging.labels import Label, agreement_section, judges_section, read_labels, write_labels
from oo_sim.generator.judging.pairs import JUDGE, MOST, Pair, judge_banks, judge_section, missing
from oo_sim.generator.judging.rubric import Rubric, grade_bank, read_rubric, rubric_section

__all__ = [
    "JUDGE",
    "MOST",
    "Label",
    "LabelServer",
    "Pair",
    "Rubric",
    "agreement_section",
    "grade_bank",
    "judge_banks",
    "judge_section",
    "judges_section",
    "missing",
    "questions",
    "read_labels",
    "read_rubric",
    "rubric_section",
    "write_labels",
]
