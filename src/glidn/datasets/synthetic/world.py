"""What there is in the generated world: furniture, object categories, subjects, room variations.

Metres; x right, y away from the camera, z up. The table is centred on x = 0, the person sits
behind it and faces the camera, so the person's left is +x.
"""

from dataclasses import dataclass

import numpy as np

from glidn.datasets.synthetic.raycast import Array, unit, vector

TABLE_TOP = 0.74
TABLE_X = (-0.68, 0.68)
TABLE_Y = (-0.36, 0.27)
WALL_Y = 1.25

# Owners of pixels; object k of a video (from 1, as CAD-120 counts) owns its pixels as k.
SCENERY, PERSON, HAND = 0, -1, -2


@dataclass(frozen=True)
class Category:
    """A kind of object.

    Attributes:
        size: (3,) width, depth, height in metres; a little larger than life, to be seen in
            small frames.
        grip: (3,) where the hand holds it, from the middle of its base, for a right hand; the
            x is mirrored for a left one.
        colours: what its body may be coloured, RGB.
        portable: whether a person moves it.
        stackable: whether others stand on it.
    """

    size: tuple[float, float, float]
    grip: tuple[float, float, float]
    colours: tuple[tuple[int, int, int], ...]
    portable: bool = True
    stackable: bool = False


CATEGORIES = {
    "bowl": Category(
        (0.17, 0.17, 0.075),
        (-0.085, 0.02, 0.08),
        ((70, 120, 190), (205, 90, 70), (235, 230, 220)),
        stackable=True,
    ),
    "milk": Category((0.09, 0.09, 0.21), (-0.065, 0.02, 0.12), ((238, 240, 245), (225, 235, 250))),
    "box": Category(
        (0.14, 0.075, 0.19),
        (-0.09, 0.02, 0.13),
        ((214, 150, 40), (190, 60, 50), (120, 80, 160)),
        stackable=True,
    ),
    "cup": Category(
        (0.09, 0.09, 0.105), (-0.065, 0.02, 0.06), ((200, 50, 60), (60, 150, 110), (240, 200, 70))
    ),
    "medcase": Category(
        (0.15, 0.10, 0.075), (-0.06, 0.04, 0.085), ((240, 240, 240), (225, 235, 230))
    ),
    "microwave": Category(
        (0.40, 0.27, 0.25),
        (0.0, -0.16, 0.12),
        ((70, 72, 78), (200, 200, 202)),
        portable=False,
    ),
    "cloth": Category((0.15, 0.12, 0.03), (-0.02, 0.02, 0.045), ((80, 190, 200), (235, 140, 170))),
    "plate": Category(
        (0.21, 0.21, 0.025),
        (-0.10, 0.02, 0.035),
        ((236, 236, 228), (150, 190, 215)),
        stackable=True,
    ),
    "book": Category(
        (0.19, 0.14, 0.045),
        (-0.09, 0.03, 0.05),
        ((150, 40, 50), (40, 90, 60), (50, 60, 130)),
        stackable=True,
    ),
    "remote": Category((0.06, 0.17, 0.03), (-0.02, 0.04, 0.045), ((45, 45, 52), (90, 90, 100))),
}


@dataclass(frozen=True)
class Subject:
    """A person: what differs between the four.

    Attributes:
        shoulder: height of the shoulders above the floor when sitting, metres.
        breadth: from shoulder to shoulder, metres.
        arm: length of the upper arm, and of the forearm, metres.
        right_handed: which hand handles the objects.
        pace: how fast the script is played; 1 fills the video, more leaves rest at the end.
        skin, hair, shirt, trousers: RGB.
    """

    shoulder: float
    breadth: float
    arm: float
    right_handed: bool
    pace: float
    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    shirt: tuple[int, int, int]
    trousers: tuple[int, int, int] = (50, 54, 70)
    long_hair: bool = False

    @property
    def side(self) -> int:
        """The sign of x on the side of the hand in use: right-handed -1, left-handed +1."""
        return -1 if self.right_handed else 1

    @property
    def shoulders(self) -> Array:
        """(3,) the middle between the shoulders at rest."""
        return vector(0, TABLE_Y[1] + 0.16, self.shoulder)

    @property
    def mouth(self) -> Array:
        """(3,) just before the lips."""
        return self.shoulders + vector(0, -0.13, 0.12)

    def rest(self, side: int) -> Array:
        """(3,) where the hand on that side lies on the table when it does nothing."""
        return vector(side * (self.breadth / 2 + 0.08), TABLE_Y[1] - 0.06, TABLE_TOP + 0.03)


