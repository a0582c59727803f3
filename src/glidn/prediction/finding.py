"""Boxes of a video, frame by frame: a detector and a tracker over it, or a table's."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TextIO

import numpy as np

from glidn.datasets.box_rows import HEADER
from glidn.detectors import Detections, Detector
from glidn.prediction.watch import Found, Rows
from glidn.tracking import Tracker, TrackSettings
from glidn.types import Video

BATCH = 8  # frames that a detector gets at once,
PIXELS = 2**25  # as long as they have no more pixels than this: one frame of 8K
LOOKS = 2.5  # that a track waits for its next box at least


def detect(
    video: Video, detector: Detector, every: int, settings: TrackSettings | None = None
) -> Iterator[tuple[int, list[Found]]]:
    """The tracked boxes of every `every`-th frame, from the first; memory stays constant.

    A track outlives at least one look that misses it, however seldom the looks are; of a single
    look every sure detection is a track.

    Raises:
        DataError: the video has no pixels, or cannot be decoded.
    """
    frames = np.arange(0, video.frames, every)
    settings = settings or TrackSettings()
    settings = replace(
        settings,
        patience=max(settings.patience, LOOKS * every / video.fps),
        hits=min(settings.hits, len(frames)),
    )
    tracker = Tracker(video.fps, settings)
    late = tracker.settings.hits - 1
    waiting: dict[int, list[Found]] = {}
    for frame, detections in _looked_at(video, detector, frames):
        waiting[frame] = []
        for box in tracker.update(frame, detections):
            # The first boxes of a track come when its later ones have confirmed it.
            if box.frame in waiting:
                name = f"{box.category} {box.track}"
                waiting[box.frame].append(Found(name, box.category, box.xyxy, box.score))
        while len(waiting) > late:
            first = min(waiting)
            yield first, waiting.pop(first)
    yield from sorted(waiting.items())


def _looked_at(
    video: Video, detector: Detector, frames: np.ndarray
) -> Iterator[tuple[int, Detections]]:
    assert video.pixels is not None
    batch = max(1, min(BATCH, PIXELS // (video.width * video.height)))
    images: list[np.ndarray] = []
    numbers: list[int] = []
    for number, image in zip(frames.tolist(), video.pixels.each(frames), strict=True):
        images.append(image)
        numbers.append(number)
        if len(images) == batch:
            yield from zip(numbers, detector(np.stack(images)), strict=True)
            images, numbers = [], []
    if images:
        yield from zip(numbers, detector(np.stack(images)), strict=True)


def noted(rows: Rows, video: str, file: TextIO) -> Iterator[tuple[int, Sequence[Found]]]:
    """The same rows, written down as they pass by: a table of boxes (docs/data.md)."""
    table = csv.writer(file, lineterminator="\n")
    table.writerow(HEADER)
    for frame, boxes in rows:
        for box in boxes:
            sides = [f"{side:.2f}" for side in box.xyxy.tolist()]
            score = "" if math.isnan(box.score) else f"{box.score:.4f}"
            table.writerow([video, frame, box.track, box.category, *sides, score])
        yield frame, boxes


def reread(lines: Iterable[str]) -> Iterator[tuple[int, list[Found]]]:
    """What `noted` wrote, frame by frame; frames without boxes are passed over."""
    table = csv.reader(lines)
    next(table, None)
    at = -1
    boxes: list[Found] = []
    for _, frame, track, category, *sides, score in table:
        if int(frame) != at:
            if boxes:
                yield at, boxes
            at, boxes = int(frame), []
        xyxy = np.array(sides, np.float32)
        boxes.append(Found(track, category, xyxy, float(score) if score else math.nan))
    if boxes:
        yield at, boxes


def every_frame(rows: Rows, frames: int, patience: int) -> Iterator[list[Found]]:
    """Rows of some frames -> the boxes of every frame, straight lines between two looks.

    A track is drawn between two of its boxes that are at most `patience` frames apart.
    """
    coming: Iterable[tuple[int, Sequence[Found]]] = iter(rows)
    ahead: list[tuple[int, Sequence[Found]]] = []
    before: dict[str, tuple[int, Found]] = {}
    ended = False
    for frame in range(frames):
        while not ended and (not ahead or ahead[-1][0] < frame + patience):
            row = next(coming, None)  # type: ignore[call-overload]
            ended = row is None
            if row is not None:
                ahead.append(row)
        while ahead and ahead[0][0] <= frame:
            number, boxes = ahead.pop(0)
            before |= {box.track: (number, box) for box in boxes}
        shown = []
        for track, (number, box) in list(before.items()):
            if number == frame:
                shown.append(box)
                continue
            later = _next(track, ahead, number + patience)
            if later is None:
                if frame - number > patience:
                    del before[track]
                continue
            share = (frame - number) / (later[0] - number)
            xyxy = (1 - share) * box.xyxy + share * later[1].xyxy
            shown.append(Found(track, box.category, xyxy.astype(np.float32), box.score))
        yield shown


def _next(
    track: str, ahead: Sequence[tuple[int, Sequence[Found]]], last: int
) -> tuple[int, Found] | None:
    for number, boxes in ahead:
        if number > last:
            return None
        for box in boxes:
            if box.track == track:
                return number, box
    return None
