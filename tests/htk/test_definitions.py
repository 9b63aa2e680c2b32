"""HMM definitions: round trips of random ones, files in HTK's own formatting, a second reader, every bad input."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from recognizer.errors import ModelError, RecognizerWarning
from recognizer.htk.definitions import HMM, Definitions, Gaussians, State, Symbols, TiedWeights, printed, quoted
from recognizer.htk.parser import parse, parse_file, transition_fault

quick = settings(max_examples=60, deadline=None, derandomize=True)
DIGITS = 1e-8  # relative, of nine significant digits

COURSE = """<BEGINHMM> <NUMSTATES> 5
<STATE> 2 <MEAN> 6 0.1 0.2 0.3 0.8 0.4 0.4 <VARIANCE> 6 1.0 2.0 0.5 1.0 3.0 0.8
<STATE> 3 <MEAN> 6 0.3 0.2 0.4 0.7 0.5 0.6 <VARIANCE> 6 2.0 3.0 4.0 1.5 1.0 2.5
<STATE> 4 <MEAN> 6 0.2 0.2 0.4 0.9 0.7 0.8 <VARIANCE> 6 0.5 3.0 2.0 3.0 2.0 0.5
<TRANSP> 5
0.0 1.0 0.0 0.0 0.0
0.0 0.6 0.4 0.0 0.0
0.0 0.0 0.5 0.5 0.0
0.0 0.0 0.6 0.4 0.0
0.0 0.0 0.0 0.0 0.0
<ENDHMM>
"""
MENDED = COURSE.replace("0.0 0.0 0.6 0.4 0.0", "0.0 0.0 0.0 0.6 0.4")

SMALL = """~o <VECSIZE> 2 <NULLD> <MFCC> <DIAGC>
~h "one" <BEGINHMM>
<NUMSTATES> 3
<STATE> 2
<NUMMIXES> 2
<MIXTURE> 1 0.25
<MEAN> 2 1 2
<VARIANCE> 2 3 4
<MIXTURE> 2 0.75
<MEAN> 2 5 6
<VARIANCE> 2 7 8
<TRANSP> 3
0 1 0
0 0.5 0.5
0 0 0
<ENDHMM>
"""
TIED = """~o <VECSIZE> 2<NULLD><USER>
~m "cb1" <MEAN> 2 1 2 <VARIANCE> 2 3 4
~m "cb2" <MEAN> 2 5 6 <VARIANCE> 2 7 8
~m "cb3" <MEAN> 2 0 1 <VARIANCE> 2 1 1
~h "one" <BEGINHMM> <NUMSTATES> 3 <STATE> 2 <NUMMIXES> 3
<TMIX> cb 0.25*2 0.5
<TRANSP> 3 0 1 0  0 0.5 0.5  0 0 0 <ENDHMM>
"""
DISCRETE = """~o <DISCRETE> <STREAMINFO> 2 1 1 <VECSIZE> 2
~h "one" <BEGINHMM> <NUMSTATES> 3 <STATE> 2 <NUMMIXES> 4 2
<STREAM> 1 <DPROB> 2606*3 32767
<STREAM> 2 <DPROB> 0 32767
<TRANSP> 3 0 1 0  0 0.5 0.5  0 0 0 <ENDHMM>
"""


# Random definitions


def random_transitions(random, count):
    """With skips and steps back, and a way from every state to the exit."""
    matrix = np.where(random.random((count, count)) < 0.4, random.random((count, count)), 0)
    matrix[:, 0] = 0
    matrix[range(count - 1), range(1, count)] = random.uniform(0.1, 1, count - 1)
    if random.random() < 0.5:
        matrix[0, -1] = 0
    matrix[-1] = 0
    matrix[:-1] /= matrix[:-1].sum(1, keepdims=True)
    return matrix


def random_gaussians(random, mixtures, width):
    weights = random.dirichlet(np.ones(mixtures))
    weights[1:][random.random(mixtures - 1) < 0.2] = 0
    means = random.normal(0, 10.0 ** random.integers(-3, 4), (mixtures, width))
    return Gaussians(weights / weights.sum(), means, 10 ** random.uniform(-6, 6, (mixtures, width)))


def random_density(random, density, codebooks, stream, width):
    if density is Gaussians:
        return random_gaussians(random, int(random.integers(1, 5)), width)
    if density is TiedWeights:
        name = list(codebooks)[stream]
        weights = random.dirichlet(np.ones(len(codebooks[name].weights)))
        weights[: random.integers(0, len(weights))] = 0  # a run of equal ones
        return TiedWeights(name, weights / weights.sum())
    weights = random.dirichlet(np.ones(int(random.integers(2, 300)))) + 1e-5
    weights[: random.integers(0, len(weights))] = 0
    return Symbols(weights / weights.sum())


def random_definitions(seed, density, names):
    random = np.random.default_rng(seed)
    streams = int(random.integers(1, 4))
    widths = (1,) * streams if density is Symbols else tuple(map(int, random.integers(1, 70, streams)))
    codebooks = {}
    if density is TiedWeights:
        for stream, width in enumerate(widths):
            size = int(random.integers(1, 300))
            means = random.normal(size=(size, width))
            codebooks[f"{names[0]}{stream}_"] = Gaussians(np.full(size, 1 / size), means, np.exp(means))

    def state(name):
        return State(name, tuple(random_density(random, density, codebooks, s, w) for s, w in enumerate(widths)))

    shared = [state(f"{name} {i}") for i, name in enumerate(names)]
    hmms = []
    shared_matrices = {}
    for name in names:
        count = int(random.integers(3, 13))
        states = tuple(
            shared[random.integers(len(shared))] if random.random() < 0.4 else state(None) for _ in range(count - 2)
        )
        macro, matrix = None, random_transitions(random, count)
        if random.random() < 0.5:
            macro = f"{names[0]}{count}"
            matrix = shared_matrices.setdefault(macro, matrix)
        hmms.append(HMM(name, states, matrix, macro))
    kind = "DISCRETE" if density is Symbols else str(random.choice(["MFCC_E_D_A_Z", "USER", "PLP_0"]))
    return Definitions(kind, widths, tuple(hmms), codebooks)


names = st.lists(
    st.text(
        st.sampled_from("ab \"'\\<>~*123_前进é\n\t") | st.characters(codec="utf-8", exclude_characters="\0"), min_size=1
    ),
    min_size=1,
    max_size=4,
    unique=True,
)
densities = st.sampled_from([Gaussians, TiedWeights, Symbols])


def assert_same_density(found, expected, tolerance):
    assert type(found) is type(expected)
    if isinstance(expected, Symbols):
        one = np.log(found.probabilities[expected.probabilities > 0])
        np.testing.assert_allclose(one, np.log(expected.probabilities[expected.probabilities > 0]), atol=0.51 / 2371.8)
        assert not found.probabilities[expected.probabilities == 0].any()
    elif isinstance(expected, TiedWeights):
        assert found.codebook == expected.codebook
        np.testing.assert_allclose(found.weights, expected.weights, rtol=tolerance)
    else:
        used = expected.weights > 0
        np.testing.assert_allclose(found.weights, expected.weights[used], rtol=tolerance)
        np.testing.assert_allclose(found.means, expected.means[used], rtol=tolerance)
        np.testing.assert_allclose(found.variances, expected.variances[used], rtol=tolerance)


def assert_same(found, expected):
    assert found.kind == expected.kind
    assert found.widths == expected.widths
    assert [hmm.name for hmm in found.hmms] == [hmm.name for hmm in expected.hmms]
    shared = {}
    for one, other in zip(found.hmms, expected.hmms):
        assert one.transition_name == other.transition_name
        np.testing.assert_allclose(one.transitions, other.transitions, rtol=DIGITS)
        assert [state.name for state in one.states] == [state.name for state in other.states]
        for a, b in zip(one.states, other.states):
            assert a.name is None or shared.setdefault(a.name, a) is a
            for x, y in zip(a.streams, b.streams, strict=True):
                assert_same_density(x, y, DIGITS)
    for name, codebook in found.codebooks.items():
        np.testing.assert_allclose(codebook.means, expected.codebooks[name].means, rtol=DIGITS)
        np.testing.assert_allclose(codebook.variances, expected.codebooks[name].variances, rtol=DIGITS)
        np.testing.assert_allclose(codebook.weights, 1 / len(codebook.weights))


@pytest.mark.slow
@quick
@given(st.integers(0, 2**32 - 1), densities, names)
def test_what_is_printed_is_parsed(seed, density, names):
    definitions = random_definitions(seed, density, names)
    text = printed(definitions)
    again = parse(text, "printed")
    assert_same(again, definitions)
    assert printed(again) == text
    assert text.isascii()
    assert max(map(len, text.splitlines())) < 2000


@settings(quick, max_examples=40)
@given(st.integers(0, 2**32 - 1), densities, names)
def test_case_and_line_breaks_mean_nothing(seed, density, names):
    text = printed(random_definitions(seed, density, names))
    words = re.findall(r'"(?:\\.|[^"\\])*"|<[^>]*>|~.|[^\s<~]+', text)
    random = np.random.default_rng(seed)
    case = [word.lower() if word.startswith("<") and random.random() < 0.5 else word for word in words]
    spaces = random.choice([" ", "\n", "\r\n", "\t \n\n"], len(words))
    assert printed(parse("".join(map(str.__add__, case, spaces)), "other")) == text


# A second reader, by the rules of Julius' rdhmmdef*.c: tokens are delimited by space and angle brackets, keywords
# compare without case; what it demands of order and presence is demanded here.


class SecondReader:
    def __init__(self, text):
        tokens = re.findall(r'"(?:[^"]|"(?![\s<>]|$))*"|[^\s<>]+', text)
        self.tokens = [token.strip('"') if token.startswith('"') else token for token in tokens]
        self.place, self.macros, self.hmms, self.gaussians = 0, {}, {}, []
        while self.place < len(self.tokens):
            kind = self.next()
            assert kind in ("~o", "~t", "~s", "~m", "~h")
            if kind == "~o":
                self.options()
                continue
            name = self.next()
            reader = {"~t": self.matrix, "~s": self.state, "~m": self.gaussian, "~h": self.hmm}[kind]
            (self.hmms if kind == "~h" else self.macros)[kind, name] = reader()

    def current(self, *words):
        return self.place < len(self.tokens) and self.tokens[self.place].upper() in words

    def next(self, *expected):
        token = self.tokens[self.place]
        self.place += 1
        assert not expected or token.upper() in expected
        return token

    def vector(self, count):
        return [float(self.next()) for _ in range(count)]

    def options(self):
        self.next("STREAMINFO")
        self.widths = [int(self.next()) for _ in range(int(self.next()))]
        self.next("VECSIZE")
        assert int(self.next()) == sum(self.widths)
        self.next("NULLD")
        self.kind = self.next()
        self.next("DIAGC")

    def matrix(self):
        if self.current("~T"):
            self.next()
            return self.macros["~t", self.next()]
        self.next("TRANSP")
        count = int(self.next())
        return np.array([self.vector(count) for _ in range(count)])

    def gaussian(self):
        self.next("MEAN")
        mean = self.vector(int(self.next()))
        self.next("VARIANCE")
        variance = self.vector(int(self.next()))
        self.next("GCONST")
        self.gaussians.append((mean, variance, float(self.next())))
        return mean, variance

    def state(self):
        if self.current("~S"):
            self.next()
            return self.macros["~s", self.next()]
        sizes = None
        if self.current("NUMMIXES"):
            self.next()
            sizes = [int(self.next()) for _ in self.widths]
        streams = []
        for number in range(1, len(self.widths) + 1):
            if self.current("STREAM"):
                self.next()
                assert int(self.next()) == number
            else:
                assert len(self.widths) == 1
            streams.append(self.density(sizes and sizes[number - 1]))
        return streams

    def density(self, size):
        if self.current("TMIX"):
            self.next()
            book = self.next()
            weights = []
            while len(weights) < (size or 1):
                weight, _, times = self.next().partition("*")
                weights += [float(weight)] * int(times or 1)
            return [(w, *self.macros["~m", f"{book}{n}"]) for n, w in enumerate(weights, 1)]
        if size is None:
            return [(1.0, *self.gaussian())]
        mixtures = []
        for number in range(1, size + 1):
            self.next("MIXTURE")
            assert int(self.next()) == number
            mixtures.append((float(self.next()), *self.gaussian()))
        return mixtures

    def hmm(self):
        self.next("BEGINHMM")
        self.next("NUMSTATES")
        count = int(self.next())
        states = []
        while self.current("STATE"):
            self.next()
            assert int(self.next()) == len(states) + 2
            states.append(self.state())
        assert len(states) == count - 2
        transitions = self.matrix()
        self.next("ENDHMM")
        return states, transitions


@settings(quick, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([Gaussians, TiedWeights]))
def test_a_second_reader_finds_the_same(seed, density):
    definitions = random_definitions(seed, density, ["one", "two", "three"])
    reader = SecondReader(printed(definitions))
    assert reader.widths == list(definitions.widths)
    assert reader.kind == definitions.kind
    for hmm in definitions.hmms:
        states, transitions = reader.hmms["~h", hmm.name]
        np.testing.assert_allclose(transitions, hmm.transitions, rtol=DIGITS)
        for state, expected in zip(states, hmm.states, strict=True):
            for mixtures, stream in zip(state, expected.streams, strict=True):
                weights, means, variances = map(np.array, zip(*mixtures))
                if density is TiedWeights:
                    codebook = definitions.codebooks[stream.codebook]
                    stream = Gaussians(stream.weights, codebook.means, codebook.variances)
                    used = slice(None)
                else:
                    used = stream.weights > 0
                np.testing.assert_allclose(weights, stream.weights[used], rtol=DIGITS)
                np.testing.assert_allclose(means, stream.means[used], rtol=DIGITS)
                np.testing.assert_allclose(variances, stream.variances[used], rtol=DIGITS)
    for mean, variance, constant in reader.gaussians:  # ln N(mean) = -GCONST / 2
        assert constant == pytest.approx(-2 * norm.logpdf(mean, mean, np.sqrt(variance)).sum(), rel=1e-8, abs=1e-8)


# Files as HTK writes them, or as people do


def test_a_file_in_the_formatting_of_htk():
    text = """~o
