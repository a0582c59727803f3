"""Boxes and frames -> what a node is made from: geometry, or a crop."""

import numpy as np

from glidn.types import Boxes, Video


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


def geometry(video: Video, boxes: Boxes, categories: tuple[str, ...]) -> np.ndarray:
    """Where a box is, how large, how it moves and what it holds; works without any pixels.

    Args:
        categories: the vocabulary; a category outside it is all zeros.

    Returns:
        (T, N, 9 + len(categories)) float32: centre x, y and size w, h in frame widths and
        heights; their velocities per second; ln(seconds of the video); one-hot category.
    """
    scale = np.array([video.width, video.height, video.width, video.height], np.float32)
    x1, y1, x2, y2 = np.moveaxis(boxes.xyxy / scale, -1, 0)
    place = np.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], -1)  # (T, N, 4)
    seconds = boxes.frames / video.fps
    velocity = np.zeros_like(place)
    passed = np.diff(seconds)[:, None, None]
    both = (boxes.real[1:] & boxes.real[:-1])[..., None]
    velocity[1:] = np.where(both, np.diff(place, axis=0) / np.maximum(passed, 1e-6), 0)
    length = np.full((*boxes.real.shape, 1), np.log(max(video.seconds, 1e-6)), np.float32)
    what = np.array([[name == known for known in categories] for name in boxes.categories])
    kind = np.broadcast_to(what, (len(boxes.real), *what.shape))
    out = np.concatenate([place, velocity, length, kind], -1).astype(np.float32)
    return out * boxes.real[..., None]
