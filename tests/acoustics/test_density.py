"""Every kind of density can be trained, decoded, adapted and kept; and nobody but its own module asks which it is."""

from __future__ import annotations

import ast
import inspect
import json
import warnings
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from synthetic import RATE, WORDS, record, say, write
from telling import after_told
from typer.testing import CliRunner
from weighing import each_once

from recognizer.acoustics import codebook, discrete, recursions
from recognizer.acoustics.chain import TOPOLOGIES, Chain
from recognizer.acoustics.density import KINDS, Density, alike, arrays_of, of_arrays
from recognizer.acoustics.gaussians import GaussianBank, Sizes
from recognizer.adaptation.choice import AdaptationData, Outcome, candidates, choose_method
from recognizer.adaptation.map import interpolate
from recognizer.adaptation.method import KINDS as METHODS
from recognizer.adaptation.method import Method, adapt
from recognizer.cli import app
from recognizer.errors import AdaptationError, ModelError, ProfileError, RecognizerWarning, TrainingError
from recognizer.evaluation.densities import draw
from recognizer.evaluation.densities import sizes as sizes_of
from recognizer.features import parameter_files
from recognizer.features.parameter_files import Parameters
from recognizer.htk.densities import to_htk
from recognizer.live.adapting import Adaptation
from recognizer.model import Model
from recognizer.parallel.here import Here
from recognizer.recognition.decoding import score_words
from recognizer.recognizer import Recognizer
from recognizer.speakers import store
from recognizer.speakers.enrolling import make_profile
from recognizer.speakers.profile import Profile
from recognizer.training import training
from recognizer.training.settings import TrainingSettings
from recognizer.training.training import accumulate, chunks_of, converge, train

EVERY = pytest.mark.parametrize("kind", KINDS)
PACKAGE = Path(codebook.__file__).parents[1]
GAUSSIANS = {"weights", "means", "variances"}

# Words that are ways through a space of three dimensions, one a stream

PLACES = 6.0 * np.array(
    [[(0, 0, 1), (1, 0, 0), (1, 1, 0)], [(1, 1, 0), (0, 1, 1), (0, 0, 1)], [(0, 1, 0), (0, 0, 0), (1, 1, 1)]]
)
SILENCE = np.array([-8.0, -8.0, -8.0])


def sizes(kind, **others):
    codebook_ = {} if kind == "continuous" else {"codebook": 12}
    chosen = {"states": 3, "density": kind, "mixtures": 2, "variance_floor": 0.05}
    return TrainingSettings(**{**chosen, "max_iterations": 8, "tolerance": 1e-4, **codebook_, **others})


def spoken(seed, words=3, takes=6, shift=0.0):
    """Features, words and spans of several takes of every word."""
    random = np.random.default_rng(seed)
    features, spans = [], []
    labels = np.repeat(np.arange(words), takes)
    for word in labels:
        durations = [3, *random.integers(2, 9, 3), 3]
        places = np.concatenate([SILENCE[None], PLACES[word], SILENCE[None]]).repeat(durations, 0)
        features.append(places + shift + random.normal(0, 1.5, places.shape))
        spans.append((3, len(places) - 3))
    return features, labels, spans


def trained(kind, seed=0, jobs=1, **others):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)  # there is little data
        return train(*spoken(seed), sizes(kind, **others), jobs=jobs)


def same(one, other):
    a, b = arrays_of(one.bank), arrays_of(other.bank)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    for a, b in zip(one.chain.matrices(), other.chain.matrices()):
        np.testing.assert_array_equal(a, b)


# The protocol

ASKED = {"log_density", "expect", "statistics", "update", "drop_starved", "take", "put", "gaussians", "with_gaussians"}
ASKED |= {"fault", "moments"}


