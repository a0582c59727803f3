"""Detectors: frames -> boxes that may hold a person or an object."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Detections:
    """What was found in one frame, the surest first.

    Attributes:
        xyxy: (n, 4) float32, pixels of the frame; every side is at least a pixel long.
        scores: (n,) float32 in 0..1, falling.
        categories: what each box holds.
    """

    xyxy: np.ndarray
    scores: np.ndarray
    categories: tuple[str, ...]


# (n, height, width, 3) uint8, RGB -> n Detections
Detector = Callable[[np.ndarray], list[Detections]]
