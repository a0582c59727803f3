"""One of the views that a test video is scored on, as a network of region nodes sees it.

Such a network has no tracks: its nodes are the best-scored boxes of each time step. To be drawn
they are put in the order of the tracks that they come from, and attention with them.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from glidn.batch import Batch
from glidn.clips import Look, frames_of, labels_of, tracks_of, views
from glidn.report.video import Film
from glidn.sources import Cutter, Prepared
from glidn.types import Boxes, Video


@dataclass(frozen=True)
class View:
    """A view with its boxes by track.

    Attributes:
        number: which of the video's views it is.
        prepared: what the networks are given.
        slots: (T, N) int64: the slot of `boxes` that each node is in; -1 is padding.
        boxes: of the T steps, a slot per track, in pixels of the crop.
        seconds: when it begins and ends in the video.
        shows: the classes that are shown meanwhile, by their number.
    """

    video: Video
    number: int
    prepared: Prepared
    slots: np.ndarray
    boxes: Boxes
    seconds: tuple[float, float]
    shows: tuple[int, ...]

    @property
    def batch(self) -> Batch:
        """What a network is given of this view alone."""
        return self.prepared.batch([self.number], torch.zeros(()))


def choose(video: Video, cutter: Cutter) -> int:
    """The view that is drawn, by rule: of the clips that show most of the video's classes the
    middle one, in its middle crop.
    """
    config = cutter.config
    looks = views(video, config)
    crops = config.test_crops
    shown = [labels_of(video, look, config, cutter.classes).sum() for look in looks[::crops]]
    middle = (len(shown) - 1) / 2
    clip = min(range(len(shown)), key=lambda number: (-shown[number], abs(number - middle)))
    return clip * crops + crops // 2


def read(video: Video, cutter: Cutter) -> View:
    """Decode a test video, and choose the view to draw.

    Raises:
        DataError: the video cannot be read.
    """
    number = choose(video, cutter)
    prepared = cutter.test(video)
    look = prepared.looks[number]
    frames = frames_of(video, look, cutter.config)
    steps = frames[cutter.steps]
    real = prepared.real[number].numpy()
    tracks = tracks_of(video, steps, real, cutter.config)
    slots, boxes = _by_track(video, tracks, prepared.boxes[number].numpy(), steps)
    ends = (float(frames[0]) / video.fps, float(frames[-1] + 1) / video.fps)
    shows = _shows(video, look, cutter)
    return View(video, number, prepared, slots, boxes, ends, shows)


def film(view: View, cutter: Cutter, with_boxes: bool = True) -> Film:
    """The pictures of a view's time steps, at the speed of the video; each with its boxes."""
    config = cutter.config
    batch = view.batch
    assert batch.clips is not None
    pictures = batch.clips[0, :, torch.from_numpy(cutter.steps)].movedim(0, -1).numpy()
    boxes = view.boxes
    if not with_boxes:
        boxes = replace(boxes, real=np.zeros_like(boxes.real))
    side = config.test_size
    return Film(
        video=replace(view.video, width=side, height=side),
        steps=boxes,
        shown=boxes,
        nearest=np.arange(len(pictures)),
        images=pictures,
        step_images=pictures,
        fps=config.fps / config.rate * len(pictures) / config.frames,
    )


def by_track(weights: np.ndarray, slots: np.ndarray, tracks: int) -> np.ndarray:
    """Attention between nodes -> between the tracks' slots.

    Args:
        weights: (T, N, N), or (T·N, T·N) in the global view.
        slots: (T, N), as in `View`.
        tracks: R, the number of slots.

    Returns:
        (T, R, R) or (T·R, T·R), zero in padding.
    """
    steps = len(slots)
    real = slots >= 0
    if weights.ndim == 3:
        found = np.zeros((steps, tracks, tracks), weights.dtype)
        for step in range(steps):
            there, here = slots[step, real[step]], np.flatnonzero(real[step])
            found[step][np.ix_(there, there)] = weights[step][np.ix_(here, here)]
        return found
    there = (slots + np.arange(steps)[:, None] * tracks)[real]
    here = np.flatnonzero(real)
    found = np.zeros((steps * tracks,) * 2, weights.dtype)
    found[np.ix_(there, there)] = weights[np.ix_(here, here)]
    return found


def _by_track(
    video: Video, tracks: np.ndarray, xyxy: np.ndarray, steps: np.ndarray
) -> tuple[np.ndarray, Boxes]:
    """The slot of every node, and the boxes with a slot per track."""
    seen = np.unique(tracks[tracks >= 0])
    slots = np.where(tracks >= 0, np.searchsorted(seen, tracks), -1)
    placed = np.zeros((len(steps), len(seen), 4), np.float32)
    real = np.zeros(placed.shape[:2], bool)
    step, node = np.nonzero(slots >= 0)
    placed[step, slots[step, node]] = xyxy[step, node]
    real[step, slots[step, node]] = True
    chosen = [video.tracks[number] for number in seen]
    categories = tuple(track.category for track in chosen)
    names = tuple(track.name for track in chosen)
    return slots, Boxes(placed, real, steps, categories, names, video.source)


def _shows(video: Video, look: Look, cutter: Cutter) -> tuple[int, ...]:
    shown = labels_of(video, look, cutter.config, cutter.classes)
    return tuple(int(number) for number in np.flatnonzero(shown))