@EVERY
def test_a_kind_has_all_that_the_protocol_asks_for(kind):
    density = trained(kind).bank
    assert type(density) is KINDS[kind]
    assert density.name == kind
    assert density.fitted_by <= {"map", "mllr", "cmllr"}
    assert density.dims == 3
    asked = [name for name, value in vars(Density).items() if inspect.isfunction(value) and not name.startswith("_")]
    assert set(asked) == ASKED  # and `start`: whatever else is done with a density has a room of its own
    for name in [*asked, "start"]:
        own, wanted = getattr(KINDS[kind], name), getattr(Density, name)
        names = [list(inspect.signature(method).parameters) for method in (own, wanted)]
        assert names[0] == names[1], name
    shares = density.expect(np.zeros((4, 3)))
    assert shares.log_density.shape == (10, 4)
    assert shares.shares(np.full((10, 4), 0.1)).shape[-1] == 4
    assert shares.statistics(np.full((10, 4), 0.1)).occupancy.shape == density.weights.shape
    assert density.statistics().occupancy.shape == density.weights.shape
    assert density.has_codebook == (density.weights.ndim == 3)
    for moment, least in zip(density.moments(np.array([9, 0, 0, 4])), (-np.inf, 0)):
        assert moment.shape == (4, 3)
        assert (moment > least).all()
        np.testing.assert_array_equal(moment[1], moment[2])
    if density.cells is not None:
        assert density.cells.shape == (*density.weights.shape[1:], density.dims)
        np.testing.assert_array_equal(density.symbols(density.cells.sum(0)), np.arange(12)[:, None].repeat(3, 1))


@EVERY
def test_other_rooms_know_every_kind(kind):
    density = trained(kind).bank
    assert draw(density, np.array([0, 9, 9]), np.random.default_rng(0)).shape == (3, 3)
    assert [moment.shape for moment in density.moments(np.arange(10))] == [(10, 3)] * 2
    assert all(isinstance(value, int) for value in sizes_of(density).values())
    for function in (draw, sizes_of, to_htk):
        with pytest.raises(NotImplementedError, match="object"):
            function(object(), *[None] * (2 * (function is draw)))


@EVERY
def test_gaussians_come_back_where_they_were(kind):
    density = trained(kind).bank
    for states in (slice(None), slice(0, -1)):
        gaussians, seen = density.gaussians(density.statistics(), states)
        assert gaussians.means.shape == seen.first_order.shape
        assert gaussians.weights.shape == seen.occupancy.shape
        back = density.with_gaussians(gaussians, states)
        for name, array in arrays_of(density).items():
            np.testing.assert_array_equal(arrays_of(back)[name], array)
        if "mllr" not in density.fitted_by:
            assert gaussians.means.size == 0
            continue
        moved = density.with_gaussians(replace(gaussians, means=gaussians.means + 1), states)
        np.testing.assert_allclose(moved.moments(states)[0], density.moments(states)[0] + 1)


@EVERY
def test_arrays_become_the_same_density(kind):
    density = trained(kind).bank
    arrays = arrays_of(density)
    assert list(arrays) == [f.name for f in fields(density)]
    back = of_arrays(dict(reversed(arrays.items())))
    assert type(back) is type(density)
    for name in arrays:
        assert arrays_of(back)[name] is arrays[name]
    for wrong in ({}, arrays | {"more": arrays["weights"]}, {"weights": arrays["weights"]}):
        with pytest.raises(KeyError):
            of_arrays(wrong)


def test_densities_are_alike_if_they_are_of_one_kind_and_size():
    densities = [trained(kind).bank for kind in KINDS]
    for i, one in enumerate(densities):
        for j, other in enumerate(densities):
            assert alike(one, other) == (i == j)
        assert alike(one, replace(one, weights=0.5 * one.weights))
        assert not alike(one, one.take(slice(0, -1)))


def damages(density):
    """Arrays of which one is damaged, with its name."""
    for name, array in arrays_of(density).items():
        yield name, np.full_like(array, np.nan)
        yield name, np.full_like(array, np.inf)
        yield name, array[..., :-1]
        yield name, array[:-1]
        yield name, array[0]
        yield name, array.ravel()
    yield "weights", density.weights * 0.5
    yield "weights", density.weights - 1
    for name in ("variances", "precision", "streams"):
        if name in arrays_of(density):
            yield name, -getattr(density, name)
            yield name, 0.0 * getattr(density, name) + (0.5 if name == "streams" else np.nan)


