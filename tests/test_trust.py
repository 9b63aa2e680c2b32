"""What a file says of itself is not believed: a field beyond its range is named, one at the end of it does no harm."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from mutating import archive_of
from refusing import refusal
from synthetic import RATE, WORDS, say, write
from test_fuzz import told
from test_model import with_array

from recognizer.acoustics.density import KINDS, arrays_of
from recognizer.adaptation import mllr
from recognizer.adaptation.method import KINDS as METHODS
from recognizer.adaptation.method import LARGEST_TAU, Method
from recognizer.errors import AudioError, CorpusError, ModelError, ProfileError
from recognizer.features.analysis import LONGEST as LONGEST_WORD
from recognizer.features.front_end import FrontEnd, GivenFeatures, Matrices
from recognizer.files import archive, contents
from recognizer.files.archive import DamagedError
from recognizer.files.contents import Array, Listing, Named, Nullable, Number, Table, Told
from recognizer.htk.exchange import import_model
from recognizer.model import REJECTION, Model, flaw
from recognizer.recognition.calibration import Calibration
from recognizer.recognition.decoding import LARGE
from recognizer.recognition.verification import REFUSED
from recognizer.recognizer import MOST_CELLS, Recognizer
from recognizer.sound import audio
from recognizer.sound.endpoint import Endpointer
from recognizer.speakers import store
from recognizer.speakers.profile import Profile

MOST_MEMORY = 500  # MB, of a process that reads one file


def parts(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The header and the arrays of an archive."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("header"))), arrays


def changed(source: Path, target: Path, change: Callable[[dict, dict], object]) -> Path:
    """An archive after a change to its header and arrays, its fingerprint made good."""
    header, arrays = parts(source)
    change(header, arrays)
    target.write_bytes(archive_of(header, arrays))
    return target


# The tables


def names(of: type) -> set[str]:
    return {field.name for field in fields(of)}


def test_the_tables_have_every_field_and_no_other():
    assert contents.FRONT_END.fields.keys() == names(FrontEnd) - {"matrices"}
    assert contents.GIVEN.fields.keys() == names(GivenFeatures)
    assert contents.MATRICES.keys() == names(Matrices) - {"shape"}
    assert contents.MODEL["endpointer"].fields.keys() == names(Endpointer)
    assert contents.MODEL["calibration"].fields.keys() == names(Calibration)
    assert set(contents.EVIDENCE) == set(REJECTION)
    assert contents.REJECTION.fields["thresholds"].field.fields.keys() == REFUSED.keys()
    assert contents.density("bank").keys() == {frozenset(names(kind)) for kind in KINDS.values()}
    assert contents.METHOD.fields.keys() == names(Method)
    assert contents.METHOD.fields["kind"].choices == METHODS
    assert contents.METHOD.fields["shape"].choices == mllr.SHAPES
    assert contents.METHOD.fields["tau"].most == LARGEST_TAU
    assert contents.METHOD.fault(asdict(Method(class_frames=30.0)), "asked") is None


def test_models_that_programs_make_have_no_flaw(built, fitted):
    assert flaw(built) is None
    assert flaw(fitted) is None


def numbers(field: object, path: tuple = ()) -> Iterator[tuple[tuple, Number]]:
    """Every number that a table describes, with the way to it; of a list, its first item."""
    match field:
        case Number():
            yield path, field
        case Told() | Nullable():
            yield from numbers(field.field, path)
        case Listing():
            yield from numbers(field.item, (*path, 0))
        case Table():
            for name, item in field.fields.items():
                yield from numbers(item, (*path, name))
        case Named():
            yield from numbers(field.item, (*path, "viterbi" if path == ("history",) else "rise"))


HEADER = Table(contents.MODEL | {"front_end": contents.FRONT_END, "rejection": contents.REJECTION})
OF_MODELS, OF_PROFILES = dict(numbers(HEADER)), dict(numbers(contents.PROFILE))


def put(value: object, path: tuple, data: dict) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


def beyond(number: Number) -> list:
    """Values that are not of the number's range or kind."""
    step = 1 if number.whole else 1e-9
    ends = [number.least - step * max(1, abs(number.least)), number.most + step * max(1, abs(number.most))]
    ends = [int(end) for end in ends] if number.whole else ends
    return [*ends, True, None, "1", [], {}, float("nan"), float("inf"), -float("inf"), 10**40]


