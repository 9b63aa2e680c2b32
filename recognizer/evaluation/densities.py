"""What a density sounds like and how large it is, whichever kind it is: frames drawn from it, its sizes."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from recognizer.acoustics.density import Density
from recognizer.acoustics.discrete import DiscreteBank
from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.tied import TiedBank


@singledispatch
def draw(bank: Density, states: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Features drawn at random, one frame from each of the given states.

    Parameters
    ----------
    bank : of S states
    states : (T,) which of them
    random : where chance comes from

    Returns
    -------
    (T, D); of discrete densities the centres of the cells drawn
    """
    raise NotImplementedError(f"no frames are drawn from {type(bank).__name__}")


@draw.register
def _(bank: GaussianBank, states: np.ndarray, random: np.random.Generator) -> np.ndarray:
    component = _drawn(bank.weights[states], random)
    noise = random.standard_normal((len(states), bank.dims))
    return bank.means[states, component] + np.sqrt(bank.variances[states, component]) * noise


@draw.register
def _(bank: TiedBank, states: np.ndarray, random: np.random.Generator) -> np.ndarray:
    component = _drawn(bank.weights[states], random)
    stream = np.arange(len(bank.streams))
    noise = random.standard_normal((len(states), *bank.streams.shape))
    values = bank.means[stream, component] + np.sqrt(bank.variances[stream, component]) * noise
    return (values * bank.streams).sum(1)


@draw.register
def _(bank: DiscreteBank, states: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return bank.cells[np.arange(len(bank.cells)), _drawn(bank.weights[states], random)].sum(1)


def _drawn(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A component from each distribution (..., K)."""
    component = (random.random((*weights.shape[:-1], 1)) > weights.cumsum(-1)).sum(-1)
    return np.minimum(component, weights.shape[-1] - 1)  # where rounding leaves the sum under one


@singledispatch
def sizes(bank: Density) -> dict[str, int]:
    """How large it is, by what is counted."""
    raise NotImplementedError(f"no sizes are known of {type(bank).__name__}")


@sizes.register
def _(bank: GaussianBank) -> dict[str, int]:
    return {"mixtures": bank.weights.shape[1], "gaussians": int((bank.weights > 0).sum())}


@sizes.register
def _(bank: TiedBank) -> dict[str, int]:
    return {"streams": len(bank.streams), "gaussians": bank.means[..., 0].size}


@sizes.register
def _(bank: DiscreteBank) -> dict[str, int]:
    return {"streams": bank.cells.shape[0], "cells": bank.cells.shape[1]}
