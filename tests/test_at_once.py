"""Programs that keep recordings at the same time lose none of them, and none hides another's."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recognizer.errors import ProfileError
from recognizer.speakers import store

PROGRAMS, TAKES = 4, 25

BEGIN = """
import sys
from pathlib import Path
import numpy as np
from recognizer.cli.record import _keeper
from recognizer.live.prompts import Prompt
from recognizer.speakers import store
folder, who = Path(sys.argv[1]), int(sys.argv[2])
takes = [np.full(80, 1 + who * 100 + number, np.int16) for number in range({takes})]
print("ready", flush=True)
sys.stdin.readline()
"""

STORE = """
for take in takes:
    store.add_take("anna", "hum", take, 8000)
"""

RECORD = """
keep = _keeper({"hum": folder / "hum"}, "anna", 8000)
for number, take in enumerate(takes, 1):
    keep(Prompt("hum", number), take)
"""

IMPORT = """
from recognizer.errors import ProfileError
try:
    print(store.import_(folder / "anna.zip"))
except ProfileError as error:
    print(error)
"""


def at_once(program: str, folder: Path, count: int = PROGRAMS) -> list[str]:
    """What several processes print that begin together."""
    command = [sys.executable, "-c", BEGIN.replace("{takes}", str(TAKES)) + program, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    programs = [subprocess.Popen([*command, str(who)], **pipes) for who in range(count)]
    assert [one.stdout.readline() for one in programs] == ["ready\n"] * count
    for one in programs:
        one.stdin.write("\n")
        one.stdin.flush()
    told = [one.communicate(timeout=120)[0].strip() for one in programs]
    assert [one.returncode for one in programs] == [0] * count
    return told


def values(files: list[Path]) -> Counter[int]:
    return Counter(int(soundfile.read(file, dtype="int16")[0][0]) for file in files)


ALL = Counter(1 + who * 100 + number for who in range(PROGRAMS) for number in range(TAKES))


def test_takes_of_one_word_of_one_speaker(tmp_path):
    at_once(STORE, tmp_path)
    assert values([take.path for take in store.takes("anna")]) == ALL
    assert {take.path.name for take in store.takes("anna")} == {f"{n}.wav" for n in range(1, PROGRAMS * TAKES + 1)}


def test_recordings_in_one_folder(tmp_path):
    at_once(RECORD, tmp_path)
    assert values(list((tmp_path / "hum").iterdir())) == ALL
    names = {f"anna_nohash_{n}.wav" for n in range(1, PROGRAMS * TAKES + 1)}
    assert {path.name for path in (tmp_path / "hum").iterdir()} == names


@pytest.mark.parametrize("attempt", range(3))
def test_a_speaker_who_is_imported_twice_is_there_once(tmp_path, attempt):
    for name in ("anna", "anna@cold"):
        store.add_take(name, "hum", np.full(80, 7, np.int16), 8000)
    store.export("anna", tmp_path / "anna.zip")
    store.remove("anna")
    first, second = sorted(at_once(IMPORT, tmp_path, 2))
    assert first == "['anna', 'anna@cold']"
    assert second.startswith("there is a speaker 'anna' already; remove or rename that one, then import")
    assert store.names() == ["anna", "anna@cold"]
    with pytest.raises(ProfileError, match="already"):
        store.import_(tmp_path / "anna.zip")
