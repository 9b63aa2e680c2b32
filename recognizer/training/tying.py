"""Which states of all words sound so much alike that they may be one: tied states, or senones (Hwang and Huang 1993).

Each state is a single Gaussian here, and what it costs to tie some of them is by how much less likely all their frames
are to one Gaussian, that of their sums, than to one each (Young and Woodland 1994). Clusters are cut in two from the
top down, always the one that gains most by it; then every state goes where it costs least.
"""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from recognizer.acoustics.kmeans import slices
from recognizer.acoustics.statistics import Statistics

CUT_ITERATIONS, ITERATIONS = 10, 10  # of a cut into two, and of all clusters, at most
CHUNK_VALUES = 4_000_000  # costs held at once: 32 MB


def tied(statistics: Statistics, count: int, variance_floor: np.ndarray) -> np.ndarray:
    """Which states are tied: of each the number of its cluster, (S,); the clusters are numbered as they first appear.

    Parameters
    ----------
    statistics : of S states of a single Gaussian each
    count : of clusters; there are fewer where states are the same
    variance_floor : (D,), smallest variance of a Gaussian
    """
    sums = np.concatenate([statistics.occupancy, statistics.first_order[:, 0], statistics.second_order[:, 0]], axis=1)
    clusters = _refined(sums, _cut(sums, count, variance_floor), variance_floor)
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
    """What each of the numbers in `sums` costs under the Gaussians that fit some of them best, (..., 1 + 2 D)."""
    dims = len(variance_floor)
    mean, square = np.split(sums[..., 1:] / np.maximum(sums[..., :1], np.finfo(float).tiny), [dims], axis=-1)
    variance = np.maximum(square - mean**2, variance_floor)
    constant = (np.log(variance) + mean**2 / variance).sum(-1, keepdims=True)
    return 0.5 * np.concatenate([constant, -2 * mean / variance, 1 / variance], axis=-1)


def _cut(sums: np.ndarray, count: int, variance_floor: np.ndarray) -> np.ndarray:
    """Clusters, (S,), from the top down."""
    clusters = np.zeros(len(sums), dtype=np.intp)

    def cut(number: int) -> tuple[float, int, np.ndarray]:
        """What is lost if a cluster is cut in two, its number, and the states that go; less than nothing."""
        members = np.flatnonzero(clusters == number)
        right = _halved(sums[members], variance_floor)
        halves = np.stack([sums[members[~right]].sum(0), sums[members[right]].sum(0)])
        gain = loss(halves.sum(0), variance_floor) - loss(halves, variance_floor).sum()
        return -gain if right.any() else 0.0, number, members[right]

    heap = [cut(0)]
    for number in range(1, count):
        lost, old, leaving = heappop(heap)
        if lost >= 0:
            break
        clusters[leaving] = number
        heappush(heap, cut(old))
        heappush(heap, cut(number))
    return clusters


def _halved(sums: np.ndarray, variance_floor: np.ndarray) -> np.ndarray:
    """Which states are in the second of two clusters, (S,), by 2-means from the axis along which they differ most."""
    dims, total = len(variance_floor), sums.sum(0)
    frames = np.maximum(sums[:, :1], np.finfo(float).tiny)
    mean = total[1 : dims + 1] / max(total[0], np.finfo(float).tiny)
    deviation = np.sqrt(np.maximum(total[dims + 1 :] / max(total[0], np.finfo(float).tiny) - mean**2, variance_floor))
    places = (sums[:, 1 : dims + 1] / frames - mean) / deviation
    axis = np.linalg.eigh((frames * places).T @ places)[1][:, -1]
    axis *= np.sign(axis[np.abs(axis).argmax()])  # whose sign is the library's choice otherwise
    right = places @ axis > 0
    for _ in range(CUT_ITERATIONS):
        if right.all() or not right.any():
            return np.zeros(len(sums), dtype=bool)
        halves = np.stack([sums[~right].sum(0), sums[right].sum(0)])
        cost = sums @ _costs(halves, variance_floor).T
        now = cost[:, 1] < cost[:, 0]
        if (now == right).all():
            break
        right = now
    return right


def _refined(sums: np.ndarray, clusters: np.ndarray, variance_floor: np.ndarray) -> np.ndarray:
    """Clusters, (S,), after each state has gone where it costs least, until none does."""
    for _ in range(ITERATIONS):
        costs = _costs(totals(sums, clusters), variance_floor).T
        parts = slices(len(sums), CHUNK_VALUES // costs.shape[1] + 1)
        now = np.concatenate([(sums[part] @ costs).argmin(1) for part in parts])
        _, now = np.unique(now, return_inverse=True)
        if (now == clusters).all():
            break
        clusters = now
    return clusters


def totals(sums: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sums over the states of every cluster, (C, ...)."""
    order = np.argsort(clusters, kind="stable")
    return np.add.reduceat(sums[order], np.flatnonzero(np.diff(clusters[order], prepend=-1)))
