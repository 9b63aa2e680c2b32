"""The live path: the same answers as `batch`, how soon and at what cost, words found once, an hour without a leak.

Everything goes through `Session`, which is what the microphone feeds, with the shipped digit model.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # CPU time is then the work itself
sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "endpoint")]

import numpy as np
from protocols import percent, write_results
from streams import RATE, mixed, noises, words

from recognizer import MicrophoneError, Recognizer
from recognizer.intervals import Proportion
from recognizer.live.events import Answer, Event
from recognizer.live.session import Session, listen
from recognizer.sound import audio
from recognizer.sound.microphone import choose, devices
from recognizer.sound.source import BLOCK, Block, play

SAMPLES = Path(__file__).resolve().parents[2] / "audio_samples"
GAP = 1.0  # seconds of silence between the words of FSDD
QUIET, QUIET_LEVEL = (10, 70), 1e-3  # seconds of quiet whose costs are compared, and its RMS, full scale 1
HOUR = 3600
NEAR = 0.1  # seconds beside a trimmed word that an answer may lie in


def answers(events: Sequence[Event]) -> list[Answer]:
    """What a session said: results and rejections."""
    return [event for event in events if isinstance(event, Answer)]


def heard(recognizer: Recognizer, samples: np.ndarray, rate: int) -> list[Event]:
    """Everything a session tells of a stream."""
    size, session = round(BLOCK * rate), Session(recognizer)
    blocks = (Block(samples[i : i + size], rate, i / rate) for i in range(0, len(samples), size))
    return [event for events in listen(blocks, session) for event in events]


def agreement(recognizer: Recognizer, folder: Path) -> list[str]:
    """Rows: the words of FSDD with gaps between them, through a file that is played, beside `batch`."""
    files = sorted((folder / "fsdd" / "recordings").glob("*.wav"))
    rate = 8000
    parts, spans, position = [np.zeros(rate, np.float32)], [], 1.0
    for file in files:
        samples = audio.load(file, rate).samples
        spans.append((position, position + len(samples) / rate))
        parts += [samples, np.zeros(round(GAP * rate), np.float32)]
        position += len(samples) / rate + GAP
    with tempfile.TemporaryDirectory() as work:
        stream = Path(work) / "stream.wav"
        audio.save(stream, np.concatenate(parts), rate)
        session = Session(recognizer)
        said = answers([event for events in listen(play(stream, fast=True), session) for event in events])
    begins = np.array([event.start for event in said])
    kinds, same = Counter(), Proportion()
    for (start, end), file in zip(spans, recognizer.recognize_files(files)):
        near = range(max(0, np.searchsorted(begins, start) - 2), min(len(said), np.searchsorted(begins, end) + 2))
        mine = [said[i] for i in near if said[i].start < end + NEAR and said[i].end > start - NEAR]
        if len(mine) != 1:
            kinds["doubled" if mine else "missed"] += 1
        else:
            kinds["same" if mine[0].result.word == file.result.word else "different"] += 1
        agrees = len(mine) == 1 and mine[0].result.word == file.result.word
        same += Proportion.of(agrees, 1, file.path.stem.split("_")[1])
    latency = 1000 * np.percentile([event.latency for event in said], [50, 95])
    return [
        f"| words of FSDD, {GAP:.0f} s apart: the same answer as `batch` | {share(same)} | "
        f"{kinds['different']} different, {kinds['missed']} missed, {kinds['doubled']} doubled |",
        f"| from the end of the hangover to the answer, as fast as possible | {latency[0]:.1f} ms | median of "
        f"{len(said)} words; 95 % within {latency[1]:.1f} ms |",
    ]


def share(found: Proportion) -> str:
    """Percentage with its 95 % Wilson interval, n, and a 95 % interval over speakers."""
    intervals = f"({percent(found.interval)}), n {found.n}; {percent(found.bootstrap)} over {found.over}"
    return f"{100 * found.share:.2f} % {intervals}"


def in_real_time(work: Path) -> list[str]:
    """Rows: `recognizer live` as a process, with a recording as slow as life."""
    rate = 16000
    pause = np.zeros(rate // 2, np.float32)
    parts = [pause]
    for file in sorted(SAMPLES.glob("*.wav")):
        parts += [audio.load(file, rate).samples, pause]
    noise = np.random.default_rng(0).standard_normal(rate * QUIET[1]).astype(np.float32) * QUIET_LEVEL
    audio.save(work / "words.wav", np.resize(noise, sum(map(len, parts))) + np.concatenate(parts), rate)
    lines = live("--from-file", str(work / "words.wav")).stdout.splitlines()
    latency = [1000 * e["latency"] for e in map(json.loads, lines) if e["event"] in ("result", "rejected")]
    rows = [
        f"| the same in real time, `audio_samples` | {np.median(latency):.1f} ms | median of {len(latency)} words; "
        f"the slowest {max(latency):.1f} ms |"
    ]
    spent = []
    for seconds in QUIET:
        audio.save(work / "quiet.wav", noise[: rate * seconds], rate)
        spent.append(child_time(lambda: live("--from-file", str(work / "quiet.wav"))))
    return [*rows, cost_row("a recording of quiet in real time, 16 kHz", spent)]


def at_the_microphone(recognizer: Recognizer) -> list[str]:
    """Row: what listening costs with the sound system's part, where there is one."""
    try:
        device = choose(None, devices())
    except MicrophoneError as error:
        return [f"| CPU while listening to a microphone | - | {error} |"]
    spent = [child_time(lambda seconds=seconds: live(seconds=seconds)) for seconds in QUIET]
    return [cost_row(f"the microphone {device.name!r}, {device.sample_rate} Hz, {device.host}", spent)]


