"""Where the program is installed but nothing may be written, as in a container or a service, and where all is new."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from synthetic import SPEAKERS, WORDS, say, write

import recognizer
from recognizer.model import Model

READ_ONLY = """
set -e
kept=$1 package=$2 libraries=$3 home=$4; shift 4
mount --bind "$kept" "$kept"
mount -o remount,ro,bind /
for folder in "$package" "$libraries" "$home"; do
  mount --rbind "$folder" "$folder"
  mount -o remount,ro,bind "$folder"
  if touch "$folder/written" 2>/dev/null; then echo "$folder can be written" >&2; exit 99; fi
done
exec "$@"
"""
PROJECT = Path(__file__).resolve().parents[1]
IN_AN_SDIST = {
    *("recognizer", "models", "tests", "recipes", "audio_samples", "model_samples", "docs"),
    *("README.md", "SECURITY.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"),
}
NEW_FRONT_END = "from recognizer.features.front_end import FrontEnd; FrontEnd()"


@pytest.fixture
def read_only(tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """Runs Python where nothing but the folder `kept` may be written, nobody has a home, and no cache is full."""
    try:
        allowed = subprocess.run(["unshare", "-m", "mount", "--bind", tmp_path, tmp_path], capture_output=True)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if allowed.returncode:
        pytest.skip("only root may mount")
    kept = tmp_path / "kept"
    kept.mkdir()
    folders = Path(recognizer.__file__).parents[1], sysconfig.get_path("purelib"), Path.home()
    gone = {"HOME", "RECOGNIZER_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"}
    environment = {name: value for name, value in os.environ.items() if name not in gone}

    def run(*arguments: object) -> subprocess.CompletedProcess:
        call = ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", kept, *folders, sys.executable, *arguments]
        return subprocess.run(
            [str(part) for part in call], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_where_nothing_may_be_written_one_can_recognise(read_only, model_file, tmp_path):
    sounds = [write(tmp_path / f"{word}.wav", say(word)) for word in WORDS]
    done = read_only("-m", "recognizer", "batch", "--csv", "--model", model_file, *sounds)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(",")[1] for line in done.stdout.splitlines()[1:]] == list(WORDS)


def test_where_only_the_model_may_be_written_one_can_train(read_only, recordings, tmp_path):
    output = tmp_path / "kept" / "m.npz"
    call = ("train", recordings, "--output", output, "--mixtures", 1)
    done = read_only("-m", "recognizer", *call, "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert list(Model.load(output).words) == sorted(WORDS)
    refused = read_only(
        "-m", "recognizer", "enroll", "eve", "--from", recordings, "--voice", SPEAKERS[0], "--model", output
    )
    [line] = refused.stderr.splitlines()
    assert refused.returncode == 1
    assert line.endswith("set RECOGNIZER_HOME to another folder")


def test_a_front_end_is_made_without_a_cache_that_numba_has_filled(tmp_path):
    """In a new environment nothing is compiled yet, and for what is made here nothing has to be."""
    caches = tmp_path / "caches"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(caches)}
    call = [sys.executable, "-c", NEW_FRONT_END]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not caches.exists()


@pytest.mark.slow
def test_librosa_is_whole_for_a_program_that_uses_it_afterwards(tmp_path):
    """What was not compiled for the front end is compiled when it is called."""
    program = f"{NEW_FRONT_END}; import librosa, numpy; print(*librosa.util.localmax(numpy.array([1.0, 2, 1, 3, 0])))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "caches")}
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == ("False True False True False\n", "")


# Wheel and sdist


def tracked() -> set[str]:
    """The project's files, without what tests and tools leave beside them."""
    call = ["git", "-C", str(PROJECT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(call, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no clone of the project")
    return {name for name in listed.stdout.split("\0") if name and (PROJECT / name).is_file()}


def build(source: Path, output: Path, *kinds: str) -> None:
    call = [sys.executable, "-m", "build", "--outdir", str(output), *kinds, str(source)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def built_files(tmp_path_factory) -> tuple[Path, Path]:
    """The wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build(PROJECT, folder, "--wheel", "--sdist")
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


@pytest.mark.slow
def test_the_wheel_has_the_package_the_models_and_the_licences(built_files):
    found = contents(built_files[0])
    expected = {name for name in tracked() if name.startswith("recognizer/")}
    expected |= {f"recognizer/{name}" for name in tracked() if name.startswith("models/")}
    manual = {name for name in found if ".data/" in name}  # goes beside the environment's own pages
    assert [name.partition(".data/data/")[2] for name in manual] == ["share/man/man1/recognizer.1"]
    assert {name for name in found if ".dist-info/" not in name} - manual == expected
    assert {"recognizer/py.typed", "recognizer/models/digits.npz"} <= expected
    about = {name.partition(".dist-info/")[2]: text for name, text in found.items() if ".dist-info/" in name}
    assert about["licenses/LICENSE"] == (PROJECT / "LICENSE").read_bytes()
    assert about["licenses/models/README.md"] == (PROJECT / "models" / "README.md").read_bytes()


@pytest.mark.slow
def test_the_sdist_has_the_project_and_makes_the_same_wheel(built_files, tmp_path):
    wheel, sdist = built_files
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
        archive.extractall(tmp_path, filter="data")
    assert {name.partition("/")[0] for name in names} == IN_AN_SDIST
    assert names - {"PKG-INFO"} == {name for name in tracked() if name.partition("/")[0] in IN_AN_SDIST}
    [source] = tmp_path.iterdir()
    build(source, tmp_path / "dist", "--wheel")
    [again] = (tmp_path / "dist").glob("*.whl")
    assert contents(again) == contents(wheel)


@pytest.mark.slow
def test_the_wheel_works_in_a_new_environment_from_an_empty_folder(built_files, tmp_path):
    """With the libraries of the environment that runs the tests."""
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    sample = PROJECT / "audio_samples" / "seven_slt_0.wav"
    (tmp_path / "empty").mkdir()
    libraries = {"PYTHONPATH": sysconfig.get_path("purelib"), "RECOGNIZER_HOME": str(tmp_path / "home")}

    def run(program: str, *arguments: object, **variables: str) -> str:
        call = [str(programs / program), *map(str, arguments)]
        there = {"cwd": tmp_path / "empty", "env": {**os.environ, **variables}}
        done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=False, **there)
        assert (done.returncode, done.stderr) == (0, ""), call
        return done.stdout

    run(
        "python", "-m", "pip", "install", "-q", "--no-deps", "--disable-pip-version-check", "--no-index", built_files[0]
    )
    where = run("python", "-c", "import recognizer; print(recognizer.__file__)", **libraries)
    assert Path(where.strip()).is_relative_to(tmp_path / "venv")
    assert " seven " in run("recognizer", "batch", sample, **libraries)
    models = {path.stem for path in (PROJECT / "models").glob("*.npz")}
    assert {line.split()[0] for line in run("recognizer", "models", "list", **libraries).splitlines()} == models
    assert run("python", "-m", "recognizer", "--help", **libraries).startswith("Usage: ")
    assert not list((tmp_path / "empty").iterdir())


def test_every_library_has_a_lower_bound():
    """So that an old one in the environment is not taken for one that was tried."""
    about = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*about["dependencies"], *(line for extra in about["optional-dependencies"].values() for line in extra)]
    for requirement in map(Requirement, lines):
        assert any(bound.operator == ">=" for bound in requirement.specifier), requirement.name
