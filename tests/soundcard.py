"""A made-up sound system that stands in for the sounddevice module: inputs that come, go, refuse and deliver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np


class PortAudioError(Exception):
    """As in sounddevice: its arguments are a text and a number."""

    def __str__(self) -> str:
        return self.args[0] + "".join(f" [PaErrorCode {code}]" for code in self.args[1:])


@dataclass(eq=False)
class Plug:
    """Something plugged in.

    Attributes
    ----------
    name : what it is called
    rates : what it can do, Hz, its own rate first
    inputs : channels to record from; a loudspeaker has none
    refusal : why it cannot be opened, as arguments of a PortAudioError
    host : number of its sound system
    fewest : channels it must be opened with
    """

    name: str
    rates: tuple[float, ...] = (48000, 44100, 16000)
    inputs: int = 1
    refusal: tuple | None = None
    host: int = 0
    fewest: int = 1


@dataclass(eq=False)
class SoundCard:
    """The module, and the hand that plugs things in.

    Attributes
    ----------
    plugged : what is there now; the module knows of it only after it has been started again
    chosen : number of the input that is the default, -1 for none
    host_default : the same of the first sound system
    started : called with a stream that was started
    starved : called with a stream when somebody asks whether it is still active
    streams : all that were ever opened
    history : what was done, in order
    failures : how many more times the sound system does not start
    loudspeaker : its own rate, Hz; None where there is none
    played : what was to be heard from it, and at which rate
    silenced : how many times it was told to end that
    """

    plugged: list[Plug] = field(default_factory=list)
    chosen: int = 0
    host_default: int = -1
    started: Callable[[Stream], None] = lambda stream: None
    starved: Callable[[Stream], None] = lambda stream: None
    streams: list[Stream] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    failures: int = 0
    loudspeaker: int | None = None
    played: list[tuple[np.ndarray, int]] = field(default_factory=list)
    silenced: int = 0
    PortAudioError = PortAudioError

    def __post_init__(self) -> None:
        self._known: list[Plug] | None = list(self.plugged)

    @property
    def default(self) -> SimpleNamespace:
        return SimpleNamespace(device=(self.chosen, -1))

    def query_devices(self, *, kind: str | None = None) -> list[dict] | dict:
        if kind == "output":
            if self.loudspeaker is None:
                raise PortAudioError("Error querying device -1")
            return {"name": "Loudspeaker", "default_samplerate": float(self.loudspeaker)}
        if self._known is None:
            raise PortAudioError("PortAudio not initialized", -10000)
        return [
            {
                "name": plug.name,
                "hostapi": plug.host,
                "max_input_channels": plug.inputs,
                "max_output_channels": 2,
                "default_samplerate": float(plug.rates[0]),
            }
            for plug in self._known
        ]

    def query_hostapis(self) -> list[dict]:
        return [
            {"name": "ALSA", "default_input_device": self.host_default},
            {"name": "JACK", "default_input_device": -1},
        ]

    def check_input_settings(self, *, device, channels, dtype, samplerate) -> None:
        assert (channels, dtype) == (1, "float32")
        if samplerate not in self._known[device].rates:
            raise PortAudioError("Invalid sample rate", -9997)

    def play(self, samples: np.ndarray, rate: int) -> None:
        self.played.append((samples, rate))
        self.output = SimpleNamespace(active=True)

    def get_stream(self) -> SimpleNamespace:
        return self.output

    def stop(self) -> None:
        self.silenced += 1

    def InputStream(self, **settings) -> Stream:  # noqa: N802 - as it is called there
        plug = self._known[settings["device"]]
        self.history.append(f"open {plug.name}")
        if plug not in self.plugged:
            raise PortAudioError("Device unavailable", -9985)
        if plug.refusal:
            raise PortAudioError(*plug.refusal)
        if not plug.fewest <= settings["channels"] <= plug.inputs:
            raise PortAudioError("Invalid number of channels", -9998)
        if settings["samplerate"] not in plug.rates:
            raise PortAudioError("Invalid sample rate", -9997)
        stream = Stream(self, plug, **settings)
        self.streams.append(stream)
        return stream

    def _terminate(self) -> None:
        assert all(stream.closed for stream in self.streams), "a stream outlives the sound system"
        if self._known is None:
            raise PortAudioError("PortAudio not initialized", -10000)
        self.history.append("terminate")
        self._known = None

    def _initialize(self) -> None:
        if self.failures:
            self.failures -= 1
            raise PortAudioError("Unanticipated host error", -9999)
        self.history.append("initialize")
        self._known = list(self.plugged)


class Stream:
    """An open input, which delivers what it is told to."""

    def __init__(self, card, plug, *, device, samplerate, channels, dtype, blocksize, latency, callback) -> None:
        assert dtype == "float32"
        assert blocksize > 0
        assert latency > 0
        self.card, self.plug, self.rate = card, plug, samplerate
        self._size, self._callback, self._channels = blocksize, callback, channels
        self.running = self.closed = self.broken = False

    @property
    def active(self) -> bool:
        self.card.starved(self)
        if self.broken:
            raise PortAudioError("Invalid stream pointer", -9988)
        return self.running and self.plug in self.card.plugged

    def start(self) -> None:
        self.running = True
        self.card.history.append("start")
        self.card.started(self)

    def abort(self) -> None:
        self.running = False

    def close(self) -> None:
        if not self.closed:
            self.card.history.append("close")
        self.closed = True

    def deliver(self, samples: np.ndarray, overflow: bool = False) -> None:
        """Sound comes in: the callback is given it in blocks, in memory that is used again."""
        assert self.running
        for first in range(0, len(samples), self._size):
            memory = np.array(samples[first : first + self._size], dtype=np.float32)[:, None]
            memory = memory.repeat(self._channels, axis=1)
            memory[:, 1:] = 0.0  # the voice is in the first channel
            self._callback(memory, len(memory), None, SimpleNamespace(input_overflow=overflow))
            memory[:] = np.nan
