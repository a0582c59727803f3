"""What each object category looks like: a few solids on top of the middle of its base.

A shape function takes a `Stand` (where the object is and how it is tipped) and its colour, and
returns its solids. To add a category: a line in world.CATEGORIES, a function, a line in SHAPES.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glidn.datasets.synthetic.performance import DOOR_ANGLE, DOOR_SHARE
from glidn.datasets.synthetic.raycast import Array, Kind, Solid, vector
from glidn.datasets.synthetic.world import CATEGORIES

WHITE, DARK, STEEL = vector(242, 242, 238), vector(38, 38, 42), vector(170, 172, 176)


def about_z(angle: float) -> Array:
    """(3, 3) rows: the axes of a frame turned by `angle` about the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([(c, s, 0), (-s, c, 0), (0, 0, 1)], dtype=np.float32)


def about_y(angle: float) -> Array:
    """(3, 3) rows: the axes of a frame whose top is tipped towards +x by `angle`."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([(c, 0, -s), (0, 1, 0), (s, 0, c)], dtype=np.float32)


@dataclass(frozen=True)
class Stand:
    """Where an object stands.

    Attributes:
        base: (3,) the middle of its base.
        axes: (3, 3) rows: its own x, y, z in world coordinates.
        opening: 0 closed to 1 open.
        owner: its number in the owner image.
    """

    base: Array
    axes: Array
    opening: float
    owner: int

    def solid(
        self,
        kind: Kind,
        at: tuple[float, float, float],
        size: tuple[float, float, float],
        colour: Array,
        axes: Array | None = None,
        taper: float = 1.0,
        gloss: float = 0.0,
    ) -> Solid:
        """A part whose centre is `at` in the object's frame; `size` is its full extent."""
        own = self.axes if axes is None else axes @ self.axes
        centre = self.base + vector(*at) @ self.axes
        half = vector(*size) / 2
        return Solid(kind, centre, own, half, colour, self.owner, taper, gloss)


def bowl(stand: Stand, colour: Array) -> list[Solid]:
    width, _, height = CATEGORIES["bowl"].size
    return [
        stand.solid(
            "frustum", (0, 0, height / 2), (width, width, height), colour, taper=1.8, gloss=0.25
        ),
        stand.solid(
            "frustum", (0, 0, height), (0.86 * width, 0.86 * width, 0.004), vector(226, 196, 140)
        ),
    ]


def milk(stand: Stand, colour: Array) -> list[Solid]:
    width, depth, height = CATEGORIES["milk"].size
    wall, blue = 0.74 * height, vector(50, 110, 200)
    roof = width / np.sqrt(2) * 0.98
    return [
        stand.solid("box", (0, 0, wall / 2), (width, depth, wall), colour),
        stand.solid("box", (0, 0, wall * 0.4), (width * 1.02, depth * 1.02, wall * 0.35), blue),
        stand.solid("box", (0, 0, wall), (roof, depth * 0.98, roof), colour, about_y(np.pi / 4)),
        stand.solid("box", (0, 0, height - 0.01), (0.012, depth * 0.98, 0.03), blue),
    ]


def box(stand: Stand, colour: Array) -> list[Solid]:
    width, depth, height = CATEGORIES["box"].size
    return [
        stand.solid("box", (0, 0, height / 2), (width, depth, height), colour),
        stand.solid(
            "box",
            (0, 0, height * 0.62),
            (width * 0.78, depth * 1.02, height * 0.3),
            vector(250, 240, 210),
        ),
        stand.solid(
            "ellipsoid",
            (0, -depth / 2, height * 0.28),
            (width * 0.5, 0.012, width * 0.36),
            vector(250, 240, 210),
        ),
    ]


def cup(stand: Stand, colour: Array) -> list[Solid]:
    width, _, height = CATEGORIES["cup"].size
    body = 0.82 * width
    return [
        stand.solid(
            "frustum", (0, 0, height / 2), (body, body, height), colour, taper=1.12, gloss=0.3
        ),
        stand.solid("frustum", (0, 0, height), (0.8 * body, 0.8 * body, 0.004), vector(90, 56, 36)),
        stand.solid(
            "ellipsoid", (body * 0.52, 0, height * 0.52), (0.035, 0.016, 0.065), colour, gloss=0.3
        ),
    ]


def medcase(stand: Stand, colour: Array) -> list[Solid]:
    width, depth, height = CATEGORIES["medcase"].size
    red, body = vector(205, 40, 45), 0.75 * height
    # The lid turns about the edge of the case that is towards the person.
    angle = 1.9 * stand.opening
    c, s = np.cos(angle), np.sin(angle)
    lid = np.array([(1, 0, 0), (0, c, -s), (0, s, c)], dtype=np.float32)
    middle = vector(0, depth / 2, body) + vector(0, -depth / 2, (height - body) / 2) @ lid
    front = -depth / 2
    return [
        stand.solid("box", (0, 0, body / 2), (width, depth, body), colour),
        stand.solid("box", (0, 0, body), (width * 0.88, depth * 0.84, 0.004), vector(90, 120, 130)),
        stand.solid("box", (0, front, body / 2), (0.05, 0.006, 0.016), red),
        stand.solid("box", (0, front, body / 2), (0.016, 0.006, 0.05), red),
        stand.solid("box", tuple(middle), (width, depth, height - body), red, lid),
    ]


