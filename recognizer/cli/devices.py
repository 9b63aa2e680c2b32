"""`recognizer devices`: which microphones there are, and how good one is."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from recognizer.cli.options import DebugOption, DeviceOption, JsonOption, QuietOption, usage_error
from recognizer.cli.reporting import (
    ExitStatus,
    complain,
    echo_wrapped,
    native_messages_hidden,
    print_json,
    print_table,
    reports_errors,
    say,
)
from recognizer.errors import shown

if TYPE_CHECKING:
    from recognizer.sound.microphone import Device, Microphone
    from recognizer.sound.quality import Quality
    from recognizer.sound.source import Sound

SECONDS = 3.0  # of a test: time for a few words and the quiet between them


VALUES = 13  # cells before what is told of a device
VERDICTS = {"unheard": "you were not heard: nothing but quiet"}  # where the word alone says too little


@reports_errors
def devices(
    test: Annotated[bool, typer.Option("--test", help="Record 3 s and tell how good they are.")] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """List the microphones, or test one."""
    if device is not None and not test:
        raise usage_error("--device goes with --test; without it all devices are listed")
    with native_messages_hidden(debug):
        return _test(device, as_json, quiet) if test else _list(as_json)


def _list(as_json: bool) -> ExitStatus:
    from recognizer.errors import MicrophoneError
    from recognizer.sound.microphone import choose, devices, rates

    found = devices()
    if as_json:
        print_json([asdict(d) | {"rates": rates(d)} for d in found])
    try:
        choose(None, found)
    except MicrophoneError as error:
        complain(f"error: {error}")
        return ExitStatus.FAILED
    if as_json:
        return ExitStatus.OK
    rows = [(" ", "index", "name", "system", "rates (Hz, its own first)")]
    for d in found:
        listed = " ".join(map(str, dict.fromkeys([d.sample_rate, *rates(d)])))
        rows.append(("*" if d.default else " ", str(d.index), d.name, d.host, listed))
    print_table(rows, right={1}, keys=2)
    say("* is used when no --device is given")
    return ExitStatus.OK


def _test(wanted: str | None, as_json: bool, quiet: bool) -> ExitStatus:
    from recognizer.sound.microphone import Microphone, record
    from recognizer.sound.quality import measure

    with Microphone(wanted) as microphone:
        with _watched(microphone, as_json, quiet) as sounds:
            samples = record(sounds, SECONDS)
        quality = measure(samples, microphone.sample_rate)
        show = _print_json if as_json else _print_test
        show(microphone.device, microphone.sample_rate, quality)
    return ExitStatus.FAILED if quality.verdict in ("unusable", "unheard") else ExitStatus.OK


@contextmanager
def _watched(microphone: Microphone, as_json: bool, quiet: bool) -> Iterator[Iterable[Sound]]:
    """What a microphone delivers, while a terminal shows how loud that is."""
    name = shown(microphone.device.name)
    if as_json or quiet or not sys.stdout.isatty():
        if sys.stderr.isatty() and not quiet:
            complain(f"{name}: say a few words, {SECONDS:.0f} seconds from now on ...")
        yield microphone
        return
    from recognizer.cli.drawing import kept_up_to_date
    from recognizer.cli.prompt_screen import LevelPicture
    from recognizer.sound.listener import Listener
    from recognizer.sound.segmenter import Segmentation

    rate = microphone.sample_rate
    listener, title = Listener(rate, Segmentation()), f"devices --test: {name} at {rate} Hz"

    def heard() -> Iterator[Sound]:
        for sound in microphone:
            listener.hear(sound)
            show([])
            yield sound

    with kept_up_to_date(lambda width: LevelPicture(listener, title, SECONDS, width)) as show:
        yield heard()


def _print_json(device: Device, rate: int, quality: Quality) -> None:
    measured = {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(quality).items()}
    record = {"device": device.name, "sample_rate": rate} | measured
    record |= {"snr": round(quality.snr, 4), "verdict": quality.verdict, "problems": quality.problems}
    print_json(record)


def _print_test(device: Device, rate: int, quality: Quality) -> None:
    echo_wrapped(f"device       {shown(device.name)}, {rate} Hz, {quality.duration:.1f} s", VALUES)
    say(f"level        {quality.level:.0f} dB full scale (peak {quality.peak:.0f})")
    say(f"noise floor  {quality.floor:.0f} dB full scale")
    say(f"SNR          {quality.snr:.0f} dB")
    say(f"clipping     {100 * quality.clipped:.1f} % of the samples")
    echo_wrapped(f"verdict      {VERDICTS.get(quality.verdict, quality.verdict)}", VALUES)
    for problem in quality.problems:
        echo_wrapped(f"{' ' * VALUES}{problem}", VALUES)
