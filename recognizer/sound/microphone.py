"""The microphone, through PortAudio: which there are, and blocks of sound from one of them for as long as it lasts.

PortAudio is loaded when it is first asked for, because everything else works without it.
"""

from __future__ import annotations

import queue
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from recognizer.errors import MicrophoneError, cited, listed, shown
from recognizer.sound.source import BLOCK, Block, Lost, OnlyZeros, Sound

QUEUE = 10.0  # seconds of sound held for a reader that is late
LATENCY = 0.1  # seconds of buffer in the sound system; with less, it wakes up more often than there are blocks
FIRST_BLOCK = 8.0  # seconds a device may take to deliver anything: Bluetooth and sleeping sound servers need some
NEXT_BLOCK = 2.0  # seconds without sound after which a device that did deliver counts as gone
RETRY = 0.5  # seconds between attempts to open it again
POLL = 0.2  # seconds; how often a wait looks up, so that Ctrl-C is heard
ZEROS = 2.5  # seconds of exact zeros that are reported
OTHER_RATES = (48000, 44100, 16000, 32000, 22050, 11025, 8000)  # tried when a device refuses its own default

# Pa_ErrorCode, portaudio.h
INVALID_CHANNELS, INVALID_RATE, UNAVAILABLE = -9998, -9997, -9985


@dataclass(frozen=True)
class Device:
    """A sound input.

    Attributes
    ----------
    index : its number in the list
    name : as the system calls it
    host : the sound system it belongs to, such as ALSA or Core Audio
    channels : the most it can record
    sample_rate : its own rate, Hz
    default : whether it is used when none is asked for
    """

    index: int
    name: str
    host: str
    channels: int
    sample_rate: int
    default: bool


def devices() -> list[Device]:
    """All sound inputs.

    Raises
    ------
    MicrophoneError
        if PortAudio is missing.
    """
    return _listed(_portaudio())


def choose(wanted: str | None, known: list[Device]) -> Device:
    """The device of an index or a part of a name, or the default one.

    Parameters
    ----------
    wanted : such as "2" or "usb"; None for the default
    known : what `devices` found

    Raises
    ------
    MicrophoneError
        if there is none, or several fit.
    """
    if not known:
        raise MicrophoneError(f"no sound input found; {_remedy('absent')}")
    if wanted is not None and not wanted.strip():
        raise MicrophoneError("the device's name is empty; choose one of `recognizer devices`")
    if wanted is None:
        return next((device for device in known if device.default), known[0])
    fits = [d for d in known if str(d.index) == wanted.strip()]
    fits = fits or [d for d in known if d.name.casefold() == wanted.strip().casefold()]
    if not wanted.strip().isdecimal():  # names hold numbers that are no index, as in "hw:1,0"
        fits = fits or [d for d in known if wanted.strip().casefold() in d.name.casefold()]
    names = listed(f"{d.index} {cited(d.name)}" for d in fits or known)
    if not fits:
        raise MicrophoneError(f"no sound input {cited(wanted)}; choose one of {names}")
    # The same microphone is often there once for each of the system's sound interfaces.
    if len({d.name for d in fits}) > 1:
        raise MicrophoneError(f"{cited(wanted)} fits {names}; choose one by its number")
    return next((d for d in fits if d.default), fits[0])


