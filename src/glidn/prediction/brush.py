"""Smooth shapes and words on a NumPy picture, each touching only the pixels that it covers.

A shape is a coverage, (h, w) float32 in 0..1, worked out from distances to its outline. Drawing
large and reducing would be simpler, and takes a second for a frame of 3840 x 2160.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

INK, QUIET, GROUND, DARK = (240, 243, 245), (150, 159, 168), (21, 25, 29), (8, 10, 12)
AMBER = (255, 190, 92)
BOW = 0.12  # how far an arc's middle stands off, in distances between its ends


def paint(
    canvas: np.ndarray,
    cover: np.ndarray,
    left: int,
    top: int,
    colour: Colour,
    rim: np.ndarray | None = None,
) -> None:
    """Blend a shape into a picture; what lies outside of it is cut off.

    Args:
        canvas: (H, W, 3) uint8, changed in place.
        cover: (h, w) float32 in 0..1.
        left, top: where the shape's first pixel goes.
        rim: (h, w) float32 in 0..1, painted black before.
    """
    height, width = canvas.shape[:2]
    x1, y1 = max(left, 0), max(top, 0)
    x2, y2 = min(left + cover.shape[1], width), min(top + cover.shape[0], height)
    if x1 >= x2 or y1 >= y2:
        return
    part = (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
    over = cover[part][..., None]
    keep = 1 - over if rim is None else (1 - over) * (1 - rim[part][..., None])
    under = canvas[y1:y2, x1:x2]
    under[:] = under * keep + over * np.array(colour, np.float32) + np.float32(0.5)


def fill(canvas: np.ndarray, box: tuple[int, int, int, int], colour: Colour, alpha: float) -> None:
    """Blend a rectangle (x1, y1, x2, y2) in whole pixels; what lies outside is cut off."""
    x1, y1, x2, y2 = (max(value, 0) for value in box)
    under = canvas[y1:y2, x1:x2]
    if alpha == 1:
        under[:] = colour
    else:
        under[:] = under * np.float32(1 - alpha) + np.float32(alpha) * np.array(colour, np.float32)


def dot(canvas: np.ndarray, at: Point, radius: float, colour: Colour, rim: float) -> None:
    """A disc with a dark rim."""
    reach = math.ceil(radius + rim) + 1
    left, top = math.floor(at[0]) - reach, math.floor(at[1]) - reach
    around = np.arange(2 * reach + 1, dtype=np.float32) + 0.5
    far = np.hypot(around + (left - at[0]), (around + (top - at[1]))[:, None])
    paint(canvas, _inside(far, radius), left, top, colour, 0.6 * _inside(far, radius + rim))


def head(
    canvas: np.ndarray, tip: Point, towards: Point, length: float, colour: Colour, rim: float
) -> None:
    """An arrow's head with a dark rim.

    Args:
        towards: the direction in which it points; of length 1.
    """
    reach = math.ceil(length + rim) + 2
    left, top = math.floor(tip[0]) - reach, math.floor(tip[1]) - reach
    around = np.arange(2 * reach + 1, dtype=np.float32) + 0.5
    x, y = around + (left - tip[0]), (around + (top - tip[1]))[:, None]
    behind = -(x * towards[0] + y * towards[1])
    aside = np.abs(x * towards[1] - y * towards[0])
    # The sides open by half a pixel in one: a slim head, with unit normals (-0.447, 0.894).
    outside = np.maximum(0.894 * aside - 0.447 * behind, behind - length)
    paint(canvas, _inside(outside, 0), left, top, colour, 0.6 * _inside(outside, rim))


@dataclass(frozen=True)
class Arc:
    """A part of a circle; seen from `start`, it passes `end` on the right.

    Attributes:
        first, last: angles of its ends about the centre; less than 60 degrees apart.
    """

    centre: Point
    radius: float
    first: float
    last: float

    @staticmethod
    def between(start: Point, end: Point) -> "Arc":
        """A slight bow, so that a line and the one back do not cover each other."""
        (ax, ay), (bx, by) = start, end
        apart = math.hypot(bx - ax, by - ay)
        bow = BOW * apart
        radius = (apart**2 / 4 + bow**2) / (2 * bow)
        aside = (radius - bow) / apart
        centre = ((ax + bx) / 2 + (by - ay) * aside, (ay + by) / 2 - (bx - ax) * aside)
        first = math.atan2(ay - centre[1], ax - centre[0])
        last = math.atan2(by - centre[1], bx - centre[0])
        return Arc(centre, radius, first, first + math.remainder(last - first, 2 * math.pi))

    @property
    def length(self) -> float:
        return abs(self.last - self.first) * self.radius

    def cut(self, share: float) -> "Arc":
        """Its first part."""
        return Arc(
            self.centre, self.radius, self.first, self.first + (self.last - self.first) * share
        )

    def points(self, share: np.ndarray) -> np.ndarray:
        """(n,) shares of the way -> (n, 2) points."""
        angle = self.first + (self.last - self.first) * share
        return np.stack(
            [
                self.centre[0] + self.radius * np.cos(angle),
                self.centre[1] + self.radius * np.sin(angle),
            ],
            -1,
        )

    def towards(self, angle: float) -> Point:
        """The direction of travel there; of length 1."""
        sign = math.copysign(1, self.last - self.first)
        return -math.sin(angle) * sign, math.cos(angle) * sign


def stroke(canvas: np.ndarray, arc: Arc, width: float, colour: Colour, rim: float) -> None:
    """An arc with a dark rim, in slabs across its way: few pixels beside it are looked at."""
    ends = arc.points(np.array([0.0, 1]))
    (dx, dy), centre = np.abs(ends[1] - ends[0]), np.array(arc.centre)
    directions = [np.array(arc.towards(angle)) for angle in (arc.first, arc.last)]
    view = canvas
    if dy > dx:  # along the columns, with x and y exchanged
        view = canvas.swapaxes(0, 1)
        ends, centre = ends[:, ::-1], centre[::-1]
        directions = [direction[::-1] for direction in directions]
    reach = width / 2 + rim + 1
    first = max(math.floor(ends[:, 0].min() - reach), 0)
    last = min(math.ceil(ends[:, 0].max() + reach), view.shape[1])
    slab = max(round(2 * reach), 48)
    side = math.copysign(1, ends[:, 1].mean() - centre[1])
    for left in range(first, last, slab):
        right = min(left + slab, last)
        # How far up and down this slab has to reach: the arc there, and a slanted half width.
        at = np.clip(np.array([left, right, centre[0]]), *sorted(ends[:, 0]))
        at[2] = np.clip(at[2], *sorted(at[:2]))
        rise = np.sqrt(np.maximum(arc.radius**2 - (at - centre[0]) ** 2, 1))
        slant = reach * arc.radius / rise.min() + 1
        top = max(math.floor((centre[1] + side * rise).min() - slant), 0)
        low = min(math.ceil((centre[1] + side * rise).max() + slant), view.shape[0])
        x = np.arange(left, right, dtype=np.float32) + 0.5
        y = (np.arange(top, low, dtype=np.float32) + 0.5)[:, None]
        far = np.abs(np.hypot(x - centre[0], y - centre[1]) - arc.radius)
        cover, dark = _inside(far, width / 2), 0.5 * _inside(far, width / 2 + rim)
        for end, direction, sign in zip(ends, directions, (-1, 1), strict=True):
            if left - reach < end[0] < right + reach:
                beyond = (x - end[0]) * direction[0] + (y - end[1]) * direction[1]
                within = _inside(sign * beyond, 0)
                cover, dark = cover * within, dark * within
        paint(view, cover, left, top, colour, dark)


def _inside(far: np.ndarray, reach: float) -> np.ndarray:
    """Coverage of the pixels that are less than `reach` away; half of one that is just so far."""
    return np.clip(np.float32(reach + 0.5) - far, 0, 1, dtype=np.float32)


@lru_cache(256)
def rounded(width: int, height: int, radius: float, inset: int = 0) -> np.ndarray:
    """(height, width) coverage of a rectangle with round corners, `inset` pixels from the edge."""
    x = np.abs(np.arange(width, dtype=np.float32) + 0.5 - width / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height, dtype=np.float32) + 0.5 - height / 2) - (height / 2 - radius)
    y = y[:, None]
    outside = np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0)
    return _inside(outside, radius - inset)


@lru_cache
def font(size: int, plain: bool = True) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with PIL, which has no more than ASCII; for the rest, matplotlib's."""
    if plain:
        return ImageFont.load_default(size)
    found = find_spec("matplotlib")
    assert found is not None and found.origin is not None, "matplotlib is a dependency"
    fonts = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    # Its letters are larger than PIL's at one size.
    return ImageFont.truetype(str(fonts / "DejaVuSans.ttf"), round(size * 0.92))


