"""What the system does not let one read or write, put before every command: its name and what to do, in one line."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic import record

REMEDIES = (
    *("choose", "change", "give", "check", "make", "set", "say", "name", "move", "put", "allow", "correct", "copy"),
    *("leave", "add", "record", "see that", "look"),
)


@pytest.fixture
def closed(monkeypatch) -> Callable[[Path], None]:
    """Let the system refuse to open a place and all that is in it, even to root, who may open everything."""

    def close(place: Path) -> None:
        def refusing(opens: Callable) -> Callable:
            def refuse(path=".", *args, **kwargs):
                if isinstance(path, str | bytes | os.PathLike):
                    name = os.path.abspath(os.fsdecode(path))
                    if Path(name).is_relative_to(place):
                        raise PermissionError(errno.EACCES, "Permission denied", name)
                return opens(path, *args, **kwargs)

            return refuse

        for module, name in ((os, "scandir"), (os, "listdir"), (os, "open"), (builtins, "open"), (io, "open")):
            monkeypatch.setattr(module, name, refusing(getattr(module, name)))

    return close


def check(outcome, place: Path) -> None:
    """One line that names the place, or something in it, and a remedy that is no riddle."""
    assert outcome.status in (1, 2)
    lines = [
        line for line in (outcome.stdout + outcome.stderr).splitlines() if "ermission" in line or str(place) in line
    ]
    assert lines, outcome
    for line in lines:
        assert "Errno" not in line
        assert "--debug" not in line
    assert any(str(place) in line and any(f"; {remedy} " in line for remedy in REMEDIES) for line in lines), lines


READING = {
    "train": "train PLACE --output OUT.npz",
    "train on a manifest": "train PLACE/m.csv --output OUT.npz",
    "train with noise": "train CORPUS --output OUT.npz --augment noise --noise PLACE",
    "train with others": "train CORPUS --output OUT.npz --unknown PLACE",
    "train on two": "train CORPUS PLACE --output OUT.npz",
    "batch": "batch PLACE --model MODEL",
    "batch above": "batch ABOVE --model MODEL",
    "batch a manifest": "batch PLACE/m.csv --model MODEL",
    "batch with a model": "batch CORPUS --model PLACE/m.npz",
    "evaluate": "evaluate PLACE --model MODEL",
    "evaluate above": "evaluate ABOVE --model MODEL",
    "align": "align PLACE/a.wav --model MODEL",
    "cut": "cut PLACE/a.wav --words hum --model MODEL",
    "cut by a transcript": "cut --transcript PLACE/m.csv --model MODEL",
    "cut into": "cut CORPUS/hum_anna_0.wav --words hum --model MODEL --output PLACE",
    "export": "export MODEL PLACE --parameters OUT",
    "import": "import PLACE/m.mmf --output OUT.npz",
    "show": "models show PLACE/m.npz",
    "compare": "models compare MODEL MODEL PLACE",
    "enroll": "enroll eve --from PLACE --model MODEL",
    "enroll unlabelled": "enroll eve --unlabelled PLACE --model MODEL",
    "live": "live --from-file PLACE/a.wav --fast --model MODEL",
    "take in": "speakers import PLACE/s.zip",
}


@pytest.fixture
def names(recordings, model_file, tmp_path) -> dict[str, Path]:
    """What stands in a call for which path; a place to be closed, among them."""
    above = record(tmp_path / "above", words=("hum", "rise"), takes=1)
    place = above / "place"
    place.mkdir()
    for name in ("a.wav", "m.csv", "m.mmf", "s.zip"):
        (place / name).write_text("path,word\n")
    shutil.copy(model_file, place / "m.npz")
    return {"PLACE": place, "ABOVE": above, "CORPUS": recordings, "MODEL": model_file, "OUT": tmp_path / "out"}


def called(call: str, names: dict[str, Path]) -> list[str]:
    for name, path in names.items():
        call = call.replace(name, str(path))
    return call.split()


@pytest.mark.parametrize("call", READING.values(), ids=list(READING))
def test_what_may_not_be_read_is_named_with_a_remedy(run, names, closed, call):
    closed(names["PLACE"])
    check(run(*called(call, names)), names["PLACE"])


@pytest.mark.parametrize("call", ["list", "show eve", "rename eve anna", "remove eve --yes", "refresh eve"])
def test_a_closed_home_is_named_with_a_remedy(run, enroll, home, closed, call):
    enroll("eve")
    closed(home)
    check(run("speakers", *call.split()), home)


WRITING = {
    "train": "train CORPUS --output PLACE/m.npz",
    "export": "export MODEL --htk PLACE/m.mmf",
    "export features": "export MODEL CORPUS/hum_anna_0.wav --parameters PLACE",
    "evaluate": "evaluate CORPUS --model MODEL --report PLACE",
    "align": "align CORPUS/hum_anna_0.wav --model MODEL --textgrid PLACE/a.TextGrid",
    "cut": "cut CORPUS/hum_anna_0.wav --words hum --model MODEL --output PLACE/takes",
    "live": "live --from-file CORPUS/hum_anna_0.wav --fast --model MODEL --save PLACE",
    "enroll": "enroll eve --from CORPUS --voice anna --model MODEL",
    "export a speaker": "speakers export eve PLACE/s.zip",
}


@pytest.mark.parametrize("call", WRITING.values(), ids=list(WRITING))
def test_a_full_disk_says_to_make_room(run, names, home, enroll, monkeypatch, call):
    """Whatever is to be written there."""
    if "export eve" in call:
        enroll("eve")
    if "--report" in call:
        pytest.importorskip("matplotlib")
    places = [names["PLACE"], home]

    def full(opens: Callable) -> Callable:
        def refuse(path, mode="r", *args, **kwargs):
            writes = isinstance(path, str | os.PathLike) and set(mode) & set("wax+")
            if writes and any(Path(path).is_relative_to(place) for place in places):
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            return opens(path, mode, *args, **kwargs)

        return refuse

    for module in (builtins, io):
        monkeypatch.setattr(module, "open", full(module.open))
    outcome = run(*called(call, names))
    assert outcome.status in (1, 2)
    lines = [line for line in outcome.stderr.splitlines() if "No space left" in line]
    assert lines, outcome
    for line in lines:
        assert "Errno" not in line
        assert "make room" in line
        assert any(str(place) in line for place in places)
