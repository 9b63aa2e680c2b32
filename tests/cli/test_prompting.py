"""Words asked for at a microphone: what a person sees, and how it ends."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console
from synthetic import RATE, answer
from terminal import picture
from test_guide import ONE, loud, word
from test_session import blocks, quiet

from recognizer.cli.drawing import METER_CELLS, WIDTH, large
from recognizer.cli.prompt_screen import STATES, PromptPicture
from recognizer.cli.prompting import Ending, collect
from recognizer.cli.reporting import ExitStatus
from recognizer.errors import MicrophoneError, RecognizerError
from recognizer.live import events
from recognizer.live.guide import Guide
from recognizer.live.prompts import Prompt
from recognizer.sound.quality import Quality

pytestmark = pytest.mark.usefixtures("signals")
TWO = [Prompt("hum", 1), Prompt("rise", 1)]


def lines(picture: PromptPicture) -> list[str]:
    """What is drawn on a terminal that is wide enough; no line is wider than the frame."""
    file = io.StringIO()
    Console(file=file, width=120, force_terminal=False, color_system=None).print(picture.draw())
    drawn = file.getvalue().splitlines()
    assert {cell_len(line.rstrip()) for line in drawn} == {WIDTH}
    return drawn


def text(picture: PromptPicture) -> str:
    return " ".join(" ".join(line.strip("│ ") for line in lines(picture)).split())


def told(kind: type[events.Asked], prompt: Prompt = ONE[0], **about) -> events.Asked:
    if issubclass(kind, events.Verdict):
        about["quality"] = Quality(0.5, -3.0, -20.0, -60.0, 0.0, False)
    if kind is events.Kept:
        about["samples"] = np.zeros(9, np.int16)
    return kind(time=1.0, prompt=prompt, attempt=1, done=0, total=2, **about)


# The picture


@pytest.mark.parametrize("name", ["seven", "北京", "né", "नमस्ते", "w" * 60, "[bold]"])
def test_the_word_to_say_is_large(name):
    picture = PromptPicture(Guide([Prompt(name, 1)], RATE), "record: Desk Mic")
    assert "record: Desk Mic" in lines(picture)[0]
    assert name not in text(picture), "not before it is asked for"
    picture.take(told(events.Prompted, Prompt(name, 1)))
    drawn = [line.strip("│ ") for line in lines(picture)]
    for line in large(name).splitlines():
        assert line.strip() in drawn
    picture.take(events.Finished(time=1.0, kept=1, skipped=0))
    assert name not in text(picture)


def test_how_the_word_is_said_stands_below_it_until_it_is_judged():
    prompt = Prompt("صفر", 1, "sifr")
    picture = PromptPicture(Guide([prompt], RATE), "record")
    picture.take(told(events.Prompted, prompt, note="sifr"))
    assert "sifr" in text(picture)
    picture.take(told(events.Kept, prompt))
    assert "sifr" not in text(picture)


PROBLEM = "no speech over the noise (SNR 9 dB): was anything said? if so, come closer"


@pytest.mark.parametrize(
    ("event", "part"),
    [
        (told(events.Kept), "✓ hum"),
        (told(events.Kept, note="noisy (SNR 15 dB): come closer"), "✓ hum, but noisy (SNR 15 dB): come closer"),
        (told(events.Again, problem=PROBLEM), f"✗ hum, again: {PROBLEM}"),
        (told(events.Skipped, problem=PROBLEM), f"✗ hum is left out: {PROBLEM}"),
        (told(events.Waiting, note="nothing was heard: say hum"), "nothing was heard: say hum"),
        (events.DeviceLost(time=1.0, note="Desk [Mic]: gone"), "Desk [Mic]: gone"),
    ],
)
def test_what_became_of_it_is_told_whole_and_nothing_moves(event, part):
    picture = PromptPicture(Guide(TWO, RATE), "record")
    picture.take(told(events.Prompted))
    height = len(lines(picture))
    assert part not in text(picture)
    picture.take(event)
    assert part in text(picture)
    assert len(lines(picture)) == height


def test_on_a_small_terminal_nothing_is_torn():
    """Of 40 cells and 20 lines, as of a telephone: the whole verdict and the progress can be read."""
    picture = PromptPicture(Guide(TWO, RATE), "record: Desk Mic at 44100 Hz", 40)
    heights = set()
    for event in (told(events.Prompted), told(events.Again, problem=PROBLEM), told(events.Kept)):
        picture.take(event)
        file = io.StringIO()
        Console(file=file, width=40, force_terminal=False, color_system=None).print(picture.draw())
        drawn = file.getvalue().splitlines()
        assert {cell_len(line) for line in drawn} == {40}
        heights.add(len(drawn))
        whole = " ".join(" ".join(line.strip("│ ") for line in drawn).split())
        assert "0 of 2" in whole
        if isinstance(event, events.Again):
            assert f"hum, again: {PROBLEM}" in whole
    assert max(heights) < 20
    assert len(heights) == 1, "nothing moves"


def test_states_and_progress_follow_the_guide():
    guide = Guide(TWO, RATE)
    picture = PromptPicture(guide, "record")
    seen, progress = [], []
    sounds = [quiet(0.8), loud(word(TWO[0]), 3.0), quiet(0.8), word(TWO[0]), quiet(0.8), word(TWO[1]), quiet(0.8)]
    for sound in blocks(np.concatenate(sounds)):
        for event in guide.hear(sound):
            picture.take(event)
        picture.seen()
        shown = text(picture)
        [state] = [state for state, (label, _) in STATES.items() if label in shown]
        assert state == guide.state
        seen += [state] if seen[-1:] != [state] else []
        progress.append(re.search(r"(\d) of 2( attempt \d)?", shown).group())
    turn = ["listening", "speech", "pause"]
    assert seen == ["calibrating", *turn, *turn, "listening", "speech", "done"]
    assert list(dict.fromkeys(progress)) == ["0 of 2", "0 of 2 attempt 2", "1 of 2", "2 of 2"]


def test_every_state_fits_beside_the_meter():
    assert all(len(label) + METER_CELLS + 4 <= WIDTH - 4 for label, _ in STATES.values())


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
def test_on_a_terminal_there_is_a_picture(tmp_path):
    """Of a made-up microphone, in a process of its own."""
    pty = pytest.importorskip("pty")
    code = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import soundcard
from synthetic import answer
from recognizer.live.prompts import Prompt
from recognizer.sound import microphone
import numpy as np
microphone.POLL = 0
waiting = [np.random.default_rng(0).normal(0, 3e-4, 8000), answer(Prompt("hum", 1))]
card = soundcard.SoundCard([soundcard.Plug("Desk Mic", rates=(8000,))])
card.starved = lambda stream: stream.deliver(waiting.pop(0))
sys.modules["sounddevice"] = card
from recognizer.cli import main
sys.argv = ["recognizer", "record", "hum", "--takes", "1", "--sample-rate", "8000", "--output", sys.argv[2]]
main()
"""
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, os.path.dirname(os.path.dirname(__file__)), str(tmp_path / "mine")],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUTF8": "1", "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    )
    os.close(terminal)
    plain, stderr = picture(process, master)
    assert (process.returncode, stderr) == (0, "")
    for part in ("recognizer record: Desk Mic at 8000 Hz", "say it now", "✓ hum", "1 of 1", "1 new recording; in all"):
        assert part in plain
    for line in large("hum").splitlines():
        assert line.strip() in plain


