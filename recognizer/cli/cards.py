"""What a model tells of itself, in the order of what everybody asks, and in words: its card may hold any JSON."""

from __future__ import annotations

from recognizer.errors import shown

FIRST = ("accuracy", "held_out", "licence", "data", "utterances", "speakers")  # of a card
# What `models show` tells before what is inside of a model.
TOLD = {"file", "bytes", "words", "spoken", "card", "durations", "confusable", "history"}


def in_order(card: dict) -> dict:
    """What a card tells, how good the model is and where it comes from first, without how words are said."""
    first = {key: card[key] for key in FIRST if key in card}
    return first | {key: value for key, value in card.items() if key not in (*FIRST, "spoken")}


def inside(record: dict) -> dict:
    """What is inside of a model, of all that is told of it: that what few ask for."""
    return {key: value for key, value in record.items() if key not in TOLD}


def is_score(value: object) -> bool:
    """Whether it is an accuracy that was measured, as `Proportion.as_json` has it; a card may hold anything."""
    if not isinstance(value, dict) or not {"accuracy", "n", "interval"} <= set(value):
        return False
    numbers = [value["accuracy"]]
    for key in ("interval", *(key for key in ("bootstrap",) if key in value)):
        ends = value[key]
        numbers += ends if isinstance(ends, list) and len(ends) == 2 else [None]
    return all(isinstance(number, int | float) for number in numbers) and ("bootstrap" in value) == ("over" in value)


def plain(value: object) -> str:
    """Any JSON value in words: a measured accuracy with its interval, a list with commas."""
    if is_score(value):
        from recognizer.intervals import in_words

        unseen = f", unseen {value['unseen']}" if "unseen" in value else ""
        return f"{100 * value['accuracy']:.2f} % ({in_words(value)}){unseen}"
    if isinstance(value, dict):
        return " ".join(f"{shown(key)} {plain(item)}" for key, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return f"{value:.4g}" if isinstance(value, float) else "not known" if value is None else shown(value)
