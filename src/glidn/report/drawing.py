"""One frame as a network sees it: boxes, the strongest edges, and below them a strip.

Local view: edges run between the boxes of the frame; the strip shows the frame's nodes and how
much each is listened to. Global view: edges run from the boxes of the frame down to the moments
that they listen to, which stand in the strip as cut-outs with their time.

Everything is drawn twice as large and reduced at the end, which makes lines smooth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glidn.graph import Edge
from glidn.report.markup import spaced
from glidn.types import Boxes, Video

Colour = tuple[int, int, int]
Point = tuple[float, float]

# On dark ground and on pictures; lighter than the page's.
COLOURS: dict[str, Colour] = {
    "local": (92, 184, 255),
    "global": (255, 152, 72),
    "none": (200, 206, 212),
}
INK, QUIET, GROUND, CANVAS = (240, 243, 245), (150, 159, 168), (21, 25, 29), (44, 51, 58)
FINE = 2  # how much larger everything is drawn
THUMB, GAP, LINE, CAPTION = 58, 8, 14, 26
STRIP = GAP + THUMB + 2 * LINE + GAP  # cut-outs and two lines of words below them
TAG = 17  # height of a category's name
PLACES = 6  # cut-outs in the strip
NAMED = 8  # with more boxes in a frame, only those with an edge are named


@dataclass(frozen=True)
class Stage:
    """Sizes of the picture, before it is enlarged for drawing: frame, strip, words.

    Attributes:
        width, height: of the whole picture.
        scale: from pixels of the video to ours.
        left: where the frame begins.
        floor: where it ends and the strip begins.
    """

    width: int
    height: int
    scale: float
    left: int
    floor: int

    @staticmethod
    def of(video: Video) -> "Stage":
        """A frame of at most 480 x 380, and room for the strip and the words below it."""
        scale = min(480 / video.width, 380 / video.height)
        shown, floor = round(video.width * scale), round(video.height * scale)
        width = 480
        height = floor + STRIP + CAPTION
        return Stage(width + width % 2, height + height % 2, scale, (width - shown) // 2, floor)

    def box(self, xyxy: np.ndarray) -> tuple[float, float, float, float]:
        """A box of the video, in our pixels."""
        x1, y1, x2, y2 = (float(value) * self.scale for value in xyxy)
        return x1 + self.left, y1, x2 + self.left, y2

    def place(self, number: int) -> float:
        """The middle of a cut-out in the strip."""
        return self.width * (number + 0.5) / PLACES


@dataclass(frozen=True)
class Thumb:
    """A cut-out in the strip.

    Attributes:
        place: 0..PLACES - 1, from the left.
        picture: THUMB * FINE wide and high.
        texts: two lines below it.
        strength: 0..1, how strong its frame is drawn.
    """

    place: int
    picture: Image.Image
    texts: tuple[str, str]
    strength: float


@dataclass(frozen=True)
class Moment:
    """What there is to draw of one frame.

    Attributes:
        image: (height, width, 3) uint8; None where the video has no pixels.
        boxes: of several frames; `row` is the one to draw.
        edges: of the step that is nearest to this frame.
        places: of every step in the strip, where that stands for the whole video.
        words: left and right of the line below the frame.
        now: the share of the video that has passed.
    """

    view: str
    image: np.ndarray | None
    boxes: Boxes
    row: int
    edges: Sequence[Edge]
    thumbs: Sequence[Thumb]
    places: Sequence[int]
    words: tuple[str, str]
    now: float


def draw(stage: Stage, moment: Moment) -> np.ndarray:
    """(height, width, 3) uint8 RGB."""
    picture = Image.new("RGB", (stage.width * FINE, stage.height * FINE), GROUND)
    _paste_frame(picture, stage, moment.image)
    brush = Brush(picture)
    _draw_boxes(brush, stage, moment)
    _draw_strip(brush, stage, moment)
    if moment.view == "global":
        _draw_edges_down(brush, stage, moment)
    else:
        _draw_edges(brush, stage, moment)
    _draw_tags(brush, stage, moment)
    return np.asarray(picture.reduce(FINE))


class Brush:
    """PIL's drawing in pixels of the final picture."""

    def __init__(self, picture: Image.Image) -> None:
        self.picture = picture
        self.canvas = ImageDraw.Draw(picture, "RGBA")

    def line(self, points: Sequence[Point], width: float, colour: Colour, alpha: float) -> None:
        # Through a mask: where the pieces of a curve overlap, alpha must not add up.
        large = np.array(points) * FINE
        thick = max(round(width * FINE), 1)
        left, top = (int(value) for value in large.min(0) - thick - 1)
        right, low = (int(value) for value in large.max(0) + thick + 1)
        mask = Image.new("L", (right - left, low - top))
        places = [(float(x) - left, float(y) - top) for x, y in large]
        ImageDraw.Draw(mask).line(places, fill=round(255 * alpha), width=thick, joint="curve")
        self.picture.paste(colour, (left, top), mask)

    def paste(self, picture: Image.Image, at: Point) -> None:
        """A picture that is large already."""
        self.picture.paste(picture, (round(at[0] * FINE), round(at[1] * FINE)))

    def box(self, box: Sequence[float], width: float, colour: Colour, alpha: float = 1) -> None:
        large = [value * FINE for value in box]
        self.canvas.rectangle(
            large, outline=(*colour, round(255 * alpha)), width=max(round(width * FINE), 1)
        )

    def fill(
        self, box: Sequence[float], colour: Colour, alpha: float = 1, round_: float = 0
    ) -> None:
        large = [value * FINE for value in box]
        self.canvas.rounded_rectangle(large, round_ * FINE, fill=(*colour, round(255 * alpha)))

    def dot(self, at: Point, radius: float, colour: Colour) -> None:
        x, y, r = at[0] * FINE, at[1] * FINE, radius * FINE
        self.canvas.ellipse([x - r, y - r, x + r, y + r], fill=colour, outline=GROUND, width=FINE)

    def text(self, at: Point, words: str, size: float, colour: Colour, anchor: str = "ls") -> None:
        self.canvas.text((at[0] * FINE, at[1] * FINE), words, colour, font(size), anchor)


