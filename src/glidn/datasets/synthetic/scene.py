"""From a performance to pictures: the room once a video, the people and things every frame."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glidn.datasets.synthetic.performance import Performance
from glidn.datasets.synthetic.person import Pose, body, legs, limb, pose
from glidn.datasets.synthetic.raycast import (
    Array,
    Camera,
    Light,
    Picture,
    Solid,
    draw,
    smooth_edges,
    vector,
)
from glidn.datasets.synthetic.shapes import SHAPES, Stand, about_y, about_z
from glidn.datasets.synthetic.world import (
    CATEGORIES,
    PERSON,
    SCENERY,
    TABLE_TOP,
    TABLE_X,
    TABLE_Y,
    WALL_Y,
    Room,
    Subject,
)

LEVEL = np.eye(3, dtype=np.float32)
SQUARE = np.array([(x, y, 0) for x in (-1, 1) for y in (-1, 1)], dtype=np.float32)
SHADOW = 0.5  # how much of the light a contact shadow takes away


@dataclass(frozen=True)
class Frame:
    """One finished frame.

    Attributes:
        rgb: (H, W, 3) uint8.
        owner: (H, W) int16, as in Picture; object k counts from 1.
        pose: of the person.
    """

    rgb: np.ndarray
    owner: np.ndarray
    pose: Pose


def block(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> Solid:
    """A box of scenery from its extents; its colour does not matter yet."""
    low, high = vector(x[0], y[0], z[0]), vector(x[1], y[1], z[1])
    return Solid("box", (low + high) / 2, LEVEL, (high - low) / 2, vector(128, 128, 128), SCENERY)


def surface(camera: Camera, rays: Array, depth: Array) -> Array:
    """(3, H, W) the world points that are seen at a depth (H, W)."""
    return camera.eye[:, None, None] + depth * rays


def wood(room: Room, x: Array, y: Array) -> Array:
    """Brightness of the table's grain, about 1."""
    a, b, c, d = room.grain
    drift = 0.03 * np.sin(3.1 * x + a) + 0.012 * np.sin(9.0 * x + b)
    rings = np.sin(75 * (y + drift) + c) + 0.6 * np.sin(173 * (y + 0.7 * drift) + d)
    seam = np.abs((y + 0.03) % 0.21 - 0.105) < 0.004
    return 1 + 0.045 * rings - 0.16 * seam


def backdrop(room: Room, camera: Camera, rays: Array) -> Picture:
    """Wall, floor, poster and the bare table."""
    eye = camera.eye
    # The camera looks at the wall and from above at the floor: every ray meets one of them.
    to_wall = (WALL_Y - eye[1]) / rays[1]
    to_floor = np.where(rays[2] < 0, -eye[2] / np.minimum(rays[2], -1e-6), np.inf)
    depth = np.minimum(to_wall, to_floor).astype(np.float32)
    x, _, z = surface(camera, rays, depth)

    fall_off = 1 - 0.16 * np.abs(x - 0.8 * room.lamp[0]) - 0.08 * np.abs(z - 1.5)
    rgb = room.wall * fall_off[..., None]
    left, bottom, wide, tall = room.poster
    across, up = (x - left) / wide, (z - bottom) / tall
    frame = (across > -0.05) & (across < 1.05) & (up > -0.05) & (up < 1.05)
    inner = (across > 0) & (across < 1) & (up > 0) & (up < 1)
    rgb[frame] = vector(70, 60, 52)
    hill = up < 0.35 + 0.2 * np.sin(5 * across + room.grain[0])
    rgb[inner] = room.poster_colour
    rgb[inner & hill] = 0.7 * room.poster_colour
    on_floor = to_floor < to_wall
    rgb[on_floor] = room.floor
    rgb[~on_floor & (z < 0.09)] = 0.55 * room.wall

    picture = Picture(rgb.astype(np.float32), depth, np.full(depth.shape, SCENERY, dtype=np.int16))
    light = Light(room.lamp, room.tint)
    top = block(TABLE_X, TABLE_Y, (TABLE_TOP - 0.035, TABLE_TOP))
    before = picture.depth.copy()
    draw(picture, camera, rays, light, [recolour(top, room.wood)])
    table = picture.depth < before
    x, y, _ = surface(camera, rays, picture.depth)
    picture.rgb[table] *= wood(room, x[table], y[table])[:, None]
    legs = [
        block((x - 0.03, x + 0.03), (y - 0.03, y + 0.03), (0, TABLE_TOP - 0.035))
        for x in (TABLE_X[0] + 0.06, TABLE_X[1] - 0.06)
        for y in (TABLE_Y[0] + 0.06, TABLE_Y[1] - 0.06)
    ]
    solids = [recolour(leg, 0.7 * room.wood) for leg in legs]
    for cx, cy, kind in room.clutter:
        solids += clutter(cx, cy, kind)
    draw(picture, camera, rays, light, solids)
    return picture


