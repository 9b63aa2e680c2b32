"""Sound files and arrays in, mono float32 samples at one rate out."""

from __future__ import annotations

import io
import os
import struct
import tempfile
import threading
import warnings
import wave
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from recognizer.errors import AudioError, HeaderWarning, shown
from recognizer.files import here
from recognizer.files.writing import remedy, replacing
from recognizer.sound.channels import floats, one, with_speech

if TYPE_CHECKING:
    import soundfile

    from recognizer.sound.ffmpeg import DecodedSound

LOWEST_RATE, HIGHEST_RATE = 1_000, 1_000_000  # Hz: under the one there is no speech, over the other no sound card
# An array with more columns than this, and than rows, is (channels, samples) by mistake.
MANY_CHANNELS = 64
MOST_CHANNELS = 128  # of a file, for every block of it is held with all of them
BLOCK = 1 << 16  # samples read at once: four seconds at 16 kHz, which is a word in one piece
# Samples, at the higher of the two rates, of what is read as a whole: 17 minutes at 16 kHz, 64 MB, of which a few
# copies fit into memory whatever the computer; and of long recordings, where there is one copy: 70 minutes.
LONGEST, LONGEST_OF_ALL = 16 << 20, 64 << 20
LONGEST_WITH_ANOTHER = 88 << 20  # samples, of a recording and what it is resampled to: an hour at 16 kHz and at 8 kHz
LARGEST_PIPE = 256 << 20  # bytes
OPEN_FILES = "/proc/{}/fd"  # names of what a process has open, on Linux; its workers know them by its number
SAMPLE_DUMP = b"\xf0\x7e"  # begins a kind of file of which libsndfile prints each flaw to standard output
ORDINARY = struct.Struct("<4sI8sI16x4sI")  # the header of a WAV file that is this, and then its sound

_ALONE = threading.RLock()  # a process has one standard error: of two at once, one would put back the null device


@dataclass(frozen=True, eq=False)  # arrays have no single truth value, so recordings compare by identity
class Recording:
    """Mono sound at a known rate.

    Attributes
    ----------
    samples : ndarray of float32, shape (n,)
        Full scale is 1; values beyond it are kept as they are.
    sample_rate : int
        Rate of `samples` in Hz.
    source_rate : int
        Rate of the file or array they came from, in Hz. Where it is lower than `sample_rate`, the band
        above `source_rate / 2` is empty.
    channel : int or None
        The only channel taken, counted from 1, where the mean of all of them buries or cancels the speech.
    """

    samples: np.ndarray
    sample_rate: int
    source_rate: int
    channel: int | None = None


def load(path: str | Path, sample_rate: int | None, longest: int = LONGEST) -> Recording:
    """Read a sound file as mono samples at `sample_rate`.

    Parameters
    ----------
    path : str or Path
        Anything libsndfile reads: WAV, FLAC, OGG, MP3, AIFF and more, of any rate, sample format and
        number of channels: their mean is taken, or the one with the speech where the mean buries or
        cancels it. A WAV file that ends too early gives what it holds, and so does one whose header
        says that there is less. What ffmpeg reads, such as M4A, where that is installed.
    sample_rate : int or None
        Wanted rate in Hz; that of the file when None.
    longest : int
        Samples at the higher of the two rates, at most: a file of a few kilobytes may hold hours of silence.

    Returns
    -------
    Recording

    Raises
    ------
    AudioError
        If the file cannot be read, holds nothing that could be analysed, or is too long; one line that begins
        with the file's name.

    Warns
    -----
    HeaderWarning
        If there is more sound in a WAV file than its header says.

    See Also
    --------
    prepare : the same for arrays.
    """
    path = Path(path)
    try:
        samples, source_rate, channel = _read(path, sample_rate, longest)
        return _brought_to(samples, source_rate, channel, sample_rate or source_rate)
    except AudioError as error:
        raise AudioError(f"{shown(path)}: {error}") from error


