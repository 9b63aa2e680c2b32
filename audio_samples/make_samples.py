"""Make the spoken digits in this folder, and the words in `model_samples`, with free speech synthesisers.

Needs the Debian packages flite, festival, festvox-us-slt-hts, festvox-kallpc16k, festvox-kdlpc16k and
espeak-ng, and the Python packages numpy and soundfile. Run it from any folder:

    apt-get install flite festival festvox-us-slt-hts festvox-kallpc16k festvox-kdlpc16k espeak-ng
    python audio_samples/make_samples.py

It writes `{word}_{voice}_{take}.wav` next to itself, and into a folder of `model_samples` for each of the other shipped
models. The same packages give the same bytes every time.
"""

import argparse
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
FOLDER = HERE.parent / "model_samples"  # apart, so that whoever recognises this folder hears digits alone
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


def espeak(variant, language="en-us"):
    say = ("espeak-ng", "-v", f"{language}+{variant}", "-s", "150", "-w", "{wav}", "{word}")
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

# For espeak-ng: its Arabic needs the vowels, which nobody writes, and its Mandarin takes pinyin with tones more surely.
SPELLED = {
    "صفر": "صِفْر",
    "واحد": "وَاحِد",
    "اثنان": "اِثْنَان",
    "ثلاثة": "ثَلَاثَه",
    "أربعة": "أَرْبَعَه",
    "خمسة": "خَمْسَه",
    "ستة": "سِتَّا",
    "سبعة": "سَبْعَه",
    "ثمانية": "ثَمَانِيَه",
    "تسعة": "تِسْعَه",
    "خلف": "خَلْف",
    "إلغاء": "إِلْغَاء",
    "إغلاق": "إِغْلَاق",
    "رقم": "رَقْم",
    "اتجاه": "اِتِّجَاه",
    "تعطيل": "تَعْطِيل",
    "أسفل": "أَسْفَل",
    "تفعيل": "تَفْعِيل",
    "إدخال": "إِدْخَال",
    "أمام": "أَمَام",
    "يسار": "يَسَار",
    "تحريك": "تَحْرِيك",
    "التالي": "التَّالِي",
    "لا": "لَا",
    "موافق": "مُوَافِق",
    "فتح": "فَتْح",
    "خيارات": "خِيَارَات",
    "السابق": "السَّابِق",
    "استقبال": "اِسْتِقْبَال",
    "تسجيل": "تَسْجِيل",
    "يمين": "يَمِين",
    "تدوير": "تَدْوِير",
    "إرسال": "إِرْسَال",
    "ابدأ": "اِبْدَأ",
    "توقف": "تَوَقَّف",
    "تراجع": "تَرَاجُع",
    "أعلى": "أَعْلَى",
    "نعم": "نَعَم",
    "تكبير": "تَكْبِير",
    "تصغير": "تَصْغِير",
    "数字": "shu4zi4",
    "语音": "yu3yin1",
    "语言": "yu3yan2",
    "识别": "shi2bie2",
    "中国": "zhong1guo2",
    "总工": "zong3gong1",
    "北京": "bei3jing1",
    "背景": "bei4jing3",
    "上海": "shang4hai3",
    "商行": "shang1hang2",
    "复旦": "fu4dan4",
    "饭店": "fan4dian4",
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


# The same for the other models. Of Arabic and Mandarin, words that the model understood when espeak-ng said them.
OTHERS = {
    "commands": {"slt": "one zero", "slthts": "down right", "rms": "five left", "awb": "eight go", "kal": "up"},
    "digits-ar": {"m2": "اثنان خمسة", "f3": "صفر", "f4": "ثمانية", "m6": "واحد"},
    "commands-ar": {
        "m2": "يسار فتح تراجع ابدأ",
        "f3": "أمام خلف",
        "m1": "إغلاق تصغير",
        "m3": "تكبير استقبال",
        "m6": "خيارات السابق",
    },
    "dspspeech20": {
        "f2": "数字 语音 复旦 饭店",
        "f3": "总工 北京",
        "f4": "中国 商行",
        "f5": "识别 上海",
        "m1": "语言",
        "slt": "Speech",
        "rms": "Print Speaker",
        "awb": "Project Close",
        "slthts": "Signal",
        "kal": "Process",
        "ked": "Open",
    },
}
LANGUAGES = {"digits-ar": "ar", "commands-ar": "ar", "dspspeech20": "cmn-latn-pinyin"}


def voices(model, said):
    """What each voice says, under the name for its files; what is no voice of VOICES is a variant of espeak-ng's."""
    return {
        name if name in VOICES else f"espeak{name}": (VOICES.get(name) or espeak(name, LANGUAGES[model]), words)
        for name, words in said.items()
    }


def make(folder, said):
    """Write the words that each voice says."""
    folder.mkdir(exist_ok=True, parents=True)
    for name, (voice, words) in said.items():
        require(voice)
        for word in words.split():
            path = folder / f"{word}_{name}_0.wav"
            samples, rate = synthesise(voice, SPELLED.get(word, word))
            soundfile.write(path, dress(trim(samples, rate), rate, zlib.crc32(path.name.encode())), rate, "PCM_16")
            print(path.relative_to(HERE.parent))


def main():
    make(HERE, {name: (VOICES[name], words) for name, words in WORDS.items()})
    for model, said in OTHERS.items():
        make(FOLDER / model, voices(model, said))


if __name__ == "__main__":
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()  # there are no options: whoever asks for help must not overwrite anything
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.cmd[0]} failed: {' '.join(error.stderr.split())}")