@EVERY
def test_damage_is_found(kind):
    density = trained(kind).bank
    assert density.fault(10, 3) is None
    for states, dims in ((9, 3), (10, 6), (11, 3)):
        assert density.fault(states, dims)
    count = 0
    for name, array in damages(density):
        fault = replace(density, **{name: array}).fault(10, 3)
        assert fault, (name, array.shape)
        assert fault.isprintable()
        count += 1
    assert count > 12


# Training


@EVERY
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_training_tells_words_apart(kind, topology):
    models = trained(kind, topology=topology)
    features, labels, _ = spoken(1)
    np.testing.assert_array_equal(score_words(models, features).argmax(1), labels)
    assert bool(models.chain.log_jumps) == (topology == "skip")
    assert models.least_frames == (1 if topology == "skip" else 3)
    for curve in models.history.values():
        assert curve[-1] > curve[0]


@pytest.mark.parametrize("kind", ["continuous", "semi-continuous"])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_no_step_of_training_lowers_the_likelihood(kind, topology):
    for seed in range(3):
        for curve in trained(kind, seed, topology=topology).history.values():
            assert (np.diff(curve) >= -1e-9).all()


@pytest.mark.parametrize("seed", range(3))
def test_no_step_of_training_lowers_the_posterior_of_a_discrete_density(seed):
    """With the prior of that step, for its frames fall as those of all states just did; the likelihood itself may."""
    features, labels, _ = spoken(seed)
    models, chunks = trained("discrete", seed, max_iterations=1), chunks_of(features, labels)

    def log_prior(weights, sums):
        overall = sums.occupancy.sum(0)
        return (discrete.PRIOR_FRAMES * overall / overall.sum(-1, keepdims=True) * np.log(weights)).sum()

    sums = accumulate(models, chunks, recursions.soft_posteriors)
    for _ in range(6):
        bank, chain = models.bank.update(sums, np.ones(3)), models.chain.update(sums.transition_counts)
        new = replace(models, bank=bank, chain=chain)
        new_sums = accumulate(new, chunks, recursions.soft_posteriors)
        before, after = (
            likelihood + log_prior(m.bank.weights, sums)
            for m, likelihood in ((models, sums.log_likelihood), (new, new_sums.log_likelihood))
        )
        assert after >= before - 1e-9
        models, sums = new, new_sums


@EVERY
def test_the_result_does_not_depend_on_the_processes(kind, monkeypatch):
    monkeypatch.setattr(training, "CHUNK_FRAMES", 60)
    same(trained(kind), trained(kind, jobs=Here(2)))


@EVERY
def test_converge_stops_where_nothing_is_gained(kind):
    features, labels, _ = spoken(0)
    models, chunks = trained(kind, max_iterations=20), chunks_of(features, labels)
    again = converge(models, chunks, "baum-welch", sizes(kind, tolerance=0.5), np.full(3, 0.1))
    assert len(again.history["baum-welch"]) == 2


@EVERY
def test_data_that_never_varies_can_be_trained_on(kind):
    features = [np.full((length, 3), 2.5) for length in (3, 5, 9)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecognizerWarning)
        models = train(features, np.array([0, 1, 1]), [(0, 3)] * 3, sizes(kind))
    assert np.isfinite(score_words(models, features)).all()
    assert models.bank.fault(7, 3) is None


def test_what_training_could_not_keep_is_told():
    random = np.random.default_rng(0)
    groups = [random.normal(0, 1, (size, 3)) for size in (60, 30, 13)]
    few = GaussianBank.start(each_once(groups), Sizes(4, None, np.full(3, 0.1)))
    assert sizes("continuous", mixtures=2).shortage(few) is None
    assert sizes("continuous", mixtures=4).shortage(few) == (
        "1 of 3 states keep fewer than 4 Gaussians (the least 2), for lack of recordings; record more or train with "
        "mixtures of 2"
    )
    for kind in ("semi-continuous", "discrete"):
        bank = KINDS[kind].start(each_once(groups), Sizes(1, 7, np.full(3, 0.1)))
        entries = bank.weights.shape[-1]
        for enough in (None, entries):
            assert sizes(kind, codebook=enough).shortage(bank) is None
        assert sizes(kind, codebook=entries + 1).shortage(bank) == (
            f"the codebook has {entries} entries, not {entries + 1}, for lack of frames; record more or train with a "
            f"codebook of {entries}"
        )


