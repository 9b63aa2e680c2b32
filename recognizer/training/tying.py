"""Which states of all words sound so much alike that they may be one: tied states, or senones (Hwang and Huang 1993).

Each state is a single Gaussian here, and what it costs to tie some of them is by how much less likely all their frames
are to one Gaussian, that of their sums, than to one each (Young and Woodland 1994). States are tied from the bottom up,
always the two clusters by which least is lost; then every state goes where it costs least.

Clusters that are cut in two from the top down lose more likelihood. Where any two might become one, and not only two of
a GROUP, hardly less is lost, and it takes far longer. What comes of it: recipes/vocabulary.
"""

from __future__ import annotations

import numpy as np

from recognizer.acoustics.kmeans import slices
from recognizer.acoustics.statistics import Statistics

GROUP = 256  # clusters of which any two may become one; the time grows with it
ITERATIONS = 10  # in which states go where they cost least, at most
CHUNK_VALUES = 4_000_000  # costs held at once: 32 MB


def tied(statistics: Statistics, count: int, variance_floor: np.ndarray) -> np.ndarray:
    """Which states are tied: of each the number of its cluster, (S,); the clusters are numbered as they first appear.

    Parameters
    ----------
    statistics : of S states of a single Gaussian each
    count : of clusters; there may be fewer where states are the same
    variance_floor : (D,), smallest variance of a Gaussian
    """
    sums = np.concatenate([statistics.occupancy, statistics.first_order[:, 0], statistics.second_order[:, 0]], axis=1)
    clusters = _refined(sums, _clustered(sums, count, variance_floor), variance_floor)
    _, first, number = np.unique(clusters, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number]


def loss(sums: np.ndarray, variance_floor: np.ndarray) -> np.ndarray:
    """Negative log likelihood of frames to the Gaussian that fits them best, (...), but for what all frames share.

    Parameters
    ----------
    sums : (..., 1 + 2 D), number of frames, and their sums and squares
    variance_floor : (D,)
    """
    return (sums * _costs(sums, variance_floor)).sum(-1)


def _costs(sums: np.ndarray, variance_floor: np.ndarray) -> np.ndarray:
    """What each of the numbers in `sums` costs under the Gaussians that fit them best, (..., 1 + 2 D)."""
    mean, variance = _moments(sums, variance_floor)
    constant = (np.log(variance) + mean**2 / variance).sum(-1, keepdims=True)
    return 0.5 * np.concatenate([constant, -2 * mean / variance, 1 / variance], axis=-1)


def _moments(sums: np.ndarray, variance_floor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance, (..., D) each; where there is no frame, zero and the floor."""
    mean, square = np.split(sums[..., 1:] / np.where(sums[..., :1] > 0, sums[..., :1], 1.0), 2, axis=-1)
    return mean, np.maximum(square - mean**2, variance_floor)


def _clustered(sums: np.ndarray, count: int, variance_floor: np.ndarray) -> np.ndarray:
    """Clusters, (S,), from the bottom up; of many, half at a time, for then others are neighbours."""
    clusters = np.arange(len(sums))
    while (left := len(sums)) > count:
        groups = _groups(sums, variance_floor)
        fewer = _fewer(sums, groups, count if len(groups) == 1 else max(count, left // 2), variance_floor)
        clusters, sums = fewer[clusters], totals(sums, fewer)
    return clusters


def _groups(sums: np.ndarray, variance_floor: np.ndarray) -> list[np.ndarray]:
    """Neighbours, up to GROUP together: all, cut in half where they differ most, and the halves again."""
    means, _ = _moments(sums, variance_floor)
    groups, large = [], [np.arange(len(sums))]
    while large:
        members = large.pop()
        if len(members) <= GROUP:
            groups.append(members)
            continue
        _, deviation = _moments(sums[members].sum(0), variance_floor)
        places = (means[members] - means[members].mean(0)) / np.sqrt(deviation)
        axis = np.linalg.eigh(places.T @ places)[1][:, -1]
        axis *= np.sign(axis[np.abs(axis).argmax()])  # whose sign is the library's choice otherwise
        large += np.array_split(members[np.argsort(places @ axis, kind="stable")], 2)
    return groups


def _fewer(sums: np.ndarray, groups: list[np.ndarray], count: int, variance_floor: np.ndarray) -> np.ndarray:
    """Of clusters, in which of so many each is, (C,), when the cheapest merges in all groups are done."""
    merges = [_merges(sums[members], variance_floor) for members in groups]
    # Of a group, no merge before those that it follows.
    price = np.concatenate([np.maximum.accumulate(lost) for _, lost in merges])
    pairs = np.concatenate([members[pair] for members, (pair, _) in zip(groups, merges)])
    into = np.arange(len(sums))
    for one, other in pairs[np.sort(np.argsort(price, kind="stable")[: len(sums) - count])]:
        into[into == other] = one
    return np.unique(into, return_inverse=True)[1]


def _merges(sums: np.ndarray, variance_floor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of clusters to become one, in turn, (G - 1, 2), and what each loses; the second is then in the first."""
    sums, own = sums.copy(), loss(sums, variance_floor)
    lost = np.stack([loss(sums + one, variance_floor) for one in sums]) - own - own[:, None]
    np.fill_diagonal(lost, np.inf)
    pairs, losses = np.empty((len(sums) - 1, 2), dtype=np.intp), np.empty(len(sums) - 1)
    gone = np.zeros(len(sums), dtype=bool)
    for place in range(len(pairs)):
        one, other = pairs[place] = np.unravel_index(lost.argmin(), lost.shape)
        losses[place] = lost[one, other]
        gone[other] = True
        sums[one] += sums[other]
        own[one] = loss(sums[one], variance_floor)
        anew = loss(sums + sums[one], variance_floor) - own - own[one]
        anew[gone] = anew[one] = np.inf
        lost[other] = lost[:, other] = np.inf
        lost[one] = lost[:, one] = anew
    return pairs, losses


def _refined(sums: np.ndarray, clusters: np.ndarray, variance_floor: np.ndarray) -> np.ndarray:
    """Clusters, (S,), after each state has gone where it costs least, until none does."""
    for _ in range(ITERATIONS):
        costs = _costs(totals(sums, clusters), variance_floor).T
        parts = slices(len(sums), CHUNK_VALUES // costs.shape[1])
        now = np.concatenate([(sums[part] @ costs).argmin(1) for part in parts])
        now = np.unique(now, return_inverse=True)[1]
        if (now == clusters).all():
            break
        clusters = now
    return clusters


def totals(sums: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sums over the states of every cluster, (C, ...)."""
    order = np.argsort(clusters, kind="stable")
    return np.add.reduceat(sums[order], np.flatnonzero(np.diff(clusters[order], prepend=-1)))