def cost_row(what: str, spent: Sequence[float]) -> str:
    """CPU time of a second of listening: what the longer session took more than the shorter one."""
    percent = 100 * (spent[1] - spent[0]) / (QUIET[1] - QUIET[0])
    return f"| CPU while listening: {what} | {percent:.1f} % of a core | {QUIET[1]} s less {QUIET[0]} s |"


def live(*options: str, seconds: float | None = None) -> subprocess.CompletedProcess:
    """`recognizer live --json` as a process, until it ends or is interrupted."""
    command = [sys.executable, "-c", "from recognizer.cli import main; main()", "live", "--json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if seconds is not None:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, stdout)


def child_time(run) -> float:
    """CPU seconds of the processes that `run` starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def found_once(recognizer: Recognizer, folder: Path) -> list[str]:
    """Rows: recordings of words, each played alone; words of other vocabularies, so most answers are rejections."""
    spoken, clips, rows = list(words(folder, 1)), list(noises(folder, 1).values()), []
    for snr in (None, 10.0):
        random, once, several, missed = np.random.default_rng(0), Proportion(), 0, 0
        for word in spoken:
            start, end = word.core[0] / RATE, word.core[1] / RATE
            said = answers(heard(recognizer, mixed(word, clips, snr, random), RATE))
            over = [event for event in said if event.start < end and event.end > start]
            once += Proportion.of(len(over) == 1, 1, word.speaker)
            several += len(over) > 1
            missed += not over
        noise = "clean" if snr is None else f"at {snr:.0f} dB"
        rows.append(
            f"| words of DSPSpeech-20 and wake words found once, {noise} | {share(once)} | "
            f"{missed} missed, {several} split |"
        )
    return rows


def an_hour(recognizer: Recognizer, folder: Path) -> list[str]:
    """Rows: real speech and noise for an hour; memory and sound lost."""
    random = np.random.default_rng(0)
    files = sorted((folder / "fsdd" / "recordings").glob("*.wav"))
    clips = list(noises(folder, 1).values())

    def blocks(seconds: float) -> Iterator[Block]:
        held, position, size = np.zeros(0, np.float32), 0, round(BLOCK * RATE)
        while position < seconds * RATE:
            while len(held) < size:
                clip = 0.1 * clips[random.integers(len(clips))]
                word = audio.load(files[random.integers(len(files))], RATE).samples
                place = random.integers(max(1, len(clip) - len(word)))
                clip[place : place + len(word)] += word[: len(clip) - place]
                held = np.concatenate([held, clip])
            yield Block(held[:size], RATE, position / RATE)
            held, position = held[size:], position + size

    session, memory, count = Session(recognizer), [], 0
    for number, events in enumerate(listen(blocks(HOUR), session)):
        count += len(answers(events))
        if number * BLOCK % 60 == 0:
            memory.append(resident())
    lost = HOUR - session.time
    return [
        f"| an hour of speech and noise: growth of the memory after the first five minutes | "
        f"{max(memory[5:]) - memory[5]:.1f} MB | {count} utterances; {memory[-1]:.0f} MB in all |",
        f"| the same: sound lost | {max(0.0, lost):.2f} s | {session.tally.overflows} overflows |",
    ]


def resident() -> float:
    """Memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="fsdd: https://github.com/Jakobovski/free-spoken-digit-dataset; the others: recipes/endpoint/run.py",
    )
    parser.add_argument("folder", type=Path, help="holds the corpora fsdd, dspspeech20, wake_words and noise")
    folder = parser.parse_args().folder
    recognizer = Recognizer.load("digits")
    rows = ["| what | measured | of which |", "|---|---|---|"]
    with tempfile.TemporaryDirectory() as work:
        for part in (
            agreement(recognizer, folder),
            in_real_time(Path(work)),
            at_the_microphone(recognizer),
            found_once(recognizer, folder),
            an_hour(recognizer, folder),
        ):
            rows += part
            print("\n".join(part), file=sys.stderr, flush=True)
    write_results(
        Path(__file__),
        "Live recognition",
        "python recipes/live/run.py FOLDER",
        "\n".join(rows),
        "Words are found once if exactly one answer, a result or a rejection, overlaps the core of the word; see\n"
        "`recipes/endpoint` for the segmenter alone, and `REJECTION.md` for what is rejected. The memory is that of\n"
        "the process, read every minute.",
    )
