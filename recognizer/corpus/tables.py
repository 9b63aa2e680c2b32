"""Tables that tell what is said in recordings: of spreadsheets, of Common Voice, and Kaldi's."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from recognizer.corpus.utterance import Utterance, with_labels
from recognizer.errors import CorpusError, cited, shown
from recognizer.files import is_elsewhere
from recognizer.sound.formats import looks_like_recording

SUFFIXES = (".csv", ".tsv")  # compare in lower case
MANIFEST = "a CSV manifest with the columns path,word,speaker"
WEIGHTS = (1e-6, 1e6)  # least and greatest: what is lighter is better left out
# What columns are called elsewhere; the first is the name here.
COLUMNS = {
    "path": "path file filename file_name filepath file_path audio audio_file audio_path audio_filepath wav wav_file "
    "wav_path recording clip sound",
    "word": "word label class text sentence transcript transcription keyword command target category utterance",
    "speaker": "speaker speaker_id speakerid spk spk_id client_id speaker_name user user_id subject voice",
}
BESIDE = ("clips", "wav", "wavs", "audio", "recordings")  # folders that a table's paths may start from, too
_SEPARATORS = ",;\t|"
_SEPARATOR_LINE = re.compile("sep=(.)")
_KALDI = ("wav.scp", "text")
_BYTE_ORDER = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def weight(text: str, where: str) -> float:
    """A weight as it was written; none is one.

    Raises
    ------
    CorpusError
        if it is not a number over 0, from WEIGHTS.
    """
    try:
        found = float(text or 1)
    except ValueError:
        found = 0.0
    least, greatest = WEIGHTS
    if not least <= found <= greatest:
        raise CorpusError(
            f"{where}: weight {cited(text)} is not a number over 0 (from {least:g} to {greatest:g}); write 2 to count "
            "as two recordings would, 0.5 as half of one"
        )
    return found


def of_table(table: Path) -> list[Utterance]:
    """The recordings that a table lists, in its order, see `recognizer.corpus.find`.

    Raises
    ------
    CorpusError
        if it cannot be read, or a line is wrong; one line that names the line.
    """
    utterances, lines = [], {}
    for line, row in rows(table, ("path", "word"), "begin with the header path,word,speaker"):
        where = f"{shown(table)}: line {line}"
        if not row["path"]:
            raise CorpusError(f"{where}: empty path; name the sound file")
        path = placed(table.parent, row["path"])
        if path in lines:
            raise CorpusError(f"{where}: {shown(path)} is on line {lines[path]} already; remove one")
        lines[path] = line
        heard = with_labels(path, row["word"], row.get("speaker"), where)
        utterances.append(replace(heard, weight=weight(row.get("weight", ""), where)))
    if not utterances:
        raise CorpusError(f"{shown(table)}: no recordings in this manifest; add lines below the header")
    return utterances


def placed(folder: Path, written: str) -> Path:
    """The file that a table in a folder means: some are written on Windows, some stand beside a folder of clips."""
    if is_elsewhere(written):
        return Path(written)
    path = folder / written
    if os.path.lexists(path):
        return path
    names = [written] + ([written.replace("\\", "/")] if "\\" in written else [])
    for name in names:
        for place in (folder, *(folder / beside for beside in BESIDE)):
            if os.path.lexists(place / name):
                return place / name
    return folder / names[-1]


def rows(table: Path, needed: Sequence[str], remedy: str) -> Iterable[tuple[int, dict[str, str]]]:
    """Line number and stripped cells, by column, of every line of a table that is not blank.

    Parameters
    ----------
    table : text in UTF-8, or in UTF-16 with its mark, with a header; its cells are divided by commas, semicolons, tabs
        or `|`, whichever gives the columns that are needed, or as a line `sep=;` before the header says
    needed : columns that the header must have, in lower case; those of COLUMNS may have one of their other names
    remedy : what to do if it has not

    Raises
    ------
    CorpusError
        if it cannot be read, or is no such file.
    """
    name = shown(table)
    try:
        content = table.read_bytes()
    except OSError as error:
        raise CorpusError(f"{name}: cannot be read ({error.strerror}); change its mode or copy it") from error
    text = _decoded(content, name)
    first, _, rest = text.partition("\n")
    told = _SEPARATOR_LINE.fullmatch(first.strip("\r\n").strip('"'))
    skipped = 1 if told else 0
    text = rest if told else text
    separator = told[1] if told else _separator(text, needed)
    yield from _rows(text, separator, skipped, name, needed, remedy)


def _decoded(content: bytes, name: str) -> str:
    encoding = next((encoding for mark, encoding in _BYTE_ORDER.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        start, end = content.rfind(b"\n", 0, error.start) + 1, content.find(b"\n", error.start)
        cut = content[start : end if end >= 0 else None][:60].decode("ascii", "backslashreplace").strip()
        raise CorpusError(
            f"{name}: line {line} is not UTF-8 text ({shown(cut)}); save it as `CSV UTF-8` in the spreadsheet, or name "
            f"a folder, or {MANIFEST}"
        ) from error


def _separator(text: str, needed: Sequence[str]) -> str:
    """What divides the cells of the header; a comma, where nothing gives the columns that are needed."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    found = {mark: _columns(next(csv.reader([header], delimiter=mark), []), needed) for mark in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda mark: sum(column in found[mark] for column in needed))
    return best if any(column in found[best] for column in needed) else ","


