"""The loudspeaker, through PortAudio: a recording is played while the program goes on with something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from recognizer.errors import LoudspeakerError, shown
from recognizer.sound import audio

REMEDY = "plug one in, or choose one in the system's sound settings"


def play_aloud(path: Path) -> Callable[[], bool]:
    """Begin to play a recording, instead of what still sounds; gives a function that tells whether it does.

    Raises
    ------
    AudioError
        if it cannot be read.
    LoudspeakerError
        if there is no loudspeaker, or it cannot be opened.
    """
    import sounddevice

    try:
        rate = int(sounddevice.query_devices(kind="output")["default_samplerate"])
        sounddevice.play(audio.load(path, rate).samples, rate)
        stream = sounddevice.get_stream()
    except (sounddevice.PortAudioError, ValueError) as error:  # a ValueError where no output is the default
        said = shown(error.args[0] if error.args else error)
        raise LoudspeakerError(f"no loudspeaker can be opened ({said}); {REMEDY}") from error

    def sounds() -> bool:
        try:
            return stream.active
        except sounddevice.PortAudioError:  # it went with its device
            return False

    return sounds


def hush() -> None:
    """End what still sounds."""
    import sounddevice

    sounddevice.stop()