@lru_cache
def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that comes with PIL, so that every machine draws alike."""
    return ImageFont.load_default(size * FINE)


def text_width(words: str, size: float) -> float:
    """In pixels of the final picture."""
    return font(size).getlength(words) / FINE


def shortened(words: str, size: float, room: float) -> str:
    """Words cut to fit, with an ellipsis."""
    if text_width(words, size) <= room:
        return words
    while words and text_width(words + "...", size) > room:
        words = words[:-1]
    return words.rstrip() + "..."


def _paste_frame(picture: Image.Image, stage: Stage, image: np.ndarray | None) -> None:
    size = ((stage.width - 2 * stage.left) * FINE, stage.floor * FINE)
    if image is None:
        frame = Image.new("RGB", size, CANVAS)
    else:
        frame = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    picture.paste(frame, (stage.left * FINE, 0))


def _draw_boxes(brush: Brush, stage: Stage, moment: Moment) -> None:
    for slot in np.flatnonzero(moment.boxes.real[moment.row]):
        box = stage.box(moment.boxes.xyxy[moment.row, slot])
        if moment.image is None:
            brush.fill(box, INK, 0.07)
        brush.box(box, 3.5, GROUND, 0.45)
        brush.box(box, 1.5, INK)
        # In the local view the targets are in the frame, and show how strong they are.
        here = [edge.strength for edge in moment.edges if edge.target[1] == slot]
        if moment.view == "local" and here:
            brush.box(box, 2.5, COLOURS["local"], max(here))


def _draw_tags(brush: Brush, stage: Stage, moment: Moment) -> None:
    """The category of every box: above it, or where no other one stands."""
    taken: list[tuple[float, float, float]] = []
    slots = np.flatnonzero(moment.boxes.real[moment.row])
    if len(slots) > NAMED:
        ends = {end[1] for edge in moment.edges for end in (edge.listener, edge.target)}
        slots = np.array([slot for slot in slots if slot in ends], np.int64)
    for slot in slots:
        x1, y1, _, y2 = stage.box(moment.boxes.xyxy[moment.row, slot])
        words = spaced(moment.boxes.categories[slot])
        width = text_width(words, 13) + 8
        left = min(max(x1, stage.left), stage.width - stage.left - width)
        places = [y for y in (y1 - TAG - 1, y2 + 1, y1 + 1, y1 - 2 * TAG - 2) if y >= 0]
        places = [y for y in places if y + TAG <= stage.floor] or [max(y1, 0)]
        free = [y for y in places if not _overlaps(left, y, left + width, taken)]
        top = (free or places)[0]
        taken.append((left, top, left + width))
        brush.fill((left, top, left + width, top + TAG), GROUND, 0.72, 2)
        brush.text((left + 4, top + 13), words, 13, INK)


def _overlaps(
    left: float, top: float, right: float, taken: Sequence[tuple[float, float, float]]
) -> bool:
    return any(left < end and begin < right and abs(top - y) < TAG for begin, y, end in taken)


def _draw_edges(brush: Brush, stage: Stage, moment: Moment) -> None:
    for edge in reversed(moment.edges):
        start, end = (
            _centre(stage, moment, edge.listener[1]),
            _centre(stage, moment, edge.target[1]),
        )
        if start and end:
            _draw_edge(brush, _bow(start, end), edge.strength, COLOURS[moment.view])


def _draw_edges_down(brush: Brush, stage: Stage, moment: Moment) -> None:
    top = stage.floor + GAP
    for edge in reversed(moment.edges):
        start = _centre(stage, moment, edge.listener[1])
        if start:
            end = (stage.place(moment.places[edge.target[0]]), top)
            _draw_edge(brush, _fall(start, end), edge.strength, COLOURS[moment.view])


def _draw_edge(brush: Brush, points: Sequence[Point], strength: float, colour: Colour) -> None:
    width = 1.2 + 5 * strength
    brush.line(points, width + 2, GROUND, 0.3)
    brush.line(points, width, colour, 0.35 + 0.65 * strength)
    brush.dot(points[-1], 3.5 + 2 * strength, colour)


def _draw_strip(brush: Brush, stage: Stage, moment: Moment) -> None:
    colour = COLOURS[moment.view]
    top = stage.floor + GAP
    for thumb in moment.thumbs:
        x = stage.place(thumb.place)
        box = (x - THUMB / 2, top, x + THUMB / 2, top + THUMB)
        brush.paste(thumb.picture, box[:2])
        brush.box(box, 2, colour, 0.3 + 0.7 * thumb.strength)
        for number, words in enumerate(thumb.texts):
            short = shortened(words, 12, stage.width / PLACES - 2)
            ink = QUIET if number else INK
            brush.text((x, top + THUMB + LINE * (number + 1) - 1), short, 12, ink, "ms")
    y = stage.floor + STRIP - 1
    brush.line([(0, y), (stage.width, y)], 2, CANVAS, 1)
    brush.line([(0, y), (stage.width * moment.now, y)], 2, colour, 0.8)
    brush.dot((stage.width * moment.now, y), 4, colour)
    left, right = moment.words
    base = stage.floor + STRIP + CAPTION - 8
    room = stage.width - 28 - text_width(right, 13)
    brush.text((8, base), shortened(left, 14, room), 14, colour)
    brush.text((stage.width - 8, base), right, 13, QUIET, "rs")


def _centre(stage: Stage, moment: Moment, slot: int) -> Point | None:
    """The middle of a box; None where it is not in this frame."""
    if not moment.boxes.real[moment.row, slot]:
        return None
    x1, y1, x2, y2 = stage.box(moment.boxes.xyxy[moment.row, slot])
    return (x1 + x2) / 2, (y1 + y2) / 2


def _bow(start: Point, end: Point) -> list[Point]:
    """A slight arc, so that an edge and the one back do not cover each other."""
    (ax, ay), (bx, by) = start, end
    middle = ((ax + bx) / 2 - (by - ay) * 0.18, (ay + by) / 2 + (bx - ax) * 0.18)
    return _curve(start, middle, middle, end)


def _fall(start: Point, end: Point) -> list[Point]:
    """Down into the strip, arriving from above."""
    drop = (end[1] - start[1]) * 0.55
    return _curve(start, (start[0], start[1] + drop), (end[0], end[1] - drop), end)


def _curve(a: Point, b: Point, c: Point, d: Point) -> list[Point]:
    """A cubic Bézier curve as a line of 24 pieces."""
    share = np.linspace(0, 1, 25)[:, None]
    points = np.array([a, b, c, d])
    rest = 1 - share
    found = (
        rest**3 * points[0]
        + 3 * rest**2 * share * points[1]
        + 3 * rest * share**2 * points[2]
        + share**3 * points[3]
    )
    return [(float(x), float(y)) for x, y in found]