def prepare(samples: np.ndarray, source_rate: int, sample_rate: int) -> Recording:
    """Bring an array of samples to mono float32 at `sample_rate`.

    Parameters
    ----------
    samples : array_like, shape (n,) or (n, channels)
        Integers of 8, 16 or 32 bits are scaled by their type, so that full scale becomes 1; unsigned
        ones are centred first. Floats are kept. Channels become one as those of a file do.
    source_rate : int
        Rate of `samples` in Hz.
    sample_rate : int
        Wanted rate in Hz.

    Returns
    -------
    Recording
        Its samples never share memory with the argument.

    Raises
    ------
    AudioError
        If a rate is not a whole number of Hz between `LOWEST_RATE` and `HIGHEST_RATE`, or the samples
        have the wrong type or shape, are none, or are not all finite.

    Examples
    --------
    >>> import numpy as np
    >>> stereo = np.array([[0, 16384], [-32768, -32768]], dtype=np.int16)
    >>> prepare(stereo, 8000, 8000).samples.tolist()
    [0.25, -1.0]
    """
    channels, source_rate = channels_of(samples), whole_rate(source_rate, "the recording's sample rate")
    taken = with_speech([channels], source_rate) if len(channels) > 1 else None
    return _brought_to(one(channels, taken), source_rate, taken, sample_rate)


def _brought_to(samples: np.ndarray, source_rate: int, channel: int | None, sample_rate: int) -> Recording:
    """Mono samples, (n,) float32, at the wanted rate."""
    sample_rate = whole_rate(sample_rate, "the wanted sample rate")
    if not samples.size:
        raise AudioError("holds no samples; record it again")
    if source_rate != sample_rate:
        import soxr

        count = samples.size
        samples = soxr.resample(samples, source_rate, sample_rate, quality="HQ")
        if not samples.size:
            raise AudioError(f"{count} sample(s) at {source_rate} Hz are none at {sample_rate} Hz; record a whole word")
    return Recording(samples, sample_rate, source_rate, channel)


def save(path: str | Path, samples: np.ndarray, sample_rate: int, *, new: bool = False) -> None:
    """Write a mono 16-bit WAV file that is either complete or not there, and that nobody but its owner may read.

    Parameters
    ----------
    path : str or Path
        A name ending in ``.wav``, in a folder that exists; a file of that name is replaced.
    samples : array_like, shape (n,) or (n, channels)
        As for `prepare`; rounded to 16 bits, and values beyond full scale are clipped. What `load` gave
        for a mono 16-bit file is written back bit by bit.
    sample_rate : int
        Rate of `samples` in Hz.
    new : bool
        Whether the name must be free, whoever else may want it.

    Raises
    ------
    FileExistsError
        If the name must be free, and is not.
    AudioError
        If the samples are refused by `prepare` or the file cannot be written; one line that begins with
        the file's name.
    """
    path = Path(path)
    try:
        if path.suffix.lower() != ".wav":
            raise AudioError("only WAV files are written; choose a name that ends in .wav")
        recording = prepare(samples, sample_rate, sample_rate)
        _write_wav(path, sixteen_bits(recording.samples).astype("<i2"), recording.sample_rate, new)
    except AudioError as error:
        raise AudioError(f"{shown(path)}: {error}") from error


def as_wav(samples: np.ndarray, sample_rate: int) -> bytes:
    """What the file holds that `save` would write of mono samples, (n,) of full scale 1."""
    held = io.BytesIO()
    _put_wav(held, sixteen_bits(samples).astype("<i2"), sample_rate)
    return held.getvalue()


def sixteen_bits(samples: np.ndarray) -> np.ndarray:
    """Samples of full scale 1 as `save` writes them: rounded to int16, those beyond full scale clipped."""
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)


