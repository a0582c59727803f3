"""A test video with what a network listens to, as an mp4 in a data address."""

import base64
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from glidn import graph
from glidn.boxes import fill_gaps, sample
from glidn.features import steps_of
from glidn.graph import Edge
from glidn.report.drawing import CANVAS, FINE, PLACES, QUIET, THUMB, Moment, Stage, Thumb, draw
from glidn.report.markup import spaced
from glidn.types import Boxes, Video
from glidn.video import write_video

FRAMES, FPS = 72, 8


@dataclass(frozen=True)
class Film:
    """The frames and boxes of a video that are shown, read once for all views.

    Attributes:
        steps: the boxes that the networks saw.
        shown: the boxes of the F frames that are drawn.
        nearest: (F,) the step that is nearest to each of them.
        images, step_images: their pixels; None where the video has none.
        fps: how many of the shown frames pass in a second.
    """

    video: Video
    steps: Boxes
    shown: Boxes
    nearest: np.ndarray
    images: np.ndarray | None
    step_images: np.ndarray | None
    fps: float = FPS

    @property
    def places(self) -> list[int]:
        """(T,) where each step stands in the strip."""
        steps = len(self.steps.real)
        return [graph.window_of(step, steps, PLACES) for step in range(steps)]


@dataclass(frozen=True)
class Clip:
    """What the page embeds.

    Attributes:
        film, still: the mp4, and a frame of it as JPEG, as data addresses.
        width, height: in pixels.
    """

    film: str
    still: str
    width: int
    height: int


def read(video: Video, steps: int) -> Film:
    """Read what is needed of a video.

    Raises:
        DataError: a frame is missing or unreadable.
    """
    seen = steps_of(video, steps)
    first, last = int(seen.frames[0]), int(seen.frames[-1])
    frames = np.unique(np.linspace(first, last, min(last - first + 1, FRAMES)).round().astype(int))
    filled = replace(video, tracks=tuple(fill_gaps(track) for track in video.tracks))
    apart = np.abs(frames[:, None] - seen.frames[None])
    pixels = video.pixels
    return Film(
        video=video,
        steps=seen,
        shown=sample(filled, frames),
        nearest=apart.argmin(1),
        images=None if pixels is None else pixels.read(frames),
        step_images=None if pixels is None else pixels.read(seen.frames),
    )


def clip(film: Film, view: str, weights: np.ndarray | None, words: tuple[str, str]) -> Clip:
    """Draw and encode the film for one view.

    Args:
        weights: the network's attention, of all layers together; None without relations.
        words: what it said, and the truth.
    """
    frames = list(_frames(film, view, weights, words))
    height, width = frames[0].shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, frames, film.fps)
        content = path.read_bytes()
    still = io.BytesIO()
    Image.fromarray(frames[len(frames) // 2]).save(still, "JPEG", quality=72)
    return Clip(
        f"data:video/mp4;base64,{base64.b64encode(content).decode()}",
        f"data:image/jpeg;base64,{base64.b64encode(still.getvalue()).decode()}",
        width,
        height,
    )


def _frames(
    film: Film, view: str, weights: np.ndarray | None, words: tuple[str, str]
) -> Iterator[np.ndarray]:
    stage = Stage.of(film.video)
    last = max(len(film.nearest) - 1, 1)
    moments = {
        step: _edges_and_thumbs(film, view, weights, step) for step in np.unique(film.nearest)
    }
    for row, step in enumerate(film.nearest):
        edges, thumbs = moments[step]
        image = None if film.images is None else film.images[row]
        moment = Moment(view, image, film.shown, row, edges, thumbs, film.places, words, row / last)
        yield draw(stage, moment)


def _edges_and_thumbs(
    film: Film, view: str, weights: np.ndarray | None, step: int
) -> tuple[list[Edge], list[Thumb]]:
    if weights is None:
        return [], []
    real = film.steps.real
    if view == "global":
        edges = graph.across(weights, real, step, PLACES)
        return edges, _moments(film, edges)
    return graph.in_frame(weights[step], real, step), _nodes(film, weights, step)


def _moments(film: Film, edges: list[Edge]) -> list[Thumb]:
    """The nodes at other times that this step listens to, where they are in time."""
    found: dict[int, Thumb] = {}
    for edge in edges:  # strongest first
        step, slot = edge.target
        place = film.places[step]
        seconds = float(film.steps.frames[step]) / film.video.fps
        texts = (spaced(film.steps.categories[slot]), f"{seconds:.1f} s")
        found.setdefault(place, Thumb(place, _cut(film, step, slot), texts, edge.strength))
    return list(found.values())


def _nodes(film: Film, weights: np.ndarray, step: int) -> list[Thumb]:
    """The nodes of this step, and the share of the frame's listening that each gets."""
    slots = np.flatnonzero(film.steps.real[step])
    shares = weights[step][np.ix_(slots, slots)].mean(0)
    strengths = graph.strength(shares, len(slots))
    strongest = sorted(np.argsort(-shares, kind="stable")[:PLACES])
    return [
        Thumb(
            place,
            _cut(film, step, int(slots[row])),
            (spaced(film.steps.categories[slots[row]]), f"{100 * shares[row]:.0f}%"),
            float(strengths[row]),
        )
        for place, row in enumerate(strongest)
    ]


def _cut(film: Film, step: int, slot: int) -> Image.Image:
    """The node, cut out of its frame; without pixels, a small map of where it is."""
    x1, y1, x2, y2 = (float(value) for value in film.steps.xyxy[step, slot])
    side = THUMB * FINE
    if film.step_images is None:
        scale = side / max(film.video.width, film.video.height)
        down = (side - film.video.height * scale) / 2
        small = Image.new("RGB", (side, side), CANVAS)
        place = [x1 * scale, y1 * scale + down, x2 * scale, y2 * scale + down]
        ImageDraw.Draw(small).rectangle(place, fill=QUIET)
        return small
    # A square about the box, so that nothing is squeezed.
    half = max(x2 - x1, y2 - y1) / 2
    x, y = (x1 + x2) / 2, (y1 + y2) / 2
    around = (round(x - half), round(y - half), round(x + half), round(y + half))
    return Image.fromarray(film.step_images[step]).crop(around).resize((side, side))
