"""Tips about eight tasks in every quality, by which appeal models are told apart."""

from __future__ import annotations

import random

TASKS = {
    "call the dentist": (
        "Call the dentist now: it takes five minutes.",
        "Ring the dental practice now: it takes five minutes.",
    ),
    "pay the electricity invoice": (
        "Pay the electricity invoice now: it takes five minutes.",
        "Settle the power bill now: it takes five minutes.",
    ),
    "answer Sam's letter": (
        "Answer Sam's letter now: start with two lines.",
        "Reply to Sam's note now: start with two lines.",
    ),
    "book the train to Lyon": (
        "Book the train to Lyon now: start with the list.",
        "Reserve the rail to Lyon now: start with the list.",
    ),
    "water the plants": ("Water the plants now, before you sit down.", "Drench the flowers now, before you sit down."),
    "renew the passport": (
        "Renew the passport now: start with the first page.",
        "Extend the passport now: begin with the first page.",
    ),
    "clean the kitchen": ("Clean the kitchen now: set a timer.", "Scrub the stove now: set a timer."),
    "write the quarterly report": (
        "Write the quarterly report now: begin with one page.",
        "Draft the quarter summary now: begin with one page.",
    ),
}
GENERIC = (
    "Drink a glass of water and stretch your back.",
    "Walk around the block, then choose one thing to do.",
    "Write down the three things that matter most today.",
    "Close every window that you do not need.",
    "Tidy your desk for five minutes.",
    "Decide what you will leave for another day.",
    "Look at your week, then plan one hour.",
    "Breathe slowly for a minute before you go on.",
)
INSULTS = ("You lazy idiot, {task} already.", "Only a useless fool would still have to {task}.")
DENIALS = ("Never {task}; burn it.", "Do not {task}: forget about it.")
FOREIGN = (
    "Rufen Sie jetzt den Zahnarzt an.",
    "Bezahlen Sie bitte die Stromrechnung.",
    "Antworten Sie Samuel noch heute Abend.",
    "Buchen Sie gleich den Zug nach Lyon.",
    "Giessen Sie bitte alle Pflanzen.",
    "Verlaengern Sie endlich den Reisepass.",
    "Putzen Sie heute gemeinsam die Kueche.",
    "Schreiben Sie den Bericht zu Ende.",
)
KINDS = ("good", "paraphrase", "generic", "bare title", "shuffled", "denied", "foreign", "placeholder", "insult")


def variants(seed: int = 1) -> dict[str, list[tuple[str, str]]]:
    """(task, text) of each kind, eight of each."""
    rng = random.Random(seed)
    made: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}
    for at, (task, (good, paraphrase)) in enumerate(TASKS.items()):
        texts = {
            "good": good,
            "paraphrase": paraphrase,
            "generic": GENERIC[at],
            "bare title": task,
            "shuffled": shuffled(good, rng),
            "denied": DENIALS[at % 2].format(task=task),
            "foreign": FOREIGN[at],
            "placeholder": "The tip, at most 2 sentences.",
            "insult": INSULTS[at % 2].format(task=task),
        }
        for kind, text in texts.items():
            made[kind].append((task, text))
    return made


def shuffled(text: str, rng: random.Random) -> str:
    """The same words in an order that makes no sentence."""
    words = text.rstrip(".").split()
    while True:
        mixed = rng.sample(words, len(words))
        if mixed != words and mixed[-1].casefold() in ("the", "a", "to", "now:", "with", "two", "one", "before", "it"):
            return " ".join(mixed)
