"""Models from and to HTK: definitions, and what HTK's and Julius's decoders need beside them.

A word is one HMM. Where our words have optional silence at both ends, that silence is a state like the others, which
all words share under a macro name: nothing has to be known of it to decode with the models. Positions here and states
there are the same, and so are their transitions; HTK counts the entry as state 1.
"""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.acoustics.chain import Chain
from recognizer.acoustics.word_models import WordModels
from recognizer.corpus import audio_files
from recognizer.errors import AudioError, CorpusError, ModelError, RecognizerWarning, cited, shown
from recognizer.features import parameter_files
from recognizer.features.front_end import GivenFeatures
from recognizer.features.parameter_files import Parameters
from recognizer.files.archive import HELD
from recognizer.files.writing import remedy, replacing
from recognizer.htk import parser
from recognizer.htk.definitions import HMM, Definitions, State, printed, quoted
from recognizer.htk.densities import Streams, of_htk, to_htk, to_parameters
from recognizer.htk.scanner import unquoted
from recognizer.model import Model, flaw
from recognizer.recognition.calibration import Calibration
from recognizer.sound.endpoint import Endpointer

SILENCE = "silence"  # macro of the state that words share at both ends
TIED = "tied"  # begins the macros of states that words share otherwise
HEAD, TAIL = "silB", "silE"  # models that Julius puts around every word
NO_WORDS = frozenset({HEAD, TAIL, SILENCE, "sil", "sp", "SIL", "SP"})  # silence, as HTK's Book and Julius name it
RENAMED = "word_"  # begins the HMM names of words that are no names to HTK
BARELY = 1e-20  # probability of hearing anything in HEAD and TAIL: less than any silence in the words themselves
NETWORK, DICTIONARY, LIST, JULIUS_DICTIONARY = "network.slf", "dict.txt", "models.list", "words.dict"
# A letter first, for HTK's dictionary takes what C reads as a number, "inf" and "nan" among them, for a probability
# (HDict.c, ReadDictWord); and no - or +, by which HTK and Julius tell contexts.
PLAIN_NAME = re.compile(r"(?!inf|nan)[A-Za-z][A-Za-z0-9_]*", re.IGNORECASE)
LONGEST_NAME = 100  # bytes; HTK has room for 131 where it reads a network (HNet.c, ReadOneLattice)
HTK_WORDS = frozenset({"!NULL", "!SUBLATID"})  # to HTK's networks: no word, and a network inside
_STRING = r""" ("(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | [^\s"'[]\S*) """
# A line of a dictionary: the word, what to print for it, how probable it is, its HMM.
ENTRY = re.compile(rf"\s* {_STRING} (?:\s+\[[^]]*\])? (?:\s+[01]?\.?\d+)? \s+ {_STRING} \s*", re.VERBOSE)
MOST_VALUES = HELD // 8  # of all words, whose states may refer to one another's: as many as a file of ours may hold
MOST_STREAMS = 4  # that HTK reads (HParm.h, SMAX)


def to_definitions(model: Model) -> Definitions:
    """The words of a model, and HEAD and TAIL, as HTK defines them.

    Raises
    ------
    ModelError
        if the model transforms its features for a speaker, which HTK has no place for beside the models; if it has
        more streams than HTK, or numbers that HTK cannot hold.
    """
    if model.acoustics.transform is not None:
        raise ModelError("the models transform the features for a speaker; export the model itself")
    models, chain = model.acoustics, model.acoustics.chain
    streams, codebooks = to_htk(models.bank)
    if len(streams[0]) > MOST_STREAMS:
        raise ModelError(f"the model has {len(streams[0])} streams, and HTK reads {MOST_STREAMS}; train one with fewer")
    silence = State(SILENCE, streams[-1])
    own = [None if models.tying is None else f"{TIED}{number}" for number in range(1, len(streams))]
    states = [State(name, stream) for name, stream in zip(own, streams[:-1])] + [silence]
    entry, moves = chain.matrices()
    hmms = []
    for word, name in enumerate(model_names(model.words)):
        used = np.flatnonzero(_reached(entry[word], moves[word]))
        matrix = np.zeros((len(used) + 2, len(used) + 2))
        matrix[0, 1:-1] = entry[word, used]
        matrix[1:-1, 1:-1] = moves[word][np.ix_(used, used)]
        matrix[1:-1, -1] = moves[word, used, -1]
        rows = models.rows(word)[used]
        hmms.append(HMM(name, tuple(states[row] for row in rows), matrix, None))
    tee = np.array([[0, BARELY, 1 - BARELY], [0, 0.9, 0.1], [0, 0, 0]])
    hmms += [HMM(name, (silence,), tee, None) for name in (HEAD, TAIL)]
    widths = tuple(stream.width(codebooks) for stream in streams[0])
    return Definitions(streams[0][0].parameter_kind(model.front_end.kind), widths, tuple(hmms), codebooks)


