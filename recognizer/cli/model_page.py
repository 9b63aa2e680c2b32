"""What `recognizer models show` tells, as one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recognizer.cli.cards import in_order, inside, is_score, plain
from recognizer.errors import counted
from recognizer.files.html import Markup, bar
from recognizer.files.page import REACH, captioned, curve, measured, own, sections, whole_page


def model_page(record: dict) -> str:
    """The page of a model.

    Parameters
    ----------
    record : all that is told of it, as `--json` has it
    """
    parts = {
        "facts": ("The model", _facts(record)),
        "card": ("Where it comes from, and how well it does", _card(in_order(record["card"]))),
        "durations": ("How long the words last", _durations(record["durations"])),
        "confusable": ("Words most easily taken for each other", _confusable(record["confusable"])),
        "training": ("Training", _history(record["history"])),
        "inside": (f"Inside: each word is a chain of {record['states']} states", _listed(inside(record))),
    }
    return whole_page(f"Model {Path(record['file']).stem}", sections(parts))


def _facts(record: dict) -> Markup:
    words = [f"{word} ({record['spoken'][word]})" if word in record["spoken"] else word for word in record["words"]]
    told = {"file": record["file"], "size": f"{record['bytes'] / 1000:.0f} kB"}
    return _listed(told | {counted(len(words), "word"): Markup(", ".join(map(own, words)))})


def _card(card: dict) -> Markup:
    """Accuracies in a table, with those of several recordings one below the other, and the rest as it is."""
    scores, others = {}, {}
    for key, value in card.items():
        parts = {f"{key}: {name}": part for name, part in value.items()} if isinstance(value, dict) else {}
        if is_score(value):
            scores[key] = value
        elif parts and all(map(is_score, parts.values())):
            scores |= parts
        else:
            others[key] = value
    header = ("of what", *REACH, "unseen were")
    rows = [(name, *measured(score), score.get("unseen", "")) for name, score in scores.items()]
    table = captioned("Accuracy: the share of right answers", header, rows, numbers={1, 2, 4, 5}) if rows else ""
    return Markup(table + _listed(others))


def _durations(durations: dict[str, float]) -> Markup:
    longest_first = sorted(durations.items(), key=lambda item: -item[1])
    most = max(durations.values()) or 1.0
    rows = [(word, f"{seconds:.2f}", bar(seconds / most)) for word, seconds in longest_first]
    caption = "Seconds on average, without the silence around the word, the longest first"
    return captioned(caption, ("word", "seconds", "of the longest"), rows, numbers={1})


def _confusable(pairs: list[dict]) -> Markup:
    rows = [(*pair["words"], f"{pair['distance']:.2f}") for pair in pairs]
    caption = "The smaller the distance, the more alike they sound"
    return captioned(caption, ("word", "and", "distance"), rows, numbers={2}) if rows else Markup()


def _history(history: dict[str, list[float]]) -> Markup:
    rows = [(name, len(line), f"{line[0]:.2f}", f"{line[-1]:.2f}", curve(line)) for name, line in history.items()]
    caption = "How well the models explained the recordings: log likelihood a frame, higher is better"
    header = ("stage", "iterations", "first", "last", "from the first to the last")
    return captioned(caption, header, rows, numbers={1, 2, 3}) if rows else Markup()


def _listed(values: Mapping[str, object]) -> Markup:
    """Names with their values, whatever JSON these are, with those inside them below."""
    items = (f"<dt>{own(name)}</dt><dd>{_value(value)}</dd>" for name, value in values.items())
    return Markup("<dl>\n{}\n</dl>".format("\n".join(items)) if values else "")


def _value(value: object) -> Markup:
    if isinstance(value, Markup):
        return value
    return _listed(value) if isinstance(value, dict) and not is_score(value) else own(plain(value))
