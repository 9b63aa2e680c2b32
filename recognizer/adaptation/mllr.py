"""Maximum likelihood linear regression: the means of many Gaussians moved by one transform.

Every transform has a prior: a number of frames that were heard just where the transform of the class above, or at
the top the identity, would have them. So little speech moves the means a little, and no utterance can break a model.

References: Leggetter and Woodland 1995 (the estimate), Gales and Woodland 1996 (variances), Siohan, Myrvoll and Lee
2002 (a prior handed down the tree).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recognizer.acoustics.gaussians import GaussianBank
from recognizer.acoustics.statistics import Statistics
from recognizer.adaptation.regression import RegressionTree

SHAPES = ("bias", "diagonal", "block", "full")
RIDGE = 1e-10  # of the diagonal: fewer Gaussians than columns leave a system without it unsolvable
INPUTS_AT_ONCE = 512  # whose products are held, 6 MB of full transforms: a voice has thousands, and no cache holds them
STREAMS = 3  # statics, deltas, accelerations: the blocks of a block-diagonal transform


def columns(shape: str, dims: int) -> list[np.ndarray]:
    """Which entries of the extended mean [1, mu] each row of a transform may use.

    Parameters
    ----------
    shape : one of SHAPES; "bias" leaves the matrix the identity
    dims : D, a multiple of STREAMS
    """
    width = dims // STREAMS
    by_row = {
        "bias": lambda row: [0],
        "diagonal": lambda row: [0, row + 1],
        "block": lambda row: [0, *range(row // width * width + 1, (row // width + 1) * width + 1)],
        "full": lambda row: range(dims + 1),
    }
    return [np.array(list(by_row[shape](row))) for row in range(dims)]


def identity(dims: int) -> np.ndarray:
    """The transform that changes nothing, (D, D + 1)."""
    return np.eye(dims, dims + 1, 1)


def extended(means: np.ndarray) -> np.ndarray:
    """[1, mu], (M, D + 1)."""
    return np.concatenate([np.ones((len(means), 1)), means], axis=1)


def estimate(
    bank: GaussianBank, statistics: Statistics, shape: str, prior_frames: float, prior: np.ndarray | None = None
) -> np.ndarray:
    """W, row by row, for all Gaussians of a bank (Leggetter and Woodland 1995, section 3).

    It maximises the expected log density of what was heard.

    Parameters
    ----------
    bank : the mixtures of one class, S of them
    statistics : of the same mixtures
    shape : one of SHAPES
    prior_frames : frames heard where the prior has them, shared out over the class by the weights
    prior : (D, D + 1); the identity when None

    Returns
    -------
    (D, D + 1)
    """
    dims = bank.means.shape[-1]
    prior = identity(dims) if prior is None else prior
    mean, precision = extended(bank.means.reshape(-1, dims)), 1.0 / bank.variances.reshape(-1, dims)
    count = statistics.occupancy.reshape(-1, 1)
    expected = mean @ prior.T
    surprise = (statistics.first_order.reshape(-1, dims) - count * expected) * precision
    weight = (count + prior_frames * _shares(bank).reshape(-1, 1)) * precision
    transform = prior.copy()
    for rows, used in _alike(columns(shape, dims)):
        inputs = mean[:, used]
        normal = products(weight[:, rows], inputs)
        target = surprise[:, rows].T @ inputs
        transform[np.ix_(rows, used)] += _solve(normal, target)
    return transform


def products(weights: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Sums of x x' over the inputs x, (T, C), each as often as it weighs, (T, R): (R, C, C)."""
    size = inputs.shape[1]
    total = np.zeros((weights.shape[1], size**2))
    for first in range(0, len(inputs), INPUTS_AT_ONCE):
        part = inputs[first : first + INPUTS_AT_ONCE]
        outer = (part[:, :, None] * part[:, None, :]).reshape(len(part), -1)
        total += weights[first : first + INPUTS_AT_ONCE].T @ outer
    return total.reshape(-1, size, size)


