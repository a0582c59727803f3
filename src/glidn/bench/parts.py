"""Frames a second of each part of a prediction, one after the other."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from glidn.bench.engines import Progress, Row, clocked
from glidn.bench.subject import Subject
from glidn.detectors import Detections, Detector
from glidn.detectors.choose import load_detector
from glidn.prediction import sources
from glidn.prediction.overlay import Line, Overlay, Picture, Seen
from glidn.prediction.strip import Scored, Timeline
from glidn.tracking import Tracker
from glidn.types import Video
from glidn.video import write_video

WIDTH, HEIGHT, FPS = 640, 360, 25  # of the video that is made where none is given
FRAMES = 48
THINGS = 6  # boxes in a frame
LEAST, MOST = 2, 200  # calls of a part


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        what: was measured, for a reader.
        rate: frames a second (`unit`: what else).
    """

    name: str
    what: str
    rate: float
    unit: str = "frames"


@contextmanager
def some_video(path: Path | None) -> Iterator[Video]:
    """A video file, or one that is made for a while: blurred noise that drifts.

    Raises:
        DataError: the file cannot be decoded.
    """
    if path is not None:
        yield sources.open_file(path)
        return
    with tempfile.TemporaryDirectory(prefix="glidn-") as folder:
        made = Path(folder) / "made.mp4"
        write_video(made, _drifting(), FPS)
        yield sources.open_file(made)


@torch.no_grad()
def measure(
    subject: Subject,
    best: Row,
    video: Video,
    detector: str | None,
    seconds: float,
    progress: Progress | None = None,
) -> list[Part]:
    """Every part for some seconds, at least twice; the detector by the engine plain.

    Args:
        best: the engine that was recommended, as it was measured.
        detector: as `load_detector` knows it; None: a Faster R-CNN with random weights.

    Raises:
        GlidnError: the detector cannot be used, or the video cannot be decoded.
    """
    assert video.pixels is not None
    size = f"{video.width}x{video.height}"
    few = np.arange(min(video.frames, FRAMES))
    images = video.pixels.read(few)
    found = _moving(len(few), video.width, video.height)
    detect, who = _detector(detector)
    parts: list[tuple[str, str, int, Callable[[], object]]] = [
        ("decoding", f"{size}, one after the other", len(few), lambda: _decode(video, few)),
        ("detector", f"{who}, {size}", 1, lambda: detect(images[:1])),
        ("tracker", f"{THINGS} boxes a frame", len(few), lambda: _track(found, video.fps)),
    ]
    if subject.graph is not None:
        what = f"{subject.steps} steps, from nodes to classes"
        parts.append(("graph", what, subject.steps, subject.graph))
    overlay, picture = _picture(video, images[0], found[0])
    drawn = overlay.draw(picture)
    shown = f"{overlay.size[0]}x{overlay.size[1]}"
    parts += [
        ("drawing", f"{THINGS} boxes and the strip, {shown}", 1, lambda: overlay.draw(picture)),
        ("writing", f"H.264, {shown}", len(few), lambda: _encode([drawn] * len(few), video.fps)),
    ]
    measured = []
    for number, (name, what, frames, call) in enumerate(parts):
        if progress:
            progress("parts", number, len(parts))
        measured.append(Part(name, what, frames / _seconds(call, seconds)))
    if progress:
        progress("parts", len(parts), len(parts))
    nodes = Part("nodes", f"{subject.name}; engine {best.engine}", best.rate, subject.unit)
    return [*measured[:3], nodes, *measured[3:]]


def _seconds(call: Callable[[], object], budget: float) -> float:
    """The median of as many calls as there is time for, after one that does not count."""
    call()
    took: list[float] = []
    began = time.perf_counter()
    while len(took) < LEAST or (len(took) < MOST and time.perf_counter() - began < budget):
        took.append(clocked(call))
    return float(np.median(took))


def _detector(name: str | None) -> tuple[Detector, str]:
    if name is not None:
        return load_detector(name, score=0.1)
    from glidn.detectors import faster_rcnn

    model = faster_rcnn.untrained(faster_rcnn.SHORT_SIDE)
    detect = faster_rcnn.detections(model, top=100, overlap=0.5, score=0.1)
    return detect, "Faster R-CNN with random weights"


def _decode(video: Video, frames: np.ndarray) -> None:
    assert video.pixels is not None
    for _ in video.pixels.each(frames):
        pass


def _track(found: list[Detections], fps: float) -> None:
    tracker = Tracker(fps)
    for frame, detections in enumerate(found):
        tracker.update(frame, detections)


def _encode(pictures: list[np.ndarray], fps: float) -> None:
    with tempfile.TemporaryDirectory(prefix="glidn-") as folder:
        write_video(Path(folder) / "drawn.mp4", pictures, fps)


def _drifting() -> Iterator[np.ndarray]:
    coarse = np.random.default_rng(0).random((3, HEIGHT // 40, WIDTH // 40))
    wide = torch.nn.functional.interpolate(
        torch.from_numpy(coarse)[None], (HEIGHT, WIDTH + 4 * FRAMES), mode="bilinear"
    )
    whole = (wide[0].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    for frame in range(FRAMES):
        yield whole[:, 4 * frame : 4 * frame + WIDTH]


def _moving(frames: int, width: int, height: int) -> list[Detections]:
    """Boxes that go their ways through the frame."""
    g = np.random.default_rng(0)
    size = np.array([width, height])
    start, speed = g.random((THINGS, 2)) * size / 2, (g.random((THINGS, 2)) - 0.5) * size / 100
    names = ("person", *["cup"] * (THINGS - 1))
    found = []
    for frame in range(frames):
        corner = np.clip(start + frame * speed, 0, size * 0.7)
        xyxy = np.concatenate([corner, corner + size / 4], 1).astype(np.float32)
        found.append(Detections(xyxy, np.linspace(0.9, 0.6, THINGS, dtype=np.float32), names))
    return found


def _picture(video: Video, image: np.ndarray, found: Detections) -> tuple[Overlay, Picture]:
    times = np.arange(0, max(video.seconds, 1), 1.0)
    scores = np.random.default_rng(0).random((len(times), 3))
    labels = ("drinking", "eating", "reaching")
    overlay = Overlay(
        video.width, video.height, Timeline(labels, times, scores, video.seconds), "glidn bench"
    )
    boxes = [
        Seen(xyxy, category, f"{category} {number}", category == "person")
        for number, (xyxy, category) in enumerate(zip(found.xyxy, found.categories, strict=True))
    ]
    lines = [Line(0, number, 0.5) for number in range(1, 5)]
    actions = [Scored(label, 0.5) for label in labels]
    return overlay, Picture(image, boxes, lines, actions, 0.0)