<STREAMINFO> 1 3
<VECSIZE> 3<NULLD><MFCC_D_A_0><DIAGC>
~v "varFloor1"
<VARIANCE> 3
 1.000000e-02 0.000000e+00 1.000000e-02
~r "tree"
<REGTREE> 2
<NODE> 1 2 3
<TNODE> 2 1 1
~t "T_a"
<TRANSP> 4
 0.000000e+00 1.000000e+00 0.000000e+00 0.000000e+00
 0.000000e+00 6.000000e-01 4.000000e-01 0.000000e+00
 0.000000e+00 0.000000e+00 7.000000e-01 3.000000e-01
 0.000000e+00 0.000000e+00 0.000000e+00 0.000000e+00
~s "ST_1"
<NUMMIXES> 2
<MIXTURE> 1 4.000000e-01
<RCLASS> 1
<MEAN> 3
 1.000000e+00 2.000000e+00 3.000000e+00
<VARIANCE> 3
 1.000000e+00 1.000000e+00 2.000000e+00
<GCONST> 6.206777e+00
<MIXTURE> 2 6.000000e-01
<MEAN> 3
 -1.000000e+00 0.000000e+00 5.000000e-01
<VARIANCE> 3
 1.000000e+00 1.000000e+00 1.000000e+00
<GCONST> 5.513631e+00
~h "a"
<BEGINHMM>
<NUMSTATES> 4
<STATE> 2
~s "ST_1"
<STATE> 3
<MEAN> 3
 4.000000e+00 5.000000e+00 6.000000e+00
