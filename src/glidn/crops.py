"""Boxes and frames -> crops: what appearance nodes are made from."""

import numpy as np

from glidn.types import Boxes


def crops(frames: np.ndarray, boxes: Boxes, size: int) -> np.ndarray:
    """Cut every real box out of its frame and scale it to a square (section 4.2, CAD-120).

    Args:
        frames: (T, height, width, 3) uint8, the frames of `boxes`.

    Returns:
        (T, N, 3, S, S) uint8; zeros in padding.
    """
    from PIL import Image

    steps, slots = boxes.real.shape
    out = np.zeros((steps, slots, 3, size, size), np.uint8)
    for step in range(steps):
        frame = Image.fromarray(frames[step])
        for slot in np.flatnonzero(boxes.real[step]):
            x1, y1, x2, y2 = (float(value) for value in boxes.xyxy[step, slot])
            crop = frame.resize((size, size), Image.Resampling.BILINEAR, box=(x1, y1, x2, y2))
            out[step, slot] = np.moveaxis(np.asarray(crop), -1, 0)
    return out
