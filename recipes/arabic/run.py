"""Arabic: forty words by speakers never heard before; makes the models `digits-ar` and `commands-ar`."""

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from protocols import OTHERS, TABLE_HEAD, Setup, by_speaker, corpus_argument, load, run, ship, write_results

from recognizer.sound.perturbation import VTLP
from recognizer.training.settings import TrainingSettings

# The corpus names its folders by the English meaning: how the word is written, and how that is said.
DIGITS = {
    "zero": ("صفر", "sifr"),
    "one": ("واحد", "wahid"),
    "two": ("اثنان", "ithnan"),
    "three": ("ثلاثة", "thalatha"),
    "four": ("أربعة", "arba'a"),
    "five": ("خمسة", "khamsa"),
    "six": ("ستة", "sitta"),
    "seven": ("سبعة", "sab'a"),
    "eight": ("ثمانية", "thamaniya"),
    "nine": ("تسعة", "tis'a"),
}
COMMANDS = {
    "backward": ("خلف", "khalf"),
    "cancel": ("إلغاء", "ilgha'"),
    "close": ("إغلاق", "ighlaq"),
    "digit": ("رقم", "raqm"),
    "direction": ("اتجاه", "ittijah"),
    "disable": ("تعطيل", "ta'til"),
    "down": ("أسفل", "asfal"),
    "enable": ("تفعيل", "taf'il"),
    "enter": ("إدخال", "idkhal"),
    "forward": ("أمام", "amam"),
    "left": ("يسار", "yasar"),
    "move": ("تحريك", "tahrik"),
    "next": ("التالي", "at-tali"),
    "no": ("لا", "la"),
    "ok": ("موافق", "muwafiq"),
    "open": ("فتح", "fath"),
    "options": ("خيارات", "khiyarat"),
    "previous": ("السابق", "as-sabiq"),
    "receive": ("استقبال", "istiqbal"),
    "record": ("تسجيل", "tasjil"),
    "right": ("يمين", "yamin"),
    "rotate": ("تدوير", "tadwir"),
    "send": ("إرسال", "irsal"),
    "start": ("ابدأ", "ibda'"),
    "stop": ("توقف", "tawaqqaf"),
    "undo": ("تراجع", "taraju'"),
    "up": ("أعلى", "a'la"),
    "yes": ("نعم", "na'am"),
    "zoom_in": ("تكبير", "takbir"),
    "zoom_out": ("تصغير", "tasghir"),
}
MODELS = {"digits-ar": DIGITS, "commands-ar": COMMANDS}
SETUP = Setup(TrainingSettings(states=8, mixtures=4, variance_floor=0.1, borrowed_frames=20), VTLP)  # see choose.py
COMMAND = "python recipes/arabic/run.py FOLDER"

if __name__ == "__main__":
    data = corpus_argument(f"{OTHERS['arabic40']}, as arabic40/WORD/SPEAKER_nohash_TAKE, beside what is rejected")
    utterances = load(data / "arabic40")
    row, _ = run("arabic40/unseen, forty words", by_speaker(utterances, 4), SETUP)
    rows = [row]
    for name, words in MODELS.items():
        written = [replace(u, word=words[u.word][0]) for u in utterances if u.word in words]
        row, total = run(f"the same, {name}", by_speaker(written, 4), SETUP)
        rows.append(row)
        card = {
            "data": OTHERS["arabic40"],
            "licence": "CC BY 4.0, after the recordings it was trained on",
            "protocol": "24 speakers in 4 groups, each tested by a model trained on the others; this file is then "
            "trained on all of them",
            "accuracy": {"arabic40": total.as_json()},
            "command": COMMAND,
            "spoken": dict(words.values()),
            "meaning": {written: meaning.replace("_", " ") for meaning, (written, _) in words.items()},
        }
        ship(name, written, SETUP, data, set(words), card)
    write_results(
        Path(__file__),
        "Results on Arabic digits and commands",
        COMMAND,
        "\n".join([TABLE_HEAD, *rows]),
        "Trained on eighteen speakers and tested on the other six, 4 folds pooled. The shipped files are then trained\n"
        "on all 24; nobody has tested those files on people they have not heard.",
    )