def cloth(stand: Stand, colour: Array) -> list[Solid]:
    width, depth, height = CATEGORIES["cloth"].size
    return [
        stand.solid("box", (0, 0, 0.006), (width, depth, 0.012), colour),
        stand.solid(
            "ellipsoid", (0.02, 0.01, 0.012), (width * 0.8, depth * 0.5, 2 * height - 0.024), colour
        ),
        stand.solid(
            "ellipsoid",
            (-0.03, -0.025, 0.01),
            (width * 0.5, depth * 0.45, height),
            0.85 * colour,
        ),
    ]


def plate(stand: Stand, colour: Array) -> list[Solid]:
    width, _, height = CATEGORIES["plate"].size
    return [
        stand.solid(
            "frustum", (0, 0, height / 2), (width, width, height), colour, taper=1.6, gloss=0.3
        ),
        stand.solid("frustum", (0, 0, height), (0.62 * width, 0.62 * width, 0.003), 0.84 * colour),
    ]


def book(stand: Stand, colour: Array) -> list[Solid]:
    width, depth, height = CATEGORIES["book"].size
    cover = 0.16 * height
    return [
        stand.solid(
            "box", (0.005, 0, height / 2), (width - 0.01, depth - 0.01, height - cover), WHITE
        ),
        stand.solid("box", (0, 0, cover / 2), (width, depth, cover), colour),
        stand.solid("box", (0, 0, height - cover / 2), (width, depth, cover), colour),
        stand.solid("box", (-width / 2, 0, height / 2), (0.008, depth, height), 0.8 * colour),
        stand.solid(
            "box", (0.01, 0, height), (0.5 * width, 0.3 * depth, 0.003), vector(235, 215, 150)
        ),
    ]


def remote(stand: Stand, colour: Array) -> list[Solid]:
    width, depth, height = CATEGORIES["remote"].size
    buttons = [
        stand.solid("ellipsoid", (x, y, height), (0.013, 0.013, 0.008), WHITE * 0.85)
        for x in (-0.014, 0.014)
        for y in (-0.05, -0.02, 0.01)
    ]
    power = stand.solid("ellipsoid", (0, 0.055, height), (0.018, 0.018, 0.01), vector(230, 50, 40))
    body = stand.solid("box", (0, 0, height / 2), (width, depth, height), colour, gloss=0.2)
    return [body, power, *buttons]


def microwave(stand: Stand, colour: Array) -> list[Solid]:
    width, depth, height = CATEGORIES["microwave"].size
    skin, inside = 0.018, vector(214, 210, 196)
    leaf, front = width * DOOR_SHARE, -depth / 2
    panel = (width - leaf, depth, height)
    walls = [
        stand.solid("box", (0, depth / 2 - skin / 2, height / 2), (width, skin, height), inside),
        stand.solid("box", (0, 0, skin / 2), (width, depth, skin), colour),
        stand.solid("box", (0, 0, height - skin / 2), (width, depth, skin), colour),
        stand.solid("box", (skin / 2 - width / 2, 0, height / 2), (skin, depth, height), colour),
        stand.solid("box", (leaf / 2, 0, height / 2), panel, colour),
        stand.solid("box", (leaf / 2, front, height * 0.8), (0.075, 0.006, 0.04), DARK),
    ]
    buttons = [
        stand.solid("box", (leaf / 2 + x, front, height * z), (0.02, 0.008, 0.018), STEEL)
        for x in (-0.02, 0.02)
        for z in (0.25, 0.4, 0.55)
    ]
    # The door turns about its left edge; its own frame has that edge at x = 0.
    turned = about_z(-DOOR_ANGLE * stand.opening)
    hinge = vector(-width / 2, front - 0.008, height / 2)

    def part(x: float, y: float, size: tuple[float, float, float], tone: Array) -> Solid:
        return stand.solid("box", tuple(hinge + vector(x, y, 0) @ turned), size, tone, turned)

    door = [
        part(leaf / 2, 0, (leaf, 0.016, height), colour * 0.9),
        part(leaf / 2 - 0.01, 0, (leaf * 0.66, 0.02, height * 0.6), DARK),
        part(leaf - 0.022, -0.018, (0.014, 0.02, height * 0.7), STEEL),
    ]
    return [*walls, *buttons, *door]


SHAPES: dict[str, Callable[[Stand, Array], list[Solid]]] = {
    "bowl": bowl,
    "milk": milk,
    "box": box,
    "cup": cup,
    "medcase": medcase,
    "microwave": microwave,
    "cloth": cloth,
    "plate": plate,
    "book": book,
    "remote": remote,
}