<VARIANCE> 3
 7.000000e+00 8.000000e+00 9.000000e+00
<GCONST> 1.173704e+01
~t "T_a"
<ENDHMM>
~h "b-a+c"
<BEGINHMM>
<NUMSTATES> 4
<STATE> 2
~s "ST_1"
<STATE> 3
~s "ST_1"
~t "T_a"
<ENDHMM>
"""
    definitions = parse(text, "macros")
    assert definitions.kind == "MFCC_D_A_0"
    assert definitions.widths == (3,)
    one, other = definitions.hmms
    assert (one.name, other.name) == ("a", "b-a+c")
    assert one.transition_name == other.transition_name == "T_a"
    assert one.transitions is other.transitions
    np.testing.assert_array_equal(one.transitions[1], [0, 0.6, 0.4, 0])
    assert one.states[0] is other.states[0] is other.states[1]
    assert [state.name for state in one.states] == ["ST_1", None]
    (shared,), (single,) = one.states[0].streams, one.states[1].streams
    np.testing.assert_array_equal(shared.weights, [0.4, 0.6])
    np.testing.assert_array_equal(shared.means, [[1, 2, 3], [-1, 0, 0.5]])
    np.testing.assert_array_equal(shared.variances, [[1, 1, 2], [1, 1, 1]])
    np.testing.assert_array_equal(single.weights, [1])
    np.testing.assert_array_equal(single.means, [[4, 5, 6]])
    np.testing.assert_array_equal(single.variances, [[7, 8, 9]])
    lines = printed(definitions).splitlines()
    assert lines[:4] == ["~o", "<STREAMINFO> 1 3", "<VECSIZE> 3<NULLD><MFCC_D_A_0><DIAGC>", '~t "T_a"']
    macros = [line for line in lines if line.startswith("~")]
    assert macros[:6] == ["~o", '~t "T_a"', '~s "ST_1"', '~h "a"', '~s "ST_1"', '~t "T_a"']
    assert macros[6:] == ['~h "b-a+c"', '~s "ST_1"', '~s "ST_1"', '~t "T_a"']


def test_macros_of_every_part():
    text = """~o <vecsize> 4 <streaminfo> 2 1 3 <nulld> <user>
    ~u m <mean> 1 5 ~v "v" <variance> 1 2 ~m 'x y' ~u m ~v v ~w w <SWEIGHTS> 2 1 1.0
    ~s s <NumMixes> 1 2 ~w w <STREAM> 2 <mixture> 2 .5 <mean> 3 1 2 3 <invcovar> 3 1 0 0 2 0 4
    <mixture> 1 5e-1 <mean> 3 0 0 0 <invcovar> 3 1 2 4 <stream> 1 ~m 'x y'
    ~h h <BeginHMM> <NumStates> 3 <state> 2 ~s s <transp> 3 0 1 0 0 0 1 0 0 0 <EndHMM>"""
    definitions = parse(text, "macros")
    first, second = definitions.hmms[0].states[0].streams
    np.testing.assert_array_equal(first.means, [[5]])
    np.testing.assert_array_equal(first.variances, [[2]])
    np.testing.assert_array_equal(second.means, [[0, 0, 0], [1, 2, 3]])
    np.testing.assert_array_equal(second.variances, [[1, 0.5, 0.25], [1, 0.5, 0.25]])
    assert definitions.widths == (1, 3)


def test_options_in_the_model():
    text = MENDED.replace("<NUMSTATES> 5", "<VECSIZE> 6 <NULLD> <MFCC_0_D> <HMMSETID> abc <NUMSTATES> 5 <DIAGC>")
    assert parse(text, "x").kind == "MFCC_D_0"


@pytest.mark.parametrize("mixtures", [1, 4])
def test_the_example_of_the_course(mixtures):
    text = MENDED
    if mixtures > 1:
        parts = re.split(r"(<MEAN>.*)\n", text)
        parts[1::2] = [
            f"<NUMMIXES> {mixtures} "
            + " ".join(f"<MIXTURE> {m} {1 / mixtures} {part}" for m in range(1, mixtures + 1))
            + "\n"
            for part in parts[1::2]
        ]
        text = "".join(parts)
    definitions = parse(text, "course")
    (hmm,) = definitions.hmms
    assert (hmm.name, definitions.kind, definitions.widths, len(hmm.states)) == (None, "", (6,), 3)
    np.testing.assert_allclose(hmm.states[2].streams[0].means, [[0.2, 0.2, 0.4, 0.9, 0.7, 0.8]] * mixtures)
    np.testing.assert_allclose(hmm.states[1].streams[0].variances, [[2.0, 3.0, 4.0, 1.5, 1.0, 2.5]] * mixtures)
    assert hmm.states[0].streams[0].weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(hmm.transitions[3], [0, 0, 0, 0.6, 0.4])
    again = printed(definitions)
    assert "<USER>" in again  # HTK takes no file that does not tell
    assert printed(parse(again, "again")) == again


def test_the_example_of_the_course_as_it_was_given():
    assert refused(COURSE) == (
        "f.mmf, line 10, HMM: the exit, state 5, cannot be reached from states 2, 3 and 4: states 3 and 4 lead only to "
        "one another; give one of them a way out in <TRANSP>"
    )


def test_tied_mixtures():
    definitions = parse(TIED, "tied")
    (density,) = definitions.hmms[0].states[0].streams
    assert density.codebook == "cb"
    np.testing.assert_array_equal(density.weights, [0.25, 0.25, 0.5])
    np.testing.assert_array_equal(definitions.codebooks["cb"].means, [[1, 2], [5, 6], [0, 1]])
    np.testing.assert_array_equal(definitions.codebooks["cb"].weights, [1 / 3] * 3)
    assert '<TMIX> "cb"\n 2.50000000e-01*2 5.00000000e-01\n' in printed(definitions)


def test_discrete_probabilities():
    definitions = parse(DISCRETE, "discrete")
    one, other = definitions.hmms[0].states[0].streams
    np.testing.assert_allclose(one.probabilities, [1 / 3, 1 / 3, 1 / 3, 0], rtol=1e-3)
    np.testing.assert_array_equal(other.probabilities, [1, 0])
    text = printed(definitions)
    assert text.startswith("~o\n<STREAMINFO> 2 1 1\n<VECSIZE> 2<NULLD><DISCRETE><DIAGC>\n")
    assert "<NUMMIXES> 4 2\n<STREAM> 1\n<DPROB>\n 2606*3 32767\n<STREAM> 2\n<DPROB>\n 0 32767\n" in text


def test_runs_are_no_longer_than_htk_writes_them():
    symbols = Symbols(np.array([*[1 / 600] * 600, 0.0]))
    hmm = HMM("a", (State(None, (symbols,)),), np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0.0]]), None)
    code = round(np.log(600) * 2371.8)
    assert f"<DPROB>\n {code}*255 {code}*255 {code}*90 32767\n" in printed(Definitions("", (1,), (hmm,)))


def test_components_of_no_weight_are_left_out():
    density = Gaussians(np.array([0.25, 0, 0.75]), np.arange(3.0)[:, None], np.ones((3, 1)))
    hmm = HMM("a", (State(None, (density,)),), np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0.0]]), None)
    text = printed(Definitions("USER", (1,), (hmm,)))
    assert re.findall(r"<NUMMIXES> .*|<MIXTURE> .*", text) == [
        "<NUMMIXES> 2",
        "<MIXTURE> 1 2.50000000e-01",
        "<MIXTURE> 2 7.50000000e-01",
    ]
    zero = SMALL.replace("0.25", "0").replace("0.75", "1")
    np.testing.assert_array_equal(parse(zero, "x").hmms[0].states[0].streams[0].weights, [0, 1])


@pytest.mark.parametrize(
    ("name", "as_htk_writes_it"),
    [
        ("sil", '"sil"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("é", r'"\303\251"'),
        ("前", r'"\345\211\215"'),
        ("a b<c>~h", '"a b<c>~h"'),
        ("a\nb", r'"a\012b"'),
        ("é1", r'"\303\2511"'),
    ],
)
def test_names(name, as_htk_writes_it):
    assert quoted(name) == as_htk_writes_it
    for text in (as_htk_writes_it, as_htk_writes_it.replace('\\"', '"').replace('"', "'", 1)[:-1] + "'"):
        assert parse(SMALL.replace('"one"', text), "x").hmms[0].name == name


@pytest.mark.parametrize(("text", "name"), [(r"\345\211\215x", "前x"), ("前", "前"), (r"a\ b", "a b"), ("a'b", "a'b")])
def test_names_without_quotes(text, name):
    assert parse(SMALL.replace('"one"', text), "x").hmms[0].name == name


# Bad input


def refused(text):
    with pytest.raises(ModelError) as caught:
        parse(text, "f.mmf")
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith("f.mmf, line ")
    assert ": " in message
    return message


IN_STATE = ", HMM 'one', state 2: "


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0 0.5 0.5", "0 0.5 0.4", "line 15, HMM 'one': row 2 of <TRANSP> adds up to 0.9 instead of 1; correct it"),
        ("0 1 0\n", "0 0 0\n", "row 1 of <TRANSP> adds up to 0 instead of 1"),
        ("0 0 0\n", "0 0 1\n", "the last row of <TRANSP> is of the exit, state 3, which nothing leaves; set it"),
        ("0 0.5 0.5", "0.5 0 0.5", "row 2 of <TRANSP> leads back to the entry, state 1; set its first value to 0"),
        ("0 0.5 0.5", "0 -0.5 1.5", "row 2 of <TRANSP> holds -0.5, less than 0"),
        ("0 0.5 0.5", "0 1 0", "from state 2: state 2 leads only to itself; give it a way out in <TRANSP>"),
        ("<TRANSP> 3", "<TRANSP> 2", "<TRANSP> 2 needs 4 numbers, found 9; correct it"),
        ("<NUMSTATES> 3", "<NUMSTATES> 2", "line 3, HMM 'one': <NUMSTATES> is 2; need at least 3"),
        ("<NUMSTATES> 3", "", "found <STATE> where <NUMSTATES> belongs; correct it"),
        ("<NUMSTATES> 3", "<NUMSTATES> 4", "<NUMSTATES> is 4 but state 3 is missing; define all"),
        ("<NUMSTATES> 3", "<NUMSTATES> 6", "<NUMSTATES> is 6 but states 3, 4 and 5 are missing; define all"),
        ("<NUMSTATES> 3", "<NUMSTATES> 3000", "states 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2988 others are missing"),
        ("<NUMSTATES> 3", "<NUMSTATES> 99999", "'99999' after <NUMSTATES> is no whole number up to 32767"),
        ("<STATE> 2", "<STATE> 3", "<STATE> 3 is out of range; <NUMSTATES> 3 has 2 to 2"),
        ("<STATE> 2", "<STATE> -2", "'-2' after <STATE> is no whole number up to 32767"),
        ("<TRANSP>", "<STATE> 2 <MEAN> 2 1 1 <VARIANCE> 2 1 1 <TRANSP>", "state 2 is defined twice; remove one"),
        ("<VARIANCE> 2 7 8", "<VARIANCE> 2 7 0", IN_STATE + "variance 2 of 2 is 0; all must be over 0, train again"),
        ("<VARIANCE> 2 7 8", "<VARIANCE> 2 -7 8", IN_STATE + "variance 1 of 2 is -7; all must be over 0"),
        ("<VARIANCE> 2 7 8", "<INVCOVAR> 2 7 1 8", "<INVCOVAR> has values off the diagonal: only diagonal"),
        ("<VARIANCE> 2 7 8", "<INVCOVAR> 2 7 0", "<INVCOVAR> holds 0 on the diagonal; all must be over 0"),
        ("<VARIANCE> 2 7 8", "<INVCOVAR> 2 7 1e-320", "<INVCOVAR> holds 9.99989e-321 on the diagonal"),
        ("<VARIANCE> 2 7 8", "<INVCOVAR> 2", "<INVCOVAR> 2 needs 3 numbers, found 0"),
        ("<VARIANCE> 2 7 8", "<VARIANCE> 3 7 8 9", "the mean has 2 values, the variance 3; correct one"),
        ("<VARIANCE> 2 7 8", "<LLTCOVAR> 2 7 0 8", "<LLTCOVAR> is not supported: only diagonal covariances are read"),
        ("<VARIANCE> 2 7 8", "<XFORM> 2 2 1 0 0 1", "<XFORM> is not supported"),
        ("<VARIANCE> 2 7 8", "~i x", "~i is not supported: only diagonal covariances are read; convert the models"),
        ("<VARIANCE> 2 7 8", "~v x", "there is no macro ~v 'x' before this line; define it further up"),
        ("<VARIANCE> 2 7 8", "", "found <TRANSP> where <VARIANCE> or <INVCOVAR> or ~v belongs; correct it"),
        ("<MEAN> 2 5 6", "<MEAN> 2 5", "line 10" + IN_STATE + "<MEAN> 2 needs 2 numbers, found 1; correct it"),
        ("<MEAN> 2 5 6", "<MEAN> 2 5 6 7", "<MEAN> 2 needs 2 numbers, found 3"),
        ("<MEAN> 2 5 6", "<MEAN>", "<MEAN> needs 1 number, found 0"),
        ("<MEAN> 2 5 6", "<MEAN> 2 5 nan", "<MEAN> holds nan, which is not a finite number in single"),
        ("<MEAN> 2 5 6", "<MEAN> 2 5 -1e999", "<MEAN> holds -1e999, which is not a finite number"),
        ("<MEAN> 2 5 6", "<MEAN> 2 5 4e38", "<MEAN> holds 4e38, which is not a finite number in single precision"),
        ("<MEAN> 2 5 6", "<MEAN> 2 5 1.#QNAN", "'1.#QNAN' in <MEAN> is not a number"),
        ("<MEAN> 2 5 6", "<MEAN> 2 5 1_0", "'1_0' in <MEAN> is not a number"),
        ("<MEAN> 2 5 6", "<MEEN> 2 5 6", "unknown keyword <MEEN> where <MEAN> or ~u belongs; correct it"),
        ("<MEAN> 2 5 6\n<VARIANCE> 2", "<MEAN> 1 5\n<VARIANCE> 1 7 ", "<VARIANCE> 1 needs 1 number, found 3"),
        ("<MEAN> 2 5 6\n<VARIANCE> 2 7", "<MEAN> 1 5\n<VARIANCE> 1", "means of different lengths [1, 2]; correct them"),
        ("<MEAN> 2 5 6\n<VARIANCE> 2 7 8", "<MEAN> 0 <VARIANCE> 0", "the mean has no values; give one or more"),
        ("<MEAN> 2 5 6", "~u x", "there is no macro ~u 'x' before this line"),
        ("<MIXTURE> 2", "<MIXTURE> 1", "mixture 1 is defined twice; remove one"),
        ("<MIXTURE> 2", "<MIXTURE> 3", "<MIXTURE> 3 is out of range; <NUMMIXES> is 2"),
        ("<MIXTURE> 2 0.75", "<MIXTURE> 2", "<MIXTURE> needs 2 numbers, found 1"),
        ("0.75", "0.7", "the weights of the mixtures add up to 0.95 instead of 1; correct them"),
        ("0.75", "-0.75", "the weights of the mixtures include -0.75, less than 0"),
        (
            "<NUMMIXES> 2\n<MIXTURE> 1 0.25",
            "<NUMMIXES> 4\n<MIXTURE> 1 0.2",
            "<NUMMIXES> is 4 but mixtures 3 and 4 are missing; define all",
        ),
        ("<NUMMIXES> 2", "", "<MIXTURE> 2 is out of range; <NUMMIXES> is 1"),
        ("<NUMMIXES> 2", "<NUMMIXES> 2 2", "<NUMMIXES> needs 1 number, one a stream, not 2"),
        ("<NUMMIXES> 2", "<NUMMIXES> 0", "<NUMMIXES> is 0; need 1 or more"),
        ("<NUMMIXES> 2", "<NUMMIXES> two", "'two' after <NUMMIXES> is no whole number"),
        ("<NUMMIXES> 2", "<NUMMIXES> 2 <SWEIGHTS> 1 0.5", "stream weights other than 1 ([0.5]) are not supported; set"),
        ("<NUMMIXES> 2", "<NUMMIXES> 2 <STREAM> 2", "<STREAM> 2 is out of range; there are 1"),
        ("<TRANSP>", "<STREAM> 1 <MEAN> 2 1 1 <VARIANCE> 2 1 1 <TRANSP>", "stream 1 is defined twice; remove one"),
        ("<TRANSP>", "<DURATION> 1 2 <TRANSP>", "<DURATION> is not supported; save the models without durations"),
        ("<ENDHMM>", "<DURATION> 1 2 <ENDHMM>", "<DURATION> is not supported; save the models without durations"),
        ("<ENDHMM>", "", "line 17, HMM 'one': the file ends where <ENDHMM> belongs; it is cut off, get it again"),
        ("<ENDHMM>", "<ENDHMN>", "unknown keyword <ENDHMN> where <ENDHMM> belongs; correct it"),
        ("<ENDHMM>", "0 <ENDHMM>", "<TRANSP> 3 needs 9 numbers, found 10"),
        ("<ENDHMM>", "<ENDHMM> what", "found 'what' where a keyword such as <MEAN> or a macro such as ~h belongs"),
        ("<ENDHMM>", "<ENDHMM> <MEAN> 2 1 1", "found <MEAN> where ~o, ~h or another macro belongs"),
        ("<ENDHMM>", "<ENDHMM>" + SMALL, "line 17: the model 'one' is defined twice; rename or remove one"),
        ("<ENDHMM>", "<ENDHMM> ~h", "the file ends where a name belongs; it is cut off"),
        ("<ENDHMM>", '<ENDHMM> ~h "two', "a name begins with a quote that nothing ends; close it"),
        ('"one"', r'"\377"', r"the name b'\xff' is not UTF-8; rename it"),
        ("<BEGINHMM>", "<BEGINHMM> <USE> x", "<USE> is not supported: options of HTK 1 are not read"),
        ("<BEGINHMM>", "<BEGINHMM> <MEAN> 2", "found <MEAN> where an option, <STATE> or a macro belongs"),
        ("<BEGINHMM>", "<NUMSTATES> 3", "found <NUMSTATES> where <BEGINHMM> belongs"),
        ("<VECSIZE> 2", "<VECSIZE> 3", "stream 1 has 2 values a frame but 3 elsewhere in the file"),
        ("<VECSIZE> 2", "<VECSIZE> 3 <STREAMINFO> 1 2", "<STREAMINFO> adds up to 2 values, <VECSIZE> says 3"),
        ("<VECSIZE> 2", "<VECSIZE> 2 <STREAMINFO> 2 2", "<STREAMINFO> 2 needs 2 numbers, found 1"),
        ("<VECSIZE> 2", "<VECSIZE> 2 <STREAMINFO> 2 2 0", "streams have [2, 0] values; each needs one or more"),
        ("<VECSIZE> 2", "<VECSIZE> 2 <VECSIZE> 3", "<VECSIZE> is 3 but was 2 before; give models of one kind"),
        ("<VECSIZE> 2", "<VECSIZE> 3 <STREAMINFO> 2 2 1", "<NUMMIXES> needs 2 numbers, one a stream, not 1"),
        ("<MFCC>", "<MFCC> <USER>", "the parameter kind is USER but was MFCC before; give models of one kind"),
        ("<MFCC>", "<MFCX>", "unknown keyword <MFCX> where an option, <STATE> or a macro belongs"),
        ("~h", "~s x <MEAN> 2 1 1 <VARIANCE> 2 1 0 ~h", "line 2, ~s 'x': variance 2 of 2 is 0"),
        ("~h", "~v x <VARIANCE> 1 1 ~v x <VARIANCE> 1 1 ~h", "the macro ~v 'x' is defined twice; rename or remove one"),
        ("<NUMMIXES> 2", "~s x", "there is no macro ~s 'x' before this line"),
        ("<TRANSP> 3\n0 1 0\n0 0.5 0.5\n0 0 0", "~t x", "there is no macro ~t 'x' before this line"),
        ("<TRANSP> 3\n0 1 0\n0 0.5 0.5\n0 0 0", "<TRANSP> 2 0 1 0 0", "<TRANSP> is for 2 states; need at least 3"),
        ("<TRANSP> 3\n0 1 0\n0 0.5 0.5\n0 0 0", "<TRANSP>", "<TRANSP> needs 1 number, found 0"),
        (
            "<TRANSP> 3\n0 1 0\n0 0.5 0.5\n0 0 0",
            "<TRANSP> 4 0 1 0 0  0 0 1 0  0 0 0 1  0 0 0 0",
            "<TRANSP> is for 4 states, <NUMSTATES> is 3; correct one",
        ),
        ("<MEAN> 2 5 6\n<VARIANCE> 2 7 8", "~m x", "there is no macro ~m 'x' before this line"),
        ("<NULLD>", "<NULLD> ! ", "found '!' where a keyword such as <MEAN> or a macro such as ~h belongs"),
        *[(word, f"<{word2}>", f"<{word2}> is not supported: {why}") for word, word2, why in [
            *[("<DIAGC>", name, "only diagonal covariances") for name in ("FULLC", "LLTC", "XFORMC", "INVDIAGC")],
            *[("<NULLD>", name, "only models without durations") for name in ("POISSOND", "GAMMAD", "RELD", "GEND")],
            *[("<NULLD>", name, "models with a linear") for name in ("PROJSIZE", "INPUTXFORM", "PARENTXFORM")],
        ]],
        *[
            ("~h", f"~{letter} x ~h", f"macros of the kind ~{letter} are not supported; save the models without them")
            for letter in "ijxabgpdc"
        ],
    ],
)  # fmt: skip
def test_bad_definitions(old, new, message):
    assert old in SMALL
    head, _, tail = SMALL.rpartition(old)
    assert message in refused(head + new + tail)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"cb2"', '"cb4"', "<TMIX> 'cb' needs the macros ~m cb1 to cb3, but 'cb2' is not defined before this line"),
        ("0.25*2 0.5", "0.25*2 0.25", "the weights of <TMIX> 'cb' add up to 0.75 instead of 1"),
        ("0.25*2 0.5", "0.25*2", "<TMIX> 'cb' needs 3 numbers, found 2"),
        ("0.25*2 0.5", "0.25*4", "<TMIX> 'cb' needs 3 numbers, found 4"),
        ("0.25*2 0.5", "0.25*x 0.5", "'x' after 0.25* in <TMIX> 'cb' is no whole number"),
        ("0.25*2 0.5", "0.25*99999999 0.5", "'99999999' after 0.25* in <TMIX> 'cb' is no whole number up to 32767"),
        ("0.25*2 0.5", "0.75*2 -0.5", "the weights of <TMIX> 'cb' include -0.5, less than 0"),
        ("<VECSIZE> 2", "<VECSIZE> 3", "stream 1 has 2 values a frame but 3 elsewhere"),
        ("<MEAN> 2 0 1 <VARIANCE> 2 1 1", "<MEAN> 1 0 <VARIANCE> 1 1", "means of different lengths [1, 2]"),
        (
            "~h",
            "~s x <NUMMIXES> 2 <TMIX> cb 0.5*2 ~h",
            "<TMIX> 'cb' has 3 weights here but 2 before; correct <NUMMIXES>",
        ),
        (
            "~h",
            "~s x <MEAN> 2 1 1 <VARIANCE> 2 1 1 ~h",
            "found tied mixtures (<TMIX>) in a file with Gaussian mixtures; give models of one kind",
        ),
    ],
)
def test_bad_tied_mixtures(old, new, message):
    assert old in TIED
    assert message in refused(TIED.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2606*3 32767", "2606*3", "<DPROB> needs 4 numbers, found 3"),
        ("2606*3 32767", "2606*2 32767*2", "the probabilities of <DPROB> add up to 0.666"),
        ("2606*3 32767", "-1 32767*3", "<DPROB> holds what is no whole number from 0 to 32767"),
        ("2606*3 32767", "0.5 32767*3", "<DPROB> holds what is no whole number from 0 to 32767"),
        ("2606*3 32767", "0 32768*3", "<DPROB> holds what is no whole number from 0 to 32767"),
        ("<STREAM> 2", "<STREAM> 1", "stream 1 is defined twice; remove one"),
        ("<STREAM> 2 <DPROB> 0 32767", "", "there are 2 streams but stream 2 is missing; define all"),
        (
            "<STREAM> 2 <DPROB> 0 32767",
            "<STREAM> 2 <MIXTURE> 1 1 <MEAN> 1 1 <VARIANCE> 1 1",
            "found Gaussian mixtures in a file with symbols (<DPROB>); give models of one kind",
        ),
        ("<STREAMINFO> 2 1 1", "<STREAMINFO> 2 1 2 <VECSIZE> 3", "<VECSIZE> is 2 but was 3 before"),
    ],
)
def test_bad_symbols(old, new, message):
    assert old in DISCRETE
    assert message in refused(DISCRETE.replace(old, new))


@pytest.mark.parametrize("text", ["", "  \n", '~o <VECSIZE> 3 <USER> ~v "varFloor1" <VARIANCE> 3 1 1 1'])
def test_no_model(text):
    assert "the file defines no HMM (<BEGINHMM>); give one that does" in refused(text)


@pytest.mark.parametrize("text", [SMALL, TIED, DISCRETE, MENDED])
def test_every_truncated_file_is_refused(text):
    """Wherever it is cut: no part of a file is a file."""
    for end in range(1, len(text.rstrip())):
        refused(text[:end])


@settings(quick, max_examples=400)
@given(st.sampled_from([SMALL, TIED, DISCRETE, MENDED]), st.data())
def test_every_damaged_file_is_read_or_refused(text, data):
    words = re.findall(r"\S+\s*", text)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(words) - 1))
        words[place] = data.draw(
            st.sampled_from(
                [
                    "",
                    "0 ",
                    "1e400 ",
                    "1e308 ",
                    "1e-320 ",
                    "<INVCOVAR> ",
                    "~s ",
                    "<STREAM> ",
                    "99999999999 ",
                    "<> ",
                    '"',
                    *words,
                ]
            )
        )
    try:
        definitions = parse("".join(words), "damaged")
    except ModelError as error:
        message = str(error)
    else:
        message = printed(definitions).splitlines()[0]
    assert message.isprintable()


# Transitions


@quick
@given(st.integers(0, 2**32 - 1), st.integers(3, 9))
def test_transitions_from_which_the_exit_is_reached(seed, count):
    """Against paths followed one by one."""
    random = np.random.default_rng(seed)
    matrix = np.where(random.random((count, count)) < 0.25, 1.0, 0.0)
    matrix[:, 0], matrix[-1] = 0, 0
    matrix[:-1, 1] += matrix[:-1].sum(1) == 0
    matrix[:-1] /= matrix[:-1].sum(1, keepdims=True)

    def followers(state):
        seen, todo = set(), [state]
        while todo:
            new = set(np.flatnonzero(matrix[todo.pop()]).tolist()) - seen
            seen |= new
            todo += new
        return seen

    lost = [state for state in range(1, count - 1) if count - 1 not in followers(state)]
    fault = transition_fault(matrix)
    if not lost:
        assert fault is None
        return
    beginning, ending = fault.split(": ")
    assert beginning.startswith(f"the exit, state {count}, cannot be reached from state")
    assert [int(word) - 1 for word in re.findall(r"\d+", beginning)[1:]] == lost
    trap = {int(word) - 1 for word in re.findall(r"\d+", ending)}
    assert trap <= set(lost)
    assert all(followers(state) == trap for state in trap)


def test_a_state_that_is_never_reached_may_pass():
    matrix = np.array([[0, 1, 0, 0], [0, 0.5, 0, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0, 0.0]])
    assert transition_fault(matrix) is None


# Printing what cannot be printed


def with_state(state):
    return HMM(f"after {state.name}", (state,), np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0.0]]), "t")


def test_what_is_not_printed():
    one = State("s", (Gaussians(np.ones(1), np.zeros((1, 1)), np.ones((1, 1))),))
    other = State("s", (Gaussians(np.ones(1), np.ones((1, 1)), np.ones((1, 1))),))
    hmm = with_state(one)
    with pytest.raises(ModelError, match=r"^two states have the name 's'; rename one$"):
        printed(Definitions("USER", (1,), (hmm, with_state(other))))
    slower = replace(hmm, transitions=np.array([[0, 1, 0], [0, 0.5, 0.5], [0, 0, 0.0]]))
    with pytest.raises(ModelError, match=r"^two transition matrices have the name 't'; rename one$"):
        printed(Definitions("USER", (1,), (hmm, slower)))
    tied = State(None, (TiedWeights("cb", np.ones(1)),))
    with pytest.raises(ModelError, match=r"^a state refers to the codebook 'cb', which is missing$"):
        printed(Definitions("USER", (1,), (with_state(tied),)))
    books = {"cb": Gaussians(*[np.ones((11, 1))] * 3), "cb1": Gaussians(*[np.ones((1, 1))] * 3)}
    ties = State(None, (TiedWeights("cb", np.ones(11) / 11), TiedWeights("cb1", np.ones(1))))
    with pytest.raises(ModelError, match=r"^components of two codebooks have the name 'cb11'; rename a codebook$"):
        printed(Definitions("USER", (1, 1), (with_state(ties),), books))
    with pytest.raises(ModelError, match=r"^'MFCX' is no parameter kind of HTK"):
        printed(Definitions("MFCX", (1,), (hmm,)))


def test_equal_states_may_share_a_name():
    one, other = (State("s", (Gaussians(np.ones(1), np.zeros((1, 1)), np.ones((1, 1))),)) for _ in range(2))
    matrix = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0.0]])
    text = printed(Definitions("USER", (1,), (HMM("a", (one, other), matrix, None),)))
    assert text.count("<MEAN>") == 1


# Files


def test_files(tmp_path):
    (tmp_path / "hmmdefs").write_bytes(b"\xef\xbb\xbf" + SMALL.replace("one", "前").replace("\n", "\r\n").encode())
    assert parse_file(tmp_path / "hmmdefs").hmms[0].name == "前"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"~o:w\x00\x01\x00\x02", "is not text; if it holds HMM definitions in HTK's binary format, save them as text"),
        (b"PK\x03\x04", "is not text"),
        (SMALL.encode("utf-16"), "is not text"),
        (SMALL.replace("one", "前进").encode("gb18030"), "is not UTF-8 text (invalid "),
        (SMALL[:-9].encode(), ", line 16, HMM 'one': the file ends where <ENDHMM> belongs"),
        (b"", ", line 1: the file defines no HMM"),
    ],
)
def test_files_that_are_refused(tmp_path, content, message):
    (tmp_path / "hmmdefs").write_bytes(content)
    with pytest.raises(ModelError) as caught:
        parse_file(tmp_path / "hmmdefs")
    assert f"hmmdefs {message}" in str(caught.value) or f"hmmdefs{message}" in str(caught.value)


def test_what_is_no_file(tmp_path):
    with pytest.raises(ModelError, match=r"^there are no HMM definitions at .*none; check the name$"):
        parse_file(tmp_path / "none")
    with pytest.raises(ModelError, match=r"cannot be read \(Is a directory\); give a file you may read$"):
        parse_file(tmp_path)
    with pytest.raises(ModelError, match=r"cannot be read \(embedded null byte\)"):
        parse_file("a\0b")


def test_mixtures_that_htk_did_not_write_for_lack_of_weight_are_none():
    """HTK writes no mixture of a weight under 1e-5 (HTK Book, "Mixture Components"), but counts it."""
    text = SMALL.replace("<NUMMIXES> 2", "<NUMMIXES> 4")
    with pytest.warns(RecognizerWarning, match="<NUMMIXES> is 4 but mixtures 3 and 4 are missing, taken for weight 0"):
        found = parse(text, "f.mmf")
    (state,) = found.hmms[0].states
    np.testing.assert_array_equal(state.streams[0].weights, [0.25, 0.75])