def _columns(header: Sequence[str], needed: Sequence[str]) -> list[str]:
    """The columns of a header by the names that they have here, where only one may be meant."""
    header = [cell.strip().lower() for cell in header]
    columns = list(header)
    for own, names in COLUMNS.items():
        if own in header or (own not in needed and own != "speaker"):
            continue
        meant = [
            place for place, cell in enumerate(header) if cell.replace(" ", "_") in names.split() and cell not in needed
        ]
        if len(meant) == 1:
            columns[meant[0]] = own
    return columns


def _rows(
    text: str, separator: str, skipped: int, name: str, needed: Sequence[str], remedy: str
) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    header = None
    try:
        for cells in reader:
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            where = f"{name}: line {reader.line_num + skipped}"
            if header is None:
                header = _columns(cells, needed)
                _check_header(header, cells, needed, where, remedy)
            elif len(cells) > len(header):
                divided = "commas" if separator == "," else cited(separator)
                raise CorpusError(
                    f"{where}: {len(cells)} cells under {len(header)} columns; quote cells that have {divided}"
                )
            else:
                cells += [""] * (len(header) - len(cells))
                yield reader.line_num + skipped, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise CorpusError(
            f"{name}: line {reader.line_num + skipped} is not CSV ({error}); correct its quotes"
        ) from error


def _check_header(header: Sequence[str], cells: Sequence[str], needed: Sequence[str], where: str, remedy: str) -> None:
    if twice := next((column for column in needed if header.count(column) > 1), None):
        raise CorpusError(f"{where}: two columns are {cited(twice)}; rename one")
    if {"start", "end"} <= set(header) and "word" in needed:
        raise CorpusError(
            f"{where}: columns start and end cut words out of longer recordings, which is not done; write each word to "
            "a file of its own first"
        )
    for column in needed:
        if column in header:
            continue
        if any(looks_like_recording(cell) for cell in cells):
            raise CorpusError(f"{where}: no header above the recordings, so no column {cited(column)}; {remedy}")
        others = [cell for cell in cells if cell.strip().lower().replace(" ", "_") in COLUMNS.get(column, "").split()]
        if others:
            raise CorpusError(
                f"{where}: no column {cited(column)}, and {' or '.join(map(cited, others))} may be meant; rename one "
                f"to {column}"
            )
        raise CorpusError(f"{where}: no column {cited(column)} among {', '.join(map(cited, cells[:10]))}; {remedy}")


# Kaldi's


def is_kaldi(folder: Path) -> bool:
    """Whether a folder is one of Kaldi's for data."""
    return all(os.path.isfile(folder / name) for name in _KALDI)


def of_kaldi(folder: Path) -> list[Utterance]:
    """The recordings of a folder as Kaldi has them: `wav.scp` with the files, `text` with the words, `utt2spk`.

    Raises
    ------
    CorpusError
        if a line is wrong, if recordings come out of programs, or are cut out of longer ones by `segments`.
    """
    if os.path.isfile(folder / "segments"):
        raise CorpusError(
            f"{shown(folder / 'segments')}: cuts words out of longer recordings; write them to files of their own first"
        )
    files, said = (_kaldi_lines(folder / name) for name in _KALDI)
    speakers = _kaldi_lines(folder / "utt2spk") if os.path.isfile(folder / "utt2spk") else {}
    utterances = []
    for key, (line, written) in files.items():
        where = f"{shown(folder / 'wav.scp')}: line {line}"
        if written.endswith("|"):
            raise CorpusError(f"{where}: {cited(written)} is a program, and none is run; write its sound to a file")
        if key not in said:
            raise CorpusError(f"{where}: {cited(key)} has no line in {shown(folder / 'text')}; add one")
        path = next(
            (place / written for place in (folder, *folder.parents) if (place / written).exists()), folder / written
        )
        speaker = speakers[key][1] if key in speakers else None
        utterances.append(with_labels(path, said[key][1], speaker, f"{shown(folder / 'text')}: line {said[key][0]}"))
    if not utterances:
        raise CorpusError(f"{shown(folder / 'wav.scp')}: no recordings in it; add lines")
    return utterances


def _kaldi_lines(file: Path) -> dict[str, tuple[int, str]]:
    """Number of the line and what is on it, by its key."""
    found: dict[str, tuple[int, str]] = {}
    try:
        text = _decoded(file.read_bytes(), shown(file))
    except OSError as error:
        raise CorpusError(f"{shown(file)}: cannot be read ({error.strerror}); change its mode or copy it") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        key, _, rest = line.strip().partition(" ") if "\t" not in line else line.strip().partition("\t")
        if key in found:
            raise CorpusError(
                f"{shown(file)}: line {number}: {cited(key)} is on line {found[key][0]} already; remove one"
            )
        found[key] = number, rest.strip()
    return found