def channels_of(samples: np.ndarray) -> np.ndarray:
    """Samples as float32, (channels, n), of full scale 1, which share no memory with the argument.

    Parameters
    ----------
    samples : array_like, shape (n,) or (n, channels)
        As for `prepare`.

    Raises
    ------
    AudioError
        If they have the wrong type or shape, or are not all finite.
    """
    try:
        samples = np.asarray(samples)
    except ValueError as error:  # lists of several lengths
        raise AudioError(f"samples are no array ({error}); give (samples,) or (samples, channels)") from error
    if samples.ndim not in (1, 2) or (
        samples.ndim == 2 and not 1 <= samples.shape[1] <= max(len(samples), MANY_CHANNELS)
    ):
        raise AudioError(f"samples have shape {samples.shape}; transpose or split to (samples,) or (samples, channels)")
    return floats(samples)


def whole_rate(rate: float, what: str) -> int:
    """A sample rate in Hz, or an AudioError that says of what it is none."""
    if not isinstance(rate, Real):
        raise AudioError(f"{what} is {rate!r}; need a whole number from {LOWEST_RATE} to {HIGHEST_RATE}, in Hz")
    if not (LOWEST_RATE <= rate <= HIGHEST_RATE and rate == int(rate)):
        raise AudioError(f"{what} is {rate} Hz; need a whole number from {LOWEST_RATE} to {HIGHEST_RATE}")
    return int(rate)


def blocks(
    path: str | Path, seconds: float, start: float = 0.0, taken: Callable[[int], None] = lambda channel: None
) -> Iterator[tuple[np.ndarray, int]]:
    """Read a sound file bit by bit, however long it is.

    Parameters
    ----------
    path : str or Path
        As for `load`.
    seconds : float
        Length of a block; the last one may be shorter.
    start : float
        Where to begin, in seconds; a file that ends before has no samples.
    taken : callable
        Called before the first block with the channel, counted from 1, if a single one is taken.

    Yields
    ------
    samples : ndarray of float32, shape (n,), mono
    rate : int, in Hz

    Raises
    ------
    AudioError
        If the file cannot be read or has no samples; one line that begins with the file's name.

    Warns
    -----
    HeaderWarning
        If there is more sound in a WAV file than its header says.
    """
    path = Path(path)
    try:
        empty = True
        for samples, rate, channel in _blocks(path, lambda rate: max(1, round(seconds * rate)), start):
            if empty and channel:
                taken(channel)
            empty = False
            yield samples, rate
        if empty:
            raise AudioError("holds no samples; record it again")
    except AudioError as error:
        raise AudioError(f"{shown(path)}: {error}") from error