def test_a_codebook_is_not_for_every_density():
    with pytest.raises(TrainingError) as caught:
        trained("continuous", codebook=7)
    assert str(caught.value) == (
        "a codebook of 7 is for a semi-continuous or discrete density; leave it out, or choose such a density"
    )


# Adaptation


@EVERY
def test_a_method_is_chosen_where_words_have_several_takes(kind):
    """Every candidate is tried, constrained MLLR among them where it fits; none is chosen that harms."""
    models = trained(kind)
    features, labels, _ = spoken(5, takes=3, shift=1.5)
    data = AdaptationData(labels, [[f] for f in features], 1.0)
    base = Outcome(Method("none"), labels, score_words(models, features), data.frames)
    outcome, why = choose_method(models, data, base)
    assert why
    assert outcome.method.fits(models)
    assert outcome.gain(base)[0] >= 0
    tried = {method.kind for method in candidates(models, several=True)}
    assert tried == {"map"} if models.bank.fitted_by == {"map"} else "cmllr-map" in tried


@EVERY
@pytest.mark.parametrize("method", METHODS)
def test_a_method_fits_the_models_or_says_what_does(kind, method):
    models = trained(kind)
    features, labels, _ = spoken(5, takes=3, shift=1.5)
    chunks, chosen = chunks_of(features, labels), Method(method, "diagonal")
    known = {
        "continuous": METHODS,
        "semi-continuous": METHODS,
        "discrete": ("none", "map"),
    }
    if method not in known[kind]:
        with pytest.raises(AdaptationError) as caught:
            adapt(models, chunks, chosen)
        assert str(caught.value) == f"{method} cannot fit a discrete model to a speaker; use none, map"
        return
    own = adapt(models, chunks, chosen)
    assert own.bank.fault(10, 3) is None
    heard, said, _ = spoken(6, takes=4, shift=1.5)
    before, after = (score_words(m, heard)[np.arange(len(said)), said].sum() for m in (models, own))
    assert (after > before) == (method != "none")


@EVERY
def test_a_model_between_two_is_their_interpolation(kind):
    one, other = (trained(kind, seed).bank for seed in (0, 0))
    other = replace(other, weights=other.weights[..., ::-1].copy())
    between = interpolate(one, other, 0.25)
    np.testing.assert_allclose(between.weights, 0.25 * one.weights + 0.75 * other.weights)
    assert between.fault(10, 3) is None or kind == "continuous"
    for weight, whole in ((1.0, one), (0.0, other)):
        np.testing.assert_allclose(interpolate(one, other, weight).weights, whole.weights)


# From the command line to a profile

CASES = {"continuous": "skip", "semi-continuous": "left-right", "discrete": "skip"}


def options(kind):
    return [
        "--density",
        kind,
        "--topology",
        CASES[kind],
        *(["--mixtures", 1] if kind == "continuous" else ["--codebook", 24]),
    ]


@pytest.fixture(scope="module")
def files(recordings, tmp_path_factory):
    """A model of each kind, as `recognizer train` makes it."""
    folder = tmp_path_factory.mktemp("kinds")
    for kind in KINDS:
        arguments = ["train", recordings, "-o", folder / f"{kind}.npz", "--json", *options(kind)]
        outcome = CliRunner().invoke(app, [str(a) for a in arguments])
        assert (outcome.exit_code, after_told(outcome.stderr)) == (0, "")
    return {kind: folder / f"{kind}.npz" for kind in KINDS}


@EVERY
def test_what_train_makes_batch_can_use(kind, files, run, tmp_path):
    folder = record(tmp_path / "unheard", speakers=("eve",), takes=1)
    outcome = run("batch", folder, "--model", files[kind], "--json")
    assert (outcome.status, outcome.stderr) == (0, "")
    answers = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [answer["word"] for answer in answers] == [Path(answer["file"]).name.split("_")[0] for answer in answers]
    assert len(answers) == len(WORDS)
    shown = json.loads(run("models", "show", files[kind], "--json").stdout)
    assert shown["density"] == kind
    assert shown.items() >= sizes_of(Model.load(files[kind]).acoustics.bank).items()