SUBJECTS = {
    1: Subject(
        shoulder=1.19,
        breadth=0.36,
        arm=0.29,
        right_handed=True,
        pace=1.0,
        skin=(226, 178, 146),
        hair=(62, 42, 30),
        shirt=(52, 96, 168),
    ),
    3: Subject(
        shoulder=1.13,
        breadth=0.32,
        arm=0.27,
        right_handed=True,
        pace=1.12,
        skin=(176, 122, 86),
        hair=(30, 24, 22),
        shirt=(176, 58, 74),
        long_hair=True,
    ),
    4: Subject(
        shoulder=1.23,
        breadth=0.40,
        arm=0.30,
        right_handed=False,
        pace=0.94,
        skin=(112, 76, 56),
        hair=(22, 20, 20),
        shirt=(70, 136, 92),
    ),
    5: Subject(
        shoulder=1.16,
        breadth=0.34,
        arm=0.28,
        right_handed=True,
        pace=1.06,
        skin=(240, 200, 172),
        hair=(178, 130, 66),
        shirt=(196, 156, 64),
        long_hair=True,
    ),
}


@dataclass(frozen=True)
class Room:
    """What varies from video to video around the person: light, camera, surfaces.

    Attributes:
        eye, target: (3,) the camera's place and what it looks at.
        degrees: the camera's view across the shorter side of the frame.
        lamp: (3,) unit vector towards the light; tint: (3,) its colour, about 1.
        wall, floor, wood: (3,) RGB of the surfaces.
        grain: phases of the wood's pattern.
        poster: left, bottom, width, height of a picture on the wall; its RGB colour.
        clutter: things on the table that nobody annotates: x, y, kind (0 jar, 1 fruit, 2 pot).
    """

    eye: Array
    target: Array
    degrees: float
    lamp: Array
    tint: Array
    wall: Array
    floor: Array
    wood: Array
    grain: Array
    poster: tuple[float, float, float, float]
    poster_colour: Array
    clutter: tuple[tuple[float, float, int], ...]


WALLS = ((206, 200, 186), (186, 200, 206), (214, 196, 180), (196, 206, 190))
WOODS = ((164, 116, 70), (132, 88, 56), (196, 158, 112), (120, 96, 78))
POSTERS = ((120, 150, 170), (180, 120, 90), (110, 140, 100), (150, 110, 150))


def draw_room(rng: np.random.Generator) -> Room:
    """Choose a room."""
    wood = np.array(WOODS[rng.integers(len(WOODS))], dtype=np.float32)
    wall = np.array(WALLS[rng.integers(len(WALLS))], dtype=np.float32)
    poster = np.array(POSTERS[rng.integers(len(POSTERS))], dtype=np.float32)
    back = TABLE_Y[1] - 0.05
    places = [(side * rng.uniform(0.52, 0.62), back - rng.uniform(0, 0.1)) for side in (-1, 1)]
    kinds = rng.integers(0, 3, size=2)
    present = rng.random(2) < 0.5
    return Room(
        eye=vector(rng.uniform(-0.18, 0.18), rng.uniform(-1.75, -1.6), rng.uniform(1.5, 1.62)),
        target=vector(rng.uniform(-0.03, 0.03), 0.1, rng.uniform(0.98, 1.02)),
        degrees=float(rng.uniform(36.5, 39)),
        lamp=unit(vector(rng.uniform(-0.7, 0.7), rng.uniform(-0.8, -0.4), 0.9)),
        tint=vector(1, rng.uniform(0.95, 1), rng.uniform(0.86, 1)) * rng.uniform(0.9, 1.05),
        wall=wall * rng.uniform(0.9, 1.05),
        floor=vector(120, 112, 104) * rng.uniform(0.8, 1.1),
        wood=wood * rng.uniform(0.9, 1.1),
        grain=rng.uniform(0, 2 * np.pi, size=4).astype(np.float32),
        poster=(float(rng.uniform(-0.9, 0.4)), float(rng.uniform(1.3, 1.45)), 0.45, 0.4),
        poster_colour=poster,
        clutter=tuple(
            (float(x), float(y), int(kind))
            for (x, y), kind, there in zip(places, kinds, present, strict=True)
            if there
        ),
    )