def _read(path: Path, wanted: int | None, longest: int) -> tuple[np.ndarray, int, int | None]:
    """Mono samples of a file, shape (n,), their rate, and the channel if one was taken."""
    samples, count, rate, taken = np.zeros(0, np.float32), 0, LOWEST_RATE, None
    for part, rate, taken in _blocks(path, lambda rate: BLOCK, longest=longest):  # noqa: B007
        if count + len(part) > len(samples):
            samples = samples if count > BLOCK else samples.copy()  # for a view cannot grow
            samples.resize(count + max(len(part), count // 2), refcheck=False)  # in place: nothing is held twice
        samples[count : count + len(part)] = part
        count += len(part)
        ratio = (wanted or rate) / rate
        most = longest / max(1.0, ratio)
        if ratio != 1.0:  # both are held at once
            most = min(most, LONGEST_WITH_ANOTHER / (1.0 + ratio))
        if count > most:
            raise AudioError(f"is at least {count / rate:.0f} s long, and {most / rate:.0f} s are the most; cut it up")
    samples.resize(count, refcheck=False)
    return samples, rate, taken


def _blocks(
    path: Path, size: Callable[[int], int], start: float = 0.0, longest: int = LONGEST_OF_ALL
) -> Iterator[tuple[np.ndarray, int, int | None]]:
    """Mono blocks of a file from `start` seconds on, of as many samples as `size` says for its rate, with that rate.

    With them the channel taken, by as many samples as are in the longest file; where a piece is wanted of a file that
    may be long, by a block of it alone.
    """
    import soundfile

    try:
        with here(path) as local, open(local, "rb") as file, _by_name(local, file) as named:
            if not os.path.getsize(named):
                raise AudioError("is empty (0 bytes); record or copy it again")
            with opened(named, start) as sound:
                rate, taken = whole_rate(sound.samplerate, "the recording's sample rate"), None
                if sound.channels > MOST_CHANNELS:
                    raise AudioError(f"has {sound.channels} channels, and {MOST_CHANNELS} are the most; split it")
                if assumed := getattr(sound, "assumed", None):
                    warnings.warn(f"{shown(path)}: {assumed}", HeaderWarning, stacklevel=4)
                if sound.channels > 1:  # read twice rather than held
                    with opened(named, start) as again:
                        taken = with_speech(islice(_channels(again, BLOCK), 1 if start else longest // BLOCK), rate)
                wanted = size(rate)
                parts = _channels(sound, min(BLOCK, wanted))  # so what stands before damage is still heard
                yield from ((samples, rate, taken) for samples in _joined(parts, taken, wanted))
    except OSError as error:
        raise AudioError(_why_not_opened(path, error)) from error
    except ValueError as error:  # a zero character in the name
        raise AudioError(f"is no file name ({error}); correct it") from error
    except (soundfile.SoundFileError, TypeError) as error:
        reason = " ".join(getattr(error, "error_string", str(error)).split()).rstrip(".")
        reason = "no sound found in it" if "not exist" in reason else reason  # as libsndfile says of an MP3 of noise
        raise AudioError(f"is not sound or is damaged ({reason}); convert it to WAV, FLAC or OGG") from error


@contextmanager
def opened(path: Path, start: float = 0.0) -> Iterator[soundfile.SoundFile | DecodedSound]:
    """A sound file from `start` seconds on, opened by libsndfile by itself: twice as fast as by way of Python.

    By way of Python where its header does not tell the truth, and by ffmpeg where libsndfile does not know it.

    Raises
    ------
    AudioError, OSError, soundfile.SoundFileError, TypeError, ValueError
        if it cannot be opened.
    """
    import soundfile

    with here(path) as path, open(path, "rb") as file:
        try:
            sound = _by_libsndfile(path, file)
        except (soundfile.SoundFileError, TypeError):  # TypeError: a headerless file named .raw
            from recognizer.sound import ffmpeg

            sound = ffmpeg.instead(path, file, start)
            if sound is None:
                raise
        else:
            if start:
                sound.seek(min(round(start * sound.samplerate), sound.frames))
    with sound:
        yield sound


def _by_libsndfile(path: Path, file: BinaryIO) -> soundfile.SoundFile:
    """A file, which is open besides, as libsndfile knows it, or as it would if its header told the truth."""
    import soundfile

    head, found = file.read(ORDINARY.size), None
    if head[:2] == SAMPLE_DUMP:
        raise AudioError("is a MIDI sample dump, and those are not read; convert it to WAV, FLAC or OGG")
    if head[:4] == b"RIFF" and not _is_ordinary(head, os.fstat(file.fileno()).st_size):
        from recognizer.sound import riff

        found = riff.layout(file)
    with _unheard():
        try:
            if found and not found.plain:
                return riff.Mended(path, found)
            sound = soundfile.SoundFile(str(path) if os.name == "nt" else os.fsencode(path))
        except soundfile.SoundFileError:
            if not found or not found.plain:
                raise
            return riff.Mended(path, found)  # it stumbled over what is beside the sound
    if sound.format == "RAW":  # libsndfile guesses, by the name alone
        from recognizer.sound import magic

        if what := magic.foreign(path, file):
            sound.close()
            raise AudioError(what)
    return sound


def _is_ordinary(head: bytes, size: int) -> bool:
    """Whether a WAV file is what nearly all are, and its header tells the truth."""
    if len(head) < ORDINARY.size:
        return False
    _, whole, kind, form, data, sound = ORDINARY.unpack(head)
    return (kind, form, data) == (b"WAVEfmt ", 16, b"data") and whole + 8 == size and len(head) + sound == size


def _channels(sound: soundfile.SoundFile, frames: int) -> Iterator[np.ndarray]:
    """All channels of an open file, (channels, frames) at a time."""
    # Reading straight on, block by block, needs no length in the header, which encoders that write to a pipe leave out.
    sound.seekable = lambda: False
    talks = sound.subtype.startswith("MPEG")
    while True:
        with _unheard() if talks else nullcontext():
            block = sound.read(frames, dtype="float32", always_2d=True)
        if len(block):
            yield floats(block)
        if len(block) < frames:
            break


def _joined(parts: Iterable[np.ndarray], taken: int | None, size: int) -> Iterator[np.ndarray]:
    """Mono samples of parts, (channels, n), in blocks of one size, (size,), the last of which may be shorter."""
    held = np.zeros(0, np.float32)
    for part in parts:
        held = np.concatenate([held, one(part, taken)]) if len(held) else one(part, taken)
        while len(held) >= size:
            yield held[:size]
            held = held[size:]
    if len(held):
        yield held


@contextmanager
def _by_name(path: Path, file: BinaryIO) -> Iterator[Path]:
    """A name of what is in a file, under which libsndfile can move about in it: of a pipe, that of a copy.

    If it read by way of Python, what goes wrong in there would be written to the terminal.
    """
    if file.seekable():
        yield path
        return
    with kept(file) as copy:
        yield copy


@contextmanager
def kept(stream: BinaryIO) -> Iterator[Path]:
    """A file with all that comes through a pipe, which is gone after the block.

    Raises
    ------
    AudioError
        if that is more than LARGEST_PIPE.
    """
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "sound", "w+b") as copy:
        count = 0
        while part := stream.read(BLOCK):
            count += copy.write(part)
            if count > LARGEST_PIPE:
                raise AudioError(f"gives more than {LARGEST_PIPE >> 20} MB; write that to a file first")
        copy.flush()
        named = Path(copy.name)
        if (open_ := Path(OPEN_FILES.format(os.getpid())) / str(copy.fileno())).exists():  # then a kill leaves nothing
            named.unlink()
            named = open_
        yield named


@contextmanager
def _unheard() -> Iterator[None]:
    """Keep from the terminal what a sound library writes to standard error on its own, in a few microseconds.

    libmpg123 remarks on each damaged frame of an MP3. What other threads write meanwhile is kept from it, too: so this
    is for single calls, and not for those to libraries that say nothing.
    """
    with _ALONE:
        try:
            terminal = os.dup(2)
        except OSError:  # there is none
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _why_not_opened(path: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        if os.path.islink(path):
            return f"broken symbolic link to {shown(os.readlink(path))}; restore the file or remove the link"
        return "no such file; check the name"
    if os.path.isdir(path):  # asked here because Windows calls this a lack of permission
        if not os.access(path, os.R_OK | os.X_OK):
            return "is a folder that cannot be opened; change its mode or move it away"
        return "is a folder; name a sound file in it"
    if isinstance(error, PermissionError):
        return "no permission to read it; change its mode or owner"
    what_to_do = remedy(error, "check the name and the disk")
    return f"cannot be read ({error.strerror or error}); {what_to_do}"


def _write_wav(path: Path, pcm: np.ndarray, sample_rate: int, new: bool) -> None:
    try:
        with (
            replacing(path, private=True, new=new) as temporary,
            open(temporary, "wb") as file,
        ):
            _put_wav(file, pcm, sample_rate)
    except FileExistsError:
        raise
    except OSError as error:
        what_to_do = remedy(error, "choose an existing folder you may write to")
        raise AudioError(f"cannot be written ({error.strerror or error}); {what_to_do}") from error


def _put_wav(file: BinaryIO, pcm: np.ndarray, sample_rate: int) -> None:
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sample_rate)
        sound.writeframes(pcm.tobytes())
