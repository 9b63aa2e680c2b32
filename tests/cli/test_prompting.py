"""Words asked for at a microphone: what a person sees, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.cells import cell_len
from rich.console import Console
from soundcard import Plug
from synthetic import RATE, answer, write
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
        (
            told(events.Undone, note="hum is taken back: say it again", had_take=True),
            "↶ hum is taken back: say it again",
        ),
        (told(events.LeftOut, note="hum is left out"), "→ hum is left out"),
        (events.Hint(time=1.0, note="playing hum: listen, and wait"), "playing hum: listen, and wait"),
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


@pytest.mark.parametrize("width", [WIDTH, 40])
def test_what_the_keys_do_is_shown_where_they_do_something(width):
    for keys in (True, False):
        file = io.StringIO()
        picture = PromptPicture(Guide(TWO, RATE), "record: Desk Mic", width, keys)
        Console(file=file, width=width, force_terminal=False, color_system=None).print(picture.draw())
        last = file.getvalue().splitlines()[-1]
        assert cell_len(last) == width
        assert "Ctrl-C" in last
        assert "…" not in last
        assert all((key in re.findall(r"\b\w\b", last)) is keys for key in "ups")


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


KEYS_CODE = """
import sys
import time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import soundcard
from synthetic import answer
from recognizer.live.prompts import Prompt
from recognizer.sound import microphone
import numpy as np
microphone.POLL = 0
room = np.random.default_rng(0).normal(0, 3e-4, 8000)
take = Path(sys.argv[2], "hum", "1.wav")
waiting = [room, *(answer(Prompt("hum", n)) for n in (1, 2))]
def hear(stream):
    time.sleep(0.03)  # as long as a block lasts, so that there is time to press a key
    taken_back = len(waiting) == 1 and not take.exists()
    stream.deliver(waiting.pop(0) if len(waiting) > 1 or taken_back else room[:240])
card = soundcard.SoundCard([soundcard.Plug("Desk Mic", rates=(8000,))])
card.starved = hear
sys.modules["sounddevice"] = card
from recognizer.cli import main
sys.argv = ["recognizer", "record", "hum", "--takes", "2", "--sample-rate", "8000", "--output", sys.argv[2]]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
@pytest.mark.parametrize("ending", ["Ctrl-C", "SIGTERM"])
def test_keys_count_without_enter_and_the_terminal_is_as_before_in_the_end(tmp_path, ending):
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    fcntl = pytest.importorskip("fcntl")
    master, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    process = subprocess.Popen(
        [sys.executable, "-c", KEYS_CODE, os.path.dirname(os.path.dirname(__file__)), str(tmp_path / "mine")],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: (
            fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            signal.signal(signal.SIGINT, signal.default_int_handler),
        ),
        env={**os.environ, "PYTHONUTF8": "1", "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    )
    shown = wait_for("✓ hum", master)
    during = termios.tcgetattr(terminal)[3]
    assert not during & (termios.ECHO | termios.ICANON)
    os.write(master, b"\x1b[A")  # an arrow
    os.write(master, b"u")
    shown += wait_for("is taken back", master) + wait_for("✓ hum", master)
    os.write(master, b"s")
    shown += wait_for("● done", master)
    os.write(master, b"u")  # also after the last one
    shown += wait_for("is asked for after all", master)
    if ending == "SIGTERM":
        process.send_signal(signal.SIGTERM)
    else:
        os.write(master, b"\x03")
    stderr = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 130, stderr
    assert stderr == "interrupted; 1 of 2 kept; the same command goes on from there\n"
    assert "u: take the last back" in shown
    assert [path.name for path in (tmp_path / "mine").rglob("*.wav")] == ["1.wav"]
    assert termios.tcgetattr(terminal) == before
    os.close(terminal)
    os.close(master)


def wait_for(part: str, master: int) -> str:
    """What a program shows on a terminal, without the codes, until something is there."""
    shown = b""
    while part not in (plain := re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))):
        shown += os.read(master, 65536)
    return plain


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


# What is typed


class Desk:
    """A person who types lines between sounds, and the takes that are there.

    Parameters
    ----------
    parts : sounds, prompts that are answered well, and lines
    """

    def __init__(self, monkeypatch, folder, *parts: np.ndarray | Prompt | str) -> None:
        self._parts, self._typed, self._folder = parts, [], folder
        monkeypatch.setattr("recognizer.cli.prompting.lines_of", lambda stream: self._come)

    def _come(self) -> list[str]:
        typed, self._typed = self._typed, []
        return typed

    def __iter__(self):
        for part in (quiet(1.0), *self._parts):
            if isinstance(part, str):
                self._typed.append(part)
                part = quiet(0.03)
            yield from blocks(answer(part) if isinstance(part, Prompt) else part)

    def keep(self, prompt: Prompt, samples: np.ndarray) -> Path:
        path = self._folder / f"{prompt.word}{len(self.there)}.wav"
        write(path, samples)
        return path

    @property
    def there(self) -> list[str]:
        return sorted(path.name[:-5] for path in self._folder.glob("*.wav"))


@pytest.fixture
def desk(monkeypatch, tmp_path):
    return lambda *parts: Desk(monkeypatch, tmp_path, *parts)


def kinds_of(stdout: str) -> list[str]:
    return [json.loads(line)["event"] for line in stdout.splitlines()]


