"""HTK parameter files: a header of 12 bytes, then one vector a frame, all big-endian (HTK Book 3.4, section 5.10)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recognizer.errors import AudioError, cited, shown
from recognizer.files import here
from recognizer.files.writing import remedy, replacing

# As such files are usually named, by what is in them; compare in lower case.
SUFFIXES = frozenset({".mfc", ".mfcc", ".htk", ".user", ".plp", ".fea", ".fbank", ".lpc"})
HEADER = ">iihH"  # frames, period in units of 100 ns, bytes a frame, kind
HEADER_BYTES = struct.calcsize(HEADER)
TICKS = 1e7  # a second, the unit of the period
BASES = (
    "WAVEFORM",
    "LPC",
    "LPREFC",
    "LPCEPSTRA",
    "LPDELCEP",
    "IREFC",
    "MFCC",
    "FBANK",
    "MELSPEC",
    "USER",
    "DISCRETE",
    "PLP",
)  # by code
BASE_MASK = 0o77  # of a kind, the rest of which are qualifiers, a bit each
COMPRESSED, CHECKSUM = 0o2000, 0o10000
QUALIFIERS = {  # in the order HTK prints them
    "E": 0o100,
    "D": 0o400,
    "N": 0o200,
    "A": 0o1000,
    "T": 0o100000,
    "C": COMPRESSED,
    "K": CHECKSUM,
    "Z": 0o4000,
    "0": 0o20000,
    "V": 0o40000,
}
STORAGE = COMPRESSED | CHECKSUM  # these two tell how the file is stored, not what the numbers are
CHECKSUM_MODULUS = 36897  # HParm.c, UpdateCRCC
FULL_SCALE = 32767.0  # of IREFC, reflection coefficients stored as shorts
LARGEST_SHORT = 32767  # the header holds the bytes of a frame, and a file of symbols these, as shorts
LARGEST_PERIOD = 2**31 - 1  # the header holds it in 32 bits, one of them the sign


@dataclass(frozen=True, eq=False)
class Parameters:
    """The features of one recording.

    Attributes
    ----------
    vectors : (T, D) float32; of the kind DISCRETE the (T, streams) symbols, whole numbers from 1
    kind : base kind and qualifiers as `normalised_kind` orders them
    period : seconds from frame to frame
    """

    vectors: np.ndarray
    kind: str
    period: float


def normalised_kind(kind: str) -> str:
    """The kind with its qualifiers as HTK prints them, without _C and _K, which say how a file is stored.

    >>> normalised_kind("MFCC_0_D_A")
    'MFCC_D_A_0'

    Raises
    ------
    AudioError
        if HTK has no such kind.
    """
    return _name(_code(kind))


def read(path: str | Path) -> Parameters:
    """Read a parameter file, compressed or not, with or without a checksum; a checksum must be right.

    Reflection coefficients stored as shorts (IREFC) become LPREFC, as they do in HTK.

    Raises
    ------
    AudioError
        if the file cannot be read, or is not a whole parameter file of finite numbers.
    """
    try:
        return _parsed(_bytes(Path(path)))
    except AudioError as error:
        raise AudioError(f"{shown(path)}: {error}") from error


def write(path: str | Path, parameters: Parameters) -> None:
    """Write a parameter file, uncompressed and without a checksum, whole or not at all.

    Raises
    ------
    AudioError
        if the file cannot be written, or cannot hold these numbers.
    """
    path = Path(path)
    try:
        content = _printed(parameters)
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    except AudioError as error:
        raise AudioError(f"{shown(path)}: {error}") from error
    except OSError as error:
        what_to_do = remedy(error, "choose an existing folder you may write to")
        raise AudioError(f"{shown(path)}: cannot be written ({error.strerror or error}); {what_to_do}") from error


def _code(kind: str) -> int:
    base, *qualifiers = kind.upper().split("_")
    if base not in BASES or not QUALIFIERS.keys() >= set(qualifiers):
        raise AudioError(
            f"{cited(kind)} is no parameter kind of HTK; give a base kind and qualifiers, such as MFCC_E_D_A or USER"
        )
    return BASES.index(base) + sum(QUALIFIERS[qualifier] for qualifier in set(qualifiers))


def _name(code: int) -> str:
    qualifiers = [f"_{letter}" for letter, bit in QUALIFIERS.items() if code & bit & ~STORAGE]
    return BASES[code & BASE_MASK] + "".join(qualifiers)


def _bytes(path: Path) -> bytes:
    try:
        with here(path) as local:
            return local.read_bytes()
    except FileNotFoundError as error:
        raise AudioError("no such file; check the name") from error
    except OSError as error:
        if path.is_dir():  # asked here because Windows calls this a lack of permission
            raise AudioError("is a folder; name a parameter file in it") from error
        raise AudioError(f"cannot be read ({error.strerror or error}); check its mode and the disk") from error
    except ValueError as error:  # a zero character in the name
        raise AudioError(f"is no file name ({error}); correct it") from error


def _length(header: tuple[int, int, int, int]) -> int:
    frames, _, size, code = header
    return HEADER_BYTES + frames * size + (2 if code & CHECKSUM else 0)


def _parsed(content: bytes) -> Parameters:
    if len(content) < HEADER_BYTES:
        raise AudioError(
            f"has {len(content)} bytes, less than the header of a parameter file ({HEADER_BYTES}); write it again"
        )
    header = frames, period, size, code = struct.unpack_from(HEADER, content)
    if _length(header) != len(content):
        if _length(struct.unpack_from(HEADER.replace(">", "<"), content)) == len(content):
            raise AudioError("has its bytes in little-endian order; write it with NATURALWRITEORDER = F")
        raise AudioError(
            f"is no parameter file of HTK, or damaged: its header tells of {frames} frames of {size} bytes, which "
            f"makes {_length(header)} bytes, but it has {len(content)}; write it again"
        )
    if code & BASE_MASK >= len(BASES):
        raise AudioError(f"has parameter kind {code & BASE_MASK}, unknown to HTK 3.4; convert it with HCopy")
    base = BASES[code & BASE_MASK]
    if base == "WAVEFORM":
        raise AudioError("holds a waveform (kind WAVEFORM) instead of features; convert it with HCopy")
    if period <= 0:
        raise AudioError(f"has a period of {period} x 100 ns from frame to frame; write it again with the true one")
    shorts = base in ("DISCRETE", "IREFC") or bool(code & COMPRESSED)
    width = 2 if shorts else 4
    if size <= 0 or size % width:
        raise AudioError(
            f"has frames of {size} bytes, no multiple of the {width} that a number of the kind {_name(code)} takes; "
            "write it again"
        )
    if code & CHECKSUM:
        content = _checked(content)
    vectors = _vectors(content[HEADER_BYTES:], size // width, code)
    if not len(vectors):
        raise AudioError("holds no frames; record or convert it again")
    if not np.isfinite(vectors).all():
        frame = int(np.argmin(np.isfinite(vectors).all(1)))
        raise AudioError(f"has a value that is not a finite number in frame {frame}; convert the recording again")
    if base == "DISCRETE" and vectors.min() < 1:
        raise AudioError(f"has the symbol {vectors.min():g}, but symbols count from 1; quantise it again")
    kind = _name(code)
    return Parameters(vectors, kind.replace("IREFC", "LPREFC"), period / TICKS)


def _checked(content: bytes) -> bytes:
    """The file without its checksum: all behind the header, taken as one number, modulo 36897.

    HTK updates c to (65536 c + w) mod 36897 for every 16-bit word w, the compression's vectors among them
    (HParm.c, UpdateCRCC), which is a number in base 65536 reduced as it is read.
    """
    content, told = content[:-2], int.from_bytes(content[-2:], "big")
    found = int.from_bytes(content[HEADER_BYTES:], "big") % CHECKSUM_MODULUS
    if found != told:
        raise AudioError(f"is damaged: its checksum is {found} where it should be {told}; copy or convert it again")
    return content


def _vectors(content: bytes, dims: int, code: int) -> np.ndarray:
    """(T, D) float32."""
    base = BASES[code & BASE_MASK]
    scale, offset = np.ones(dims), np.zeros(dims)
    if base == "IREFC":
        scale = np.full(dims, FULL_SCALE)
    if code & COMPRESSED and base != "DISCRETE":
        first = 2 * 4 * dims
        if len(content) <= first:
            raise AudioError("is compressed but holds no frames; convert it again")
        scale, offset = np.frombuffer(content[:first], ">f4").astype(float).reshape(2, dims)
        content = content[first:]
    numbers = np.frombuffer(content, ">i2" if base in ("DISCRETE", "IREFC") or code & COMPRESSED else ">f4")
    with np.errstate(all="ignore"):  # what is not finite is reported by the caller
        return ((numbers.reshape(-1, dims) + offset) / scale).astype(np.float32)


def _printed(parameters: Parameters) -> bytes:
    vectors, code = np.asarray(parameters.vectors), _code(parameters.kind) & ~STORAGE
    base = BASES[code & BASE_MASK]
    if base in ("WAVEFORM", "IREFC"):
        raise AudioError(f"files of the kind {base} are not written; give another, such as USER")
    width = 2 if base == "DISCRETE" else 4
    if vectors.ndim != 2 or not vectors.size:
        raise AudioError(f"features of shape {vectors.shape} fill no file; give frames x values")
    if width * vectors.shape[1] > LARGEST_SHORT:
        raise AudioError(f"{vectors.shape[1]} values a frame are more than HTK's {LARGEST_SHORT // width}; give fewer")
    period = round(parameters.period * TICKS) if np.isfinite(parameters.period) else 0
    if not 1 <= period <= LARGEST_PERIOD:
        raise AudioError(f"{parameters.period} s from frame to frame cannot be written; give 1e-7 to 214 s")
    with np.errstate(all="ignore"):  # what is not finite in single precision is reported here
        numbers = vectors.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise AudioError("a value is not a finite number in single precision; compute the features again")
    if base == "DISCRETE":
        if (numbers != np.round(numbers)).any() or numbers.min() < 1 or numbers.max() > LARGEST_SHORT:
            raise AudioError(f"a symbol is not a whole number from 1 to {LARGEST_SHORT}; quantise the features again")
        numbers = numbers.astype(np.int16)
    header = struct.pack(HEADER, len(vectors), period, width * vectors.shape[1], code)
    return header + numbers.astype(numbers.dtype.newbyteorder(">")).tobytes()