def clean(text: str) -> str:
    """On one line, and without the half characters of file names that are not UTF-8."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def text_width(text: str, size: int) -> float:
    """In pixels."""
    fine = _fine(size)
    return font(size * fine, text.isascii()).getlength(text) / fine


@lru_cache(256)
def shortened(text: str, size: int, room: float) -> str:
    """Words cut to fit, with an ellipsis; "" where not even that fits."""
    text = clean(text)
    if text_width(text, size) <= room:
        return text
    keep = bisect_right(range(len(text)), room, key=lambda n: text_width(text[:n] + "...", size))
    return text[: keep - 1].rstrip() + "..." if keep > 1 else ""


def wrapped(text: str, size: int, room: float) -> list[str]:
    """Words on as many lines as they need; a word that is wider than a line is cut."""
    lines: list[str] = []
    for word in clean(text).split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(shortened(word, size, room))
    return lines


@lru_cache(256)
def written(text: str, size: int) -> np.ndarray:
    """(h, w) coverage of words; h depends on the size alone, so that lines stand on one base."""
    fine = _fine(size)
    width = max(math.ceil(text_width(text, size)), 1)
    picture = Image.new("L", (width * fine, line_height(size) * fine))
    at = (0, round(size * 0.98) * fine)
    ImageDraw.Draw(picture).text(at, text, 255, font(size * fine, text.isascii()), "ls")
    return np.asarray(picture.reduce(fine), np.float32) / 255


def _fine(size: int) -> int:
    """How much larger words are drawn: letters are fitted to whole pixels, with uneven gaps."""
    return 4 if size < 32 else 2


def line_height(size: int) -> int:
    """Of written words, in pixels."""
    return round(size * 1.26)
