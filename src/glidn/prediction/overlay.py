"""An annotated frame: boxes with category and track, who listens to whom, and the scores below.

Everything is measured in sizes of the text, which follows the frame's, from 11 pixels upwards:
what is legible at 640 x 360 looks alike at 3840 x 2160. A frame that is less than 320 pixels wide
is enlarged. Nothing but boxes, lines and labels changes it.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from glidn.prediction.brush import (
    DARK,
    GROUND,
    Arc,
    Colour,
    clean,
    dot,
    fill,
    head,
    line_height,
    paint,
    rounded,
    shortened,
    stroke,
    written,
)
from glidn.prediction.strip import Scored, Strip, Timeline

LEAST, MOST = 320, 640  # a smaller frame is enlarged to so much width, but not to more height
# Persons are warm and objects cold, which people who see no red or no green tell apart as well.
PERSONS: tuple[Colour, ...] = ((255, 176, 32), (255, 118, 70), (255, 228, 110), (255, 196, 178))
OBJECTS: tuple[Colour, ...] = (
    (86, 180, 255),
    (72, 218, 208),
    (146, 156, 255),
    (208, 160, 255),
    (190, 232, 255),
    (120, 222, 150),
    (232, 150, 250),
)


@dataclass(frozen=True)
class Seen:
    """A box of the frame.

    Attributes:
        xyxy: (4,) pixels of the frame.
        category: what it is: "person", "cup", ...
        track: unique within the video; its box keeps its colour.
    """

    xyxy: np.ndarray
    category: str
    track: str
    person: bool


@dataclass(frozen=True)
class Line:
    """A box that listens to another.

    Attributes:
        listener, target: rows of `Picture.boxes`.
        strength: 0..1, the width of the line.
    """

    listener: int
    target: int
    strength: float


@dataclass(frozen=True)
class Picture:
    """What there is to draw of one frame.

    Attributes:
        image: (h, w, 3) uint8.
        actions: of this moment, the strongest first.
        seconds: when it is, in the video.
    """

    image: np.ndarray
    boxes: Sequence[Seen]
    lines: Sequence[Line]
    actions: Sequence[Scored]
    seconds: float


class Overlay:
    """Draws the frames of one video.

    Args:
        width, height: of its frames, in pixels.
        source: which model and detector spoke; always on the picture.
        warning: what to doubt about them; "" if nothing.

    Attributes:
        size: (width, height) of the pictures, both even.
    """

    def __init__(
        self, width: int, height: int, timeline: Timeline, source: str, warning: str = ""
    ) -> None:
        self.frame = (width, height)
        self.scale = max(1.0, min(LEAST / width, MOST / height))
        self.shown = (round(width * self.scale), round(height * self.scale))
        wide = max(self.shown[0], LEAST)
        wide += wide % 2
        self.left = (wide - self.shown[0]) // 2
        # Slower than the frame: a large picture is looked at more closely.
        self.text = max(round(12 * (min(self.shown) / 360) ** 0.92), 11)
        self.strip = Strip(wide, self.text, timeline, source, warning)
        high = self.shown[1] + self.strip.height
        self.size = (wide, high + high % 2)

    def draw(self, picture: Picture) -> np.ndarray:
        """(size[1], size[0], 3) uint8 RGB.

        Raises:
            ValueError: the frame is not of the size that was announced.
        """
        width, height = self.frame
        if picture.image.shape != (height, width, 3):
            raise ValueError(
                f"a frame of shape {picture.image.shape}; expected {(height, width, 3)}"
            )
        canvas = np.empty((self.size[1], self.size[0], 3), np.uint8)
        stage = canvas[: self.shown[1], self.left : self.left + self.shown[0]]
        if self.shown[0] < self.size[0]:
            canvas[: self.shown[1]] = GROUND
        stage[:] = self._enlarged(picture.image)
        places = [self._place(seen) for seen in picture.boxes]
        for seen, place in zip(picture.boxes, places, strict=True):
            if place is not None:
                self._draw_box(stage, place, seen)
        for line in sorted(picture.lines, key=lambda line: line.strength):
            ends = places[line.listener], places[line.target]
            if ends[0] is not None and ends[1] is not None:
                ink = colour(picture.boxes[line.listener])
                self._draw_line(stage, ends[0], ends[1], line.strength, ink)
        self._draw_tags(stage, picture.boxes, places)
        self.strip.draw(canvas[self.shown[1] :], picture.seconds, picture.actions)
        return canvas

    def _enlarged(self, image: np.ndarray) -> np.ndarray:
        if self.scale == 1:
            return image
        return np.asarray(Image.fromarray(image).resize(self.shown, Image.Resampling.BICUBIC))

    def _place(self, seen: Seen) -> np.ndarray | None:
        """(4,) int64, whole pixels of the shown frame; None where the box is not in it."""
        xyxy = np.asarray(seen.xyxy, np.float64) * self.scale
        if not np.isfinite(xyxy).all():
            return None
        x1, y1, x2, y2 = xyxy.clip(0, [*self.shown, *self.shown])
        if x1 >= x2 or y1 >= y2:
            return None
        low, high = np.floor([x1, y1]), np.ceil([x2, y2])
        return np.concatenate([low, high]).astype(np.int64)

    def _draw_box(self, stage: np.ndarray, place: np.ndarray, seen: Seen) -> None:
        """Around the box, so that it hides nothing of it; inside where the frame ends."""
        thick, rim = self._thick(seen), max(round(self.text * 0.06), 1)
        limits = np.array([*self.shown, *self.shown])
        out = np.array([-1, -1, 1, 1])
        outer = (place + out * thick).clip(0, limits)
        _frame(stage, outer, thick + rim, DARK, 0.5)
        _frame(stage, (outer + out * rim).clip(0, limits), rim, DARK, 0.5)
        _frame(stage, outer, thick, colour(seen), 1)

    def _thick(self, seen: Seen) -> int:
        return max(round(self.text * (0.2 if seen.person else 0.16)), 2)

    def _draw_line(
        self, stage: np.ndarray, start: np.ndarray, end: np.ndarray, strength: float, ink: Colour
    ) -> None:
        """From the middle of the listener to where the way enters the target, or to its middle."""
        strength = min(max(strength, 0.0), 1.0)
        width, rim = self.text * (0.1 + 0.42 * strength), max(self.text * 0.07, 1)
        point = 0.7 * self.text + 1.4 * width  # the length of the arrow's head
        a, b = (start[:2] + start[2:]) / 2, (end[:2] + end[2:]) / 2
        apart = float(np.hypot(*(b - a)))
        if apart < 1:
            return
        arc = Arc.between((float(a[0]), float(a[1])), (float(b[0]), float(b[1])))
        share = np.linspace(0, 1, 257)
        points = arc.points(share)
        outside = np.flatnonzero(((points < end[:2]) | (points > end[2:])).any(1))
        if len(outside) and arc.length * share[outside[-1]] > 1.5 * point:
            arc = arc.cut(float(share[outside[-1]]))
        if arc.length <= point:
            dot(stage, (float(b[0]), float(b[1])), width, ink, rim)
            return
        tip, back = arc.points(np.array([1, 1 - 0.5 * point / arc.length]))
        way = (tip - back) / np.hypot(*(tip - back))
        stroke(stage, arc.cut(1 - 0.9 * point / arc.length), width, ink, rim)
        dot(stage, arc.points(np.array([0.0]))[0], width / 2 + 0.14 * self.text, ink, rim)
        head(stage, tip, way, point, ink, rim)

    def _draw_tags(
        self, stage: np.ndarray, boxes: Sequence[Seen], places: Sequence[np.ndarray | None]
    ) -> None:
        """The names of the boxes, apart from each other; one without room is left out."""
        size = max(round(self.text * 0.96), 11)
        height, inset = line_height(size) + 2 * (size // 8), size // 2
        taken = np.empty((0, 4), np.int64)
        # By track, not by the detector's order, so that labels do not hop between frames.
        order = sorted(range(len(boxes)), key=lambda row: (not boxes[row].person, boxes[row].track))
        for row in order:
            place = places[row]
            if place is None:
                continue
            text = shortened(name(boxes[row]), size, min(18 * size, self.shown[0] - 2 * inset))
            if not text:
                continue
            words = written(text, size)
            tag = np.array([words.shape[1] + 2 * inset, height])
            # Flush with the outline, and on it.
            thick = self._thick(boxes[row])
            at = _free(place + np.array([-thick, 0, thick, 0]), tag, self.shown, taken)
            if at is None:
                continue
            taken = np.concatenate([taken, [np.concatenate([at, at + tag])]])
            left, top = int(at[0]), int(at[1])
            shape = int(tag[0]), int(tag[1]), height * 0.22
            body = rounded(*shape, inset=max(round(self.text * 0.05), 1))
            paint(stage, body, left, top, colour(boxes[row]), rounded(*shape))
            paint(stage, words, left + inset, top + size // 8, DARK)


def colour(seen: Seen) -> Colour:
    """By track, the same in every frame and every run; numbers in a row get colours in a row."""
    inks = PERSONS if seen.person else OBJECTS
    number = re.search(r"\d+$", seen.track)
    place = int(number[0]) if number else zlib.crc32(seen.track.encode("utf-8", "replace"))
    return inks[place % len(inks)]


def name(seen: Seen) -> str:
    """Category and track, but not "cup cup 2"."""
    category, track = clean(seen.category.replace("_", " ")), clean(seen.track.replace("_", " "))
    if f"{track} ".startswith(f"{category} "):
        return track
    return f"{category} {track}"


def _frame(stage: np.ndarray, box: np.ndarray, thick: int, ink: Colour, alpha: float) -> None:
    """The four sides of a rectangle, inwards; where it is small, they fill it, but only once."""
    x1, y1, x2, y2 = (int(value) for value in box)
    upper, lower = min(y1 + thick, y2), max(y2 - thick, min(y1 + thick, y2))
    fill(stage, (x1, y1, x2, upper), ink, alpha)
    fill(stage, (x1, lower, x2, y2), ink, alpha)
    fill(stage, (x1, upper, min(x1 + thick, x2), lower), ink, alpha)
    fill(stage, (max(x2 - thick, min(x1 + thick, x2)), upper, x2, lower), ink, alpha)


def _free(
    box: np.ndarray, tag: np.ndarray, frame: tuple[int, int], taken: np.ndarray
) -> np.ndarray | None:
    """(2,) the left upper corner of a label: by its box, or the nearest that is free, or none."""
    most = np.array(frame) - tag
    if (most < 0).any():
        return None
    x1, y1, x2, y2 = box
    wide, high = tag
    near = [(x1, y1 - high), (x2 - wide, y1 - high), (x1, y2), (x2 - wide, y2)]
    roomy = (x2 - x1) * (y2 - y1) > 8 * wide * high
    near.insert(2 if roomy else 4, (x1, y1))
    near = [(x, y) for x, y in near if 0 <= y <= most[1]]
    found = np.array(near or [(x1, y1)]).clip(0, most)
    free = found[~_overlapping(found, tag, taken)]
    if len(free):
        return free[0]
    rows = np.arange(0, most[1] + 1, high // 2)
    columns = np.unique(np.r_[np.arange(0, most[0] + 1, max(wide // 4, 1)), found[0, 0]])
    every = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
    far = np.abs(every - found[0]).sum(1)
    # Too far from its box, it would name another.
    order = [row for row in far.argsort(kind="stable") if far[row] <= 6 * high]
    free = every[order][~_overlapping(every[order], tag, taken)]
    return free[0] if len(free) else None


def _overlapping(at: np.ndarray, tag: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """(n, 2) corners, (m, 4) boxes -> (n,) bool: whether a label there lies on one of them."""
    low, high = at[:, None], (at + tag)[:, None]
    return ((low < taken[None, :, 2:]) & (taken[None, :, :2] < high)).all(-1).any(1)