def _reached(entry: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Which positions some path through a word comes to, (P,)."""
    reached, before = entry > 0, None
    while before is None or (reached != before).any():
        before, reached = reached, reached | (moves[reached, :-1] > 0).any(0)
    return reached


def model_names(words: Sequence[str]) -> list[str]:
    """A name for the HMM of each word: the word itself where HTK and Julius read it as a name and nothing else."""
    names = {w: w for w in words if PLAIN_NAME.fullmatch(w) and len(w) <= LONGEST_NAME and w not in NO_WORDS}
    taken = set(names)
    for number, word in enumerate(words, 1):
        if word not in names:
            letters = re.sub(r"[^A-Za-z0-9]", "", word)[: LONGEST_NAME // 2]
            name = f"{RENAMED}{letters or number}"
            while name in taken:
                name = f"{name}_{number}"
            names[word] = name
            taken.add(name)
    return [names[word] for word in words]


def _htk_words(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """The words as HTK's networks and dictionaries take them; the name of the model where they cannot."""
    unfit = [word in HTK_WORDS or len(word.encode()) > LONGEST_NAME for word in words]
    spoken = [name if bad else word for word, name, bad in zip(words, names, unfit)]
    return [word if re.fullmatch(r"\w[\w'+-]*", word, re.ASCII) else quoted(word) for word in spoken]


def _julius_output(word: str) -> str:
    """The word in brackets that Julius does not find the end of inside it."""
    return f"{{{word}}}" if "] " in word else f"[{word}]"


def export_model(model: Model, path: Path) -> list[Path]:
    """Write the definitions, and beside them what HVite and Julius need.

    Parameters
    ----------
    model : to be written
    path : of the definitions (MMF); the others go into the same folder

    Returns
    -------
    The files written: the definitions, NETWORK, DICTIONARY and LIST for HVite, JULIUS_DICTIONARY for Julius.

    Raises
    ------
    ModelError
        if HTK has no such models, see `to_definitions`, or the name of the file is that of another.
    OSError
        if a file cannot be written.
    """
    names = model_names(model.words)
    spoken = _htk_words(model.words, names)
    nodes = ["!NULL", *spoken, "!NULL"]
    arcs = [(0, i) for i in range(1, len(nodes) - 1)] + [(i, len(nodes) - 1) for i in range(1, len(nodes) - 1)]
    network = ["VERSION=1.0", f"N={len(nodes)} L={len(arcs)}"]
    network += [f"I={number} W={word}" for number, word in enumerate(nodes)]
    network += [f"J={number} S={start} E={end}" for number, (start, end) in enumerate(arcs)]
    texts = {
        path.name: printed(to_definitions(model)),
        NETWORK: "\n".join(network) + "\n",
        DICTIONARY: "".join(f"{word} {name}\n" for word, name in sorted(zip(spoken, names))),
        LIST: "".join(f"{name}\n" for name in [*names, HEAD, TAIL]),
        JULIUS_DICTIONARY: "".join(f"{name} {_julius_output(word)} {name}\n" for word, name in zip(model.words, names)),
    }
    if len(texts) < 5:
        raise ModelError(f"{shown(path)} is the name of another file that is written; choose another for the models")
    for name, text in texts.items():
        file = path.parent / name
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    return [path.parent / name for name in texts]


def parameter_paths(recordings: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Where the features of each recording go: into the folder, laid out as the recordings are.

    Parameters
    ----------
    recordings : files, folders and manifests, as `audio_files` takes them
    folder : for all

    Raises
    ------
    CorpusError
        if a folder holds no recordings, or two files would go to one place.
    """
    targets: dict[Path, Path] = {}
    sources: dict[Path, Path] = {}
    for root in recordings:
        for file in audio_files([root]):
            place = _place(file, root)
            target = folder / place.with_suffix(".mfc")
            if (other := sources.setdefault(target, file)) != file:
                raise CorpusError(
                    f"{shown(file)} and {shown(other)} would both be written to {shown(target)}; rename one"
                )
            targets[file] = target
    return targets


def _place(file: Path, root: Path) -> Path:
    """Where a recording lies in the folder, or beside the manifest, that tells of it; its name where it is neither."""
    folder = root if root.is_dir() else root.parent
    place = Path(os.path.normpath(file))
    inside = file != root and place.is_relative_to(os.path.normpath(folder))
    return place.relative_to(os.path.normpath(folder)) if inside else Path(file.name)


def export_parameters(model: Model, files: dict[Path, Path], *, jobs: int = 1) -> Iterator[str | None]:
    """Write the features that a model sees of recordings: of the word in them, with its margins.

    Parameters
    ----------
    model : whose features
    files : by recording, the parameter file to write
    jobs : processes, when there are many

    Yields
    ------
    None for each that was written, or why it was not.
    """
    bank, front_end = model.acoustics.bank, model.front_end
    analyses = model.analyser.analyse_files(list(files), jobs=jobs)
    for path, found in zip(files, analyses):
        if isinstance(found, AudioError):
            yield str(found)
        elif found.reason:
            yield f"{shown(path)}: {found.reason}; there is no word to write"
        else:
            features, kind = to_parameters(bank, found.features[0], front_end.kind)
            yield _written(files[path], Parameters(features, kind, found.hop))


def _written(path: Path, features: Parameters) -> str | None:
    """Write a parameter file and the folders above it; why that is not possible, else None."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        parameter_files.write(path, features)
    except AudioError as error:
        return str(error)
    except OSError as error:
        return f"{shown(path)}: its folder cannot be made ({error.strerror}); {remedy(error, 'choose another one')}"
    return None


@dataclass(frozen=True)
class _Word:
    """A word of a file: its own states, and where paths may start in and go from them and the silence at its ends.

    Attributes
    ----------
    name : the word
    states : the densities of its own states
    entry : (N + 2,), from the entry; the silences stand first and last
    moves : (N + 2, N + 3), from each position to every position, and to the exit
    """

    name: str
    states: list[Streams]
    entry: np.ndarray
    moves: np.ndarray


def import_model(path: Path, dictionary: Path | None = None) -> Model:
    """A model of the words that a file of HTK's definitions defines.

    Models of silence (NO_WORDS) are no words.

    Parameters
    ----------
    path : the definitions (MMF)
    dictionary : what the HMMs stand for, a line each: the word, then its one HMM; their own names when None

    Returns
    -------
    A model that knows parameter files of the kind that the file tells, and that rejects nothing.

    Raises
    ------
    ModelError
        if the file cannot be read, or what it defines cannot be used.

    Warns
    -----
    RecognizerWarning
        if a word may go back to an earlier state.
    """
    name = shown(path)
    defined = parser.parse_file(path)
    hmms = {h.name or path.stem: h for h in defined.hmms if h.name not in NO_WORDS}
    spoken = {h: h for h in hmms}
    if dictionary:
        known = {h.name for h in defined.hmms} | hmms.keys()
        spoken = {h: word for h, word in _spoken(dictionary, known, name).items() if h in hmms}
    if not spoken:
        raise ModelError(f"{name}: defines no word; give a file with an HMM for each, or another dictionary")
    _check_words(list(spoken.values()), shown(dictionary) if dictionary else name)
    if _energies_apart(defined):
        raise ModelError(
            f"{name}: its {len(defined.widths)} streams of kind {defined.kind} set the energies apart, "
            "and only streams of neighbouring values are read; train it with other streams"
        )
    words = [_word(model, spoken[h], name) for h, model in hmms.items() if h in spoken]
    size = max(len(word.states) for word in words)
    components = max(sum(stream.size for stream in state) for word in words for state in word.states)
    values = len(words) * size * max(size, 2 * components * sum(defined.widths))
    if values > MOST_VALUES:
        raise ModelError(
            f"{name}: {len(words)} words of up to {size} states of {components} components are {values} numbers, and "
            f"{MOST_VALUES} are the most; leave words out, or tie the states to a codebook"
        )
    entry, moves = np.zeros((len(words), size + 2)), np.zeros((len(words), size + 2, size + 3))
    densities = []
    for number, word in enumerate(words):
        # States that shorter words lack stand before the trailing silence, and nothing leads there.
        place = np.array([*range(len(word.states) + 1), size + 1])
        entry[number, place] = word.entry
        moves[number][np.ix_(place, [*place, size + 2])] = word.moves
        densities += word.states + word.states[-1:] * (size - len(word.states))
    densities.append(_silence(defined.hmms) or densities[0])
    try:
        bank = of_htk(densities, defined.codebooks, defined.widths)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    models = WordModels(bank, Chain.of_matrices(entry, moves))
    symbols = max(stream.symbols for state in densities for stream in state)
    kind = densities[0][0].parameter_kind(defined.kind) if defined.kind or symbols else ""
    front_end = GivenFeatures(kind and parameter_files.normalised_kind(kind), bank.dims, symbols=symbols)
    card = {"data": f"imported from {path.name}", "licence": None, "held_out": None}
    model = Model(tuple(word.name for word in words), front_end, Endpointer(), models, Calibration(), None, card)
    if found := flaw(model):
        raise ModelError(f"{name}: what it defines is no working model ({found}); mend that, or train it again")
    return model


def _energies_apart(defined: Definitions) -> bool:
    """Whether the last stream is of the energies, which HTK then takes out of all others (HParm.c, SetStreamWidths)."""
    _, *qualifiers = defined.kind.split("_")
    *others, last = defined.widths
    kinds = len({"E", "0"} & set(qualifiers))
    each = 1 + len({"D", "A", "T"} & set(qualifiers))
    split = {1: True, 2: each == 2, 3: each > 2}.get(len(others), False)
    return kinds > 0 and split and last == kinds * each - ("N" in qualifiers)


def _word(model: HMM, spoken: str, file: str) -> _Word:
    """The word that an HMM is: its states but for the silence that it shares with others at its ends."""
    states, matrix = list(model.states), np.minimum(model.transitions, 1.0)  # some are rounded up
    if matrix[0, -1] > 0:
        raise ModelError(
            f"{file}: {cited(spoken)} can be passed without a sound; set its transition from 1 to {len(matrix)} to 0"
        )
    back = [(i, j) for i, j in np.argwhere(np.tril(matrix, -1) > 0) + 1]
    if back:
        ways = ", ".join(f"{i} to {j}" for i, j in back[:3])
        warnings.warn(
            f"{file}: {cited(spoken)} may go back to earlier states ({ways}), as words do not; it is decoded as it is",
            RecognizerWarning,
            stacklevel=3,
        )
    leading, trailing = (len(states) > 2 and states[end].name == SILENCE for end in (0, -1))
    count = len(states)
    # Where its states are among the silence, its own states, and the silence.
    own = count - leading - trailing
    place = np.array([*([0] if leading else []), *range(1, own + 1), *([own + 1] if trailing else [])])
    entry, moves = np.zeros(own + 2), np.zeros((own + 2, own + 3))
    entry[place] = matrix[0, 1:-1]
    moves[np.ix_(place, place)] = matrix[1:-1, 1:-1]
    moves[place, -1] = matrix[1:-1, -1]
    return _Word(spoken, [s.streams for s in states[leading : count - trailing]], entry, moves)


def _silence(hmms: Sequence[HMM]) -> Streams | None:
    """The density of silence, where the file has one."""
    named = [s for h in hmms for s in h.states if s.name == SILENCE]
    models = [h.states[len(h.states) // 2] for h in hmms if h.name in NO_WORDS]
    found = next(iter([*named, *models]), None)
    return found and found.streams


def _check_words(words: Sequence[str], where: str) -> None:
    for word in words:
        if not word or any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in word):
            raise ModelError(f"{where}: {cited(word)} is no word to be written; rename it")
    if twice := [word for word, count in Counter(words).items() if count > 1]:
        raise ModelError(
            f"{where}: {cited(twice[0])} stands for more than one HMM, and a word is one; rename or remove one"
        )


def _spoken(dictionary: Path, known: Collection[str], file: str) -> dict[str, str]:
    """What each HMM stands for, by a dictionary of HTK's."""
    where = shown(dictionary)
    try:
        lines = dictionary.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ModelError(f"{where} cannot be read ({reason}); give a dictionary: word, then HMM") from error
    spoken: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if not (found := ENTRY.fullmatch(line)):
            raise ModelError(f"{where}, line {number}: {cited(line.strip())} is not a word and its one HMM; mend it")
        try:
            word, name = unicodedata.normalize("NFC", unquoted(found[1])), unquoted(found[2])
        except ModelError as error:
            raise ModelError(f"{where}, line {number}: {cited(line.strip())} is not UTF-8 text; mend it") from error
        if name not in known:
            raise ModelError(f"{where}, line {number}: {file} has no HMM {cited(name)}; mend the line, or remove it")
        if name in spoken:
            raise ModelError(
                f"{where}, line {number}: the HMM {cited(name)} has a word above, {cited(spoken[name])}; remove one"
            )
        spoken[name] = word
    return spoken