class Microphone:
    """A device that is open as long as the context is.

    Parameters
    ----------
    wanted : index or part of a name, as for `choose`
    clock, sleep : time, for tests

    Raises
    ------
    MicrophoneError
        if there is no PortAudio, no such device, or it cannot be opened.

    Examples
    --------
    >>> with Microphone() as microphone:  # doctest: +SKIP
    ...     for sound in microphone:
    ...         print(sound)
    """

    def __init__(
        self,
        wanted: str | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._portaudio = _portaudio()
        self._clock, self._sleep = clock, sleep
        self._wanted = wanted
        self.device = choose(wanted, _listed(self._portaudio))
        self._open()

    def __enter__(self) -> Microphone:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __iter__(self) -> Iterator[Sound]:
        """Blocks for as long as anybody asks; a device that goes is waited for."""
        zeros, muted = 0.0, False
        while True:
            for samples, arrived, lost in self._delivered():
                yield Block(samples, self.sample_rate, arrived, lost)
                zeros = 0.0 if samples.any() else zeros + len(samples) / self.sample_rate
                if zeros == 0.0:
                    muted = False
                elif zeros >= ZEROS and not muted:
                    muted = True
                    yield OnlyZeros(self.device.name, _remedy("muted"))
            yield Lost(self.device.name, self._reason)
            self._wait_for_it()
            zeros, muted = 0.0, False

    def _delivered(self) -> Iterator[tuple[np.ndarray, float, int]]:
        """What the callback put into the queue, until nothing comes any more."""
        patience, waited = FIRST_BLOCK, self._clock()
        while True:
            try:
                block = self._queue.get(timeout=POLL)
            except queue.Empty:
                if not self._active():
                    self._reason = "the device is gone"
                    return
                if self._clock() - waited > patience:
                    self._reason = f"no sound for {patience:.0f} s"
                    return
                continue
            yield block
            patience, waited = NEXT_BLOCK, self._clock()

    def _active(self) -> bool:
        try:
            return self._stream.active
        except self._portaudio.PortAudioError:  # of a stream that broke with its device
            return False

    def _open(self) -> None:
        """Open the device at its own rate, or the first other one it takes."""
        rates = [self.device.sample_rate, *(r for r in OTHER_RATES if r != self.device.sample_rate)]
        for rate in rates:
            for channels in dict.fromkeys([1, self.device.channels]):
                try:
                    self._start(rate, channels)
                    return
                except self._portaudio.PortAudioError as error:
                    code = error.args[1] if len(error.args) > 1 else None
                    if code == INVALID_RATE:
                        break
                    if code != INVALID_CHANNELS or channels == self.device.channels:
                        raise MicrophoneError(_why_not_opened(self.device.name, error, code)) from error
        tried = ", ".join(map(str, rates))
        raise MicrophoneError(f"{cited(self.device.name)} takes none of the rates {tried} Hz; {_remedy('rate')}")

    def _start(self, rate: int, channels: int) -> None:
        blocks: queue.Queue = queue.Queue(maxsize=round(QUEUE / BLOCK))
        self._queue = blocks
        lost = 0  # samples since the last block that found room; it tells of them

        def copy(samples: np.ndarray, frames: int, _: object, status: object) -> None:
            """Called by the sound system: no more than a copy, or sound is lost."""
            nonlocal lost
            if status.input_overflow:
                lost += frames  # at least; nobody knows how many
            try:
                blocks.put_nowait((samples.mean(axis=1), self._clock(), lost))
                lost = 0
            except queue.Full:
                lost += frames

        self._stream = self._portaudio.InputStream(
            device=self.device.index,
            samplerate=rate,
            channels=channels,
            dtype="float32",
            blocksize=round(BLOCK * rate),
            latency=LATENCY,
            callback=copy,
        )
        self._stream.start()
        self.sample_rate = rate

    def _close(self) -> None:
        with suppress(self._portaudio.PortAudioError):  # of a device that is gone
            self._stream.abort()
        with suppress(self._portaudio.PortAudioError):
            self._stream.close()

    def _wait_for_it(self) -> None:
        """Try to open it, by the name it had, until that works."""
        while True:
            self._close()
            self._sleep(RETRY)
            # PortAudio looks for devices only when it starts.
            with suppress(self._portaudio.PortAudioError):  # where it could not start the last time
                self._portaudio._terminate()
            with suppress(self._portaudio.PortAudioError, MicrophoneError):
                self._portaudio._initialize()
                known = _listed(self._portaudio)
                if self._wanted is not None:  # no other one will do, such as one whose name begins like it
                    known = [device for device in known if _model(device.name) == _model(self.device.name)]
                self.device = choose(None, known)
                self._open()
                return


def _model(name: str) -> str:
    """A device's name without ALSA's card number, which may be another one when it is plugged in again."""
    return re.sub(r" \(hw:\d+,\d+\)$", "", name)


def rates(device: Device) -> list[int]:
    """The common sample rates that a device takes, in Hz, rising."""
    portaudio = _portaudio()
    taken = []
    for rate in sorted(OTHER_RATES):
        with suppress(portaudio.PortAudioError):
            portaudio.check_input_settings(device=device.index, channels=1, dtype="float32", samplerate=rate)
            taken.append(rate)
    return taken


def record(microphone: Iterable[Sound], seconds: float) -> np.ndarray:
    """The next so many seconds from an open microphone, (n,) float32 at its rate.

    Raises
    ------
    MicrophoneError
        if it is lost meanwhile.
    """
    blocks: list[np.ndarray] = []
    for sound in microphone:
        if isinstance(sound, Lost):
            raise MicrophoneError(f"{cited(sound.device)} was lost while recording ({sound.reason}); plug it in again")
        if isinstance(sound, Block):
            blocks.append(sound.samples)
            wanted = round(seconds * sound.sample_rate)
            if sum(map(len, blocks)) >= wanted:
                return np.concatenate(blocks)[:wanted]
    raise MicrophoneError("the microphone stopped; start again")


def _portaudio() -> ModuleType:
    """The sounddevice module, which loads PortAudio."""
    try:
        import sounddevice
    except OSError as error:
        raise MicrophoneError(
            f"PortAudio, which reads the microphone, is not installed; {_remedy('library')}"
        ) from error
    return sounddevice


def _listed(portaudio: ModuleType) -> list[Device]:
    try:
        everything, hosts = portaudio.query_devices(), portaudio.query_hostapis()
    except portaudio.PortAudioError as error:
        raise MicrophoneError(f"the sound system does not answer ({shown(error)}); {_remedy('absent')}") from error
    default = portaudio.default.device[0]
    if default < 0:
        default = next((host["default_input_device"] for host in hosts if host["default_input_device"] >= 0), -1)
    return [
        Device(
            index,
            device["name"],
            hosts[device["hostapi"]]["name"],
            device["max_input_channels"],
            int(device["default_samplerate"]),
            index == default,
        )
        for index, device in enumerate(everything)
        if device["max_input_channels"] > 0
    ]


def _why_not_opened(name: str, error: Exception, code: int | None) -> str:
    said = shown(error.args[0] if error.args else error)
    if code == UNAVAILABLE:
        return f"{cited(name)} is in use by another program ({said}); {_remedy('busy')}"
    if code == INVALID_CHANNELS:
        return (
            f"{cited(name)} takes neither one channel nor all of its own ({said}); choose another, see `recognizer "
            "devices`"
        )
    return f"{cited(name)} cannot be opened ({said}); {_remedy('refused')}"


_REMEDIES = {
    "library": {
        "linux": "apt-get install libportaudio2",
        "darwin": "brew install portaudio",
        "win32": "pip install --force-reinstall sounddevice",
    },
    "absent": {
        "linux": "plug a microphone in and see whether `arecord -l` or `pactl list short sources` shows it",
        "darwin": "plug a microphone in and see whether System Settings > Sound > Input shows it",
        "win32": "plug a microphone in and see whether Settings > System > Sound > Input shows it",
    },
    "busy": {
        "linux": "close that program (`fuser -v /dev/snd/*` names it), or choose the device 'pulse' or 'default'",
        "darwin": "close that program, or choose another device, see `recognizer devices`",
        "win32": "close that program, or untick exclusive mode in the device's advanced properties",
    },
    "rate": {
        "linux": "choose the device 'pulse' or 'default', which convert, see `recognizer devices`",
        "darwin": "set another rate in Audio MIDI Setup",
        "win32": "set another default format in the device's advanced properties",
    },
    "refused": {
        "linux": "see that you are in the group audio and that the sound server runs (`pactl info`)",
        "darwin": "allow your terminal the microphone in System Settings > Privacy & Security > Microphone",
        "win32": "allow desktop apps the microphone in Settings > Privacy & security > Microphone",
    },
    "muted": {
        "linux": "unmute the input (alsamixer, or `pactl set-source-mute @DEFAULT_SOURCE@ 0`), or choose another "
        "device, see `recognizer devices`",
        "darwin": "allow your terminal the microphone in System Settings > Privacy & Security > Microphone, restart "
        "it, and see that the input volume is not zero",
        "win32": "allow desktop apps the microphone in Settings > Privacy & security > Microphone and see that the "
        "input is not muted",
    },
}


def _remedy(trouble: str) -> str:
    return _REMEDIES[trouble].get(sys.platform, _REMEDIES[trouble]["linux"])
