"""A soak: eight hours of stream, as fast as they can be heard, with all that befalls a microphone; then a real one.

The stream has a word every five seconds, in a quiet room and in noise by turns, clicks between the words, and every
ten minutes the device goes away, delivers only zeros, is not fetched in time, or the computer sleeps. At the real
microphone, PulseAudio's null sink, `recognizer live` is stopped and goes on, the sink is removed and comes back, and
the clock of the day jumps with every look at it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from protocols import write_results

from recognizer import Recognizer
from recognizer.corpus import audio_files
from recognizer.live.events import Answer
from recognizer.live.session import Session
from recognizer.sound import audio
from recognizer.sound.source import BLOCK, Block, Lost, OnlyZeros, Sound

SAMPLES = sorted((Path(__file__).resolve().parents[2] / "audio_samples").glob("*.wav"))
RATE = 16000  # Hz
HOURS = 8
MINUTE, APART = 60 * RATE, 5 * RATE  # samples; and from word to word
ROOM = 3e-4  # RMS of a quiet room, full scale 1
NOISE = 0.01  # of a noisy one: words are about 0.1
CLICK, CLICKS = 0.9, 12  # how loud, and how many a minute
MISHAPS = ("device lost", "only zeros", "not fetched in time", "computer asleep")
EVERY = 10  # minutes from one to the next
WARM = 30  # minutes, after which memory is not to grow
ROUNDS, SAID = 12, 5  # at the microphone; words in each
PATIENCE = 60.0  # seconds for anything to happen
COMMAND = "python recipes/soak/run.py FOLDER"
# A clock of the day that is a day off, one way or the other, each time somebody looks.
LIVE = """
import random, time
real = time.time
time.time = lambda: real() + random.choice([-86400, 0, 86400])
from recognizer.cli import main
main()
"""


def minutes(folder: Path) -> Iterator[np.ndarray]:
    """Minutes of sound, the first of two in a quiet room, the other in noise."""
    random = np.random.default_rng(0)
    words = cycle([audio.load(file, RATE).samples for file in SAMPLES])
    clips = cycle([audio.load(file, RATE).samples for file in audio_files([folder])])
    for noisy in cycle((False, True)):
        sound = ROOM * random.standard_normal(MINUTE).astype(np.float32)
        if noisy:
            clip = next(clips)
            sound += np.resize(clip * (NOISE / max(float(clip.std()), 1e-4)), MINUTE)
        for start in range(RATE, MINUTE, APART):
            word = next(words)
            sound[start : start + len(word)] += word
        for start in random.integers(0, MINUTE // APART, CLICKS) * APART + 4 * RATE:  # between two words
            sound[start : start + 48] += CLICK
        yield sound


def befalling(number: int, now: float) -> list[Sound]:
    """What comes between two minutes, at a time of the source's clock."""
    mishap = MISHAPS[number % len(MISHAPS)]
    zeros = np.zeros(RATE, np.float32)
    if mishap == "device lost":
        return [Lost("microphone", "it is gone")]
    if mishap == "only zeros":
        return [OnlyZeros("microphone", "unmute it"), Block(zeros, RATE, now)]
    # Asleep or too busy: an hour or a tenth of a second is missing.
    return [Block(ROOM * zeros, RATE, now, lost=RATE // 10 if mishap == "not fetched in time" else 3600 * RATE)]


def eight_hours(recognizer: Recognizer, folder: Path) -> list[str]:
    """Rows: of the stream that is made up."""
    session, now, size = Session(recognizer, clock=lambda: now), 0.0, round(BLOCK * RATE)
    answers, memory, mishaps = [], [], 0
    for number, sound in zip(range(HOURS * 60), minutes(folder)):
        events = []
        if number and number % EVERY == 0:
            events += [event for piece in befalling(mishaps, now) for event in session.hear(piece)]
            mishaps += 1
        for first in range(0, MINUTE, size):
            now += size / RATE
            events += session.hear(Block(sound[first : first + size], RATE, now))
        for event in events:
            json.dumps(event.record(), allow_nan=False)
        answers.append(sum(isinstance(event, Answer) for event in events))
        memory.append(resident(os.getpid()))
    words = MINUTE // APART  # a minute
    rows = [
        f"| {HOURS} hours of stream: growth of the memory after the first {WARM} minutes "
        f"| {max(memory[WARM:]) - memory[WARM]:.1f} MB | {memory[-1]:.0f} MB in all |"
    ]
    for where, first in (("in a quiet room", 0), ("in noise", 1)):
        heard = answers[first::2]
        rows.append(
            f"| the same, {where}: words not answered | {sum(max(0, words - count) for count in heard)} "
            f"| {sum(heard)} answers to {words * len(heard)} words, {CLICKS} clicks a minute |"
        )
    return [
        *rows,
        f"| the same: mishaps gone through | {mishaps} | {', '.join(MISHAPS)} by turns |",
        "| the same: values that are not finite | 0 | an event with one ends the soak |",
    ]


def resident(process: int) -> float:
    """Memory of a process, MB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


class Microphone:
    """A PulseAudio server with a null sink, and `recognizer live` that listens to it."""

    def __init__(self, folder: Path) -> None:
        (folder / "pulse").mkdir(parents=True)
        folder.chmod(0o700)
        socket = f"{folder}/pulse/native"
        self.environment = os.environ | {"XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": f"unix:{socket}"}
        options = ("--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-n")
        self.server = subprocess.Popen(
            ["pulseaudio", *options, "-L", f"module-native-protocol-unix socket={socket}"],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: self.control("info") == 0)
        self.plug()
        self.live = subprocess.Popen(
            [sys.executable, "-c", LIVE, "live", "--json"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.events: list[dict] = []
        self.not_finite: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()
        until(lambda: self.count("calibrated"))

    def _read(self) -> None:
        for line in self.live.stdout:
            self.events.append(json.loads(line, parse_constant=self.not_finite.append))

    def control(self, *arguments: str) -> int:
        return subprocess.run(["pactl", *arguments], env=self.environment, capture_output=True).returncode

    def count(self, *kinds: str) -> int:
        """Events of some kinds up to now."""
        return sum(event["event"] in kinds for event in self.events)

    def plug(self) -> None:
        self.control("load-module", "module-null-sink", "sink_name=mic", f"rate={RATE}", "channels=1")
        self.control("set-default-source", "mic.monitor")

    def replug(self) -> None:
        """The device goes, and comes back."""
        lost, calibrated = self.count("device_lost"), self.count("calibrated")
        self.control("unload-module", "module-null-sink")
        until(lambda: self.count("device_lost") > lost)
        self.plug()
        until(lambda: self.count("calibrated") > calibrated)

    def suspend(self) -> None:
        """The process stands still for a while."""
        self.live.send_signal(signal.SIGSTOP)
        time.sleep(5)
        self.live.send_signal(signal.SIGCONT)
        time.sleep(1)

    def say(self, file: Path) -> None:
        subprocess.run(["paplay", "--device=mic", str(file)], env=self.environment, check=True)


def until(condition) -> None:
    """Wait for something to happen.

    Raises
    ------
    TimeoutError
        if it does not.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing happened for {PATIENCE:.0f} s")
        time.sleep(0.05)


def at_the_microphone(work: Path) -> list[str]:
    """Rows: of a real microphone."""
    microphone, memory, said = Microphone(work / "run"), [], 0
    words, random = cycle(SAMPLES), np.random.default_rng(0)
    pause = np.zeros(RATE, np.float32)
    for number in range(ROUNDS):
        [microphone.replug, microphone.suspend][number % 2]()
        parts = [pause]
        for _ in range(SAID):
            parts += [audio.load(next(words), RATE).samples, pause]
        sound = np.concatenate(parts)
        audio.save(work / "said.wav", sound + ROOM * random.standard_normal(len(sound)), RATE)
        microphone.say(work / "said.wav")
        said += SAID
        time.sleep(2)
        memory.append(resident(microphone.live.pid))
    microphone.live.send_signal(signal.SIGINT)
    status = microphone.live.wait(PATIENCE)
    microphone.server.terminate()
    microphone.server.wait(PATIENCE)
    answers = microphone.count("result", "rejected")
    half = ROUNDS // 2
    return [
        f"| at a real microphone, removed and put back {half} times, stopped {half} times: words not answered "
        f"| {max(0, said - answers)} | {answers} answers to {said} words; exit status {status} |",
        f"| the same: growth of the memory after two rounds | {max(memory[2:]) - memory[1]:.1f} MB "
        f"| {memory[-1]:.0f} MB in all |",
        f"| the same: values that are not finite | {len(microphone.not_finite)} | of {len(microphone.events)} events |",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, epilog="ESC-10: https://github.com/karolpiczak/ESC-10")
    parser.add_argument("folder", type=Path, help="holds clips of noise, in any folders")
    folder = parser.parse_args().folder
    rows = ["| what | measured | of which |", "|---|---|---|", *eight_hours(Recognizer.load("digits"), folder)]
    print("\n".join(rows), file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as work:
        rows += at_the_microphone(Path(work))
    write_results(Path(__file__), "A soak", COMMAND, "\n".join(rows))
