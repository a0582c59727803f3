"""Scores of predictions, and how sure one can be of them."""

import numpy as np


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(K, K) counts; entry [i, j] is how many videos of class i were called j (figure 5).

    Args:
        truth, predicted: (V,) class indices.
    """
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (truth, predicted), 1)
    return counts


def bootstrap_mean(
    correct: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """An interval for the accuracy of the recipe on videos like these, by drawing videos anew.

    Args:
        correct: (S, V) bool: for each seed, which videos were right.

    Returns:
        The percentile interval (low, high) of the mean over seeds and videos.
    """
    right = correct.mean(0)  # per video, over seeds
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(right), (draws, len(right)))
    low, high = np.quantile(right[rows].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_difference(
    ours: np.ndarray, theirs: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """An interval for how much better `ours` is than `theirs` on the same videos.

    Paired: each draw takes the same videos of both, so that a video which is hard for both does
    not blur the difference.

    Args:
        ours, theirs: (S, V) bool for the same V videos; the numbers of seeds may differ.
    """
    gain = ours.mean(0) - theirs.mean(0)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(gain), (draws, len(gain)))
    low, high = np.quantile(gain[rows].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