def recolour(solid: Solid, colour: Array) -> Solid:
    """The same solid in another colour."""
    return Solid(solid.kind, solid.centre, solid.axes, solid.half, colour, solid.owner)


def clutter(x: float, y: float, kind: int) -> list[Solid]:
    """Things that stand about and that nobody annotates: a jar, fruit, a pot with a plant."""
    stand = Stand(vector(x, y, TABLE_TOP), LEVEL, 0.0, SCENERY)
    clay, lid = vector(190, 110, 60), vector(220, 215, 200)
    apple, orange = vector(214, 60, 44), vector(230, 150, 40)
    if kind == 0:
        return [
            stand.solid("frustum", (0, 0, 0.06), (0.08, 0.08, 0.12), clay, gloss=0.4),
            stand.solid("frustum", (0, 0, 0.13), (0.085, 0.085, 0.02), lid),
        ]
    if kind == 1:
        return [
            stand.solid("ellipsoid", (dx, dy, 0.035), (0.075, 0.075, 0.07), colour, gloss=0.3)
            for dx, dy, colour in ((-0.04, 0.0, apple), (0.04, -0.01, orange))
        ]
    leaves = [
        stand.solid("ellipsoid", (dx, dy, 0.15), (0.09, 0.09, 0.11), vector(60, green, 54))
        for dx, dy, green in ((-0.03, 0.0, 120), (0.035, 0.01, 140), (0.0, -0.03, 105))
    ]
    pot = stand.solid("frustum", (0, 0, 0.05), (0.1, 0.1, 0.1), 0.93 * clay, taper=1.25)
    return [pot, *leaves]


@dataclass(frozen=True)
class Stage:
    """What stays the same during one video.

    Attributes:
        table: (2, H, W) x and y of the table's surface at each pixel, far away elsewhere.
        colours: of each object's body, (3,) each.
    """

    subject: Subject
    performance: Performance
    camera: Camera
    light: Light
    rays: Array
    backdrop: Picture
    table: Array
    colours: tuple[Array, ...]


def set_stage(
    subject: Subject,
    performance: Performance,
    room: Room,
    width: int,
    height: int,
    rng: np.random.Generator,
) -> Stage:
    """Everything that one video needs, before its first frame."""
    camera = Camera.looking_at(room.eye, room.target, width, height, room.degrees)
    rays = camera.rays()
    picture = backdrop(room, camera, rays)
    x, y, z = surface(camera, rays, picture.depth)
    table = np.where(np.abs(z - TABLE_TOP) < 1e-3, np.stack([x, y]), 99).astype(np.float32)
    colours = []
    for name in performance.objects:
        choices = CATEGORIES[name].colours
        colours.append(vector(*choices[rng.integers(len(choices))]))
    light = Light(room.lamp, room.tint)
    return Stage(subject, performance, camera, light, rays, picture, table, tuple(colours))


def object_solids(stage: Stage, who: int, step: int) -> list[Solid]:
    """The solids of object `who` (from 0) in frame `step`."""
    show = stage.performance
    axes = about_z(float(show.turn[who])) @ about_y(float(show.tilt[step, who]))
    stand = Stand(show.place[step, who], axes, float(show.opening[step, who]), who + 1)
    return SHAPES[show.objects[who]](stand, stage.colours[who])


def cast_shadow(stage: Stage, rgb: Array, place: Array, radius: float) -> None:
    """Darken the table under something at `place` (3,), softer and fainter the higher it is."""
    x, y, z = map(float, place)
    height = max(0.0, z - TABLE_TOP)
    if height > 0.5:
        return
    # The shadow falls away from the lamp.
    x -= 0.6 * height * float(stage.light.towards[0])
    y -= 0.6 * height * float(stage.light.towards[1])
    spread = radius + 0.25 * height
    reach = 2 * spread * SQUARE + vector(x, y, TABLE_TOP)
    pixels, _ = stage.camera.project(reach)
    x1, y1 = np.maximum(pixels.min(0), 0).astype(int)
    x2, y2 = np.maximum(pixels.max(0) + 1, 0).astype(int)
    to_x, to_y = stage.table[:, y1:y2, x1:x2]
    near = np.exp(-np.square((np.square(to_x - x) + np.square(to_y - y)) / spread**2))
    rgb[y1:y2, x1:x2] *= 1 - (SHADOW * radius**2 / spread**2 * near)[..., None]