@EVERY
def test_a_model_reads_the_parameter_files_that_were_exported_with_it(kind, files, run, tmp_path):
    """Those of a discrete model hold symbols: the same cells of its codebook, and so the same likelihoods."""
    folder = record(tmp_path / "unheard", speakers=("eve",), takes=1)
    for recordings, place in ((folder, "mfc"), (tmp_path / "mfc", "again")):
        outcome = run("export", files[kind], recordings, "--parameters", tmp_path / place)
        assert (outcome.status, outcome.stderr) == (0, "")
    mfc = sorted((tmp_path / "mfc").iterdir())
    assert {parameter_files.read(file).kind for file in mfc} == {"DISCRETE" if kind == "discrete" else "USER"}
    assert all(file.read_bytes() == (tmp_path / "again" / file.name).read_bytes() for file in mfc)
    heard, seen = (
        [json.loads(line) for line in run("batch", place, "--model", files[kind], "--json").stdout.splitlines()]
        for place in (folder, tmp_path / "mfc")
    )
    assert len(seen) == len(heard) == len(WORDS)
    for one, other in zip(heard, seen):
        assert Path(one["file"]).stem == Path(other["file"]).stem
        assert one["word"] == other["word"]
        scores = [{c["word"]: c["score"] for c in answer["nbest"]} for answer in (one, other)]
        assert scores[0] == pytest.approx(scores[1], abs=2e-4)  # printed with four digits
    aligned = [
        json.loads(run("align", file, "--model", files[kind], "--word", one["word"], "--json").stdout)
        for one, file in ((heard[0], heard[0]["file"]), (heard[0], mfc[0]))
    ]
    states = [[state["frames"] for state in answer["segments"]] for answer in aligned]
    assert states[0] == states[1]
    outcome = run("batch", mfc[0], "--model", files[kind], "--json", "--adapt")
    assert outcome.status == 1
    assert json.loads(outcome.stdout)["error"] == (
        f"{mfc[0]}: holds finished features, and this needs the sound; give the recording"
    )


def test_symbols_are_for_the_model_whose_they_are(files, run, tmp_path):
    def answers(symbols):
        parameter_files.write(tmp_path / "a.mfc", Parameters(np.array(symbols), "DISCRETE", 0.01))
        return {
            kind: json.loads(run("batch", tmp_path / "a.mfc", "--model", file, "--json").stdout)["error"]
            for kind, file in files.items()
        }

    cells = Model.load(files["discrete"]).acoustics.bank.cells.shape[1]
    found = answers([[1, 1, cells]] * 20)
    assert found.pop("discrete") is None
    assert set(found.values()) == {
        f"{tmp_path / 'a.mfc'}: 3 values a frame of kind DISCRETE, and the model needs 39 of kind USER; convert the "
        "file, or choose another --model"
    }
    assert answers([[1, 1, cells + 1]] * 20)["discrete"] == (
        f"{tmp_path / 'a.mfc'}: has symbols from 1 to {cells + 1}, and the model knows 1 to {cells}; quantise with the "
        "model's codebook"
    )
    assert answers([[1, 1]] * 20)["discrete"] == (
        f"{tmp_path / 'a.mfc'}: 2 values a frame of kind DISCRETE, and the model needs 3 of kind DISCRETE; convert the "
        "file, or choose another --model"
    )


@EVERY
def test_options_reach_the_model(kind, files):
    models = Model.load(files[kind]).acoustics
    assert type(models.bank) is KINDS[kind]
    assert bool(models.chain.log_jumps) == (CASES[kind] == "skip")
    if kind != "continuous":
        assert 16 <= models.bank.weights.shape[-1] <= 24


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--density", "wavy"], "density 'wavy' is not continuous, semi-continuous, discrete"),
        (["--topology", "ring"], "topology 'ring' is not left-right or skip"),
        (["--codebook", "7"], "a codebook of 7 is for a semi-continuous or discrete density; leave it out, or choose"),
        (["--codebook", "0"], "Invalid value for '--codebook'"),
        (["--codebook", "many"], "Invalid value for '--codebook'"),
    ],
)
def test_wrong_options_are_wrong_usage(wrong, message, run, recordings, tmp_path):
    outcome = run("train", recordings, "-o", tmp_path / "m.npz", *wrong)
    assert outcome.status == 2
    assert message in " ".join(outcome.stderr.replace("│", " ").split())
    assert not (tmp_path / "m.npz").exists()


