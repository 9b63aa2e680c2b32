"""What a model has learned, for people: how long words last, which are alike, what their states sound like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recognizer.acoustics.chain import expected_durations
from recognizer.acoustics.word_models import WordModels
from recognizer.evaluation.divergence import closest_pairs
from recognizer.evaluation.evaluation import a_to_z
from recognizer.features.front_end import FrontEnd
from recognizer.files.pictures import LABELLED, lettering
from recognizer.files.writing import replacing
from recognizer.model import Model

ALIKE = 5  # pairs of words that are told: those to think about, on a screen that has more to tell


def state_durations(models: WordModels, hop: float) -> np.ndarray:
    """How long the states of the words last, on average, (W, states) seconds; 0 of one that is never entered.

    Parameters
    ----------
    models : the word models
    hop : seconds a frame
    """
    return expected_durations(models.chain)[:, 1:-1] * hop


def most_alike(model: Model) -> list[dict]:
    """The words that are most easily taken for each other, closest first, with their `divergence`, as plain data."""
    pairs = closest_pairs(model.acoustics, ALIKE)
    return [{"words": [model.words[i], model.words[j]], "distance": round(d, 3)} for i, j, d in pairs]


def spectra(front_end: FrontEnd, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spectra that features stand for: the inverse cosine transform of their static cepstra.

    Cepstra are fewer than filters, so the spectra are smooth: formants are seen, and the pitch is not.

    Parameters
    ----------
    front_end : which made the features; its mean is added again
    means : (N, D) features, the static cepstra first

    Returns
    -------
    frequency : (filters,) at the peaks of the mel filters, Hz
    level : (N, filters) dB, relative to the mean filter in the loud frames of a recording
    """
    from scipy.fft import idct

    cepstra = means[:, : front_end.cepstra] + (np.array(front_end.mean) if front_end.mean else 0.0)
    log_power = idct(cepstra, type=2, n=front_end.filters, axis=1, norm="ortho")
    return front_end.centres, 10 / np.log(10) * log_power


def write_spectra(model: Model, word: str, path: Path) -> None:
    """Write a PNG: how training went, the spectra of a word's states, and how long all states last.

    Parameters
    ----------
    model : with `word` in its vocabulary
    path : a file that ends in .png

    Raises
    ------
    OSError
        if the file cannot be written.
    """
    from matplotlib.figure import Figure

    height = float(np.clip(0.25 * len(model.words), 3, 20 if len(model.words) <= LABELLED else 10))
    with lettering([*model.words, *model.acoustics.history]) as drawable, replacing(path) as temporary:
        figure = Figure(figsize=(11, 4 + height), layout="constrained")
        grid = figure.add_gridspec(2, 2, height_ratios=(4, height))
        _draw_training(figure.add_subplot(grid[0, 0]), {drawable(k): v for k, v in model.acoustics.history.items()})
        _draw_spectra(figure.add_subplot(grid[0, 1]), model, model.words.index(word), drawable(word))
        durations = state_durations(model.acoustics, model.front_end.hop)
        _draw_durations(figure.add_subplot(grid[1, :]), dict(zip(model.words, durations)), drawable)
        figure.savefig(temporary, dpi=110)


def _draw_training(axes, history: dict[str, list[float]]) -> None:
    start = 1
    for stage, curve in history.items():
        axes.plot(range(start, start + len(curve)), curve, "o-", markersize=3, label=stage)
        start += len(curve)
    if history:
        axes.legend(fontsize=8)
    axes.set(title="training", xlabel="iteration", ylabel="log likelihood a frame")
    axes.xaxis.get_major_locator().set_params(integer=True)


def _draw_spectra(axes, model: Model, index: int, word: str) -> None:
    from matplotlib import colormaps

    means, _ = model.acoustics.bank.moments(model.acoustics.rows(index)[1:-1])
    if model.front_end.hears:
        frequency, level = spectra(model.front_end, means)
        labels = {"title": f"mean spectra of the states of {word}", "xlabel": "frequency, Hz", "ylabel": "level, dB"}
    else:
        frequency, level = np.arange(1, means.shape[1] + 1), means
        labels = {"title": f"means of the states of {word}", "xlabel": "number of the value", "ylabel": "value"}
    for state, (line, place) in enumerate(zip(level, np.linspace(0, 0.9, len(level))), 1):
        axes.plot(frequency, line, color=colormaps["viridis"](place), label=str(state))
    axes.legend(title="state", fontsize=7, title_fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set(**labels)


def _draw_durations(axes, durations: dict[str, np.ndarray], drawable: Callable[[str], str]) -> None:
    from matplotlib import colormaps

    words, places = sorted(durations, key=a_to_z), range(len(durations))
    each = np.array([durations[word] for word in words])
    ends = each.cumsum(1)
    for state, colour in enumerate(np.linspace(0, 0.9, each.shape[1])):
        left = ends[:, state] - each[:, state]
        axes.barh(places, each[:, state], left=left, color=colormaps["viridis"](colour), height=0.8)
    if len(words) <= LABELLED:
        axes.set_yticks(places, map(drawable, words))
        axes.set_ylabel("word")
    else:
        axes.set(yticks=[], ylabel=f"{len(words)} words, A to Z")
    title = "how long the states last, on average; colours as above"
    axes.set(title=title, xlabel="seconds", ylim=(len(words) - 0.4, -0.6))
