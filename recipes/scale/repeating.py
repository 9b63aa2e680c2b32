"""Corpora that repeat a small one, and trainings from them in processes of their own."""

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from protocols import load

from recognizer.corpus import Utterance
from recognizer.sound import audio

RATE = 8000
GAIN, NOISE = (0.3, 0.9), (-4.0, -2.5)  # of full scale; powers of ten of it


def asked_for(description: str) -> list[Utterance]:
    """The corpus in the folder that is given, shuffled, so that a part of it is of all words and speakers."""
    parser = argparse.ArgumentParser(
        description=description, epilog="fsdd: https://github.com/Jakobovski/free-spoken-digit-dataset (CC BY-SA 4.0)"
    )
    parser.add_argument("folder", type=Path, help="holds the corpus fsdd")
    takes = load(parser.parse_args().folder / "fsdd")
    random.Random(0).shuffle(takes)
    return takes


def repeated(takes: list[Utterance], count: int, folder: Path) -> Path:
    """So many recordings of the corpus, written to a folder."""
    source, loaded = np.random.default_rng(0), {}
    for number in range(count):
        round_, place = divmod(number, len(takes))
        take = takes[place]
        if take.path not in loaded:
            loaded[take.path] = audio.load(take.path, RATE).samples
        samples = loaded[take.path]
        level = source.uniform(*GAIN) / max(1e-3, np.abs(samples).max())
        samples = level * samples + source.normal(0, 10 ** source.uniform(*NOISE), len(samples))
        path = folder / take.word / f"{take.speaker}{round_}_nohash_{place}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        audio.save(path, samples.astype(np.float32), RATE)
    return folder


def started(corpus: Path, output: Path, *options: str) -> subprocess.Popen:
    """The command at work."""
    command = [sys.executable, "-m", "recognizer", "train", corpus, "--output", output, "--quiet", *options]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)


def trained(corpus: Path, output: Path, *options: str) -> tuple[float, float, float]:
    """Seconds, seconds of CPU, and MB at most, of a training."""
    began, process = time.perf_counter(), started(corpus, output, *options)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"training from {corpus} failed")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
