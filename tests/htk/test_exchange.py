"""Models and features to and from HTK, against a small HVite that was written from the HTK Book (tests/hvite.py)."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hvite import HVite, Mmf, best_path, observations
from synthetic import WORDS
from test_definitions import COURSE, MENDED
from test_parameter_files import CODES, MFCC, hcopy

from recognizer.acoustics.chain import TOPOLOGIES, Chain
from recognizer.acoustics.density import KINDS
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus import Utterance, audio_files, find
from recognizer.errors import AudioError, CorpusError, ModelError, RecognizerWarning
from recognizer.features import parameter_files
from recognizer.features.front_end import GivenFeatures
from recognizer.features.parameter_files import Parameters, normalised_kind
from recognizer.htk import parser
from recognizer.htk.exchange import (
    HEAD,
    NO_WORDS,
    TAIL,
    export_model,
    export_parameters,
    import_model,
    model_names,
    parameter_paths,
)
from recognizer.model import Model
from recognizer.recognition import decoding
from recognizer.recognition.calibration import Calibration
from recognizer.recognizer import Recognizer
from recognizer.sound.endpoint import Endpointer
from recognizer.training.building import build
from recognizer.training.settings import TrainingSettings

CLOSE = 1e-4  # relative, of log likelihoods: 0.01 %
ROUNDED = 1e-3  # where probabilities are printed as codes


@pytest.fixture(scope="module")
def trained(recordings):
    """A model of the synthetic words, of a density and a topology."""
    known = {}

    def model(density: str = "continuous", topology: str = "left-right") -> Model:
        if (density, topology) not in known:
            codebook = None if density == "continuous" else 16
            settings = TrainingSettings(density=density, topology=topology, mixtures=2, codebook=codebook)
            known[density, topology] = build(find(recordings), settings=settings, few=False, calibrate=False)[0]
        return known[density, topology]

    return model


def exported(model: Model, folder, files=()) -> tuple[HVite, dict]:
    """What HVite reads of a model, and the parameter files of recordings."""
    export_model(model, folder / "models.mmf")
    targets = parameter_paths(files, folder / "mfc") if files else {}
    assert list(export_parameters(model, targets)) == [None] * len(targets)
    return HVite(folder / "models.mmf"), targets


def scores(model: Model, file) -> dict[str, float]:
    analysis = model.analyser.analyse_file(file)
    return dict(zip(model.words, decoding.score_words(model.acoustics, [analysis.features[0]])[0]))


def compare(hvite: HVite, model: Model, files: dict, tolerance: float = CLOSE) -> None:
    """HVite hears the same word in each recording, and finds every word as likely."""
    for result, (path, target) in zip(Recognizer(model).recognize_files(list(files), threshold=0), files.items()):
        found, expected = hvite.scores(target), scores(model, path)
        assert max(found, key=found.get) == result.result.word
        assert found == pytest.approx(expected, rel=tolerance)


def small_model(words, states=2, dims=3, **changes) -> Model:
    """Random Gaussians."""
    random = np.random.default_rng(len(words))
    shape = (len(words) * states + 1, 2, dims)
    arrays = {
        "weights": np.full(shape[:2], 0.5),
        "means": random.normal(size=shape),
        "variances": random.uniform(0.5, 2, shape),
    }
    bank = GaussianBank(**arrays | changes)
    models = WordModels(bank, Chain.of_topology(len(words), states))
    return Model(tuple(words), GivenFeatures("USER", dims), Endpointer(), models, Calibration())


def imported(tmp_path, text: str, dictionary: str | None = None, name: str = "words.mmf") -> Model:
    """The model that a text defines, saved and loaded."""
    (tmp_path / name).write_text(text, encoding="utf-8")
    if dictionary is not None:
        (tmp_path / "dict").write_text(dictionary, encoding="utf-8")
    model = import_model(tmp_path / name, None if dictionary is None else tmp_path / "dict")
    model.save(tmp_path / "imported.npz")
    return Model.load(tmp_path / "imported.npz")


def refusal(tmp_path, text: str, dictionary: str | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        imported(tmp_path, text, dictionary)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{tmp_path}/", "")


# To HTK


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("density", KINDS)
def test_hvite_hears_what_the_recognizer_hears(trained, recordings, tmp_path, density, topology):
    model = trained(density, topology)
    files = sorted(recordings.glob("*_2.wav"))
    assert len(files) == 16
    hvite, targets = exported(model, tmp_path, files)
    assert set(hvite.dictionary) == set(WORDS)
    compare(hvite, model, targets, ROUNDED if density == "discrete" else CLOSE)


def test_hvite_hears_what_the_recognizer_hears_in_real_speech(shared_data, tmp_path):
    """Takes 5 to 9 of the Free Spoken Digit Dataset to train on, take 0 to recognise: parts of its official split."""
    takes = {take: [] for take in range(10)}
    for file in sorted((shared_data("fsdd") / "recordings").glob("*_[0-9].wav")):
        digit, speaker, take = file.stem.split("_")
        takes[int(take)].append(Utterance(file, digit, speaker))
    training = [u for take in range(5, 10) for u in takes[take]]
    settings = TrainingSettings(mixtures=2)
    model, refused = build(training, settings=settings, few=False, calibrate=False)
    assert (len(training), refused) == (300, [])
    hvite, targets = exported(model, tmp_path, [u.path for u in takes[0]])
    assert set(hvite.mmf.hmms) == {*(f"word_{digit}" for digit in range(10)), HEAD, TAIL}
    compare(hvite, model, targets)
    right = [hvite.best(targets[u.path])[0] == u.word for u in takes[0]]
    assert len(right) == 60
    assert np.mean(right) > 0.8


def test_models_fitted_to_a_speaker(built, enroll, recordings, tmp_path):
    model = enroll("eve")
    banks = model.acoustics.bank, built.acoustics.bank
    assert any((getattr(banks[0], name) != getattr(banks[1], name)).any() for name in ("means", "variances"))
    model = replace(model, acoustics=replace(model.acoustics, transform=None))
    hvite, targets = exported(model, tmp_path, sorted(recordings.glob("*_anna_0.wav")))
    compare(hvite, model, targets)


def test_features_transformed_for_a_speaker_have_no_place(trained, tmp_path):
    model = trained()
    transform = np.eye(39, 40, 1)
    with pytest.raises(ModelError, match="transform the features for a speaker; export the model itself"):
        export_model(replace(model, acoustics=replace(model.acoustics, transform=transform)), tmp_path / "m.mmf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("density", ["continuous", "semi-continuous"])  # Julius knows no others
def test_julius_puts_silence_around_words_that_hardly_counts(trained, recordings, tmp_path, density):
    hvite, targets = exported(trained(density, "skip"), tmp_path, sorted(recordings.glob("*_bob_1.wav")))
    hmms = hvite.mmf.hmms
    lines = (tmp_path / "words.dict").read_text().splitlines()
    assert len(lines) == len(WORDS)
    for line, word in zip(lines, WORDS):
        name, output, *models = line.split(" ")
        assert (name, output, models) == (word, f"[{word}]", [word])
        for file in targets.values():
            vectors = observations(file)[0]
            around = best_path([hmms[HEAD], hmms[word], hmms[TAIL]], vectors)
            assert around == pytest.approx(best_path([hmms[word]], vectors), rel=1e-6)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("density", KINDS)
def test_there_and_back(trained, recordings, tmp_path, density, topology):
    """The same text, and what was read hears the same."""
    model = trained(density, topology)
    _, targets = exported(model, tmp_path / "once", sorted(recordings.glob("*_dora_1.wav")))
    again = import_model(tmp_path / "once" / "models.mmf")
    assert again.words == model.words
    assert again.acoustics.bank.weights.shape == model.acoustics.bank.weights.shape
    again.save(tmp_path / "again.npz")
    again = Model.load(tmp_path / "again.npz")
    tolerance = ROUNDED if density == "discrete" else 1e-6
    for path, target in targets.items():
        assert scores(again, target) == pytest.approx(scores(model, path), rel=tolerance)
    export_model(again, tmp_path / "twice" / "models.mmf")
    for name in ("models.mmf", "network.slf", "dict.txt", "models.list", "words.dict"):
        assert (tmp_path / "twice" / name).read_text() == (tmp_path / "once" / name).read_text(), name
    # What the models read, they also write.
    files = parameter_paths(list(targets.values()), tmp_path / "copy")
    assert list(export_parameters(again, files)) == [None] * 4
    for source, copy in files.items():
        assert copy.read_bytes() == source.read_bytes()


def test_tied_states_are_written_once_and_heard_wherever_they_are(recordings, tmp_path):
    settings = TrainingSettings(mixtures=2, tie=7)
    model, _ = build(find(recordings), settings=settings, few=False, calibrate=False)
    hvite, targets = exported(model, tmp_path, sorted(recordings.glob("*_2.wav")))
    compare(hvite, model, targets)
    lines = (tmp_path / "models.mmf").read_text().splitlines()
    used = [line for line in lines if line.startswith('~s "tied')]
    assert set(used) == {f'~s "tied{number}"' for number in range(1, 8)}
    assert len(used) == 7 + 4 * 5, "each is defined, and each state of a word names one"
    assert sum(line.startswith("<MEAN>") for line in lines) == (model.acoustics.bank.weights > 0).sum()
    again = import_model(tmp_path / "models.mmf")
    for path, target in targets.items():
        assert scores(again, target) == pytest.approx(scores(model, path), rel=1e-6)


# Names

AWKWARD = [
    *"0123456789",
    *("well-known", "C++", "+", "-", "b-a+c", "two words", 'say "hi"', "don't", "'quoted'", "back\\slash", "\\"),
    *("语音", "识别", "Straße", "strasse", "sil", "silB", "silE", "sp", "silence", "!NULL", "!SUBLATID", "<s>", "#"),
    *("nancy", "information", "Infinity", "inf", "1e5", "0x1p3", ".5", "word_1", "word_0", "word_语", "word_NULL"),
    *("x" * 130, "语" * 60, "DICEND", "~h", "@0.5", "{", ":1", "[x]", "a] b", "a b", "ab", "_x", "q", "Q"),
]


def test_awkward_words(tmp_path):
    hvite, _ = exported(small_model(AWKWARD), tmp_path)
    names = model_names(AWKWARD)
    assert len(set(names)) == len(AWKWARD)
    assert set(names) | {HEAD, TAIL} == set(hvite.mmf.hmms)
    assert not NO_WORDS & set(names)
    for name in names:
        assert re.fullmatch(r"(?!(?i:inf|nan))[A-Za-z]\w{0,120}", name, re.ASCII), name
    kept = {word for word, name in zip(AWKWARD, names) if word == name}
    assert kept == {"strasse", "word_1", "word_0", "word_NULL", "DICEND", "ab", "q", "Q"}
    unwritable = {"!NULL", "!SUBLATID", "x" * 130, "语" * 60}
    for word, name in zip(AWKWARD, names):
        assert hvite.dictionary[name if word in unwritable else word] == [name]
    assert len(hvite.nodes) == len(AWKWARD) + 2
    again = import_model(tmp_path / "models.mmf", tmp_path / "dict.txt")
    assert again.words == tuple(name if word in unwritable else word for word, name in zip(AWKWARD, names))
    lines = (tmp_path / "words.dict").read_text(encoding="utf-8").splitlines()
    assert [julius_entry(line) for line in lines] == [(name, word, [name]) for word, name in zip(AWKWARD, names)]


def julius_entry(line: str) -> tuple[str, str, list[str]]:
    """As mystrtok.c and voca_load_wordlist.c of Julius take a line apart: name, output, models."""
    name, _, rest = line.partition(" ")
    assert name[0] not in '"@'
    end = {"[": "]", "{": "}"}[rest[0]]
    place = next(i for i, c in enumerate(rest[1:], 1) if c == end and rest[i + 1 : i + 2] in ("", " "))
    return name, rest[1:place], rest[place + 1 :].split()


def test_one_word(tmp_path):
    model = small_model(["yes"])
    hvite, _ = exported(model, tmp_path)
    assert hvite.nodes == ["!NULL", "yes", "!NULL"]
    vectors = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    parameter_files.write(tmp_path / "a.mfc", Parameters(vectors, "USER", 0.01))
    assert hvite.best(tmp_path / "a.mfc")[1] == pytest.approx(scores(model, tmp_path / "a.mfc")["yes"], rel=CLOSE)


def test_a_thousand_words(tmp_path):
    words = [f"word{number}" if number % 2 else str(number) for number in range(1000)]
    export_model(small_model(words), tmp_path / "m.mmf")
    assert len((tmp_path / "network.slf").read_text().splitlines()) == 2 + 1002 + 2000
    assert import_model(tmp_path / "m.mmf", tmp_path / "dict.txt").words == tuple(words)


# What HTK cannot hold


@pytest.mark.parametrize(
    "changes",
    [
        {"variances": np.full((3, 2, 3), 1e-39)},
        {"variances": np.full((3, 2, 3), 1e39)},
        {"means": np.full((3, 2, 3), -4e38)},
    ],
)
def test_numbers_beyond_single_precision(tmp_path, changes):
    with pytest.raises(
        ModelError, match=r"the model has variances from .* single precision; scale the features"
    ) as error:
        export_model(small_model(["yes"], **changes), tmp_path / "m.mmf")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_streams_beyond_those_of_htk(tmp_path):
    streams = "".join(f"<STREAM> {r} <DPROB> 1644*2 " for r in range(1, 6))
    text = f"""~o <VECSIZE> 5 <STREAMINFO> 5 1 1 1 1 1 <DISCRETE> ~h "a" <BEGINHMM> <NUMSTATES> 3 <STATE> 2
    <NUMMIXES> 2 2 2 2 2 {streams} <TRANSP> 3 0 1 0 0 .5 .5 0 0 0 <ENDHMM>"""
    model = imported(tmp_path, text)
    with pytest.raises(ModelError, match="the model has 5 streams, and HTK reads 4; train one with fewer"):
        export_model(model, tmp_path / "again.mmf")


def test_the_models_are_not_named_as_what_stands_beside_them(trained, tmp_path):
    for name in ("dict.txt", "network.slf", "models.list", "words.dict"):
        with pytest.raises(ModelError, match=f"{name} is the name of another file that is written; choose another"):
            export_model(trained(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(trained, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        export_model(trained(), tmp_path / "file" / "models.mmf")


# Parameter files


def test_parameter_files_are_laid_out_as_the_recordings(tmp_path):
    for name in ("in/a.wav", "in/deep/a.flac", "b.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    targets = parameter_paths([tmp_path / "in", tmp_path / "b.wav", tmp_path / "in"], tmp_path / "out")
    expected = {"in/a.wav": "out/a.mfc", "in/deep/a.flac": "out/deep/a.mfc", "b.wav": "out/b.mfc"}
    assert targets == {tmp_path / source: tmp_path / target for source, target in expected.items()}


def test_two_recordings_for_one_place(tmp_path):
    for name in ("one/a.wav", "two/a.wav"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    with pytest.raises(CorpusError, match=r"two/a.wav and .*one/a.wav would both be written to .*a.mfc; rename one"):
        parameter_paths([tmp_path / "one", tmp_path / "two"], tmp_path / "out")
    (tmp_path / "three").mkdir()
    with pytest.raises(CorpusError, match="no audio in this folder"):
        parameter_paths([tmp_path / "three"], tmp_path / "out")


def test_the_period_of_a_file_is_kept_and_tells_the_times(tmp_path):
    model = small_model(["yes", "no"])
    vectors = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    results = {}
    for period in (0.005, 0.01, 0.02):
        source = tmp_path / f"{period}.mfc"
        parameter_files.write(source, Parameters(vectors, "USER", period))
        (found,) = Recognizer(model).recognize_files([source], threshold=0)
        results[period] = found.result
        assert found.result.duration == pytest.approx(40 * period)
        files = parameter_paths([source], tmp_path / "out")
        assert list(export_parameters(model, files)) == [None]
        assert observations(files[source])[2] == period
    first = results[0.01]
    assert 0 <= first.start < first.end <= first.duration
    frames = round(first.start / 0.01), round(first.end / 0.01)
    for period, result in results.items():
        assert (result.start, result.end) == pytest.approx((frames[0] * period, frames[1] * period))


# From HTK


def herest(hmms: dict[str, list], kind: str = "MFCC_D_A_0", weights=(0.4, 0.3, 0.2, 0.1)) -> str:
    """Definitions as HERest prints them: states of (means, variances), K x D each, by HMM."""

    def row(values) -> str:
        return "".join(f" {value:e}" for value in values)

    dims = next(iter(hmms.values()))[0][0].shape[1]
    lines = ["~o", f"<STREAMINFO> 1 {dims}", f"<VECSIZE> {dims}<NULLD><{kind}><DIAGC>"]
    lines += ['~v "varFloor1"', f"<VARIANCE> {dims}", row([0.01] * dims)]
    for name, states in hmms.items():
        count = len(states) + 2
        lines += [f'~h "{name}"', "<BEGINHMM>", f"<NUMSTATES> {count}"]
        for number, (means, variances) in enumerate(states, 2):
            lines += [f"<STATE> {number}", f"<NUMMIXES> {len(means)}"]
            for mixture, (mean, variance) in enumerate(zip(means, variances), 1):
                constant = dims * np.log(2 * np.pi) + np.log(variance).sum()
                lines += [f"<MIXTURE> {mixture} {weights[mixture - 1]:e}", f"<MEAN> {dims}", row(mean)]
                lines += [f"<VARIANCE> {dims}", row(variance), f"<GCONST> {constant:e}"]
        matrix = np.diag([0, *[0.6] * (count - 2), 0]) + np.diag([1, *[0.4] * (count - 2)], 1)
        lines += [f"<TRANSP> {count}", *map(row, matrix), "<ENDHMM>"]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def made_in_htk():
    """HMMs with 5, 5, 3 and 1 emitting states, 4 mixtures, and words spoken by them."""
    random = np.random.default_rng(8)
    hmms = {
        name: [
            (random.normal(random.normal(0, 3, 39), 1, (4, 39)), random.uniform(0.5, 3, (4, 39))) for _ in range(count)
        ]
        for name, count in {"one": 5, "two": 5, "three": 3, "sil": 3, "a": 1}.items()
    }
    spoken = {}
    for name in ("one", "two", "three", "a"):
        for take in range(4):
            frames = [
                random.normal(means[k], np.sqrt(variances[k]) * 2.5)
                for means, variances in hmms[name]
                for k in random.integers(0, 4, random.integers(1, 9))
            ]
            spoken[f"{name}_{take}"] = np.array([*frames, *frames[-4:]]).astype(np.float32)
    return hmms, spoken


def test_models_that_htk_trained(made_in_htk, tmp_path):
    """Words of several sizes, none of them with silence of its own, and files as HCopy writes them by default."""
    hmms, spoken = made_in_htk
    model = imported(tmp_path, herest(hmms))
    assert model.words == ("one", "two", "three", "a")
    assert model.front_end == GivenFeatures("MFCC_D_A_0", 39)
    assert model.acoustics.states == 5
    oracle = Mmf(tmp_path / "words.mmf")
    code = MFCC | CODES["0"] | CODES["D"] | CODES["A"]
    right = 0
    for name, vectors in spoken.items():
        file = tmp_path / f"{name}.mfc"
        file.write_bytes(hcopy(vectors, code))
        expected = {word: best_path([oracle.hmms[word]], observations(file)[0]) for word in model.words}
        assert scores(model, file) == pytest.approx(expected, rel=CLOSE)
        (result,) = Recognizer(model).recognize_files([file], threshold=0)
        assert result.result.word == max(expected, key=expected.get)
        right += result.result.word == name.partition("_")[0]
    assert right >= 12
    # And on to HTK again, where the silence stays out of the words.
    hvite, _ = exported(model, tmp_path / "again")
    for file in sorted(tmp_path.glob("*.mfc")):
        found = hvite.scores(file)
        assert found == pytest.approx(scores(model, file), rel=1e-6)
    assert [len(hvite.mmf.hmms[word].states) for word in model.words] == [5, 5, 3, 1]


def test_a_file_of_silence_alone(made_in_htk, tmp_path):
    hmms, _ = made_in_htk
    message = refusal(tmp_path, herest({"sil": hmms["sil"]}))
    assert message == "words.mmf: defines no word; give a file with an HMM for each, or another dictionary"


WORD = """~h "{name}" <BEGINHMM> <NUMSTATES> 4
<STATE> 2 <MEAN> 1 {mean} <VARIANCE> 1 1 <STATE> 3 <MEAN> 1 1 <VARIANCE> 1 1
<TRANSP> 4 {transitions} <ENDHMM>
"""
STRAIGHT = "0 1 0 0  0 .5 .5 0  0 0 .5 .5  0 0 0 0"


def words_of(*names: str, transitions: str = STRAIGHT) -> str:
    options = "~o <VECSIZE> 1 <USER>\n"
    return options + "".join(WORD.format(name=name, mean=n, transitions=transitions) for n, name in enumerate(names))


def test_a_word_that_may_go_back(tmp_path):
    with pytest.warns(RecognizerWarning) as caught:
        model = imported(tmp_path, words_of("yes", transitions="0 1 0 0  0 .5 .5 0  0 .2 .3 .5  0 0 0 0"))
    (warning,) = caught
    message = "'yes' may go back to earlier states (3 to 2), as words do not; it is decoded as it is"
    assert str(warning.message) == f"{tmp_path / 'words.mmf'}: {message}"
    vectors = np.array([[-3], [3], [-3], [3], [-3], [3]], np.float32)
    parameter_files.write(tmp_path / "a.mfc", Parameters(vectors, "USER", 0.01))
    expected = best_path([Mmf(tmp_path / "words.mmf").hmms["yes"]], vectors)
    assert scores(model, tmp_path / "a.mfc")["yes"] == pytest.approx(expected, rel=1e-6)
    straight = imported(tmp_path, words_of("yes"))
    assert scores(straight, tmp_path / "a.mfc")["yes"] < expected - 1


def test_a_word_that_can_be_passed(tmp_path):
    message = refusal(tmp_path, words_of("yes", transitions="0 .9 0 .1  0 .5 .5 0  0 0 .5 .5  0 0 0 0"))
    assert message == "words.mmf: 'yes' can be passed without a sound; set its transition from 1 to 4 to 0"


def test_a_transition_rounded_up(tmp_path):
    model = imported(tmp_path, words_of("yes", transitions="0 1.0005 0 0  0 1.0 .0005 0  0 0 .5 .5  0 0 0 0"))
    export_model(model, tmp_path / "again" / "m.mmf")
    assert len(Mmf(tmp_path / "again" / "m.mmf").hmms["yes"].states) == 2


def test_gaussians_in_several_streams(tmp_path):
    text = """~o <VECSIZE> 2 <STREAMINFO> 2 1 1 <USER> ~h "a" <BEGINHMM> <NUMSTATES> 3 <STATE> 2
    <STREAM> 1 <MEAN> 1 0 <VARIANCE> 1 1 <STREAM> 2 <MEAN> 1 0 <VARIANCE> 1 1
    <TRANSP> 3 0 1 0 0 .5 .5 0 0 0 <ENDHMM>"""
    assert refusal(tmp_path, text) == (
        "words.mmf: its Gaussians stand in 2 streams, and only of codebooks are several read; tie them to one "
        "codebook a stream (HHEd's TI)"
    )


def test_tied_mixtures_in_several_streams(tmp_path):
    """Codebooks of different sizes, as HTK's HHEd ties them."""
    gaussian = "<MEAN> {width} {values} <VARIANCE> {width} {values}"
    text = "~o <VECSIZE> 3 <STREAMINFO> 2 1 2 <MFCC_D>\n"
    for stream, (width, size) in enumerate(((1, 3), (2, 2)), 1):
        for n in range(1, size + 1):
            text += f'~m "mix_{stream}_{n}" ' + gaussian.format(width=width, values=f"{n / 2} " * width) + "\n"
    for name, weights in (("yes", (".2 .3 .5", ".9 .1")), ("no", (".5*2 0", ".1 .9"))):
        state = f'<NUMMIXES> 3 2 <STREAM> 1 <TMIX> "mix_1_" {weights[0]} <STREAM> 2 <TMIX> "mix_2_" {weights[1]}'
        text += f'~h "{name}" <BEGINHMM> <NUMSTATES> 4 <STATE> 2 {state} <STATE> 3 {state} '
        text += f"<TRANSP> 4 {STRAIGHT} <ENDHMM>\n"
    model = imported(tmp_path, text)
    vectors = np.random.default_rng(3).normal(1, 1, (8, 3)).astype(np.float32)
    parameter_files.write(tmp_path / "a.mfc", Parameters(vectors, "MFCC_D", 0.01))
    oracle = Mmf(tmp_path / "words.mmf")
    expected = {word: best_path([oracle.hmms[word]], vectors) for word in ("yes", "no")}
    assert scores(model, tmp_path / "a.mfc") == pytest.approx(expected, rel=1e-6)
    hvite, _ = exported(model, tmp_path / "again")
    assert hvite.scores(tmp_path / "a.mfc") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "widths", "apart"),
    [
        ("MFCC_E", (2, 1), True),
        ("MFCC_E_D", (4, 2), True),
        ("MFCC_0_D_N", (5, 1), True),
        ("MFCC_0_D", (2, 2, 2), True),
        ("MFCC_0_D_A", (2, 2, 2, 3), True),
        ("MFCC_E_D", (3, 3), False),
        ("MFCC_0_D_A", (2, 2, 2), False),
        ("MFCC_D", (2, 2), False),
        ("USER", (2, 2), False),
    ],
)
def test_energies_in_a_stream_of_their_own(tmp_path, kind, widths, apart):
    """Their stream's values are no neighbours in the files."""
    streams = " ".join(map(str, widths))
    text = f"~o <VECSIZE> {sum(widths)} <STREAMINFO> {len(widths)} {streams} <{kind}>\n"
    for r, width in enumerate(widths):
        values = f"{width} {'1 ' * width}"
        text += f"~m m{r}_1 <MEAN> {values} <VARIANCE> {values} ~m m{r}_2 <MEAN> {values} <VARIANCE> {values}\n"
    state = "".join(f"<STREAM> {r + 1} <TMIX> m{r}_ .5*2 " for r in range(len(widths)))
    text += f"~h a <BEGINHMM> <NUMSTATES> 3 <STATE> 2 <NUMMIXES>{' 2' * len(widths)} {state}"
    text += "<TRANSP> 3 0 1 0 0 .5 .5 0 0 0 <ENDHMM>"
    if apart:
        assert refusal(tmp_path, text) == (
            f"words.mmf: its {len(widths)} streams of kind {normalised_kind(kind)} set the energies apart, "
            "and only streams of neighbouring values are read; train it with other streams"
        )
    else:
        assert imported(tmp_path, text).front_end.dims == sum(widths)


