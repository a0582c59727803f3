"""The same video, looked at differently: mirrored, moved, faster, at other frames."""

import zlib
from dataclasses import dataclass, replace

import numpy as np

from glidn.boxes import sample_frames
from glidn.types import Track, Video

# Standard deviations of what a random variation draws.
SPEED = 0.3  # of the logarithm of the speed: people differ by about that much
ZOOM = 0.1  # of the logarithm of the scale
SHIFT = 0.05  # of the place, in frame widths and heights


@dataclass(frozen=True)
class Variation:
    """How a training video is varied; the default leaves it as it is.

    Attributes:
        mirror: left becomes right; people differ in handedness.
        zoom: scale about the centre of the frame.
        shift: x, y in frame widths and heights.
        speed: how much faster everything happens.
        phase: 0..1, where in its T-th of the video each step lies; None: evenly, ends included.
    """

    mirror: bool = False
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    speed: float = 1.0
    phase: float | None = None


def variations(video: Video, number: int) -> tuple[Variation, ...]:
    """The first is the video as it is, the second its mirror image, the others are random.

    They depend on the video's name only, so that adding a video changes no other.
    """
    found = [Variation(), Variation(mirror=True)]
    rng = np.random.default_rng(zlib.crc32(video.name.encode()))
    for _ in range(2, number):
        found.append(
            Variation(
                mirror=bool(rng.random() < 0.5),
                zoom=float(np.exp(ZOOM * rng.normal())),
                shift=(float(SHIFT * rng.normal()), float(SHIFT * rng.normal())),
                speed=float(np.exp(SPEED * rng.normal())),
                phase=float(rng.random()),
            )
        )
    return tuple(found[:number])


def vary(video: Video, variation: Variation) -> Video:
    """The video with its boxes, and its frame rate, varied. Its pixels stay as they are."""
    tracks = tuple(
        replace(track, xyxy=_vary_boxes(track, video, variation)) for track in video.tracks
    )
    return replace(video, tracks=tracks, fps=video.fps * variation.speed)


def vary_frames(video: Video, variation: Variation, steps: int) -> np.ndarray:
    """(T,) the frames that stand for the varied video."""
    if variation.phase is None:
        return sample_frames(video, steps)
    first, last = sample_frames(video, 2)
    share = (np.arange(steps) + variation.phase) / steps
    return (first + share * (last - first + 1)).astype(np.int64)


def _vary_boxes(track: Track, video: Video, variation: Variation) -> np.ndarray:
    size = np.array([video.width, video.height], np.float64)
    low, high = track.xyxy[:, :2], track.xyxy[:, 2:]
    if variation.mirror:
        low, high = low.copy(), high.copy()
        low[:, 0], high[:, 0] = video.width - track.xyxy[:, 2], video.width - track.xyxy[:, 0]
    move = size * np.array(variation.shift)
    corners = [(corner - size / 2) * variation.zoom + size / 2 + move for corner in (low, high)]
    return np.concatenate(corners, -1).astype(np.float32)
