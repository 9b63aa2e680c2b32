"""An evaluation as one page, which plays what was mistaken: nothing else has to be at hand to read it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, RecognizerWarning, counted, in_short, printable
from recognizer.evaluation.evaluation import Evaluation, best_word, headline
from recognizer.evaluation.spectrogram import small_picture
from recognizer.features.analysis import WHOLE
from recognizer.files.html import Markup, text
from recognizer.files.page import REACH, captioned, data, embedded, measured, own, sections, whole_page
from recognizer.files.pictures import LABELLED, LONGEST_LABEL
from recognizer.intervals import Proportion
from recognizer.recognition.result import Result
from recognizer.sound import audio

MOST_EMBEDDED = 15_000_000  # characters of sound and pictures: more is slow on a phone, and too large for most mail
WORST = 20  # files that are drawn
AROUND = 0.25  # seconds before and after a word that are heard with it: what was cut off may be why it was mistaken
MOST_PAIRS = 200  # of words, where they are too many for a table of all
SIDEWAYS = 8  # columns; the heads of more stand upright
NO_SOUND, GONE = "a file of features, without sound", "its sound cannot be read again"
NO_ROOM = "its sound is not in this page, which would be too large"

STYLE = """
.confusion td { padding: 0.1rem; text-align: center; border: 1px solid rgb(128 128 128 / 0.25); }
.confusion th[scope=row] { white-space: nowrap; position: sticky; left: 0; background: Canvas; }
.upright thead th:not(:first-child) { writing-mode: vertical-rl; vertical-align: bottom; padding: 0.6rem 0.2rem; }
.confusion .none { color: #666; }
.confusion button, .pairs button { min-width: 2.2rem; min-height: 2rem; padding: 0 0.3rem; font: inherit;
  color: CanvasText; background: none; border: 2px solid transparent; text-decoration: underline; cursor: pointer; }
.confusion button.right { border-color: currentColor; font-weight: bold; text-decoration: none; }
.pairs button { background: rgb(220 110 30 / 0.25); }
button[aria-pressed=true] { outline: 3px dashed currentColor; outline-offset: -5px; }
#behind { border: 2px solid currentColor; padding: 0 1rem 1rem; }
li { margin: 0.5rem 0; }
figure { margin: 0.5rem 0; }
audio { display: block; max-width: 100%; margin: 0.25rem 0; }
img { display: block; width: 30rem; max-width: 100%; height: 10rem; border: 1px solid rgb(128 128 128 / 0.6); }
@media (prefers-color-scheme: dark) { img { filter: brightness(0.8); } .confusion .none { color: #aaa; } }
@media print { #behind { display: none; } .confusion th[scope=row] { position: static; } }
"""
SCRIPT = """
"use strict";
const { recordings, cells } = JSON.parse(document.getElementById("data").textContent);
const behind = document.getElementById("behind");
const [title, list, back] = ["h3", "ol", "button"].map((part) => behind.querySelector(part));
let pressed = null;

function told(recording) {
  const parts = [];
  if ("speaker" in recording) parts.push(`speaker \\u2068${recording.speaker}\\u2069`);
  parts.push(`confidence ${recording.confidence.toFixed(2)}`);
  if ("rejected" in recording) parts.push(`rejected: ${recording.rejected}`);
  if ("silent" in recording) parts.push(recording.silent);
  return parts.join(", ");
}

function entry(number) {
  const recording = recordings[number], item = document.createElement("li"), file = document.createElement("bdi");
  file.textContent = recording.file;
  item.append(file, `: ${told(recording)}`);
  const drawn = document.getElementById(`sound-${number}`);
  const source = recording.sound || (drawn && drawn.src);
  if (source) {
    const sound = document.createElement("audio");
    sound.controls = true;
    sound.preload = "none";
    sound.setAttribute("aria-label", `what was heard of ${recording.file}`);
    sound.src = source;
    item.append(sound);
  }
  return item;
}

function show(button) {
  if (pressed) pressed.setAttribute("aria-pressed", "false");
  pressed = button;
  pressed.setAttribute("aria-pressed", "true");
  title.textContent = button.getAttribute("aria-label");
  list.replaceChildren(...cells[button.dataset.cell].map(entry));
  behind.hidden = false;
  title.focus();
}

for (const button of document.querySelectorAll("button[data-cell]")) {
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => show(button));
}
back.addEventListener("click", () => {
  behind.hidden = true;
  pressed.setAttribute("aria-pressed", "false");
  pressed.focus();
});
"""


@dataclass(frozen=True)
class Excerpt:
    """What one hears and sees of a recording: addresses that hold all of it, and which part it is."""

    sound: str
    picture: str
    told: str


def report_page(evaluation: Evaluation, sample_rate: int | None = None) -> str:
    """The page: accuracy, what was heard of which word, and the worst files with their sound.

    Of recordings that were mistaken for another word it has the sound, as the model hears it, up to MOST_EMBEDDED.

    Parameters
    ----------
    evaluation : what was found
    sample_rate : to which the model brings recordings, Hz; each has its own when None
    """
    wrong = _worst_first(evaluation)
    drawn = [number for number in wrong if evaluation.answered[number][0].word not in evaluation.unknown][:WORST]
    heard, silent = _embedded(evaluation, wrong, drawn, sample_rate)
    parts = {
        "accuracy": ("Accuracy", _accuracy(evaluation)),
        "words": ("By word", _shares("word", evaluation.by_word)),
        "speakers": ("By speaker", _shares("speaker", evaluation.by_speaker)),
        "confusion": ("What was heard of which word", _confusion(evaluation, list(silent.values()).count(NO_ROOM))),
        "worst": ("Worst files", _worst(evaluation, drawn, heard, silent)),
        "unreadable": ("Not read", _unreadable(evaluation.unreadable)),
    }
    sounds = {number: found.sound for number, found in heard.items() if number not in drawn}
    told = f"<p>{text(headline(evaluation.total))}</p>\n{sections(parts)}\n{_behind(evaluation, sounds, silent)}"
    return whole_page("Evaluation", told, STYLE, SCRIPT)


# Numbers


def _accuracy(evaluation: Evaluation) -> str:
    """Accuracy and rejections, as far as there is something of which they are shares."""
    scores = {
        "accuracy, were nothing rejected": evaluation.total,
        "words of the model that were rejected": evaluation.false_rejections,
        "words that the model lacks, and accepted": evaluation.false_acceptances,
        **{Markup(f"of these: {own(word)}"): rate for word, rate in evaluation.unknown.items()},
    }
    return _table("Shares of the recordings", "share of what", "count", scores)


def _shares(what: str, scores: Mapping[str, Proportion]) -> str:
    worst_first = dict(sorted(scores.items(), key=lambda item: item[1].share))
    return _table(f"Accuracy by {what}, the worst first", what, "right", worst_first) if scores else ""


def _table(caption: str, first: str, count: str, scores: Mapping[str, Proportion]) -> str:
    rows = [(name, score.count, *measured(score.as_json())) for name, score in scores.items() if score.n]
    return captioned(caption, (first, count, *REACH), rows, numbers={1, 2, 3, 5, 6})


# What was heard of which word


def _confusion(evaluation: Evaluation, lacking: int) -> str:
    """The matrix, each of whose counts is a button; of many words, those pairs that were mistaken."""
    told = ["<p>Choose a number to see which recordings it counts, and to hear those that were mistaken.</p>"]
    if lacking:
        told.append(
            f"<p>Of {counted(lacking, 'recording')} among these there is no sound here: with more of it, this page "
            f"would have more than {MOST_EMBEDDED // 10**6} MB.</p>"
        )
    told.append("<noscript><p>That takes JavaScript, which is off; mistakes.csv names the mistakes.</p></noscript>")
    few = max(evaluation.confusion.shape) <= LABELLED
    return "\n".join([*told, _matrix(evaluation) if few else _pairs(evaluation)])


def _matrix(evaluation: Evaluation) -> str:
    share = evaluation.confusion / evaluation.confusion.sum(1, keepdims=True)
    rows = [
        (_said(evaluation, word), *(_cell(evaluation, row, column, one) for column, one in enumerate(share[row])))
        for row, word in enumerate(evaluation.words)
    ]
    told = "<p>What is right has a frame. The stronger a colour, the more of the recordings in its row.</p>\n"
    caption = "Recordings of the words in the rows, by what was heard"
    header = ("said \\ heard", *(_fitting(heard) or "(nothing)" for heard in evaluation.heard))
    kind = "confusion upright" if len(evaluation.heard) > SIDEWAYS else "confusion"
    return told + captioned(caption, header, rows, kind=kind)


def _pairs(evaluation: Evaluation) -> str:
    """What was mistaken for what, the commonest first."""
    counts = evaluation.confusion
    found = [(row, column) for row, column in np.argwhere(counts) if evaluation.words[row] != evaluation.heard[column]]
    found.sort(key=lambda cell: -counts[*cell])
    rows = [
        (
            _said(evaluation, evaluation.words[row]),
            _fitting(evaluation.heard[column]) or "(nothing)",
            _button(evaluation, row, column),
        )
        for row, column in found[:MOST_PAIRS]
    ]
    more = f", the first {MOST_PAIRS} of {len(found)}" if len(found) > MOST_PAIRS else ""
    caption = f"What was mistaken for what, the commonest first{more}; all counts are in confusion.csv"
    return captioned(caption, ("said", "heard", "recordings"), rows, numbers={2}, kind="pairs")


def _said(evaluation: Evaluation, word: str) -> Markup:
    return Markup(own(_fitting(word)) + (" (not in the model)" if word in evaluation.unknown else ""))


def _fitting(word: str) -> str:
    """A word as it fits beside or above a table; its button has all of it."""
    return in_short(printable(word), LONGEST_LABEL)


def _cell(evaluation: Evaluation, row: int, column: int, share: float) -> Markup:
    """A number on a colour that leaves letters readable, be they dark on light or light on dark."""
    if not evaluation.confusion[row, column]:
        return Markup('<span class="none">0</span>')
    right = evaluation.words[row] == evaluation.heard[column]
    lacking = evaluation.words[row] in evaluation.unknown
    colour = "128 128 128" if lacking else "70 130 200" if right else "220 110 30"
    style = f"background: rgb({colour} / {0.15 + 0.4 * share:.2f})"
    return _button(evaluation, row, column, f' class="{"right" if right else "other"}" style="{style}"')


def _button(evaluation: Evaluation, row: int, column: int, about: str = "") -> Markup:
    count = int(evaluation.confusion[row, column])
    heard = evaluation.heard[column]
    label = f"said {_apart(evaluation.words[row])}, heard {_apart(heard) if heard else 'nothing'}: "
    label += counted(count, "recording")
    return Markup(f'<button type="button" data-cell="{row}-{column}" aria-label="{label}"{about}>{count}</button>')


def _apart(word: str) -> str:
    """A word in quotes that runs in its own direction, where no element can say so."""
    return f"\u2068“{text(word)}”\u2069"


def _behind(evaluation: Evaluation, sounds: Mapping[int, str], silent: Mapping[int, str]) -> str:
    """Where the recordings of a cell are listed, and what is told of each of all recordings."""
    places = {word: place for place, word in enumerate(evaluation.words)}
    columns = {word: place for place, word in enumerate(evaluation.heard)}
    cells: dict[str, list[int]] = {}
    recordings = []
    for number, (utterance, answer) in enumerate(evaluation.answered):
        cells.setdefault(f"{places[utterance.word]}-{columns[best_word(answer)]}", []).append(number)
        told = {
            "file": printable(str(utterance.path)),
            "speaker": utterance.speaker and printable(utterance.speaker),
            "confidence": round(answer.result.confidence, 4),
            "rejected": answer.result.reason,
            "sound": sounds.get(number),
            "silent": silent.get(number),
        }
        recordings.append({key: value for key, value in told.items() if value is not None})
    return (
        '<section id="behind" aria-label="recordings of the chosen cell" hidden>\n<h3 tabindex="-1"></h3>\n<ol></ol>\n'
        f'<button type="button">Back to the table</button>\n</section>\n'
        f"{data('data', {'recordings': recordings, 'cells': cells})}\n"
    )


# Sound


def _worst_first(evaluation: Evaluation) -> list[int]:
    """The recordings that were taken for another word, as `Evaluation.mistakes`; words that the model lacks last."""

    def badness(number: int) -> tuple[bool, float, str]:
        utterance, answer = evaluation.answered[number]
        return utterance.word in evaluation.unknown, -answer.result.confidence, str(utterance.path)

    wrong = [number for number, (u, answer) in enumerate(evaluation.answered) if u.word != best_word(answer)]
    return sorted(wrong, key=badness)


def _embedded(
    evaluation: Evaluation, wrong: Sequence[int], drawn: Collection[int], sample_rate: int | None
) -> tuple[dict[int, Excerpt], dict[int, str]]:
    """What is heard and seen of recordings, as far as there is room, and why nothing is of the others."""
    heard, silent, room = {}, {}, MOST_EMBEDDED
    for number in wrong:
        utterance, answer = evaluation.answered[number]
        start, end = _part(answer.result)
        if answer.source_rate is None:
            silent[number] = NO_SOUND
        elif _characters(end - start, sample_rate or answer.source_rate) > room:
            silent[number] = NO_ROOM
        elif (found := _excerpt(utterance.path, start, end, sample_rate, number in drawn)) is None:
            silent[number] = GONE
        elif len(found.sound) + len(found.picture) > room:
            silent[number] = NO_ROOM
        else:
            heard[number] = found
            room -= len(found.sound) + len(found.picture)
    return heard, silent


def _part(result: Result) -> tuple[float, float]:
    """From where to where a recording is heard, seconds: what was taken for a word, or the beginning."""
    if result.start is None:
        return 0.0, min(result.duration, WHOLE)
    return max(0.0, result.start - AROUND), min(result.duration, result.end + AROUND)


def _characters(seconds: float, sample_rate: int) -> int:
    """That sound takes in the page, at the least: two bytes a sample, and four characters for three bytes."""
    return round(seconds * sample_rate) * 2 * 4 // 3


def _excerpt(path: Path, start: float, end: float, sample_rate: int | None, drawn: bool) -> Excerpt | None:
    """A part of a recording; None where it cannot be read again, as what came through a pipe."""
    if not os.path.isfile(path):
        return None
    try:
        with warnings.catch_warnings():  # of what was told when it was recognised
            warnings.simplefilter("ignore", RecognizerWarning)
            recording = audio.load(path, sample_rate)
    except AudioError:
        return None
    rate = recording.sample_rate
    samples = recording.samples[round(start * rate) : round(end * rate)]
    if not len(samples):  # it is another one by now
        return None
    sound = embedded("audio/wav", audio.as_wav(samples, rate))
    picture = embedded("image/png", small_picture(samples, rate)) if drawn else ""
    part = f"{start:.2f} to {start + len(samples) / rate:.2f} of {len(recording.samples) / rate:.2f} s"
    return Excerpt(sound, picture, f"{part}; 0 to {rate // 2} Hz")


# Files


def _worst(
    evaluation: Evaluation, drawn: Sequence[int], heard: Mapping[int, Excerpt], silent: Mapping[int, str]
) -> str:
    """What was mistaken with the greatest confidence."""
    items = "\n".join(_mistaken(evaluation, number, heard.get(number), silent.get(number, "")) for number in drawn)
    told = f"{counted(len(evaluation.mistakes), 'mistake')} in all, the surest first."
    return f"<p>{told}</p>\n<ol>\n{items}\n</ol>" if drawn else ""


def _mistaken(evaluation: Evaluation, number: int, heard: Excerpt | None, silent: str) -> str:
    utterance, answer = evaluation.answered[number]
    word, result = best_word(answer), answer.result
    taken = f"heard {own(word)} with confidence {result.confidence:.2f}" if word else "nothing heard"
    rejected = "" if result.accepted else f" (rejected: {text(result.reason)})"
    who = "" if utterance.speaker is None else f", speaker {own(utterance.speaker)}"
    line = f"said {own(utterance.word)}, {taken}{rejected}{who}<br>{own(utterance.path)}"
    if heard is None:
        return f"<li>{line}<br>{text(silent)}</li>"
    label = text(f"what was heard of {utterance.path}")
    return (
        f'<li>{line}\n<figure><audio id="sound-{number}" controls preload="none" aria-label="{label}" '
        f'src="{heard.sound}"></audio>\n<img src="{heard.picture}" alt="spectrogram of it">\n'
        f"<figcaption>{heard.told} from bottom to top, the darker, the louder</figcaption></figure></li>"
    )


def _unreadable(unreadable: Mapping[str, str]) -> str:
    items = "\n".join(f"<li>{own(reason)}</li>" for reason in unreadable.values())
    return f"<ul>\n{items}\n</ul>" if unreadable else ""
