"""Readers of files, fed with what libFuzzer makes of good ones as it finds new ways through the program.

Every input must end in an answer or in one line. What ends otherwise is left in the corpus' folder as `crash-...`; what
led into new code is kept there, the fewest files that reach as much, and is where the next run begins.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import atheris
import numpy as np

with atheris.instrument_imports(include=["recognizer"]):
    from recognizer import Recognizer, RecognizerError, RecognizerWarning
    from recognizer.corpus import find
    from recognizer.features import parameter_files
    from recognizer.features.parameter_files import Parameters
    from recognizer.htk import exchange
    from recognizer.model import Model
    from recognizer.sound import audio
    from recognizer.speakers.profile import Profile
    from recognizer.training.transcripts import read_transcript

from protocols import MODELS, write_results

COMMAND = "python recipes/fuzz/run.py CORPUS --minutes {:g}"
LONGEST_LINE = 1000  # characters of a message
LARGEST = 1 << 18  # bytes of an input
WORDS = ("one", "two")
SOUND = np.random.default_rng(0).standard_normal(4000) * np.hanning(4000) * 0.1


def recognize(path: Path) -> None:
    """A model that can be read hears something, too."""
    result = Recognizer(Model.load(path)).recognize(SOUND, 8000)
    assert np.isfinite([result.confidence, *(candidate.score for candidate in result.nbest)]).all()


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "sound": (".wav", lambda path: audio.load(path, 8000)),
    "model": (".npz", recognize),
    "profile": (".npz", Profile.load),
    "htk": (".mmf", exchange.import_model),
    "parameters": (".mfc", parameter_files.read),
    "manifest": (".csv", find),
    "transcript": (".csv", lambda path: read_transcript(path, "words", WORDS)),
}


def seeds(reader: str, folder: Path) -> None:
    """Good files to begin with."""
    model = Model.load(MODELS / "digits-ar.npz")
    match reader:
        case "sound":
            import soundfile

            for kind in ("wav", "flac", "ogg", "aiff", "au"):
                soundfile.write(folder / f"seed.{kind}", SOUND, 8000)
            soundfile.write(folder / "stereo.wav", np.stack([SOUND, -SOUND], axis=1), 8000, "FLOAT")
        case "model":
            shutil.copy(MODELS / "digits-ar.npz", folder)
        case "profile":
            Profile.of(model, model, "digits-ar", {"prior": None}).save(folder / "seed.npz")
        case "htk":
            exchange.export_model(model, folder / "seed.mmf")
            for beside in folder.iterdir():
                if beside.suffix != ".mmf":
                    beside.unlink()
        case "parameters":
            parameter_files.write(folder / "seed.mfc", Parameters(np.ones((20, 13)), "USER", 0.01))
        case "manifest":
            (folder / "seed.csv").write_text("path,word,speaker,weight\na.wav,one,anna,1\nb.wav,two,ben,0.5\n")
        case "transcript":
            (folder / "seed.csv").write_text("path,words,speaker\na.wav,one two one,anna\n")


def one(reader: str) -> Callable[[bytes], None]:
    """What is done with an input."""
    suffix, read = READERS[reader]
    path = Path(tempfile.mkdtemp()) / f"input{suffix}"
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", RecognizerWarning)

    def look(data: bytes) -> None:
        path.write_bytes(data)
        message = ""
        try:
            read(path)
        except RecognizerError as error:
            message = str(error)
        assert message.isprintable(), "a message of more than one line"
        assert len(message) <= LONGEST_LINE, "a message that is too long"

    return look


def fuzzed(reader: str, corpus: Path, minutes: float) -> str:
    """A row: what a reader was fed with, in a process of its own, which ends with the first crash."""
    folder = corpus / reader
    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        seeds(reader, folder)
    before = set(corpus.glob(f"{reader}-*"))
    options = [
        f"-max_total_time={round(60 * minutes)}",
        f"-max_len={LARGEST}",
        "-rss_limit_mb=1000",
        "-timeout=20",
        "-print_final_stats=1",
    ]
    command = [sys.executable, __file__, str(corpus), "--reader", reader]
    done = subprocess.run([*command, *options, str(folder)], capture_output=True, text=True, errors="replace")
    [runs] = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    with tempfile.TemporaryDirectory(dir=corpus) as small:
        subprocess.run([*command, "-merge=1", small, str(folder)], capture_output=True)
        if any(Path(small).iterdir()):
            shutil.rmtree(folder)
            shutil.copytree(small, folder)
    crashes = sorted(path.name for path in set(corpus.glob(f"{reader}-*")) - before)
    return f"| {reader} | {runs} | {len(list(folder.iterdir()))} | {', '.join(crashes) or 'none'} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder for what is found, of this run and those before")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each reader")
    parser.add_argument("--reader", choices=READERS, help="this one only, with the options of libFuzzer that follow")
    arguments, further = parser.parse_known_args()
    if arguments.reader:
        prefix = f"-artifact_prefix={arguments.corpus / arguments.reader}-"
        atheris.Setup([sys.argv[0], prefix, *further], one(arguments.reader))
        atheris.Fuzz()
    rows = [fuzzed(reader, arguments.corpus, arguments.minutes) for reader in READERS]
    head = "| reader | inputs | kept | anything but an answer or one line |\n|---|---|---|---|"
    write_results(Path(__file__), "Fuzzing", COMMAND.format(arguments.minutes), "\n".join([head, *rows]))
