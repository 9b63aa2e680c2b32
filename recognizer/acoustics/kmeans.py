"""K-means: clusters of frames, for mixtures and codebooks to start from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recognizer.errors import TrainingError

CHUNK_VALUES = 2_000_000  # distances held at once: 16 MB


def kmeans(
    features: np.ndarray,
    clusters: int,
    weights: np.ndarray | None = None,
    *,
    tolerance: float = 1e-3,
    max_iterations: int = 50,
) -> tuple[np.ndarray, np.ndarray]:
    """Equal cut, nearest centre, new centre, until the mean distance stops falling.

    A cluster that loses its last frame is dropped, so fewer centres than asked may come back.

    Parameters
    ----------
    features : (T, D), best scaled to unit variance, for the distance is Euclidean
    clusters : number of groups asked; no more than there are frames
    weights : (T,), as how many frames each counts, over 0; one when None
    tolerance : stop when the mean distance falls by less than this fraction

    Returns
    -------
    centres : (K, D)
    distances : (iterations,), the mean squared distance to the nearest centre, never rising
    """
    features = np.asarray(features, dtype=np.float64)
    weights = np.ones(len(features)) if weights is None else weights
    sizes = (np.array([len(features)]), np.array([min(clusters, len(features))]))
    centres, found, distances = kmeans_of_groups(
        features[None], *sizes, weights[None], tolerance=tolerance, max_iterations=max_iterations
    )
    return centres[0, found[0]], distances[0, np.isfinite(distances[0])]


def kmeans_of_groups(
    features: np.ndarray,
    lengths: np.ndarray,
    clusters: np.ndarray,
    weights: np.ndarray,
    *,
    tolerance: float = 1e-3,
    max_iterations: int = 50,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """K-means of each of G groups of frames, all at once; see `kmeans`.

    Parameters
    ----------
    features : (G, T, D), of whose precision distances are; past the length of a group, anything finite
    lengths : (G,), at least one
    clusters : (G,), from one up to the length
    weights : (G, T), as how many frames each counts, over 0; past the length of a group, zero

    Returns
    -------
    centres : (G, K, D), K the largest number of clusters, those that were found first
    found : (G, K), which of them there are
    distances : (G, max_iterations), infinite after the last iteration of a group
    """
    if not lengths.all():
        raise TrainingError("k-means was given no frames; record more speech")
    count = clusters.max()
    size, larger = (x[:, None] for x in np.divmod(lengths, clusters))
    time = np.arange(features.shape[1])
    cut = larger * (size + 1)  # the first parts of an equal cut have a frame more
    label = np.where(time < cut, time // (size + 1), larger + (time - cut) // size)
    centres, found = _centres(features, weights, label, count)
    total = weights.sum(1)
    distances = np.full((len(lengths), max_iterations), np.inf)
    running, all_centres, all_found = np.arange(len(lengths)), centres.copy(), found.copy()
    for iteration in range(max_iterations):
        label, distance = nearest(features, centres, found)
        distances[running, iteration] = (weights * distance).sum(1) / total
        if iteration:
            before, now = distances[running, iteration - 1], distances[running, iteration]
            going = now < before * (1 - tolerance)
            if not going.any():
                break
            if not going.all():
                running, features, weights, label = (x[going] for x in (running, features, weights, label))
                total = total[going]
        centres, found = _centres(features, weights, label, count)
        all_centres[running], all_found[running] = centres, found
    return all_centres, all_found, distances


def _centres(features: np.ndarray, weights: np.ndarray, label: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of the frames of each label, (G, K, D), and which there are, (G, K), moved to the front."""
    sums, sizes = np.zeros((len(features), count, features.shape[-1])), np.zeros((len(features), count))
    for part, members in memberships(label, weights, count, features.shape[-1]):
        sums += members @ features[:, part]
        sizes += members.sum(-1)
    order = np.argsort(sizes == 0, axis=1, kind="stable")
    sizes = np.take_along_axis(sizes, order, 1)
    return np.take_along_axis(sums, order[..., None], 1) / np.where(sizes > 0, sizes, 1.0)[..., None], sizes > 0


def memberships(label: np.ndarray, weights: np.ndarray, count: int, values: int) -> Iterator[tuple[slice, np.ndarray]]:
    """Part by part of the frames, (G, T), their weight where they have a label and zero elsewhere, (G, K, T).

    A part has as many frames as are little memory, each with so many values in double precision beside its weights.
    """
    labels = np.arange(count)[:, None]
    for part in slices(label.shape[1], CHUNK_VALUES // (max(count, values) * len(label))):
        yield part, (label[:, None, part] == labels) * weights[:, None, part]


def nearest(
    features: np.ndarray, centres: np.ndarray, found: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Index of the nearest centre, (..., T), and the squared distance to it, (..., T).

    Parameters
    ----------
    features : (..., T, D)
    centres : (..., K, D)
    found : (..., K), which of them there are; all when None
    """
    shape = features.shape[:-1]
    label, own = np.empty(shape, dtype=np.intp), np.empty(shape)
    centres = centres.astype(features.dtype)
    squares = (centres**2).sum(-1)
    squares = (squares if found is None else np.where(found, squares, np.inf))[..., None]
    for part in slices(shape[-1], CHUNK_VALUES // squares.size):
        # All but |x|**2, which all share.
        relative = squares - 2 * centres @ features[..., part, :].swapaxes(-1, -2)
        label[..., part] = relative.argmin(-2)
        own[..., part] = relative.min(-2)
    return label, np.maximum(own + np.einsum("...td,...td->...t", features, features), 0.0)


def slices(count: int, size: int) -> Iterator[slice]:
    """Of a number of items, so many at a time, at least one."""
    size = max(1, size)
    return (slice(start, start + size) for start in range(0, count, size))
