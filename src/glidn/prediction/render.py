"""A result and its boxes -> the annotated video."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from glidn.prediction.finding import every_frame
from glidn.prediction.overlay import Line, Overlay, Picture, Seen
from glidn.prediction.result import Result, Window
from glidn.prediction.strip import ROWS, Scored, Timeline
from glidn.prediction.watch import Found, Progress, Rows
from glidn.types import Video
from glidn.video import write_video

NOW = 3  # actions that are named at a time
FAINT = 0.05  # a score that is not worth naming
LINES = 4
GAP = 0.5  # seconds between two looks over which a box is drawn on


def save_video(
    path: Path,
    video: Video,
    result: Result,
    rows: Rows,
    person: str,
    progress: Progress | None = None,
) -> None:
    """Every frame with its boxes, the strongest relations, and the scores below it.

    Raises:
        DataError: the video cannot be decoded, or has no pixels.
    """
    write_video(path, _pictures(video, result, rows, person, progress), video.fps)


def _pictures(
    video: Video, result: Result, rows: Rows, person: str, progress: Progress | None
) -> Iterator[np.ndarray]:
    assert video.pixels is not None
    times, scores = result.timeline
    rank = np.argsort(-scores.max(0), kind="stable")[:ROWS] if len(times) else np.zeros(0, int)
    timeline = Timeline(
        tuple(result.classes[k] for k in rank), times, scores[:, rank], video.seconds
    )
    source = f"{result.run} · {result.detector}"
    overlay = Overlay(video.width, video.height, timeline, source, result.warning)
    gap = max(round(GAP * video.fps), 1)
    boxes = every_frame(rows, video.frames, gap)
    images = video.pixels.each(np.arange(video.frames))
    at = 0
    for frame, (image, found) in enumerate(zip(images, boxes, strict=True)):
        seconds = frame / video.fps
        while at + 1 < len(times) and abs(times[at + 1] - seconds) <= abs(times[at] - seconds):
            at += 1
        window = result.windows[at] if len(times) else None
        yield overlay.draw(_picture(image, found, window, seconds, result, person))
        if progress:
            progress(frame + 1, video.frames)


def _picture(
    image: np.ndarray,
    found: list[Found],
    window: Window | None,
    seconds: float,
    result: Result,
    person: str,
) -> Picture:
    row = {box.track: number for number, box in enumerate(found)}
    lines: list[Line] = []
    actions: list[Scored] = []
    if window is not None:
        lines = [
            Line(row[relation.listener], row[relation.target], relation.strength)
            for relation in window.relations
            if relation.listener in row and relation.target in row
        ][:LINES]
        order = np.argsort(-np.array(window.scores), kind="stable")[:NOW]
        actions = [
            Scored(result.classes[k], window.scores[k]) for k in order if window.scores[k] >= FAINT
        ]
    return Picture(
        image=image,
        boxes=[Seen(box.xyxy, box.category, box.track, box.category == person) for box in found],
        lines=lines,
        actions=actions,
        seconds=seconds,
    )