def test_symbols_whose_file_tells_no_kind(tmp_path):
    text = f"""~o <VECSIZE> 1 ~h "a" <BEGINHMM> <NUMSTATES> 4
    <STATE> 2 <NUMMIXES> 2 <DPROB> 1644*2 <STATE> 3 <NUMMIXES> 2 <DPROB> 0 32767 <TRANSP> 4 {STRAIGHT} <ENDHMM>"""
    model = imported(tmp_path, text)
    assert model.front_end == GivenFeatures("DISCRETE", 1, symbols=2)
    parameter_files.write(tmp_path / "b.mfc", Parameters(np.array([[2], [7], [1]]), "DISCRETE", 0.01))
    beyond = "b.mfc: has symbols from 1 to 7, and the model knows 1 to 2; quantise with the model's codebook"
    with pytest.raises(AudioError, match=re.escape(beyond)):
        model.analyser.analyse_file(tmp_path / "b.mfc")
    parameter_files.write(tmp_path / "a.mfc", Parameters(np.array([[2], [1], [1]]), "DISCRETE", 0.01))
    expected = best_path([Mmf(tmp_path / "words.mmf").hmms["a"]], np.array([[2], [1], [1]]))
    assert scores(model, tmp_path / "a.mfc")["a"] == pytest.approx(expected, rel=CLOSE)


