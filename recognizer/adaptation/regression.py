"""Regression classes: a tree of states that sound alike, from all of them down to each one alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recognizer.acoustics.gaussians import GaussianBank

REFINEMENTS = 10  # of a cut into two by k-means, at most


@dataclass(frozen=True)
class RegressionTree:
    """Nested classes of the states of a bank.

    Attributes
    ----------
    order : (S,), the states in an order in which every class stands together
    first, last : (N,), where in it a class starts, and where it ends (past the end); class 0 has all states
    parent : (N,), the class that a class is a part of, which comes before it; -1 for class 0
    """

    order: np.ndarray
    first: np.ndarray
    last: np.ndarray
    parent: np.ndarray

    def totals(self, by_state: np.ndarray) -> np.ndarray:
        """Sums over the states of every class: (S, ...) in the order of the bank gives (N, ...)."""
        running = np.concatenate([np.zeros_like(by_state[:1]), by_state[self.order].cumsum(0)])
        return running[self.last] - running[self.first]

    def smallest(self, opened: np.ndarray) -> np.ndarray:
        """The smallest class that each state is in, of those that are opened, (S,).

        Parameters
        ----------
        opened : (N,) bool, class 0 among them
        """
        classes = np.empty(len(self.order), dtype=np.intp)
        for number in np.flatnonzero(opened):
            classes[self.order[self.first[number] : self.last[number]]] = number
        return classes

    @property
    def root(self) -> RegressionTree:
        """Class 0 alone."""
        return RegressionTree(self.order, self.first[:1], self.last[:1], self.parent[:1])


def grow(bank: GaussianBank) -> RegressionTree:
    """Cut the states in two, by k-means from the axis along which they differ most, and those again, to the last.

    Parameters
    ----------
    bank : mixtures of the states; distances are between their means, in standard deviations
    """
    if not len(bank.weights):
        return RegressionTree(
            np.zeros(0, dtype=np.intp), np.zeros(1, dtype=np.intp), np.zeros(1, dtype=np.intp), np.full(1, -1)
        )
    shares = bank.weights[..., None]
    scale = np.sqrt((shares * bank.variances).sum(1).mean(0))
    places = (shares * bank.means).sum(1) / scale
    order = np.arange(len(places))
    first, last, parent = [0], [len(places)], [-1]
    number = 0
    while number < len(first):
        start, end = first[number], last[number]
        if end - start > 1:
            members = order[start:end]
            right = _halved(places[members])
            order[start:end] = np.concatenate([members[~right], members[right]])
            middle = end - int(right.sum())
            first += [start, middle]
            last += [middle, end]
            parent += [number, number]
        number += 1
    return RegressionTree(order, np.array(first), np.array(last), np.array(parent))


def _halved(places: np.ndarray) -> np.ndarray:
    """Which of the points (N, D) belong to the second of two clusters; neither is empty."""
    centred = places - places.mean(0)
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    axis *= np.sign(axis[np.abs(axis).argmax()])  # whose sign is the library's choice otherwise
    right = centred @ axis > 0
    for _ in range(REFINEMENTS):
        if right.all() or not right.any():
            break
        centres = [places[~right].mean(0), places[right].mean(0)]
        now = ((places - centres[1]) ** 2).sum(1) < ((places - centres[0]) ** 2).sum(1)
        if (now == right).all() or now.all() or not now.any():
            break
        right = now
    if right.all() or not right.any():  # all in one place: any cut will do
        right = np.arange(len(places)) >= len(places) // 2
    return right
