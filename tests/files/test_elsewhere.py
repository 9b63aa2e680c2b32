"""Recordings at an address: in a store that speaks S3, and what is said where there is none."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import fsspec
import pytest
from buckets import bucket_with
from fsspec.implementations.local import LocalFileSystem
from synthetic import SPEAKERS, WORDS, record

from recognizer.corpus import audio_files, find
from recognizer.errors import AudioError, CorpusError, name_of, shown
from recognizer.files import brought, elsewhere, here, is_elsewhere
from recognizer.files.elsewhere import files_below
from recognizer.recognizer import Recognizer
from recognizer.sound import audio


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("near"), WORDS[:3], SPEAKERS[:2], 1)


@pytest.fixture(scope="module")
def bucket(recorded):
    with bucket_with(recorded) as address:
        yield address


@pytest.mark.parametrize("text", ["s3://bucket/a.wav", "gs://b/c", "memory://x", "https://example.org/a.wav"])
def test_an_address_is_written_as_it_was_given(text):
    assert is_elsewhere(Path(text))
    assert name_of(Path(text)) == shown(Path(text)) == text


@pytest.mark.parametrize("text", ["a.wav", "/s3:/a.wav", "C:/a.wav", "s3:", "folder/a:b.wav"])
def test_what_is_here_is_no_address(text):
    assert not is_elsewhere(Path(text))
    assert name_of(Path(text)) == str(Path(text))


def test_a_folder_that_is_here_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:" / "speech").mkdir(parents=True)
    assert not is_elsewhere(Path("s3:/speech"))


def test_recordings_are_found_as_in_a_folder(recorded, bucket):
    far, near = find(bucket), find(recorded)
    assert [(each.word, each.speaker, each.path.name) for each in far] == [
        (each.word, each.speaker, each.path.name) for each in near
    ]
    assert [name_of(path) for path in audio_files([bucket])] == [
        f"s3://speech/far/{path.relative_to(recorded).as_posix()}" for path in audio_files([recorded])
    ]
    assert {path.name for path in files_below(bucket)} >= {"x_1.wav", "no.wav", "readme.txt", "layout.txt"}


def test_samples_are_the_same(recorded, bucket):
    file = next(path for path in sorted(recorded.rglob("*.wav")))
    far = bucket / file.relative_to(recorded)
    assert (audio.load(far, 8000).samples == audio.load(file, 8000).samples).all()
    with here(far) as local:
        assert local.read_bytes() == file.read_bytes()
    assert not local.exists()
    with here(file) as local:
        assert local == file


def test_many_are_brought_at_once(bucket):
    files, places = audio_files([bucket]), []
    with brought(files):
        for file in files:
            with here(file) as local:
                places.append(local)
            assert local.exists()  # until all have been read
        assert len(set(places)) == len(files)
    assert not any(place.exists() for place in places)


def test_one_that_is_gone_keeps_nothing_from_the_others(recorded, bucket):
    files = audio_files([bucket])
    with brought([*files, bucket / "gone.wav"]):
        for file in files:
            with here(file) as local:
                assert local.read_bytes() == (recorded / file.name).read_bytes()
        with pytest.raises(FileNotFoundError), here(bucket / "gone.wav"):
            pass


class Torn(LocalFileSystem):
    """A store that breaks off in the middle, as one does where of several files one is gone."""

    protocol = "torn"

    def get(self, names, places, **_):
        for name, place in zip(names, places, strict=True):
            Path(place).write_bytes(Path(name).read_bytes()[:100])
        raise ConnectionError("torn")


def test_what_is_torn_is_fetched_again(recorded, monkeypatch):
    monkeypatch.setattr(elsewhere, "LOCAL", ("torn",))
    fsspec.register_implementation("torn", Torn, clobber=True)
    files = sorted(recorded.rglob("*.wav"))
    far = [Path(f"torn://{file}") for file in files]
    with brought(far):
        for file, address in zip(files, far, strict=True):
            with here(address) as local:
                assert local.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("protocol", ["memory", "file"])
def test_every_kind_of_store_tells_its_files_by_the_address(tmp_path, protocol):
    root = f"{protocol}://{tmp_path}" if protocol == "file" else "memory://place"
    with fsspec.open(f"{root}/deep/er/yes_1.wav", "wb", auto_mkdir=True) as file:
        file.write(b"sound")
    [found] = files_below(Path(root))
    assert found == Path(root) / "deep" / "er" / "yes_1.wav"
    with here(found) as local:
        assert local.read_bytes() == b"sound"


def test_answers_are_the_same(recorded, bucket, built):
    recognizer = Recognizer(built)
    near, far = (list(recognizer.recognize_files(audio_files([folder]))) for folder in (recorded, bucket))
    assert [each.result for each in far] == [each.result for each in near]
    assert far[0].record()["file"].startswith("s3://speech/far/")
    long = list(recognizer.transcribe(far[0].path))
    assert [each.result for each in long] == [each.result for each in recognizer.transcribe(near[0].path)]


def test_commands_take_addresses(run, recorded, bucket, tmp_path, model_file):
    for command in ("batch", "transcribe"):
        far = run(command, "s3://speech/far", "--csv", "--quiet", "--model", model_file)
        near = run(command, recorded, "--csv", "--quiet", "--model", model_file)
        assert (far.status, far.stdout) == (0, near.stdout.replace(str(recorded), "s3://speech/far"))
    how = ("train", "--states", "3", "--mixtures", "1", "--quiet", "--output")
    places = ("a.npz", "s3://speech/far"), ("b.npz", recorded)
    far, near = (run(*how, tmp_path / name, place) for name, place in places)
    assert (far.status, near.status) == (0, 0)
    assert far.stdout.splitlines()[1:] == near.stdout.splitlines()[1:]


def test_a_table_may_name_addresses(recorded, bucket, tmp_path):
    lines = [f"s3://speech/far/{each.path.relative_to(recorded).as_posix()},{each.word}" for each in find(recorded)]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["path,word", *lines]))
    assert sorted(each.path for each in find(table)) == [each.path for each in find(bucket)]


def test_what_is_not_there_is_told_in_one_line(bucket, built):
    with pytest.raises(AudioError, match=r"^s3://speech/far/no\.wav: no such file; check the name$"):
        audio.load(bucket / "no.wav", 8000)
    with pytest.raises(CorpusError, match=r"^s3://speech/nothing: no audio in this folder; put files there"):
        find("s3://speech/nothing")
    with pytest.raises(CorpusError, match=r"^s3://no-such-bucket: cannot be opened \(no such file there\); check"):
        find("s3://no-such-bucket")
    with pytest.raises(AudioError, match=r"quark://x/a\.wav: cannot be read \(quark says: Protocol not known: quark\)"):
        audio.load(Path("quark://x/a.wav"), 8000)
    [answer] = Recognizer(built).recognize_files([bucket / "readme.txt"])
    assert answer.error.startswith("s3://speech/far/readme.txt: is not sound or is damaged")


def test_nobody_answers_there(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with pytest.raises(CorpusError, match=r"^s3://speech: cannot be opened \(s3 says: .*127\.0\.0\.1:1"):
            find("s3://speech")
    S3FileSystem.clear_instance_cache()


def test_it_is_told_who_lacks_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(AudioError, match=r"needs fsspec; install it with: pip install 'recognizer\[cluster\]'"):
        audio.load(Path("s3://speech/a.wav"), 8000)
