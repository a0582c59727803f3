"""Boxes: formats, clipping, gaps in tracks, and the T steps that stand for a video.

Every box is x1, y1, x2, y2 in pixels of its frame; a point on the right edge of a frame of width
640 has x = 640.
"""

import dataclasses

import numpy as np

from glidn.errors import DataError
from glidn.types import Boxes, Track, Video


def from_xywh(xywh: np.ndarray) -> np.ndarray:
    """(*, 4) corner and size (COCO, MOT) -> (*, 4) two corners."""
    corner, size = xywh[..., :2], xywh[..., 2:]
    return np.concatenate([corner, corner + size], axis=-1)


def clip(xyxy: np.ndarray, width: float | np.ndarray, height: float | np.ndarray) -> np.ndarray:
    """Cut (*, 4) boxes to the frame. A box entirely outside is left without area.

    Args:
        width, height: pixels; one number, or (*) of them where the frames differ.
    """
    limits = np.stack(np.broadcast_arrays(width, height, width, height), axis=-1)
    return np.clip(xyxy, 0, limits).astype(xyxy.dtype)


def enlarge(xyxy: np.ndarray, factor: float) -> np.ndarray:
    """Scale (*, 4) boxes about their centres; 1.2 makes each a fifth wider and higher."""
    first, second = xyxy[..., :2], xyxy[..., 2:]
    centre, half = (first + second) / 2, (second - first) / 2
    return np.concatenate([centre - factor * half, centre + factor * half], axis=-1)


def fill_gaps(track: Track) -> Track:
    """The track with a box in every frame from its first to its last.

    Each missing frame gets the straight line between its two neighbours; a detector's scores are
    filled in the same way. Nothing is added before the first or after the last visible frame,
    where the track may truly be absent.
    """
    first, last = track.frames[0], track.frames[-1]
    if len(track.frames) == last - first + 1:
        return track
    frames = np.arange(first, last + 1)

    def fill(values: np.ndarray) -> np.ndarray:
        return np.interp(frames, track.frames, values).astype(values.dtype)

    return dataclasses.replace(
        track,
        frames=frames,
        xyxy=np.stack([fill(side) for side in track.xyxy.T], axis=-1),
        scores=None if track.scores is None else fill(track.scores),
    )


def sample_frames(video: Video, steps: int) -> np.ndarray:
    """The frames that stand for a video: evenly from its first frame with a box to its last.

    Returns:
        (T,) int64, rising. A video of fewer than `steps` frames gives some of them repeatedly.

    Raises:
        DataError: no track has a box.
    """
    seen = [track.frames for track in video.tracks if len(track.frames)]
    if not seen:
        raise DataError(f"{video.source or video.name}: the video {video.name} has no box.")
    first = min(frames[0] for frames in seen)
    last = max(frames[-1] for frames in seen)
    return np.linspace(first, last, steps).round().astype(np.int64)


def sample(video: Video, frames: np.ndarray) -> Boxes:
    """The boxes of a video at (T,) of its frames; slot n is its track n, the person's first.

    A slot is real where its track has a box in that very frame; `fill_gaps` the tracks before, so
    that a detector's missing frames do not count as absence.
    """
    xyxy = np.zeros((len(frames), len(video.tracks), 4), np.float32)
    real = np.zeros(xyxy.shape[:2], bool)
    for slot, track in enumerate(video.tracks):
        row = np.searchsorted(track.frames, frames).clip(max=len(track.frames) - 1)
        real[:, slot] = track.frames[row] == frames
        xyxy[real[:, slot], slot] = track.xyxy[row[real[:, slot]]]
    return Boxes(
        xyxy=xyxy,
        real=real,
        frames=np.asarray(frames, np.int64),
        categories=tuple(track.category for track in video.tracks),
        tracks=tuple(track.name for track in video.tracks),
        source=video.source or video.name,
    )