@pytest.mark.parametrize("path", OF_MODELS, ids=lambda path: ".".join(map(str, path)))
def test_a_number_of_a_model_is_in_its_range_or_named(model_file, tmp_path, path):
    field = OF_MODELS[path]
    for value in beyond(field):
        file = changed(model_file, tmp_path / "m.npz", lambda header, _, value=value: put(value, path, header))
        told_of = next(part for part in reversed(path) if isinstance(part, str))
        refusal(ModelError, lambda file=file: Model.load(file), file, "no working model (", told_of, "train it again")
    for value in (field.least, field.most):  # at the ends, it works or does not fit the rest
        file = changed(model_file, tmp_path / "m.npz", lambda header, _, value=value: put(value, path, header))
        with np.errstate(all="raise", under="ignore"), suppress(ModelError):
            told(Recognizer(Model.load(file)).recognize(say("rise"), RATE))


@pytest.fixture(scope="module")
def profile_file(built, tmp_path_factory) -> Path:
    record = {"made": "2024-02-29", "takes": {"rise": 3}, "method": "MAP", "why": "as asked", "warp": 1.0}
    trial = {"correct": 3, "n": 4, "confidence": 0.5}
    record |= {"before": trial, "after": trial, "asked": asdict(Method(class_frames=9.0)), "recordings": 3, "passes": 2}
    Profile.of(built, built, "tones", record).save(path := tmp_path_factory.mktemp("profiles") / "p.npz")
    return path


@pytest.mark.parametrize("path", OF_PROFILES, ids=lambda path: ".".join(map(str, path)))
def test_a_number_of_a_profile_is_in_its_range_or_named(built, profile_file, tmp_path, path):
    field = OF_PROFILES[path]
    for value in beyond(field):
        if path == ("version",) or (value is None and path[-1] == "class_frames"):
            continue
        file = changed(profile_file, tmp_path / "p.npz", lambda header, _, value=value: put(value, path, header))
        told_of = next(part for part in reversed(path) if isinstance(part, str))
        refusal(ProfileError, lambda file=file: Profile.load(file), file, "is damaged (", told_of, "make it anew")
    for value in (field.least, field.most) if path != ("version",) else ():
        file = changed(profile_file, tmp_path / "p.npz", lambda header, _, value=value: put(value, path, header))
        with np.errstate(all="raise", under="ignore"):
            told(Recognizer(Profile.load(file).apply(built)).recognize(say("rise"), RATE))


def arrays_described(model_file: Path) -> dict[str, Array]:
    """What each array of a model must be, by its name in the file."""
    _, arrays = parts(model_file)
    found = {name: contents.CHAIN for name in arrays if name.startswith("chain_")}
    for of in ("bank", "noise"):
        kind = contents.density(of)[frozenset(names(KINDS["continuous"]))]
        found |= {f"{of}_{name}": array for name, array in kind.items()}
    found |= {f"rejection_{name}": array for name, array in contents.EVIDENCE.items()}
    found |= {f"front_end_{name}": array for name, array in contents.MATRICES.items()}
    assert found.keys() == arrays.keys()
    return found