# The dictionary


def test_what_the_models_stand_for(tmp_path):
    dictionary = '\ufeffyes h1\n\n  "two words"  [] h2  \n\'say "hi"\' [hi] 0.5 h3\n语音 h4\n'
    dictionary += '"\\350\\257\\206" h5\nSENT-START [] sil\n'
    model = imported(tmp_path, words_of("h1", "h2", "h3", "h4", "h5", "h6", "sil"), dictionary)
    assert model.words == ("yes", "two words", 'say "hi"', "语音", "识")
    vectors = np.array([[3], [3], [1], [1]], np.float32)
    parameter_files.write(tmp_path / "a.mfc", Parameters(vectors, "USER", 0.01))
    (found,) = Recognizer(model).recognize_files([tmp_path / "a.mfc"], threshold=0)
    assert found.result.word == "语音"


def test_words_in_two_ways_to_write_a_letter_are_one(tmp_path):
    assert imported(tmp_path, words_of("h"), "cafe\u0301 h\n").words == ("café",)


@pytest.mark.parametrize(
    ("dictionary", "message"),
    [
        ("yes h1\nno h9\n", "dict, line 2: words.mmf has no HMM 'h9'; mend the line, or remove it"),
        ("yes h1\nyes h2\n", "dict: 'yes' stands for more than one HMM, and a word is one; rename or remove one"),
        ("yes h1\nno h1\n", "dict, line 2: the HMM 'h1' has a word above, 'yes'; remove one"),
        ("yes h1 h2\n", "dict, line 1: 'yes h1 h2' is not a word and its one HMM; mend it"),
        ("yes\n", "dict, line 1: 'yes' is not a word and its one HMM; mend it"),
        ('"yes h1\n', "dict, line 1: '\"yes h1' is not a word and its one HMM; mend it"),
        ('"" h1\n', "dict: '' is no word to be written; rename it"),
        ('"a\\012b" h1\n', "dict: 'a\\nb' is no word to be written; rename it"),
        ('"\\377" h1\n', "dict, line 1: '\"\\\\377\" h1' is not UTF-8 text; mend it"),
        ("", "words.mmf: defines no word; give a file with an HMM for each, or another dictionary"),
        ("SILENCE sil\n", "words.mmf: defines no word; give a file with an HMM for each, or another dictionary"),
    ],
)
def test_a_dictionary_that_does_not_fit(tmp_path, dictionary, message):
    assert refusal(tmp_path, words_of("h1", "h2", "sil"), dictionary) == message


