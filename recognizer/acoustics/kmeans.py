"""K-means: clusters of frames, for mixtures and codebooks to start from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recognizer.errors import TrainingError

CHUNK_VALUES = 4_000_000  # distances held at once; bounds the memory


def kmeans(
    features: np.ndarray, clusters: int, *, tolerance: float = 1e-3, max_iterations: int = 50
) -> tuple[np.ndarray, np.ndarray]:
    """Equal cut, nearest centre, new centre, until the mean distance stops falling.

    A cluster that loses its last frame is dropped, so fewer centres than asked may come back.

    Parameters
    ----------
    features : (T, D), best scaled to unit variance, for the distance is Euclidean
    clusters : number of groups asked; no more than there are frames
    tolerance : stop when the mean distance falls by less than this fraction

    Returns
    -------
    centres : (K, D)
    distances : (iterations,), the mean squared distance to the nearest centre, never rising
    """
    features = np.asarray(features, dtype=np.float64)
    if not len(features):
        raise TrainingError("k-means was given no frames; record more speech")
    centres = np.stack([part.mean(0) for part in np.array_split(features, min(clusters, len(features)))])
    distances: list[float] = []
    while len(distances) < max_iterations:
        label, distance = nearest(features, centres)
        distances.append(float(distance.mean()))
        if len(distances) > 1 and distances[-1] >= distances[-2] * (1 - tolerance):
            break
        count = np.bincount(label, minlength=len(centres))
        sums = np.zeros_like(centres)
        for part in slices(len(features), CHUNK_VALUES // len(centres)):
            sums += (label[part] == np.arange(len(centres))[:, None]).astype(np.float64) @ features[part]
        centres = sums[count > 0] / count[count > 0, None]
    return centres, np.array(distances)


def nearest(features: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest centre, (T,), and the squared distance to it, (T,)."""
    label, own = np.empty(len(features), dtype=np.intp), np.empty(len(features))
    squares = (centres**2).sum(1)[:, None]
    for part in slices(len(features), CHUNK_VALUES // len(centres)):
        relative = squares - 2 * centres @ features[part].T  # all but |x|**2, which all share
        label[part] = relative.argmin(0)
        own[part] = np.take_along_axis(relative, label[part][None], 0)[0]
    return label, np.maximum(own + np.einsum("td,td->t", features, features), 0.0)


def slices(count: int, size: int) -> Iterator[slice]:
    """Of a number of items, so many at a time, at least one."""
    size = max(1, size)
    return (slice(start, start + size) for start in range(0, count, size))