def with_one(array: np.ndarray, value: float) -> np.ndarray:
    array = np.array(array, dtype=np.float64)
    array.flat[array.size // 2] = value
    return array


def test_an_array_of_another_type_shape_or_range_is_refused(model_file, tmp_path):
    _, arrays = parts(model_file)
    for name, described in arrays_described(model_file).items():
        array = arrays[name]
        strange = [array.astype("U9"), array.astype(complex), array > 0]
        strange += [np.zeros(array.shape, kind) for kind in ("M8[s]", "V8", np.int64)]
        strange += [array[..., None], np.array(0.5), array.ravel()[:0]]
        if array.size:
            above, below = described.most * (1 + 1e-9) + 1e-9, described.least * (1 + 1e-9) - 1e-9
            below = described.least / 2 if described.least > 0 else below
            strange += [with_one(array, value) for value in (np.nan, np.inf, above, below, 1e308)]
        for other in strange:
            if other.shape == array.shape and other.dtype == array.dtype and np.array_equal(other, array):
                continue
            file = changed(model_file, tmp_path / "m.npz", lambda _, found, o=other, n=name: found.update({n: o}))
            refusal(ModelError, lambda file=file: Model.load(file), file, "train it again")


@pytest.mark.parametrize("end", ["least", "most"])
@pytest.mark.parametrize("share", [1.0, 0.1])
def test_numbers_at_the_end_of_their_range_overflow_nowhere(model_file, tmp_path, end, share):
    header, arrays = parts(model_file)
    random, answered = np.random.default_rng(0), 0
    for name, described in arrays_described(model_file).items():
        if name.endswith("weights") and not name.startswith("rejection"):
            continue  # which would be no distribution
        value, where = getattr(described, end), random.random(arrays[name].shape) < share
        if name in ("rejection_least", "rejection_most"):
            value = float(np.float32(value / 1.1))
        other = {name: np.where(where, value, arrays[name].astype(np.float64))}
        (tmp_path / "m.npz").write_bytes(archive_of(header, arrays | other))
        with np.errstate(all="raise", under="ignore"), suppress(ModelError):  # some do not fit the rest
            recognizer = Recognizer(Model.load(tmp_path / "m.npz"))
            for word in WORDS:
                told(recognizer.recognize(say(word), RATE, threshold=0.0))
            answered += 1
    assert answered > 8


@pytest.mark.parametrize(
    ("name", "value"),
    [("bank_means", 1e308), ("bank_variances", 5e-324), ("bank_variances", 1e-300), ("noise_means", -1e308)],
)
def test_extreme_gaussians_are_refused(built, tmp_path, name, value):
    part, _, attribute = name.partition("_")
    bank = built.acoustics.bank if part == "bank" else built.rejection.noise
    with_array(built, name, np.full_like(getattr(bank, attribute), value)).save(tmp_path / "m.npz")
    text = refusal(ModelError, lambda: Model.load(tmp_path / "m.npz"), f"the {part}'s Gaussians", f"{value:g}")
    assert len(text) < 500


@pytest.mark.parametrize("name", ["bank_means", "noise_means", "rejection_weights"])
def test_an_answer_without_finite_numbers_is_none(built, name):
    """Made by a program rather than read: nothing checks it before."""
    part, _, attribute = name.partition("_")
    whole = {"bank": built.acoustics.bank, "noise": built.rejection.noise, "rejection": built.rejection}[part]
    broken = Recognizer(with_array(built, name, np.full_like(getattr(whole, attribute), np.nan)))
    with np.errstate(all="ignore"):
        for threshold in (0.0, "normal"):
            result = broken.recognize(say("rise"), RATE, threshold=threshold)
            assert not result.accepted
            assert (result.reason, result.confidence, result.nbest) == ("no finite score", 0.0, ())
            told(result)


@pytest.mark.parametrize(
    "word", ["a\nb", "\x1b[2J", "\ud800", "x" * 1001, "  ", 7, None, True, ["x"]], ids=lambda word: repr(word)[:9]
)
def test_words_are_texts_of_one_line(model_file, tmp_path, word):
    file = changed(model_file, tmp_path / "m.npz", lambda header, _: header["words"].__setitem__(0, word))
    assert len(refusal(ModelError, lambda: Model.load(file), file, "no working model (", "word")) < 500


def test_a_word_that_no_model_would_keep_is_no_label(tmp_path):
    write(tmp_path / "a.wav", say("rise"))
    (tmp_path / "list.csv").write_text(f"path,word\na.wav,{'x' * 1001}\n")
    from recognizer.corpus import find

    refusal(CorpusError, lambda: find(tmp_path / "list.csv"), "line 2", "1001 characters", "shorten it")


def test_a_name_whose_quote_is_lost_makes_no_long_line(tmp_path):
    """The rest of the file is its name then; found with a macro of 900 numbers."""
    (tmp_path / "hmmdefs").write_text('~s "silence' + "1.0\n" * 900 + '"\n<MEAN> 1\n 0')
    assert len(refusal(ModelError, lambda: import_model(tmp_path / "hmmdefs"), "3607 bytes", "close its quote")) < 500


CARDS = [{"a": float("nan")}, {"a": [1e308]}, {"a": 10**200}, {"\ud800": 1}, {"a": ["\ud800"]}, [], 7]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: ascii(card)[:12])
def test_a_card_can_be_printed(model_file, tmp_path, card):
    file = changed(model_file, tmp_path / "m.npz", lambda header, _: header.update(card=card))
    refusal(ModelError, lambda: Model.load(file), file, "no working model (", "card")


