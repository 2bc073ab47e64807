"""What the mock's user likes and its judge prefers: a taste that is written down here, hidden from all that measure.

It is a function of meaning and not of the keywords that simulated users go by (`generator.appeal.keywords`): synonyms
are the same idea, words in disorder are not a sentence, "never do it" is not "do it", and rudeness spoils everything.
So machinery that asks a user, a judge or an embedder can be tested against a known truth.

    taste = 1.6 (o m)^2 + 0.5 o s - 0.4 g - 0.5 t - (1 - o) - 2.2 n - 3.5 r - 1.2 f - 0.9 h

o: how orderly the words are (1 - `disorder`), m: share of the ideas of the best-matched task that the text expresses,
s: a small first step is in it, g: o m is below a half, t: it is no more than a task's title, n: it is denied, r: it is
rude, f: most of its words are foreign or filler, h: it speaks of an hour that is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_IDEAS = {
    "answer": "answer reply respond write-back",
    "bill": "invoice bill statement",
    "book": "book reserve buy",
    "call": "call ring phone telephone dial",
    "clean": "clean tidy scrub wipe",
    "dentist": "dentist dental teeth tooth",
    "kitchen": "kitchen stove sink worktop",
    "letter": "letter mail note",
    "open": "open unseal",
    "passport": "passport",
    "pay": "pay settle transfer",
    "plant": "plants plant fern ferns flowers pots",
    "power": "electricity power electric energy",
    "quarter": "quarterly quarter",
    "renew": "renew extend",
    "report": "report summary",
    "rude": "idiot lazy stupid useless loser pathetic moron fool worthless dumb",
    "step": "start begin minutes minute timer step small open first list now",
    "tax": "tax revenue",
    "train": "train rail railway",
    "water": "water drench",
    "write": "write draft compose",
}
_DENIED = re.compile(r"(?:^|[.;:!?]\s+)(?:never|do not|don.t|avoid|ignore)\b|\b(?:burn|destroy|forget) (?:it|about)\b")
_FILLER = frozenset({"lorem", "ipsum", "dolor", "tip", "content", "placeholder", "xxx", "foo", "bar", "string"})
_FUNCTION = frozenset(
    _WORD.findall(
        "a an and are as at be before by do for from get give go have her his if in into is it its me my no of off on "
        "or our out so that the their them then this to until up was we will with you your"
    )
)
_ARTICLES = frozenset(_WORD.findall("the your a my an"))
_LEADS = frozenset(_WORD.findall("a an the to your of for with at in into on and from my"))
_COMMON = _FUNCTION | frozenset(
    _WORD.findall(
        "about after again all any anything away block breathe call can choose close day decide desk down drink each "
        "else every find finish five full glass good hour keep leave look make matter message mind moment more most "
        "need next one people phone pick plan put quick ready rest right set short sit slowly stretch take ten things "
        "think three time today turn twenty walk want week what when window work"
    )
)
_OPENERS = frozenset(_WORD.findall("at be before do for get give go have if in on so the this then your"))
_HOURS = {"morning": (4, 12), "lunch": (10, 14), "afternoon": (11, 18), "evening": (16, 24), "bedtime": (20, 26)}
_IDEA_OF = {word: idea for idea, words in _IDEAS.items() for word in words.split()}


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.casefold())


@lru_cache(maxsize=8192)
def ideas(text: str) -> frozenset[str]:
    """What a text is about: its words without grammar, synonyms as one."""
    return frozenset(_IDEA_OF.get(word, _stem(word)) for word in words(text) if word not in _FUNCTION)


def taste(text: str, tasks: Sequence[str], hour: int | None) -> float:
    """How much the mock's user likes a text, beside these tasks at this hour: a utility, 0 for what leaves it cold."""
    said, spoken = ideas(text), words(text)
    sense = 1.0 - disorder(text)
    match = sense * max((len(ideas(task) & said) / len(ideas(task)) for task in tasks if ideas(task)), default=0.0)
    bare = any(sorted(spoken) == sorted(words(task)) for task in tasks)
    value = 1.6 * match**2 + 0.5 * sense * ("step" in said) - 0.4 * (match < 0.5) - 0.5 * bare - 1.0 * (1.0 - sense)
    value -= 2.2 * (_DENIED.search(text.casefold()) is not None) + 3.5 * ("rude" in said)
    return value - 1.2 * _foreign(spoken, tasks) - 0.9 * _wrong_hour(spoken, hour)


def disorder(text: str) -> float:
    """From 0 to 1: no capital at the beginning, no end of a sentence, articles and prepositions that lead nowhere."""
    spoken = words(text)
    if len(spoken) < 3:
        return 0.0
    leads = [at for at, word in enumerate(spoken) if word in _LEADS]
    astray = sum(at + 1 >= len(spoken) or spoken[at + 1] in _LEADS - _ARTICLES for at in leads)
    begins = text.lstrip()[:1].isupper() and spoken[0] not in _FUNCTION - _OPENERS
    ends = text.rstrip()[-1:] in tuple(".!?\u2026")
    return min(1.0, astray / max(len(leads), 1) + 0.4 * (not begins) + 0.4 * (not ends))


def _foreign(spoken: Sequence[str], tasks: Sequence[str]) -> float:
    """The share of words that the user cannot know, from a half on."""
    if not spoken:
        return 1.0
    known = _COMMON | set(_IDEA_OF) | {word for task in tasks for word in words(task)}
    unknown = sum(_stem(word) not in known and word not in known and not word.isdecimal() for word in spoken)
    return float(unknown / len(spoken) > 0.5 or bool({*spoken} <= _FILLER))


def _wrong_hour(spoken: Sequence[str], hour: int | None) -> bool:
    if hour is None:
        return False
    spans = [_HOURS[word] for word in spoken if word in _HOURS]
    return any(not (first <= hour < last or first <= hour + 24 < last) for first, last in spans)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