def test_a_take_that_is_taken_back_is_deleted_and_said_again(desk, capsys):
    guide, person = Guide(TWO, RATE), desk(TWO[0], "u", quiet(0.6), TWO[0], TWO[1], "u")
    assert gather(guide, person, person.keep) == Ending(2, (), ExitStatus.OK)
    told = ["calibrated", "prompt", "kept", "prompt", "undone", "prompt", "kept", "prompt", "kept", "finished"]
    assert kinds_of(capsys.readouterr().out) == told, "and what is typed too late is not read"
    assert person.there == ["hum", "rise"]


def test_the_file_is_gone_when_it_is_told(desk):
    there = []
    guide, person = Guide(TWO, RATE), desk(TWO[0], "u", quiet(0.6))
    undo = guide.undo
    guide.undo = lambda: (there.append(list(person.there)), undo())[1]
    assert gather(guide, person, person.keep).kept == 0
    assert (there, person.there) == ([["hum"]], [])


def test_a_take_that_is_gone_already_is_taken_back_all_the_same(desk):
    person = desk(TWO[0], "u", quiet(0.6), *TWO)

    def keep_nothing(prompt: Prompt, samples: np.ndarray) -> Path:
        path = person.keep(prompt, samples)
        path.unlink()
        return path

    assert gather(Guide(TWO, RATE), person, keep_nothing).kept == 2


def test_a_take_that_cannot_be_deleted_is_one_line(desk):
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    person = desk(TWO[0], "u", quiet(0.6))
    with pytest.raises(RecognizerError, match=r"hum cannot be deleted in .*hum0.wav \(Permission denied\); chan"):
        collect(Guide(TWO, RATE), person, person.keep, "record", True, True, remove=refuse)


def test_a_word_is_left_out_when_asked_to(desk, capsys):
    person = desk("skip", quiet(0.6), TWO[1])
    assert gather(Guide(TWO, RATE), person, person.keep) == Ending(1, (TWO[0],), ExitStatus.FAILED)
    out, err = capsys.readouterr()
    assert kinds_of(out) == ["calibrated", "prompt", "left_out", "prompt", "kept", "finished"]
    assert err == "left out: hum (take 1); the same command asks for them again\n"


def test_what_is_played_is_the_last_take_and_nothing_counts_meanwhile(desk, soundcard, capsys):
    """Were it heard, the word from the loudspeaker would be the take of the next prompt."""
    card = soundcard(Plug("Desk Mic"), loudspeaker=RATE)
    person = desk(TWO[0], "p", answer(Prompt("hum", 2)), answer(Prompt("hum", 3)), "silent", quiet(1.0), TWO[1])
    come = person._come

    def come_or_be_silent() -> list[str]:
        typed = come()
        if "silent" in typed:
            card.output.active = False
        return [line for line in typed if line != "silent"]

    person._come = come_or_be_silent
    assert gather(Guide(TWO, RATE), person, person.keep) == Ending(2, (), ExitStatus.OK)
    out = capsys.readouterr().out
    assert kinds_of(out) == ["calibrated", "prompt", "kept", "prompt", "hint", "prompt", "kept", "finished"]
    assert '"message": "playing hum: listen, and wait"' in out
    [(played, rate)] = card.played
    kept, _ = soundfile.read(person._folder / "hum0.wav")
    assert rate == RATE
    assert np.abs(played - kept).max() < 1e-4
    assert card.silenced == 1, "in the end, whatever still sounds"
    assert person.there == ["hum", "rise"]


def test_without_a_loudspeaker_or_a_take_it_is_told_and_goes_on(desk, soundcard, capsys):
    soundcard(Plug("Desk Mic"))
    person = desk("p", TWO[0], "p", "what", "", TWO[1])
    assert gather(Guide(TWO, RATE), person, person.keep).status == ExitStatus.OK
    hints = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"hint"' in line]
    assert [hint["message"].partition("; ")[0] for hint in hints] == [
        "there is nothing to play yet",
        "no loudspeaker can be opened (Error querying device -1)",
    ]


def test_what_is_no_command_is_told_unless_quiet(desk, capsys):
    person = desk("what", *TWO)
    collect(Guide(TWO, RATE), person, person.keep, "record", False, True)
    assert "'what' is not u (take the last back), p (play it) or s (skip this word)" in capsys.readouterr().out


def test_lines_are_read_only_where_a_program_or_somebody_elsewhere_reads(desk, capsys):
    for form, read in ({"as_json": True}, True), ({"as_json": False}, False), ({"without_terminal": True}, True):
        person = desk("s", quiet(0.6), *TWO)
        how = {"quiet": True, "as_json": False} | form
        assert (collect(Guide(TWO, RATE), person, person.keep, "record", **how).skipped == (TWO[0],)) is read


def test_plain_lines_tell_of_what_was_typed(desk, capsys):
    person = desk(TWO[0], "u", quiet(0.6), "s", quiet(0.6), TWO[1])
    collect(Guide(TWO, RATE), person, person.keep, "record", False, False, without_terminal=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:7] == [
        *("1 of 2, say: hum", "kept", "2 of 2, say: rise"),
        *("hum is taken back: say it again", "1 of 2, say: hum", "hum is left out"),
    ]


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