def test_what_lies_too_deep_is_damaged(model_file, profile_file, tmp_path):
    deep: list = []
    for _ in range(150):
        deep = [deep]
    for file, key, read in ((model_file, "card", Model.load), (profile_file, "record", Profile.load)):
        broken = changed(file, tmp_path / "x.npz", lambda header, _, key=key: header.update({key: {"a": deep}}))
        refusal((ModelError, ProfileError), lambda read=read, broken=broken: read(broken), broken, "damaged")


# Archives


def npy(shape: str, content: bytes = b"", kind: str = "<f8") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def text_array(text: str) -> bytes:
    np.save(file := io.BytesIO(), np.array(text))
    return file.getvalue()


def zipped(path: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


SAID = ("header.npy", text_array('{"format": "shelf"}'))
SHAPES = ("(1000000000000,)", "(-1,)", "(0, 1000000000000)", "(2,)", "(1, 2, 3)", "(True, 1)", "(1e3,)", "1", "()()")


@pytest.mark.parametrize("shape", SHAPES)
def test_an_array_that_says_another_shape_than_it_has_is_damage(tmp_path, shape):
    zipped(tmp_path / "a.npz", [SAID, ("x.npy", npy(shape, bytes(8)))])
    with pytest.raises(DamagedError):
        archive.read(tmp_path / "a.npz", "shelf")


ARCHIVES = {
    "a name that is no array": [SAID, ("x.txt", b"")],
    "a path": [SAID, ("../x.npy", npy("(1,)", bytes(8)))],
    "object": [SAID, ("x.npy", npy("(1,)", bytes(8), "|O"))],
    "structured": [SAID, ("x.npy", npy("(1,)", bytes(8)).replace(b"'<f8'", b"[('a','<f8')]"))],
    "complex": [SAID, ("x.npy", npy("(1,)", bytes(16), "<c16"))],
    "a byte too many": [SAID, ("x.npy", npy("(1,)", bytes(9)))],
    "a byte too few": [SAID, ("x.npy", npy("(1,)", bytes(7)))],
    "no header": [("x.npy", npy("(1,)", bytes(8)))],
    "a header of two": [("header.npy", npy("(2,)", bytes(8), "<U1"))],
    "a header that is no text": [("header.npy", npy("()", bytes(8)))],
    "a header of no characters": [("header.npy", npy("()", b"\xff\xff\xff\x7f", "<U1"))],
    "a large header": [("header.npy", text_array('"' + " " * 5_000_000 + '"'))],
    "too many": [SAID, *((f"x{number}.npy", npy("(1,)", bytes(8))) for number in range(1001))],
    "a bomb": [SAID, ("x.npy", npy("(20000000,)", bytes(160_000_000)))],
    "bombs": [SAID, *((f"x{number}.npy", npy("(1000000,)", bytes(8_000_000))) for number in range(9))],
}


@pytest.mark.parametrize("what", ARCHIVES)
def test_an_archive_that_cannot_be_believed_is_damaged(tmp_path, what):
    zipped(tmp_path / "a.npz", ARCHIVES[what])
    with pytest.raises(DamagedError):
        archive.read(tmp_path / "a.npz", "shelf")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_or_compressed_otherwise_is_damage(tmp_path):
    for path in (
        zipped(tmp_path / "twice.npz", [SAID, SAID]),
        zipped(tmp_path / "other.npz", [SAID], zipfile.ZIP_LZMA),
    ):
        with pytest.raises(DamagedError):
            archive.read(path, "shelf")


def test_members_that_overlap_are_damage(tmp_path):
    """Two entries of the directory name one and the same bytes: how small archives unpack to large ones."""
    zipped(tmp_path / "a.npz", [SAID, ("x.npy", npy("(1,)", bytes(8))), ("y.npy", npy("(1,)", bytes(8)))])
    with zipfile.ZipFile(tmp_path / "a.npz") as file:
        place = file.getinfo("x.npy").header_offset
    content = bytearray((tmp_path / "a.npz").read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 42 : entry + 46] = place.to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DamagedError):
        archive.read(tmp_path / "a.npz", "shelf")