def test_a_dictionary_that_cannot_be_read(tmp_path):
    (tmp_path / "words.mmf").write_text(words_of("yes"))
    (tmp_path / "latin").write_bytes(b"\xe4 yes\n")
    for name, reason in (
        ("none", "No such file or directory"),
        ("latin", "it is no UTF-8 text"),
        (".", "Is a directory"),
    ):
        with pytest.raises(ModelError) as error:
            import_model(tmp_path / "words.mmf", tmp_path / name)
        assert str(error.value) == (f"{tmp_path / name} cannot be read ({reason}); give a dictionary: word, then HMM")


def test_an_hmm_whose_name_is_no_word(tmp_path):
    assert refusal(tmp_path, words_of("a\\007b")) == "words.mmf: 'a\\x07b' is no word to be written; rename it"


# The course's example


def test_the_example_of_the_course_as_it_was_given(tmp_path):
    assert refusal(tmp_path, COURSE) == (
        "words.mmf, line 10, HMM: the exit, state 5, cannot be reached from states 2, 3 and 4: states 3 and 4 lead "
        "only to one another; give one of them a way out in <TRANSP>"
    )


@pytest.mark.parametrize("mixtures", [1, 4])
@pytest.mark.filterwarnings("ignore:.*may go back")
def test_the_example_of_the_course(tmp_path, mixtures):
    text = MENDED
    if mixtures > 1:
        parts = re.split(r"(<MEAN>.*)\n", text)
        parts[1::2] = [
            f"<NUMMIXES> {mixtures} " + " ".join(f"<MIXTURE> {m} {1 / mixtures} {part}" for m in range(1, mixtures + 1))
            for part in parts[1::2]
        ]
        text = "\n".join(parts)
    model = imported(tmp_path, text, name="proto.mmf")
    assert model.words == ("proto",)
    assert model.front_end == GivenFeatures("", 6), "it tells no kind, so any will do"
    vectors = np.random.default_rng(2).normal(0.5, 0.5, (12, 6)).astype(np.float32)
    parameter_files.write(tmp_path / "a.mfc", Parameters(vectors, "USER", 0.01))
    hvite, _ = exported(model, tmp_path / "again")
    (result,) = Recognizer(model).recognize_files([tmp_path / "a.mfc"], threshold=0)
    assert result.result.word == "proto"
    assert hvite.best(tmp_path / "a.mfc") == ("proto", pytest.approx(12 * result.result.nbest[0].score, rel=CLOSE))
    parameter_files.write(tmp_path / "b.mfc", Parameters(vectors, "MFCC_E_D", 0.01))
    (other,) = Recognizer(model).recognize_files([tmp_path / "b.mfc"], threshold=0)
    assert other.result == result.result
    (tmp_path / "b.mfc").unlink()
    (defined,) = parser.parse(text, "course").hmms
    assert len(hvite.mmf.hmms["proto"].states) == len(defined.states)
    assert audio_files([tmp_path]) == [tmp_path / "a.mfc"]
