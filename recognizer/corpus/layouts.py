"""What the names of recordings tell: which part of them is the word, and which the speaker.

A name has parts: the folders above a file, and what stands between the `_`, `-`, blanks or points in its own. A part
that is the same everywhere, or different everywhere, is no word; nor are numbers that count takes, names of splits
(train, test) and of sessions, and what looks like a number or a code for a person. Where one part is left, that is the
word. Where more are left, nothing in the names says which: `anna/yes_1.wav` is written as `yes/anna_1.wav` is. Then
words that are known decide, or whoever knows the recordings. (Nor does the sound: of few words by few people, two
recordings of one voice may be nearer to each other than two of one word.)
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recognizer.corpus.files import names_of, search
from recognizer.corpus.patterns import COPY, Pattern
from recognizer.errors import CorpusError, cited, counted, listed, shown
from recognizer.files import here, is_elsewhere

WORD_FOLDER = "{word}/*"
SPEAKER_MARK = "_nohash_"  # what stands before it in a name is the speaker
LAYOUT_FILE = "layout.txt"  # beside the recordings, for those whose names do not tell
MOST_READINGS = 3  # that are shown to choose from
MOST_WORDS = 30  # of a vocabulary that is written as numbers; more are takes
REPEATED = 1.5  # recordings of a label, on average: what is rarer labels nothing
NEARLY_ALL = 0.9
SEVERAL = "the names can be read in several ways, and nothing in them tells which"
SHOWN = 6  # labels of a reading
DIVIDERS = ("_", "-", " ", ".")

# Folders that tell neither word nor speaker.
_SPLITS = {"train", "training", "dev", "devel", "val", "valid", "validated", "validation", "eval", "evaluation"}
_SPLITS |= {"test", "testing", "tests", "other", "invalidated", "holdout", "heldout"}
_SPLITS |= {"entrainement", "entraînement", "entrenamiento", "prueba", "prüfung", "обучение", "тест", "训练", "测试"}
_PLACES = {"data", "dataset", "datasets", "corpus", "audio", "audios", "wav", "wavs", "wave", "clip", "clips", "mp3"}
_PLACES |= {"recording", "recordings", "sound", "sounds", "sample", "samples", "speech", "voice", "voices", "files"}
_PLACES |= {"session", "sessions", "sess", "day", "date", "part", "batch", "fold", "split", "disc", "disk", "cd", "set"}
_GROUPS = {"man", "men", "woman", "women", "boy", "boys", "girl", "girls", "male", "males", "female", "females"}
_GROUPS |= {"adult", "adults", "child", "children", "kids", "mann", "frau", "homme", "femme", "hombre", "mujer"}
_GROUPS |= {"uomo", "donna", "junge", "mädchen", "мужчина", "женщина", "男", "女"}
_NAMES_OF_PERSONS = (
    "speaker|spkr|spk|sp|user|usr|subject|subj|sub|person|participant|part|talker|client|informant|voice|"
    "man|woman|male|female|boy|girl|child|kid|adult"
)
_PERSON = re.compile(rf"(?:{_NAMES_OF_PERSONS})[ _-]?(?:\d+|[a-z])")
_LETTER_AND_NUMBER = re.compile(r"([mfspuv]|[a-z]{1,2}(?=[ _-]?\d\d))[ _-]?\d+")
_CODE = re.compile(r"(?=.*\d)[0-9a-f]{6,}|(?=.*\d)(?=.*[a-z])[0-9a-z]{8,}|[0-9a-f]{8}-[0-9a-f-]{27}|\d{5,}")
_DATE = re.compile(r"\d{1,4}[-_. ]\d{1,2}[-_. ]\d{1,4}.*")


class LayoutError(CorpusError):
    """Names that can be read in more than one way, or in none that gives words.

    Attributes
    ----------
    folder : whose names they are
    readings : ways to read them, to choose from
    """

    def __init__(self, folder: Path, readings: Sequence[Reading], why: str) -> None:
        self.folder, self.readings, self.why = folder, tuple(readings), why
        choices = " or ".join(f"layout {cited(reading.pattern)} ({reading.told})" for reading in self.readings)
        super().__init__(f"{shown(folder)}: {why}; choose {choices}")


@dataclass(frozen=True)
class Reading:
    """A way to read names, and what comes of it.

    Attributes
    ----------
    pattern : how they are written, see `Pattern`
    words, speakers : that it finds
    """

    pattern: str
    words: tuple[str, ...]
    speakers: tuple[str, ...]

    @property
    def told(self) -> str:
        """Words and speakers, the first few of them."""
        labels = [(self.words, "word"), (self.speakers, "speaker")]
        return "; ".join(f"{counted(len(found), what)}: {listed(found, SHOWN)}" for found, what in labels if found)


def labels_of(pattern: Pattern, names: Sequence[str]) -> tuple[str, str | None] | None:
    """Word and speaker of one recording; None where it does not fit."""
    found = pattern.read(names)
    if found is None:
        return None
    speaker, mark, _ = names[-1].partition(SPEAKER_MARK)
    return found["word"], found.get("speaker", speaker if mark and speaker else None)


def layout_of(folder: str | Path, known: Collection[str] = ()) -> str | None:
    """How the recordings in a folder are named, as `find` takes it.

    Returns
    -------
    The pattern; None where there are no recordings.

    Raises
    ------
    LayoutError, CorpusError
        if the names do not tell.
    """
    folder = Path(folder)
    try:
        files, _ = search(folder)
    except CorpusError:
        return None
    return (written(folder) or of_files(folder, files, known)) if files else None


def written(folder: Path) -> str | None:
    """The layout that a folder itself says it has, in a file of its own; None where there is no such file.

    Raises
    ------
    CorpusError
        if the file cannot be read.
    """
    file = folder / LAYOUT_FILE
    if not (os.path.isfile(file) or is_elsewhere(file)):
        return None
    try:
        with here(file) as local:
            return local.read_text(encoding="utf-8-sig").strip()
    except FileNotFoundError:  # which nobody knows before of one that is elsewhere
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{shown(file)}: cannot be read; write a layout in it, such as {WORD_FOLDER}") from error


def of_files(folder: Path, files: Sequence[Path], known: Collection[str] = ()) -> str:
    """The pattern by which the recordings of a folder are named.

    Parameters
    ----------
    folder : where they are
    files : all of them, at least one
    known : words, any of which may be said

    Raises
    ------
    LayoutError
        if it may be one of several.
    CorpusError
        if there is none.
    """
    names = [names_of(file, folder) for file in files]
    if _most(SPEAKER_MARK in name[-1] for name in names) and _most(len(name) > 1 for name in names):
        return WORD_FOLDER
    parts = _Parts(names)
    words, why = parts.words(known)
    readings = [reading for word in words if not word.begins and (reading := parts.reading(word))][:MOST_READINGS]
    if not readings:
        raise CorpusError(
            f"{shown(files[0])}: tells no word, nor do the others; rename or move files to fit "
            "{word}/{anything}.wav, {word}_{speaker}_{take}.wav or {speaker}/{speaker}-{word}-{take}.wav, "
            "or write a CSV manifest with the columns path,word,speaker"
        )
    if why:
        raise LayoutError(folder, readings, why)
    return readings[0].pattern


def _most(answers: Iterable[object], share: float = 0.5) -> bool:
    answers = [bool(answer) for answer in answers]
    return sum(answers) > share * len(answers)


@dataclass(eq=False)
class _Part:
    """A part of the names: what stands there in each, None where a name lacks it."""

    component: int  # 0 is the file's own name, 1 the folder it is in, 2 the one above
    place: int  # within the name of the file
    values: list[str | None]
    follows_number: bool = False  # a letter that counts takes, as in 1A, 1B
    begins: bool = False  # only the first letters of names that have no order

    def __post_init__(self) -> None:
        counts = Counter(value for value in self.values if value is not None)
        self.distinct_values = sorted(counts)
        self.distinct = len(counts)
        self.count = counts.total()
        self.kind = self._kind()  # constant, place, different, group, person, number or label

    @property
    def is_number(self) -> bool:
        """Whether nearly all are; a name that somebody gave otherwise does not make words of them."""
        return _most((value.isdecimal() for value in self.values if value is not None), NEARLY_ALL)

    @property
    def numbers(self) -> list[int]:
        """Those that are among its values."""
        return sorted({int(value) for value in self.distinct_values if value.isdecimal()})

    @property
    def is_numerals(self) -> bool:
        """Whether these are the ten numerals, and nothing else."""
        return self.distinct == 10 and self.numbers == list(range(10))

    @property
    def has_letters(self) -> bool:
        """Whether these are letters alone, as words mostly are."""
        return all(re.fullmatch(r"[^\W\d_]+", value) for value in self.distinct_values)

    @property
    def values_may_be_words(self) -> bool:
        return 1 < self.distinct <= MOST_WORDS and self.count >= REPEATED * self.distinct

    @property
    def counts_on(self) -> bool:
        """Whether numbers go on without a gap, as takes mostly do."""
        if not self.is_number:
            return True
        return self.numbers == list(range(self.numbers[0], self.numbers[0] + len(self.numbers)))

    @property
    def is_numbered(self) -> bool:
        """Whether these are several names, each with several numbers, as of speakers who say numbers."""
        found = [re.fullmatch(r"([^\W\d_]{2,})(\d+)", value) for value in self.distinct_values]
        if not all(found):
            return False
        names = Counter(match[1] for match in found)
        return len(names) > 1 and min(names.values()) > 1

    @property
    def looks(self) -> str:
        """What it rather looks like than words, in a line about that; nothing where it may be words."""
        looks = {"person": "speakers", "group": "groups of speakers", "place": "parts of a corpus"}.get(self.kind)
        looks = "speakers with what they say" if self.is_numbered else looks
        return f"what may be the words looks like {looks}" if looks else ""

    def share_of(self, words: Collection[str]) -> float:
        """How many of its values are among some words, given in lower case."""
        return sum(value.casefold() in words for value in self.distinct_values) / max(1, self.distinct)

    def _kind(self) -> str:
        values = [value.casefold() for value in self.distinct_values]
        if self.distinct <= 1:
            return "constant"
        if all(_is_of(value, _SPLITS | _PLACES) or _DATE.fullmatch(value) for value in values):
            return "place"
        if self.component == 0 and self.count < REPEATED * self.distinct:
            return "different"
        if all(value in _GROUPS for value in values):
            return "group"
        if _are_persons(values):
            return "person"
        return "number" if self.is_number or self.follows_number else "label"


def _are_persons(values: Sequence[str]) -> bool:
    """Whether these look like numbers or codes of persons."""
    if _most(map(_PERSON.fullmatch, values), NEARLY_ALL) or _most(map(_CODE.fullmatch, values), NEARLY_ALL):
        return True
    letters = [match[1] for match in map(_LETTER_AND_NUMBER.fullmatch, values) if match]
    return len(letters) > NEARLY_ALL * len(values) and len(set(letters)) <= 3


def _is_of(value: str, words: Collection[str]) -> bool:
    """Whether a name consists of such words, and of numbers."""
    pieces = re.findall(r"[^\W\d_]+", value.casefold())
    return bool(pieces) and all(piece in words for piece in pieces)


class _Parts:
    """The parts of the names in a folder, sorted into what may be words, persons and takes."""

    def __init__(self, names: Sequence[Sequence[str]]) -> None:
        self._names = names
        self._components, self._dividers = self._divide()
        self._same: list[list[_Part]] = []  # parts that are the same in nearly all names
        for part in (part for component in self._components for part in component if part.distinct):
            twins = next((same for same in self._same if part.distinct > 1 and _agree(same[0], part)), None)
            if twins is None:
                self._same.append([part])
            else:
                twins.append(part)
        firsts = [same[0] for same in self._same]
        own = [part for part in firsts if part.component == 0 and len(self._twins(part)) == 1 and not part.begins]
        self._own = own
        numbers = [part for part in own if part.kind == "number" or (part.kind == "different" and part.is_number)]
        self._take = numbers[-1] if numbers else None
        self._persons = [part for part in firsts if part.kind == "person"]
        self._labels = [
            part for part in firsts if part.kind == "label" or (part.kind == "number" and part is not self._take)
        ]
        named = [part for part in self._labels if not part.is_number]
        # A number for each word, beside the word, says nothing new.
        self._labels = [part for part in self._labels if not (part.is_number and any(_renames(part, n) for n in named))]
        self._constants = [part for part in own if part.kind == "constant" and not part.is_number]
        self._nearest = next((part for part in firsts if any(twin.component == 1 for twin in self._twins(part))), None)

    def words(self, known: Collection[str]) -> tuple[list[_Part], str]:
        """The parts that may be the words, the likeliest first, and why it is not plain that the first is."""
        labels, take = self._labels, self._take
        if labels and self._nearest is not None and self._nearest.kind == "group":  # man, woman: who, or what is said
            labels = [*labels, self._nearest]
        countable = [take] if take and take.values_may_be_words else []
        if known := {word.casefold() for word in known}:
            shares = [(part.share_of(known), part) for part in labels if not part.begins]
            likely = [part for share, part in shares if share >= 0.5]
            if len(likely) == 1 and all(share < 0.1 or part is likely[0] for share, part in shares):
                return likely, ""
            # A folder of a single word has it in all names, one of a single take of each word another in every name.
            others = [
                part[0] for part in self._same if part[0].kind in ("constant", "different") and not part[0].begins
            ]
            if not any(share for share, _ in shares) and (told := [p for p in others if p.share_of(known) >= 0.5]):
                return [max(told, key=lambda part: part.share_of(known))], ""
            if not likely and countable and take.share_of(known) >= 0.5:
                return [*labels, *countable], SEVERAL if labels else ""  # it may be takes that are counted
        numerals = [label for label in labels if label.is_numerals]
        if len(labels) > 1:
            return (numerals, "") if len(numerals) == 1 else (labels, SEVERAL)
        letters = [part for part in self._own if part.kind == "different" and part.has_letters]
        if labels:
            if labels[0].component == 0 and letters:  # speakers, and words that they say once each, or words of many
                return [*letters, *labels], SEVERAL
            (label,) = labels
            if countable and self._may_be_words(take, label):
                return [label, take], SEVERAL
            return [label], label.looks
        if len(self._persons) > 1 or (self._persons and countable):
            return [*countable, *self._persons], SEVERAL
        nearest = self._nearest
        if nearest is not None and nearest.distinct > 1:
            return [nearest], nearest.looks
        if nearest is not None and not _is_of(nearest.distinct_values[0], _SPLITS | _PLACES):
            # Of a single folder, words may be in the names of files, once each.
            return [*letters, nearest], SEVERAL if letters else ""
        return (self._constants if len(self._constants) == 1 else []), ""

    def _may_be_words(self, take: _Part, label: _Part) -> bool:
        """Whether numbers that seem to count takes may rather be what is said by those whom the label names."""
        if label.is_numerals and not take.is_numerals and take.counts_on:
            return False
        if take.is_numerals or (label.is_number and not self._is_documented(label)):
            return True
        return not take.counts_on if label.component else take.place < label.place

    def reading(self, word: _Part) -> Reading | None:
        """What comes of taking one part for the word; None where nothing divides it from the speaker."""
        roles = {id(part): "{word}" for part in self._twins(word)}
        counts = self._take if self._take is not word else None
        others = [part for part in (*self._persons, *self._labels) if part is not word]
        if word is self._take:
            counts = next((part for part in others if part.kind == "number"), None)
            others = [part for part in others if part is not counts]
        if not others and self._is_flat and word.component == 0 and len(self._components[0]) == 3:
            alone = [part for part in self._constants if part is not word]
            others = alone if len(alone) == 1 else []
        for part in self._twins(others[0]) if others else ():
            roles[id(part)] = "{speaker}"
        if counts is not None:
            roles[id(counts)] = "{take}"
        pattern = self._written(roles)
        try:
            read = Pattern(pattern)
        except CorpusError:
            return None
        found = [labels for labels in (labels_of(read, name) for name in self._names) if labels]
        words, speakers = (
            (sorted({label for label in column if label}) for column in zip(*found)) if found else ((), ())
        )
        return Reading(pattern, tuple(words), tuple(speakers))

    def _twins(self, part: _Part) -> list[_Part]:
        return next(same for same in self._same if same[0] is part)

    def _is_documented(self, word: _Part) -> bool:
        """Whether these are names such as `{speaker}/{speaker}-{word}-{take}`, of a speaker with a number or a code."""
        own = self._components[0]
        return (
            len(own) == 3
            and set(self._dividers[0]) == {"-"}
            and word is own[1]
            and self._take is own[2]
            and own[0].kind == "person"
            and any(twin.component == 1 for same in self._same if own[0] in same for twin in same)
        )

    def _written(self, roles: dict[int, str]) -> str:
        """The pattern in which parts have their roles."""
        written: list[str] = []
        for component, dividers in zip(self._components, self._dividers):
            fields = ["*" if part.begins else roles.get(id(part), "*") for part in component]
            if not {"{word}", "{speaker}"} & set(fields):
                written.append("*")
                continue
            text = fields[0] if fields else "*"
            for divider, name in zip(dividers, fields[1:]):
                # Parts that do not matter are one, whatever divides them.
                text += "" if name == "*" and text.endswith("*") else divider + name
            written.append(text)
        while len(written) > 1 and written[-1] == "*":
            written.pop()
        return "/".join(reversed(written))

    @property
    def _is_flat(self) -> bool:
        return all(part.distinct <= 1 or part.kind == "place" for folder in self._components[1:] for part in folder)

    def _divide(self) -> tuple[list[list[_Part]], list[list[str]]]:
        """The parts of each component, the file's own name first, and what divides them."""
        names = self._names
        depth = min(3, max(len(name) - 1 for name in names))
        components: list[list[_Part]] = []
        for level in range(1, depth + 1):
            values = [name[-1 - level] if len(name) > level else None for name in names]
            if not _most((value is not None for value in values), NEARLY_ALL if level > 1 else 0.5):
                break
            components.append([_Part(level, 0, values)])
        own, dividers = self._divide_own([folder[0] for folder in components])
        return [own, *components], [dividers, *([] for _ in components)]

    def _divide_own(self, folders: Sequence[_Part]) -> tuple[list[_Part], list[str]]:
        """The parts of the files' own names, and what divides them."""
        stems = [COPY.sub("", name[-1]) or name[-1] for name in self._names]
        # What a folder is called may have dividers in it, and is one part in the file's name, too.
        marks: dict[str, list[str | None]] = {}
        for number, folder in enumerate(folders):
            mark = chr(0xE000 + number)
            marked = [_marked(stem, value, mark) for stem, value in zip(stems, folder.values)]
            if folder.distinct > 1 and _most((mark in stem for stem in marked), NEARLY_ALL):
                stems, marks[mark] = marked, folder.values
        divider = next((d for d in DIVIDERS if _most(d in stem for stem in stems)), None)
        expression = re.compile(r"(\s+)" if divider == " " else rf"(\s*{re.escape(divider or '_')}\s*)")
        divided = [expression.split(stem) if divider else [stem] for stem in stems]
        count = Counter(map(len, divided)).most_common(1)[0][0]
        if not _most(len(pieces) == count for pieces in divided):
            letters = [re.match(r"[^\W\d_]*", stem)[0] or None for stem in stems]
            return [_Part(0, 0, letters, begins=True)], []
        fits = [len(pieces) == count for pieces in divided]
        dividers = Counter(tuple(pieces[1::2]) for pieces, fit in zip(divided, fits) if fit).most_common(1)[0][0]
        own: list[_Part] = []
        between: list[str] = []
        for place in range(0, count, 2):
            between += [dividers[place // 2 - 1]] if place else []
            column = [pieces[place] if fit else None for pieces, fit in zip(divided, fits)]
            mark = next((mark for mark in marks if mark in column), None)
            if mark:
                own.append(_Part(0, len(own), marks[mark]))
                continue
            split = _split_numbers(column) if place == count - 1 else [("", column, False)]
            own += [_Part(0, len(own) + number, values, letters) for number, (_, values, letters) in enumerate(split)]
            between += [before for before, _, _ in split[1:]]
        return own, between


def _marked(stem: str, value: str | None, mark: str) -> str:
    """A name in which a mark takes the place of another, where that stands for itself."""
    if not value:
        return stem
    return re.sub(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", mark, stem, count=1, flags=re.IGNORECASE)


_LETTERS_AND_NUMBER = ((r"(.*?[^\W\d])()(\d+)", NEARLY_ALL), (r"(.*?\S)(\s+)(\d+)", NEARLY_ALL))
_NUMBER_AND_LETTER = (r"(\d+)()([^\W\d_])", 0.75)  # of TIDIGITS, where two of eleven words are letters


def _split_numbers(column: Sequence[str | None]) -> list[tuple[str, list[str | None], bool]]:
    """A part as it is, or the letters and the numbers in it, where both come back in other company.

    Each with what stands before it, and whether it is a letter that follows a number.
    """
    given = [value for value in column if value is not None]
    for expression, share in (*_LETTERS_AND_NUMBER, _NUMBER_AND_LETTER):
        matches = [re.fullmatch(expression, value) if value else None for value in column]
        company = defaultdict(set)
        for match in filter(None, matches):
            company[match[3]].add(match[1])
        bases = set().union(*company.values()) if company else set()
        enough = sum(match is not None for match in matches) >= share * len(given)
        if (
            enough
            and len(bases) > 1
            and (expression is _NUMBER_AND_LETTER[0] or any(len(b) > 1 for b in bases))
            and 2 * sum(len(found) > 1 for found in company.values()) >= len(company)
        ):
            between = Counter(match[2] for match in matches if match).most_common(1)[0][0]
            letters = expression is _NUMBER_AND_LETTER[0]
            parts = ([match[place] if match else None for match in matches] for place in (1, 3))
            return [("", next(parts), False), (between, next(parts), letters)]
    return [("", list(column), False)]


def _agree(one: _Part, other: _Part) -> bool:
    """Whether two parts are the same in nearly all names."""
    both = [(a, b) for a, b in zip(one.values, other.values) if a is not None and b is not None]
    return bool(both) and _most((a.casefold() == b.casefold() for a, b in both), NEARLY_ALL)


def _renames(one: _Part, other: _Part) -> bool:
    """Whether each value of a part goes with a single one of another, and the other way round."""
    both = {(a, b) for a, b in zip(one.values, other.values) if a is not None and b is not None}
    return len(both) == len({a for a, _ in both}) == len({b for _, b in both}) > 1