def test_a_directory_that_lies_of_sizes_is_damage(tmp_path):
    zipped(tmp_path / "a.npz", [SAID, ("x.npy", npy("(100000,)", bytes(800_000)))])
    whole = (tmp_path / "a.npz").read_bytes()
    entry = whole.rindex(b"PK\x01\x02")
    for size in (8 + 128, 800_000, 900_000, 2**32 - 2):
        content = bytearray(whole)
        content[entry + 24 : entry + 28] = size.to_bytes(4, "little")
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(DamagedError):
            archive.read(tmp_path / "a.npz", "shelf")


def test_an_array_of_a_kind_is_read_in_double_precision(tmp_path):
    for kind in ("<f2", "<f4", ">f4", "<f8", ">f8"):
        content = np.array([1.0, 2.5]).astype(kind).tobytes()
        zipped(tmp_path / "a.npz", [SAID, ("x.npy", npy("(2,)", content, kind))])
        array = archive.read(tmp_path / "a.npz", "shelf")[1]["x"]
        assert array.dtype == np.float64
        assert array.tolist() == [1.0, 2.5]
        assert array.flags.writeable


# Memory


def run_in_a_child(program: str, *arguments: object) -> tuple[str, float]:
    """What a program prints as it ends, and the most memory that its process held, MB."""
    resource = pytest.importorskip("resource", reason="only Unix tells how much memory a process took")
    assert resource
    program = textwrap.dedent(program) + textwrap.dedent("""
        import resource, sys
        unit = 1 if sys.platform == "darwin" else 1024
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6)
    """)
    # By way of a shell: what a process held before it became another program counts as that one's, too.
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    *said, memory = done.stdout.splitlines()
    return "\n".join(said), float(memory)


REFUSED_BY = """
import sys
from pathlib import Path
from recognizer.errors import RecognizerError
from recognizer.model import Model
from recognizer.speakers import store
from recognizer.speakers.profile import Profile
read = {"model": Model.load, "profile": Profile.load, "speaker": store.import_}[sys.argv[1]]
try:
    read(Path(sys.argv[2]))
except RecognizerError as error:
    print(error)
"""