def _alike(used: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows that use the same columns, and these."""
    groups: dict[tuple, list[int]] = {}
    for row, columns_of_row in enumerate(used):
        groups.setdefault(tuple(columns_of_row), []).append(row)
    return [(np.array(rows), np.array(key)) for key, rows in groups.items()]


def _solve(normal: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Solutions of symmetric systems, (R, C, C) and (R, C); where many would do, for lack of data, a small one."""
    scale = np.sqrt(np.maximum(np.einsum("rcc->rc", normal), np.finfo(float).tiny))
    scaled = normal / (scale[:, :, None] * scale[:, None, :]) + RIDGE * np.eye(normal.shape[-1])
    return np.linalg.solve(scaled, (target / scale)[..., None])[..., 0] / scale


def _shares(bank: GaussianBank) -> np.ndarray:
    """The share of each component in the whole bank, (S, K)."""
    return bank.weights / len(bank.weights)


def estimate_classes(
    bank: GaussianBank,
    statistics: Statistics,
    tree: RegressionTree,
    shape: str,
    prior_frames: float,
    enough: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """A transform for every class that was heard enough, each with that of the class above as its prior.

    Parameters
    ----------
    bank, statistics, shape, prior_frames : as in `estimate`
    tree : over the bank's states
    enough : frames that open a class; class 0 is always open

    Returns
    -------
    transforms : (N, D, D + 1), meaningless for classes that are not opened
    opened : (N,) bool
    """
    dims = bank.means.shape[-1]
    heard = tree.totals(statistics.occupancy.sum(1))
    opened = (heard > 0) & (heard >= enough)
    opened[0] = True
    if shape == "bias":
        return _biases(bank, statistics, tree, prior_frames, opened), opened
    transforms = np.tile(identity(dims), (len(tree.parent), 1, 1))
    for number in np.flatnonzero(opened):
        states = tree.order[tree.first[number] : tree.last[number]]
        above = None if number == 0 else transforms[tree.parent[number]]
        transforms[number] = estimate(bank.take(states), statistics.take(states), shape, prior_frames, above)
    return transforms, opened


def _biases(
    bank: GaussianBank, statistics: Statistics, tree: RegressionTree, prior_frames: float, opened: np.ndarray
) -> np.ndarray:
    """As `estimate` for each class, but with sums over the tree: every state may be a class of its own."""
    precision = 1.0 / bank.variances
    count = statistics.occupancy[..., None]
    surprise = tree.totals(((statistics.first_order - count * bank.means) * precision).sum(1))
    weight = tree.totals((count * precision).sum(1))
    size = (tree.last - tree.first)[:, None]
    prior = prior_frames * tree.totals((bank.weights[..., None] * precision).sum(1)) / size
    bias = np.zeros_like(surprise)
    for number in np.flatnonzero(opened):
        above = bias[tree.parent[number]] if number else 0.0
        heard = weight[number] + prior[number]
        bias[number] = above + (surprise[number] - weight[number] * above) / np.where(heard > 0, heard, 1.0)
    transforms = np.tile(identity(bank.means.shape[-1]), (len(bias), 1, 1))
    transforms[:, :, 0] = bias
    return transforms


def move(bank: GaussianBank, transforms: np.ndarray, classes: np.ndarray) -> GaussianBank:
    """The bank with its means transformed, mu' = W [1, mu].

    Parameters
    ----------
    bank : S mixtures
    transforms : (N, D, D + 1)
    classes : (S,), which of them each mixture goes by
    """
    own = transforms[classes]
    means = np.einsum("sij,skj->ski", own[:, :, 1:], bank.means) + own[:, None, :, 0]
    return GaussianBank(bank.weights, means, bank.variances)


def variance_scale(bank: GaussianBank, statistics: Statistics, prior_frames: float) -> np.ndarray:
    """How much wider than the bank's Gaussians the speaker's frames spread about them, (D,).

    The diagonal case of the variance transform of Gales and Woodland 1996: the mean squared deviation in units
    of the bank's variance, with `prior_frames` frames that spread as the bank says.

    Parameters
    ----------
    bank : with its means already moved
    statistics : of the same mixtures
    prior_frames : frames, over 0
    """
    count = statistics.occupancy[..., None]
    about = statistics.second_order - 2 * bank.means * statistics.first_order + count * bank.means**2
    return (prior_frames + (about / bank.variances).sum((0, 1))) / (prior_frames + statistics.occupancy.sum())