# How it ends


def gather(guide: Guide, sounds, keep=lambda prompt, samples: None) -> Ending:
    return collect(guide, sounds, keep, "record", True, True)


def test_all_is_kept():
    kept = []
    sounds = blocks(np.concatenate([quiet(1.0), *map(answer, TWO)]))
    outcome = gather(Guide(TWO, RATE), sounds, lambda prompt, samples: kept.append((prompt, samples)))
    assert outcome == Ending(2, (), ExitStatus.OK)
    assert [prompt for prompt, _ in kept] == TWO
    assert all(samples.dtype == np.int16 for _, samples in kept)


def test_nothing_is_heard_where_nothing_is_to_be_said():
    def never():
        pytest.fail("nobody needs to listen")
        yield

    assert gather(Guide([], RATE), never()) == Ending(0, (), ExitStatus.OK)


def test_what_was_left_out_is_a_failure():
    bad = [loud(answer(TWO[0]), 3.0)] * 3
    outcome = gather(Guide(TWO, RATE), blocks(np.concatenate([quiet(1.0), *bad, answer(TWO[1])])))
    assert outcome == Ending(1, (TWO[0],), ExitStatus.FAILED)


def test_sound_that_ends_before_all_is_said_is_a_failure():
    outcome = gather(Guide(TWO, RATE), blocks(np.concatenate([quiet(1.0), answer(TWO[0])])))
    assert outcome == Ending(1, (), ExitStatus.FAILED)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RecognizerError("No space left on device")])
def test_what_cannot_be_kept_is_not_counted(error, capsys):
    def full(prompt: Prompt, samples: np.ndarray) -> None:
        if prompt == TWO[1]:
            raise error

    sounds = blocks(np.concatenate([quiet(1.0), *map(answer, TWO)]))
    with pytest.raises(RecognizerError, match=r"No space left on device.*; 1 of 2 kept; the same command goes on from"):
        gather(Guide(TWO, RATE), sounds, full)
    assert capsys.readouterr().out.count('"event": "kept"') == 1


def test_a_microphone_that_fails_tells_what_was_kept():
    def breaking():
        yield from blocks(np.concatenate([quiet(1.0), answer(TWO[0])]))
        raise MicrophoneError("broken; buy another")

    with pytest.raises(RecognizerError, match="broken; buy another; 1 of 2 kept"):
        gather(Guide(TWO, RATE), breaking())


def test_a_note_is_told_with_what_is_kept(capsys):
    guide = Guide(ONE, RATE, check=lambda word, samples: "sounds like rise", attempts=1)
    collect(guide, blocks(np.concatenate([quiet(1.0), answer(ONE[0])])), lambda *_: None, "enroll", False, False)
    assert "kept; sounds like rise" in capsys.readouterr().err.splitlines()