def bomb(path: Path, size: int = 500_000_000) -> Path:
    """Says that it is a model or a profile, and unpacks to so many bytes."""
    header = '{"format": "recognizer-profile", "version": 1}'
    zipped(path, [("header.npy", text_array(header))])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file, file.open("means.npy", "w") as member:
        member.write(npy(f"({size // 8},)"))
        for _ in range(size // 1_000_000):
            member.write(bytes(1_000_000))
    return path


@pytest.mark.parametrize("kind", ["model", "profile"])
def test_a_small_file_that_unpacks_to_much_takes_little_memory(tmp_path, kind):
    path = bomb(tmp_path / "x.npz")
    line, memory = run_in_a_child(REFUSED_BY, kind, path)
    assert str(path) in line
    assert line.isprintable()
    assert memory < MOST_MEMORY


def test_a_speaker_whose_profile_is_a_bomb_takes_little_memory(tmp_path):
    inner = bomb(tmp_path / "profile.npz").read_bytes()
    nested = zipped(tmp_path / "nested.zip", [("eve/profile.npz", inner)])
    assert nested.stat().st_size < 10_000
    line, memory = run_in_a_child(REFUSED_BY, "speaker", nested)
    assert "profile.npz is no profile, or is damaged" in line
    assert memory < MOST_MEMORY
    assert store.names() == []


def test_a_profile_that_hides_in_zeros_takes_little_memory(tmp_path):
    """Padded, it is large enough to unpack to much; half precision becomes four times as large in memory."""
    inner = io.BytesIO()
    inner.write(bytes(50 << 20))
    with zipfile.ZipFile(inner, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.npy", text_array('{"format": "recognizer-profile", "version": 1}'))
        with file.open("means.npy", "w") as member:
            member.write(npy("(125000000,)", kind="<f2"))
            for _ in range(250):
                member.write(bytes(1_000_000))
    outer = [("eve/profile.npz", inner.getvalue()), ("eve/takes/a/1.wav", np.random.default_rng(0).bytes(2 << 20))]
    nested = zipped(tmp_path / "nested.zip", outer)
    line, memory = run_in_a_child(REFUSED_BY, "speaker", nested)
    assert line.startswith(f"{nested}: eve/profile.npz is no profile, or is damaged; ask for")
    assert memory < MOST_MEMORY


def test_numbers_in_half_precision_count_as_what_they_become(tmp_path):
    header, wide = ("header.npy", text_array('{"format": "x"}')), npy("(16000000,)", bytes(32_000_000), kind="<f2")
    with pytest.raises(DamagedError, match="more memory"):
        archive.read(zipped(tmp_path / "wide.npz", [header, ("a.npy", wide)]), "x")


def test_states_that_many_words_refer_to_are_counted_before_they_are_made(tmp_path):
    gaussian = "<MEAN> 39 {} <VARIANCE> 39 {}".format(*(" ".join([x] * 39) for x in "01"))
    mixtures = " ".join(f"<MIXTURE> {n} 0.01 {gaussian}" for n in range(1, 101))
    rows = ["0 1 0 0", "0 .5 .5 0", "0 0 .5 .5", "0 0 0 0"]
    hmm = '<BEGINHMM> <NUMSTATES> 4 <STATE> 2 ~s "s" <STATE> 3 ~s "s" <TRANSP> 4 ' + " ".join(rows) + " <ENDHMM>"
    words = " ".join(f'~h "w{n}" {hmm}' for n in range(2000))
    text = f'~o <STREAMINFO> 1 39 <VECSIZE> 39 <NULLD> <USER> ~s "s" <NUMMIXES> 100 {mixtures} {words}'
    (tmp_path / "many.mmf").write_text(text)
    line = refusal(ModelError, lambda: import_model(tmp_path / "many.mmf"), "2000 words", "100 components", "leave")
    assert len(line) < 500


def test_an_utterance_too_long_for_so_many_words_is_told_so(built, monkeypatch):
    recognizer, sound = Recognizer(built), say("rise")
    frames = MOST_CELLS // built.acoustics.chain.log_stay.size
    assert frames * built.front_end.hop > 60, (
        "of a few words, no word is too long for them before it is too long for any"
    )
    words = LARGE  # the most of which all are scored
    monkeypatch.setattr("recognizer.recognizer.MOST_CELLS", 20 * words * built.acoustics.chain.log_stay.shape[1])
    chain = built.acoustics.chain.word(np.zeros(words, dtype=int))
    many = replace(built, acoustics=replace(built.acoustics, chain=chain), words=tuple(map(str, range(words))))
    assert recognizer.recognize(sound, RATE).reason is None
    assert Recognizer(many).recognize(sound, RATE).reason == "too long"


OUT_OF_PROPORTION = {
    "takes": ("would unpack to more than 50 times", [(f"eve/takes/rise/{n}.wav", bytes(10_000_000)) for n in range(9)]),
    "profile": ("too large", [("eve/profile.npz", np.random.default_rng(0).bytes(3_000_000) + bytes(70_000_000))]),
    "voice": ("too large", [("eve/takes/voice.txt", b"x" * 100_000)]),
}


@pytest.mark.parametrize("what", OUT_OF_PROPORTION)
def test_a_speaker_out_of_proportion_is_refused(tmp_path, what):
    part, members = OUT_OF_PROPORTION[what]
    path = zipped(tmp_path / "eve.zip", members)
    refusal(ProfileError, lambda: store.import_(path), path, part)
    assert store.names() == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_speaker_with_a_file_twice_or_packed_otherwise_is_refused(tmp_path):
    voice = ("eve/takes/voice.txt", b"x")
    twice, other = tmp_path / "twice.zip", tmp_path / "other.zip"
    refusal(ProfileError, lambda: store.import_(zipped(twice, [voice, voice])), "the same file in it twice")
    refusal(ProfileError, lambda: store.import_(zipped(other, [voice], zipfile.ZIP_LZMA)), "compressed in another way")


# Sound


def hours(path: Path, seconds: int, rate: int = 16000, channels: int = 1) -> Path:
    """A file of silence, which takes next to no room."""
    shape = (rate * 60, channels) if channels > 1 else rate * 60
    with soundfile.SoundFile(path, "w", rate, channels, "PCM_16") as file:
        for _ in range(seconds // 60):
            file.write(np.zeros(shape, np.int16))
    return path


@pytest.mark.parametrize(
    "command", ["batch", *(pytest.param(name, marks=pytest.mark.slow) for name in ("align", "train", "enroll"))]
)
def test_hours_of_silence_take_little_memory(model_file, tmp_path, command):
    (tmp_path / "corpus" / "rise").mkdir(parents=True)
    long = hours(tmp_path / "corpus" / "rise" / "long.flac", 3600)
    assert long.stat().st_size < 1_000_000
    write(tmp_path / "corpus" / "rise" / "1.wav", say("rise"))
    calls = {
        "batch": ["batch", long, "--model", model_file],
        "align": ["align", long, "--model", model_file],
        "train": ["train", tmp_path / "corpus", "--output", tmp_path / "m.npz", "--layout", "{word}/*"],
        "enroll": ["enroll", "eve", "--from", tmp_path / "corpus", "--model", model_file],
    }
    program = "import sys; from recognizer.cli import app\ntry:\n    app(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
    program = "import sys; sys.stderr = sys.stdout\n" + program
    said, memory = run_in_a_child(program, *calls[command])
    assert "and 1049 s are the most; cut it up, or hear it with `recognizer live --from-file`" in said or (
        "and 2097 s are the most" in said
    )
    assert memory < MOST_MEMORY


LOADS = "import sys; from recognizer.sound import audio; print(len(audio.load(sys.argv[1], 16000).samples))"


def test_ten_minutes_are_heard_and_take_little_memory(tmp_path):
    said, memory = run_in_a_child(LOADS, hours(tmp_path / "long.flac", 600))
    assert int(said) == 600 * 16000
    assert memory < MOST_MEMORY


def test_what_is_too_long_is_told_with_its_length_and_the_limit(tmp_path, monkeypatch):
    path = write(tmp_path / "long.wav", np.zeros(8000 * 30), 8000)
    monkeypatch.setattr(audio, "BLOCK", 8000)
    for rate, most in ((8000, 20), (16000, 10), (None, 20)):
        refusal(AudioError, lambda rate=rate: audio.load(path, rate, 20 * 8000), path, f"{most} s are the most; cut it")
    assert len(audio.load(path, 8000, 30 * 8000).samples) == 30 * 8000


@pytest.mark.slow
def test_an_hour_is_still_cut_and_holds_noise(model_file, tmp_path):
    """An hour at 16 kHz, in which a word is said at the end."""
    path = tmp_path / "hour.wav"
    with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16") as file:
        for _ in range(59):
            file.write(1e-4 * np.random.default_rng(0).standard_normal(16000 * 60))
        file.write(np.concatenate([say("rise", rate=16000), np.zeros(16000 * 59)]))
    program = """
        import sys
        from pathlib import Path
        from recognizer.model import Model
        from recognizer.training.cutting import cut
        from recognizer.sound import audio
        heard = audio.load(sys.argv[2], 8000, audio.LONGEST_OF_ALL)
        print(len(heard.samples) / 8000, len(cut(heard, ["rise"], Model.load(sys.argv[1]), -100.0)))
        del heard
        [pieces] = Model.load(sys.argv[1]).analyser.reading().analyse_pieces([Path(sys.argv[2])])
        print(len(pieces))
    """
    said, memory = run_in_a_child(program, model_file, path)
    seconds, cuts, pieces = said.split()
    assert (round(float(seconds)), cuts, pieces) == (3600, "1", "1800")
    assert memory < MOST_MEMORY


def test_no_word_lasts_longer_than_a_minute(built, tmp_path):
    seconds = LONGEST_WORD * built.front_end.hop
    talk = np.concatenate([say("rise", take=take, seconds=0.5)[1000:-1000] for take in range(round(seconds / 0.6))])
    longer = np.concatenate([talk, talk[: 8000 * 25]])
    result = Recognizer(built).recognize(longer, RATE)
    assert (result.accepted, result.reason) == (False, "too long")


def test_a_file_of_very_many_channels_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((100, 129)), 8000)
    refusal(AudioError, lambda: audio.load(tmp_path / "a.wav", 8000), "129 channels, and 128 are the most; split it")


def test_a_header_that_tells_of_more_than_there_is_costs_nothing(tmp_path):
    path = write(tmp_path / "a.wav", say("rise"))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(content)
    said, memory = run_in_a_child(LOADS, path)
    assert int(said) > 8000
    assert memory < MOST_MEMORY


# Lists


ODD_RECORDS = [[], None, 7, "x", {"takes": []}, {"takes": {"rise": "3"}}, {"takes": {"rise": None}}, {"before": 1}]
ODD_RECORDS += [{"before": {"correct": 1}}, {"after": []}, {"made": 7}, {"asked": {"kind": "magic"}}, {"warp": "1"}]
ODD_RECORDS += [
    {"asked": []},
    {"prior": ["x"]},
    {"unlabelled": 1},
    {"more": {"deep": float("nan")}},
    {"takes": {"": 1}},
]


@pytest.mark.parametrize("record", ODD_RECORDS, ids=lambda record: repr(record)[:25])
def test_an_odd_record_spoils_the_list_of_nobody_else(run, enroll, profile_file, record):
    enroll("anna")
    enroll("eve")
    path = store.folder("eve") / store.PROFILE
    changed(profile_file, path, lambda header, _: header.update(record=record))
    for options in ([], ["--json"]):
        outcome = run("speakers", "list", *options)
        assert outcome.status == 1
        [line] = outcome.stderr.splitlines()
        assert line.startswith(f"error: {path} is damaged (")
        assert line.endswith("make it anew from the kept takes with `recognizer speakers refresh`, or enroll again")
        anna, eve = outcome.stdout.splitlines()
        assert "anna" in anna
        assert "eve" in eve
    shown = run("speakers", "show", "eve")
    assert (shown.status, shown.stdout) == (1, "")


def test_a_foreign_file_spoils_the_list_of_no_other_model(run, model_file, home):
    folder = home / "models"
    folder.mkdir(parents=True)
    (folder / "tones.npz").write_bytes(model_file.read_bytes())
    np.savez(folder / "foreign.npz", x=np.zeros(3))
    (folder / "damaged.npz").write_bytes(model_file.read_bytes()[:1000])
    bomb(folder / "large.npz")
    outcome = run("models", "list")
    assert outcome.status == 1
    lines = outcome.stderr.splitlines()
    assert len(lines) == 3
    for name, line in zip(("damaged", "foreign", "large"), lines):
        assert line.startswith(f"error: {folder / name}.npz ")
        assert "; " in line
    assert any(line.startswith("tones  4 words") for line in outcome.stdout.splitlines())


def test_arrays_of_a_density_are_those_of_its_table(built):
    kind = contents.density("bank")[frozenset(arrays_of(built.acoustics.bank))]
    assert kind.keys() == arrays_of(built.acoustics.bank).keys()