def extent(stage: Stage, who: int) -> float:
    """About the radius of an object's shadow."""
    width, depth, _ = CATEGORIES[stage.performance.objects[who]].size
    return 0.35 * (width + depth)


def split(stage: Stage) -> tuple[list[Solid], list[int], list[tuple[int, int]]]:
    """What needs to be drawn only once.

    Returns:
        The solids that stay where they are in every frame; the objects that stand still; and
        (object, solid) for each solid that moves. An object whose door moves has both.
    """
    show = stage.performance
    fixed, standing, moving = [], [], []
    for who in range(len(show.objects)):
        solids = object_solids(stage, who, 0)
        if np.ptp(show.place[:, who], axis=0).max() > 0 or np.ptp(show.tilt[:, who]) > 0:
            moving += [(who, k) for k in range(len(solids))]
            continue
        standing.append(who)
        opened = object_solids(stage, who, int(show.opening[:, who].argmax()))
        for k, (solid, other) in enumerate(zip(solids, opened, strict=True)):
            if np.array_equal(solid.centre, other.centre):
                fixed.append(solid)
            else:
                moving.append((who, k))
    return fixed, standing, moving


def frames(stage: Stage) -> Iterator[Frame]:
    """Draw the video; while nothing moves, the same frame comes again.

    Shadows darken the bare table only, whatever stands on it.
    """
    show, camera, rays, light = stage.performance, stage.camera, stage.rays, stage.light
    fixed, standing, moving = split(stage)
    base = stage.backdrop.copy()
    if show.turntable is not None:
        draw(base, camera, rays, light, [disc(*show.turntable)])
    for who in standing:
        cast_shadow(stage, base.rgb, show.place[0, who], extent(stage, who))
    draw(base, camera, rays, light, fixed)
    draw(base, camera, rays, light, legs(stage.subject, pose(stage.subject, show.hand[0])))
    covered = base.owner != SCENERY
    walkers = [who for who in range(len(show.objects)) if who not in standing]
    frame = None
    for step in range(len(show.hand)):
        if frame is not None and stands_still(show, step):
            yield frame
            continue
        figure = pose(stage.subject, show.hand[step])
        picture = base.copy()
        for who in walkers:
            cast_shadow(stage, picture.rgb, show.place[step, who], extent(stage, who))
        for name in ("left_hand", "right_hand"):
            cast_shadow(stage, picture.rgb, figure.joints[name], 0.07)
        picture.rgb[covered] = base.rgb[covered]

        now = {who: object_solids(stage, who, step) for who in {who for who, _ in moving}}
        solids = body(stage.subject, figure, show.show_hand)
        solids += [now[who][k] for who, k in moving]
        solids += effects(stage, step)
        draw(picture, camera, rays, light, solids)
        rgb = smooth_edges(picture.rgb, picture.owner)
        frame = Frame(np.clip(rgb, 0, 255).astype(np.uint8), picture.owner, figure)
        yield frame


def stands_still(show: Performance, step: int) -> bool:
    """Whether frame `step` shows the very same as the one before it."""
    tracks = (show.hand, show.place, show.tilt, show.opening, show.pouring, show.spoon)
    return all(np.array_equal(track[step], track[step - 1]) for track in tracks)


def effects(stage: Stage, step: int) -> list[Solid]:
    """What flows or is held and is not annotated: a stream, a spoon."""
    show, solids = stage.performance, []
    who = int(show.pouring[step])
    if who >= 0:
        name = show.objects[who]
        axes = about_y(float(show.tilt[step, who]))
        lip = show.place[step, who] + vector(0, 0, CATEGORIES[name].size[2]) @ axes
        colour = vector(250, 250, 250) if name == "milk" else vector(222, 170, 90)
        solids.append(limb(lip, vector(lip[0], lip[1], TABLE_TOP + 0.06), 0.009, colour, SCENERY))
    if show.spoon[step]:
        hand = show.hand[step]
        tip = hand + vector(-stage.subject.side * 0.09, -0.02, -0.02)
        solids.append(limb(hand, tip, 0.008, vector(200, 202, 206), PERSON))
    return solids


def disc(x: float, y: float, radius: float) -> Solid:
    """A turntable that lies flat on the table."""
    half = vector(radius, radius, 0.004)
    return Solid(
        "frustum", vector(x, y, TABLE_TOP + 0.004), LEVEL, half, vector(228, 222, 210), SCENERY
    )
