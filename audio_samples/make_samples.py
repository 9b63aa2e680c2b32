"""Make the spoken digits in this folder with free speech synthesisers.

Needs the Debian packages flite, festival, festvox-us-slt-hts, festvox-kallpc16k, festvox-kdlpc16k and
espeak-ng, and the Python packages numpy and soundfile. Run it from any folder:

    apt-get install flite festival festvox-us-slt-hts festvox-kallpc16k festvox-kdlpc16k espeak-ng
    python audio_samples/make_samples.py

It writes `{word}_{voice}_{take}.wav` next to itself. The same packages give the same bytes every time.
"""

import functools
import re
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parent
PEAK = 10 ** (-6 / 20)  # of full scale
NOISE = 10 ** (-70 / 20)  # rms, so that no file holds digital silence
SPEECH = 10 ** (-40 / 20)  # a frame this far below the loudest one still belongs to the word
FRAME = 0.005  # seconds
FADE = 0.03  # seconds of the synthesiser's own silence kept, fading, on each side of the word
MARGIN = 0.2  # seconds of near-silence on each side of the word, fade included


class Voice(NamedTuple):
    """How to check that a voice is there, and how to make it speak."""

    package: str  # the Debian package that brings it
    listing: tuple[str, ...]  # the command that lists the installed voices
    name: str  # the voice as that list spells it
    say: tuple[str, ...]  # the command that speaks {word} into {wav}


def flite(name):
    return Voice("flite", ("flite", "-lv"), name, ("flite", "-voice", name, "-t", "{word}", "-o", "{wav}"))


def festival(name, package):
    speak = '(utt.save.wave (utt.wave.resample (SynthText "{word}") 16000) "{wav}")'
    listing = ("festival", "-b", "(print (voice.list))")
    return Voice(f"festival {package}", listing, name, ("festival", "-b", f"(voice_{name})", speak))


def espeak(variant):
    say = ("espeak-ng", "-v", f"en-us+{variant}", "-s", "150", "-w", "{wav}", "{word}")
    return Voice("espeak-ng", ("espeak-ng", "--voices=variant"), f"!v/{variant}", say)


VOICES = {
    "slt": flite("slt"),
    "slthts": festival("cmu_us_slt_arctic_hts", "festvox-us-slt-hts"),
    "espeakf1": espeak("f1"),
    "rms": flite("rms"),
    "awb": flite("awb"),
    "kal": festival("kal_diphone", "festvox-kallpc16k"),
    "ked": festival("ked_diphone", "festvox-kdlpc16k"),
}

# Every digit but two is said by a woman and by a man, two by two men; zero, three, five and seven a third time.
WORDS = {
    "slt": "zero one three five six seven eight",
    "slthts": "three five nine",
    "espeakf1": "four",
    "rms": "zero one two three five",
    "awb": "two four six seven eight",
    "kal": "seven",
    "ked": "zero nine",
}


@functools.cache
def run(command):
    """What the command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def require(voice):
    """Stop, in one line, where a synthesiser or a voice is missing: some fall back silently to another."""
    try:
        installed = re.split(r"[\s()]+", run(voice.listing))
    except FileNotFoundError:
        sys.exit(f"{voice.listing[0]} is not installed; try: apt-get install {voice.package}")
    if voice.name not in installed:
        sys.exit(f"{voice.listing[0]} has no voice {voice.name}; try: apt-get install {voice.package}")


def synthesise(voice, word):
    """The word as the synthesiser says it, and its sample rate."""
    with tempfile.TemporaryDirectory() as folder:
        wav = str(Path(folder) / "spoken.wav")
        run(tuple(part.format(word=word, wav=wav) for part in voice.say))
        return soundfile.read(wav)


def trim(samples, rate):
    """The word alone, with a short fade on each side."""
    frame, fade = round(FRAME * rate), round(FADE * rate)
    slope = np.diff(samples, prepend=0.0)  # differences hear a soft f, and not the hum under some voices
    frames = slope[: len(slope) // frame * frame].reshape(-1, frame)
    level = np.sqrt(np.mean(frames**2, axis=1))
    spoken = np.flatnonzero(level > SPEECH * level.max())
    start, end = spoken[0] * frame, (spoken[-1] + 1) * frame
    ramp = np.sin(np.linspace(0, np.pi / 2, fade)) ** 2
    word = np.pad(samples, fade)[start : end + 2 * fade]
    word[:fade] *= ramp
    word[-fade:] *= ramp[::-1]
    return word


def dress(word, rate, seed):
    """The word at a fixed peak level, between two margins, on a bed of faint noise."""
    margin = round((MARGIN - FADE) * rate)
    padded = np.pad(word * (PEAK / np.abs(word).max()), margin)
    return padded + NOISE * np.random.default_rng(seed).standard_normal(len(padded))


def main():
    for voice in VOICES.values():
        require(voice)
    for speaker, words in WORDS.items():
        for word in words.split():
            path = HERE / f"{word}_{speaker}_0.wav"
            samples, rate = synthesise(VOICES[speaker], word)
            soundfile.write(path, dress(trim(samples, rate), rate, zlib.crc32(path.name.encode())), rate, "PCM_16")
            print(path.name)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} failed: {' '.join(error.stderr.split())}")
