"""What a server takes on, so that nobody who calls it can take all of the machine."""

from __future__ import annotations

from dataclasses import dataclass

from recognizer.sound.audio import LOWEST_RATE

# Places that callers take: of a kind of work there are so many.
RECORDINGS, STREAMS = "recordings", "streams"
# Hz, of sound that comes while it happens: all that sound cards have. Another is a mistake, and better told at once.
STREAM_RATES = range(LOWEST_RATE, 384_001, 25)


@dataclass(frozen=True)
class Limits:
    """Bounds of a server.

    Attributes
    ----------
    upload, uploads : bytes of a recording, and of all that are there at the same time
    patience : seconds that a recording may take to come, and a stream to say nothing at all
    waiting : recordings that are read or recognised at the same time
    streams : that are open at the same time
    message : bytes of a message in a stream; two seconds of sound at 48 kHz are 200,000
    models : that are kept in memory, the last that were asked for
    enrollments : voices and words that are recorded at the same time
    words, takes, kept : own words: of a collection, takes of each, and bytes of all together
    """

    upload: int = 64 << 20
    uploads: int = 512 << 20
    patience: float = 60.0
    waiting: int = 64
    streams: int = 64
    message: int = 1 << 20
    models: int = 8
    enrollments: int = 4
    words: int = 100
    takes: int = 200
    kept: int = 1 << 30