@EVERY
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_model_comes_back_as_it_was_saved(kind, topology, files, tmp_path):
    model = Model.load(files[kind])
    models = model.acoustics
    chain = Chain.of_topology(len(model.words), models.states, topology, stay=0.7)
    model = replace(model, acoustics=replace(models, chain=chain))
    model.save(tmp_path / "m.npz")
    back = Model.load(tmp_path / "m.npz")
    same(back.acoustics, model.acoustics)
    assert back.fingerprint == model.fingerprint
    for name, array in arrays_of(models.bank).items():
        bank = replace(models.bank, **{name: np.nextafter(array, 9)})
        assert replace(model, acoustics=replace(model.acoustics, bank=bank)).fingerprint != model.fingerprint, name
    if topology == "skip":
        without = replace(chain, log_jumps={})
        assert replace(model, acoustics=replace(model.acoustics, chain=without)).fingerprint != model.fingerprint


@EVERY
def test_a_model_with_a_damaged_density_is_refused(kind, files, tmp_path):
    model = Model.load(files[kind])
    for name, array in arrays_of(model.acoustics.bank).items():
        broken = replace(model.acoustics.bank, **{name: np.full_like(array, np.nan)})
        replace(model, acoustics=replace(model.acoustics, bank=broken)).save(tmp_path / "m.npz")
        with pytest.raises(ModelError, match=r"is no working model \(the bank's .*\); train it again"):
            Model.load(tmp_path / "m.npz")


@EVERY
def test_a_speaker_is_enrolled(kind, files, home):
    model = Model.load(files[kind])
    for word in WORDS:
        write(store.take_path("eve", word), say(word, "eve", 50))
    enrollment, refused = make_profile("eve", model, kind)
    assert not refused
    assert enrollment.method.fits(model.acoustics)
    own = store.fitted(model, "eve")
    same(own.acoustics, enrollment.model.acoustics)
    recognizer = Recognizer(own)
    assert [recognizer.recognize(say(word, "eve", 60), RATE).word for word in WORDS] == list(WORDS)
    by_map, _ = make_profile("eve", model, kind, Method("map"))
    assert type(by_map.model.acoustics.bank) is KINDS[kind]
    fitted, base = (arrays_of(m.acoustics.bank) for m in (by_map.model, model))
    changed = {name for name in base if not np.array_equal(fitted[name], base[name])}
    assert changed == {"continuous": {"means", "variances"}, "discrete": {"weights"}}.get(kind, GAUSSIANS)
    for other in KINDS:
        if other != kind:
            bank = Model.load(files[other]).acoustics.bank
            foreign = replace(Profile.of(own, model, kind, {}), bank=bank)
            with pytest.raises(ProfileError, match="does not fit it"):
                foreign.apply(model)


@EVERY
def test_a_method_that_does_not_fit_is_refused_at_the_command_line(kind, files, run, tmp_path):
    folder = record(tmp_path / "takes", speakers=("eve",), takes=1)
    outcome = run("enroll", "eve", "--from", folder, "--model", files[kind], "--method", "mllr")
    if kind == "discrete":
        assert outcome.status == 1
        assert "mllr cannot fit a discrete model to a speaker; use none, map" in outcome.stderr
    else:
        assert outcome.status == 0


@EVERY
def test_recordings_without_labels_can_be_adapted_to(kind, files, run, tmp_path):
    folder = record(tmp_path / "unheard", speakers=("eve",), takes=2)
    outcome = run("batch", folder, "--model", files[kind], "--json", "--adapt")
    assert outcome.status == 0
    answers = [json.loads(line) for line in outcome.stdout.splitlines()]
    assert [answer["word"] for answer in answers] == [Path(answer["file"]).name.split("_")[0] for answer in answers]


