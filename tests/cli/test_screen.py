"""The picture that `live` draws on a terminal."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from synthetic import WORDS
from test_session import blocks, talk

from recognizer.cli.drawing import METER_CELLS, TALL, WIDTH, kept_up_to_date, large, poster
from recognizer.cli.screen import STATES, LivePicture
from recognizer.live.events import Adapted, Answer, Calibrated, DeviceLost, Heard, Partial, Rejected
from recognizer.live.session import Session
from recognizer.recognition.result import Candidate, Result
from recognizer.recognizer import Recognizer
from recognizer.sound.source import Block, Lost

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def session(built) -> Session:
    return Session(Recognizer(built))


def lines(picture: LivePicture) -> list[str]:
    """What is drawn on a terminal that is wide enough; no line is wider than the frame."""
    file = io.StringIO()
    Console(file=file, width=120, force_terminal=False, color_system=None).print(picture.draw())
    drawn = file.getvalue().splitlines()
    assert {cell_len(line.rstrip()) for line in drawn} == {WIDTH}
    assert (drawn[0][0], drawn[0][-1], drawn[-1][0], drawn[-1][-1]) == ("╭", "╮", "╰", "╯")
    return drawn


def result(*words: str, reason: str | None = None) -> Answer:
    """An answer, or a rejection if there is a reason."""
    nbest = tuple(Candidate(word, -10.0 - n, 0.8 / 2**n) for n, word in enumerate(words))
    word, confidence = (nbest[0].word, nbest[0].confidence) if reason is None else (None, 0.0)
    answer = Result(word, confidence, reason is None, nbest, 0.1, 0.5, 0.8, reason)
    about = {"time": 1.0, "start": 0.5, "end": 0.9, "samples": np.zeros(9, np.int16), "latency": 0.01}
    return (Heard if reason is None else Rejected)(result=answer, **about)


def holds(drawn: list[str], letters: str) -> bool:
    """Whether a word in large letters is in a picture, one line under the other."""
    inside = [line.strip("│ ") for line in drawn]
    wanted = [line.strip() for line in letters.strip("\n").splitlines()]
    return any(inside[n : n + len(wanted)] == wanted for n in range(len(inside)))


# Large letters


@pytest.mark.parametrize("word", ["a", "yes", *WORDS, "seven", "turn on", "x-1"])
def test_a_word_is_drawn_in_several_lines(word):
    drawn = large(word).splitlines()
    assert 4 <= len(drawn) <= TALL
    assert all(len(line) <= WIDTH - 6 for line in drawn)
    assert word not in large(word)


def test_different_words_look_different():
    assert len({large(letter) for letter in LETTERS}) == len(LETTERS)


@pytest.mark.parametrize("word", ["语音", "né", "да"])
def test_other_scripts_are_spaced_out(word):
    assert large(word).strip() == " ".join(word)


@pytest.mark.parametrize("word", ["नमस्ते", "سلام", "语" * 24, "ж" * 60])
def test_letters_that_join_or_are_too_many_are_left_together(word):
    assert large(word).strip() == word


@pytest.mark.parametrize("width", [WIDTH, 40])
@pytest.mark.parametrize("word", ["say a word", "seven", "语音", "w" * 60, " "])
def test_every_word_is_as_high(word, width):
    file = io.StringIO()
    Console(file=file, width=width - 4, color_system=None).print(poster(Text(large(word, width)), width))
    assert file.getvalue().count("\n") == TALL


@pytest.mark.parametrize("length", [20, 76, 500])
def test_a_word_too_long_for_large_letters_is_written_small(length):
    assert large("w" * length).replace(" ", "").strip() == "w" * length


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=60))
def test_any_word_can_be_drawn(word):
    assert large(word)


# The picture


def test_it_begins_with_what_to_do(session):
    drawn = "\n".join(lines(LivePicture(session, "tones, Desk Mic")))
    for part in ("recognizer live: tones, Desk Mic", "say a word", "calibrating", "Ctrl-C ends"):
        assert part in drawn


def test_every_state_fits_beside_the_meter():
    for state, _ in STATES.values():
        assert len(state) + METER_CELLS + 4 <= WIDTH - 4


@pytest.mark.parametrize("word", ["seven", "语音", "né", "w" * 60, "[bold]", "[/x]"])
def test_an_answer_is_large_with_its_confidence_and_what_else_it_may_be(session, word):
    picture = LivePicture(session, "title")
    picture.take(result(word, "other", "third", "fourth", "fifth"))
    drawn = lines(picture)
    assert holds(drawn, large(word))
    rows = {line.strip("│ ").split("  ")[0]: line for line in drawn}
    assert "0.80" in rows["confidence"]
    assert "other 0.40   third 0.20   fourth 0.10" in rows["otherwise"]
    assert "fifth" not in "".join(drawn)
    assert word[:20] in rows["before"]


def test_a_guess_is_large_without_confidence(session):
    picture = LivePicture(session, "title")
    picture.take(Partial(time=1.0, start=0.5, result=result("seven").result))
    drawn = lines(picture)
    assert holds(drawn, large("seven"))
    assert "0.80" not in "".join(drawn)


def test_a_rejection_tells_why_and_what_was_nearest(session):
    picture = LivePicture(session, "title")
    picture.take(result("seven"))
    picture.take(result("five", "nine", reason="too short"))
    drawn = "\n".join(lines(picture))
    for part in ("rejected: too short", "nearest: five 0.80   nine 0.40", "(too short)   seven 0.80"):
        assert part in drawn
    picture.take(result(reason="too quiet"))
    assert "nearest" not in "\n".join(lines(picture))


def test_what_came_before_is_there_newest_first(session):
    picture = LivePicture(session, "title")
    for word in WORDS:
        picture.take(result(word))
    [row] = [line for line in lines(picture) if "before" in line]
    assert [row.index(word) for word in WORDS] == sorted((row.index(word) for word in WORDS), reverse=True)


SMALL = 40, 20  # cells and lines of a terminal, such as a telephone's


@pytest.mark.parametrize("word", ["seven", "语音", "w" * 60])
def test_on_a_small_terminal_nothing_is_torn(built, word):
    width, height = SMALL
    picture = LivePicture(Session(Recognizer(built), adapt=True), "tones, Desk Mic at 44100 Hz", width)
    heights = set()
    told = [None, result(word, "other", "third"), Adapted(time=1.0, learned=1, word=word), result(reason="too short")]
    for event in told:
        if event:
            picture.take(event)
        file = io.StringIO()
        Console(file=file, width=width, force_terminal=False, color_system=None).print(picture.draw())
        drawn = file.getvalue().splitlines()
        assert {cell_len(line) for line in drawn} == {width}
        assert {line[0] + line[-1] for line in drawn[1:-1]} == {"││"}
        assert any("calibrating: be quiet" in line for line in drawn)
        heights.add(len(drawn))
    assert max(heights) < height
    assert len(heights) == 1, "nothing moves"


def test_a_note_stays_until_it_calibrates_again(session):
    picture = LivePicture(session, "title")
    picture.take(DeviceLost(time=1.0, note="Desk Mic: the device is gone"))
    assert "Desk Mic: the device is gone" in "\n".join(lines(picture))
    picture.take(Calibrated(time=2.0, floor=-60.0))
    assert "Desk Mic" not in "\n".join(lines(picture))


def test_what_it_is_adapted_to_has_a_line_of_its_own(built, session):
    picture = LivePicture(Session(Recognizer(built), adapt=True), "title")
    height = len(lines(picture))
    assert height == len(lines(LivePicture(session, "title"))) + 1
    assert "not adapted yet" in "\n".join(lines(picture))
    picture.take(DeviceLost(time=1.0, note="Desk Mic: the device is gone"))
    for learned, note, told in (
        (1, None, "adapted to 1 word; u and Enter takes the last back"),
        (7, None, "adapted to 7 words; u and Enter takes the last back"),
        (1000, None, "adapted to 1000 words; u and Enter takes the last back"),
        (6, "seven taken back", "seven taken back; adapted to 6 words"),
        (0, "all taken back", "all taken back; adapted to 0 words"),
        (
            50,
            "those before can be taken back only all at once",
            "those before can be taken back only all at once; adap",
        ),
    ):
        picture.take(Adapted(time=2.0, learned=learned, word="seven", note=note))
        drawn = lines(picture)
        assert told in "\n".join(drawn)
        assert "Desk Mic: the device is gone" in "\n".join(drawn), "that still holds"
        assert len(drawn) == height
    assert "adapted" not in "\n".join(lines(LivePicture(session, "title")))


@pytest.mark.parametrize("title", ["x" * 200, "a [b].wav", "take[/x].wav", "Mic [usb]", "语音" * 50, ""])
def test_any_name_may_be_in_the_title(session, title):
    drawn = lines(LivePicture(session, title))
    assert title[:20] in drawn[0]


def test_it_is_as_high_whatever_is_said(session):
    picture = LivePicture(session, "title")
    heights = {len(lines(picture))}
    for event in (result("seven"), result("语音"), result("w" * 40), result("five", reason="too short")):
        picture.take(event)
        heights.add(len(lines(picture)))
    assert max(heights) - min(heights) <= 1


def test_the_states_are_told(session):
    picture, told = LivePicture(session, "title"), set()
    for sound in [*blocks(talk("hum")[0], seconds=0.005), Lost("Mic", "gone")]:
        session.hear(sound)
        [state] = [state for state, (text, _) in STATES.items() if text in lines_of_state(picture)]
        assert state == session.state
        told.add(state)
    assert told == set(STATES)


def lines_of_state(picture: LivePicture) -> str:
    return picture.draw().renderable.renderables[0].plain


def test_the_meter_rises_with_the_sound_and_falls_slowly(session):
    picture = LivePicture(session, "title")

    def cells() -> int:
        picture.seen()
        return lines_of_state(picture).count("█")

    def hear(level: float) -> None:
        session.hear(Block((level * np.random.default_rng(0).standard_normal(1600)).astype(np.float32), 8000, 0.0))

    hear(0.0001)
    low = cells()
    hear(0.3)
    high = cells()
    hear(0.0001)
    falling = [cells() for _ in range(40)]
    assert high > low + 20
    assert falling == sorted(falling, reverse=True)
    assert falling[0] >= high - 2
    assert falling[-1] == low


def test_it_is_drawn_anew_only_when_something_has_changed(session, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    with kept_up_to_date(lambda width: LivePicture(session, "title", width)) as show:
        show([])
        before = capsys.readouterr().out
        for _ in range(10):
            show([])
        assert capsys.readouterr().out == ""
        show([result("seven")])
    assert "say a word" in before or before == "", "nothing is animated where there is no terminal"
    assert "title" in before + capsys.readouterr().out