@EVERY
def test_a_live_session_learns_or_says_that_it_cannot(kind, files):
    recognizer = Recognizer(Model.load(files[kind]))
    if kind == "discrete":
        with pytest.raises(AdaptationError) as caught:
            Adaptation(recognizer)
        assert str(caught.value) == ("a discrete model cannot learn from its answers; leave adaptation out, or enroll")
        return
    adaptation, samples = Adaptation(recognizer), say("rise", "eve", 60)
    assert adaptation.learn(samples, recognizer.recognize(samples, RATE))
    learned = adaptation.recognizer.model.acoustics.bank
    assert learned.fault(len(learned.weights), learned.dims) is None
    assert not np.array_equal(learned.means, recognizer.model.acoustics.bank.means)
    assert adaptation.undo() == "rise"
    assert adaptation.recognizer is recognizer


def test_a_live_session_with_a_discrete_model_tells_at_the_command_line(files, run, tmp_path):
    talk = write(tmp_path / "talk.wav", say("rise"))
    outcome = run("live", "--from-file", talk, "--fast", "--adapt", "--model", files["discrete"])
    assert outcome.status == 1
    assert "a discrete model cannot learn from its answers; leave --adapt out, or enroll" in outcome.stderr


# Nobody asks which kind it is

KIND_NAMES = set(KINDS)
CLASSES = {kind.__name__ for kind in KINDS.values()}
# By their whole path, so that no other module is excused by its name.
KNOWING = {f"acoustics/{name}.py" for name in ("density", "gaussians", "codebook", "tied", "discrete")}
KNOWING |= {"evaluation/densities.py", "htk/densities.py"}


def names_in(node):
    """Names and strings anywhere in an expression."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Constant):
            yield part.value


def questions(source):
    """Lines on which a program asks for the kind of a density."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            asked = CLASSES & {name for name in names_in(node) if isinstance(name, str)}
        elif isinstance(node, ast.Compare | ast.match_case):
            parts = [node.pattern] if isinstance(node, ast.match_case) else [node.left, *node.comparators]
            asked = (CLASSES | KIND_NAMES) & {n for part in parts for n in names_in(part) if isinstance(n, str)}
        elif isinstance(node, ast.FunctionDef) and any("register" in names_in(d) for d in node.decorator_list):
            asked = CLASSES & {name for part in (*node.decorator_list, node.args) for name in names_in(part)}
        else:
            continue
        if asked:
            yield getattr(node, "lineno", None) or node.pattern.lineno


@pytest.mark.parametrize(
    "source",
    [
        "isinstance(bank, GaussianBank)",
        "isinstance(bank, (int, codebook.TiedBank))",
        "issubclass(kind, DiscreteBank)",
        "type(bank) is TiedBank",
        "x = 1 if bank.__class__ == gmm.GaussianBank else 2",
        "type(bank).__name__ == 'GaussianBank'",
        "if settings.density == 'discrete': pass",
        "'continuous' != bank.name",
        "bank.name in ('semi-continuous', 'discrete')",
        "match bank.name:\n    case 'discrete':\n        pass",
        "match bank:\n    case TiedBank():\n        pass",
        "@sizes.register\ndef _(bank: TiedBank): pass",
        "@sizes.register(TiedBank)\ndef _(bank): pass",
    ],
)
def test_a_question_for_the_kind_is_noticed(source):
    assert list(questions(source))


@pytest.mark.parametrize(
    "source",
    ["density = 'continuous'", "GaussianBank(a, b, c)", "isinstance(x, str)", "'a' == b", "def f(b: TiedBank): pass"],
)
def test_other_lines_are_not_taken_for_one(source):
    assert not list(questions(source))


def test_nobody_asks_which_kind_a_density_is():
    read, known = 0, set()
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).as_posix()
        if place in KNOWING:
            known.add(place)
            continue
        lines = list(questions(file.read_text(encoding="utf-8")))
        assert not lines, f"{place} asks for the kind of a density on line {lines[0]}"
        read += 1
    assert read > 40
    assert known == KNOWING
