"""A small ray-caster: a pinhole camera, four kinds of solids, a depth buffer and an owner image.

World axes: x right, y away from the camera, z up; metres. A ray is `eye + depth * direction`
with directions scaled so that `depth` is the distance along the optical axis, which makes the
depth buffer, the skeleton's Z and the pixels agree without further conversion.

Every solid lives in a box-shaped local frame (centre, axes, half sizes), so one bounding
rectangle serves all kinds and only the pixels inside it are tested.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]  # float32, unless the script of a rule needs more
Owners = NDArray[np.int16]
Kind = Literal["box", "ellipsoid", "capsule", "frustum"]

CORNERS = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float32)
MISS = np.float32(np.inf)
AMBIENT = 0.42


def vector(x: float, y: float, z: float) -> Array:
    """A point, direction or colour of three numbers."""
    return np.array((x, y, z), dtype=np.float32)


def unit(direction: Array) -> Array:
    """The vector of length 1 along `direction`, which must not be zero."""
    return direction / np.sqrt(direction @ direction)


def cross(a: Array, b: Array) -> Array:
    """The vector product of two (3,) vectors; np.cross takes ten times as long on so few."""
    return vector(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Attributes:
        eye: (3,) its place.
        basis: (3, 3) rows right, up, forward; orthonormal.
        focal: pixels per unit of x / depth.
        width, height: of the frame, pixels.
    """

    eye: Array
    basis: Array
    focal: float
    width: int
    height: int

    @classmethod
    def looking_at(
        cls, eye: Array, target: Array, width: int, height: int, degrees: float
    ) -> "Camera":
        """Stand at `eye`, keep the horizon level, see `degrees` across the shorter side."""
        forward = unit(target - eye)
        right = unit(cross(forward, vector(0, 0, 1)))
        basis = np.stack([right, cross(right, forward), forward])
        focal = min(width, height) / 2 / np.tan(np.radians(degrees) / 2)
        return cls(eye, basis.astype(np.float32), float(focal), width, height)

    def project(self, points: Array) -> tuple[Array, Array]:
        """(*, 3) world points -> (*, 2) pixels and (*,) depths in metres."""
        seen = (points - self.eye) @ self.basis.T
        depth = seen[..., 2]
        pixels = seen[..., :2] / depth[..., None] * np.array((self.focal, -self.focal))
        return pixels + np.array((self.width / 2, self.height / 2)), depth

    def rays(self) -> Array:
        """(3, H, W) directions through the pixel centres, forward component 1."""
        u = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal
        v = (self.height / 2 - np.arange(self.height) - 0.5) / self.focal
        across, down = np.meshgrid(u, v)
        directions = np.stack([across, down, np.ones_like(across)]).astype(np.float32)
        return np.einsum("kw,khv->whv", self.basis, directions)


@dataclass(frozen=True)
class Solid:
    """One primitive in its own frame.

    Attributes:
        kind: a capsule and a frustum stand along their local z.
        centre: (3,) of the frame.
        axes: (3, 3) rows are the local x, y, z in world coordinates.
        half: (3,) half sizes of the local bounding box; a capsule's include its round ends.
        colour: (3,) RGB, 0 to 255.
        owner: what the pixels belong to: an object, the person, the scenery.
        taper: a frustum's top radius over its bottom radius; `half` holds the larger one.
        gloss: strength of the highlight, 0 to 1.
    """

    kind: Kind
    centre: Array
    axes: Array
    half: Array
    colour: Array
    owner: int
    taper: float = 1.0
    gloss: float = 0.0

    def __post_init__(self) -> None:
        # One float64 among them would make every pixel's arithmetic float64, at half the speed.
        for name in ("centre", "axes", "half", "colour"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float32))


def rectangle(camera: Camera, solid: Solid) -> tuple[slice, slice]:
    """Rows and columns that can show the solid; empty when it is out of the frame."""
    pixels, depth = camera.project(solid.centre + (CORNERS * solid.half) @ solid.axes)
    if depth.min() < 0.05:
        return slice(0, 0), slice(0, 0)
    x1, y1 = pixels.min(0)
    x2, y2 = pixels.max(0)
    rows = slice(max(0, int(y1)), max(0, min(camera.height, int(y2) + 1)))
    return rows, slice(max(0, int(x1)), max(0, min(camera.width, int(x2) + 1)))


def quadratic(a: Array, b: Array, c: Array) -> Array:
    """The smaller root of a t² + 2 b t + c, infinite where there is none."""
    discriminant = b * b - a * c
    root = (-b - np.sqrt(np.maximum(discriminant, 0))) / a
    return np.where(discriminant > 0, root, MISS)


def away_from_zero(values: Array) -> Array:
    """The same values, those near zero replaced by a small one that can divide."""
    return np.where(np.abs(values) < 1e-7, np.float32(1e-7), values)


# Depths and normals, all in the solid's own frame: one start (3,), rays (3, n), points (3, n).


def box_depth(solid: Solid, start: Array, rays: Array) -> Array:
    rays = away_from_zero(rays)
    middle, reach = -start[:, None] / rays, solid.half[:, None] / np.abs(rays)
    near, far = (middle - reach).max(0), (middle + reach).min(0)
    return np.where((near < far) & (near > 0), near, MISS)


def box_normal(solid: Solid, points: Array) -> Array:
    relative = points / solid.half[:, None]
    face = np.abs(relative).argmax(0)
    each = np.arange(points.shape[1])
    normals = np.zeros_like(points)
    normals[face, each] = np.sign(relative[face, each])
    return normals


def ellipsoid_depth(solid: Solid, start: Array, rays: Array) -> Array:
    start, (x, y, z) = start / solid.half, rays / solid.half[:, None]
    return quadratic(
        x * x + y * y + z * z, start[0] * x + start[1] * y + start[2] * z, start @ start - 1
    )


def ellipsoid_normal(solid: Solid, points: Array) -> Array:
    return points / (solid.half**2)[:, None]


def capsule_depth(solid: Solid, start: Array, rays: Array) -> Array:
    (x, y, z), (sx, sy, sz) = rays, start
    radius, length = solid.half[0], solid.half[2] - solid.half[0]
    flat, flat_b = x * x + y * y + np.float32(1e-9), sx * x + sy * y
    flat_c = sx * sx + sy * sy - radius * radius
    side = quadratic(flat, flat_b, flat_c)
    # A ray that misses the infinite cylinder misses the capsule, whose ends lie inside it.
    hit = side < MISS
    height = sz + np.where(hit, side, 0) * z
    beyond = sz - np.where(height > 0, length, -length)  # the start above the nearer end's centre
    end = quadratic(flat + z * z, flat_b + beyond * z, flat_c + beyond * beyond)
    return np.where(hit & (np.abs(height) > length), end, side)


def capsule_normal(solid: Solid, points: Array) -> Array:
    length = solid.half[2] - solid.half[0]
    x, y, z = points
    return np.stack([x, y, z - np.clip(z, -length, length)])


def frustum_radii(solid: Solid) -> tuple[float, float]:
    """The radius half-way up, and how much it grows per metre of height."""
    largest = float(solid.half[0])
    bottom = largest if solid.taper <= 1 else largest / solid.taper
    top = bottom * solid.taper
    return (bottom + top) / 2, (top - bottom) / 2 / float(solid.half[2])


def frustum_depth(solid: Solid, start: Array, rays: Array) -> Array:
    (x, y, z), (sx, sy, sz) = rays, start
    middle, slope = frustum_radii(solid)
    height, radius, growth = solid.half[2], middle + slope * sz, slope * z
    side = quadratic(
        away_from_zero(x * x + y * y - growth * growth),
        sx * x + sy * y - radius * growth,
        sx * sx + sy * sy - radius * radius,
    )
    reached = sz + np.where(side < MISS, side, 0) * z
    side = np.where(np.abs(reached) <= height, side, MISS)
    if abs(sz) <= height:
        return side
    # Only the cap that faces the eye can be seen.
    face = height if sz > height else -height
    cap = (face - sz) / away_from_zero(z)
    on_cap = (cap > 0) & ((sx + cap * x) ** 2 + (sy + cap * y) ** 2 < (middle + slope * face) ** 2)
    return np.minimum(side, np.where(on_cap, cap, MISS))


def frustum_normal(solid: Solid, points: Array) -> Array:
    _, slope = frustum_radii(solid)
    x, y, z = points
    on_cap = np.abs(z) > solid.half[2] * 0.999
    upward = np.where(on_cap, np.sign(z), -slope * np.hypot(x, y))
    return np.stack([np.where(on_cap, 0, x), np.where(on_cap, 0, y), upward])


SHAPES = {
    "box": (box_depth, box_normal),
    "ellipsoid": (ellipsoid_depth, ellipsoid_normal),
    "capsule": (capsule_depth, capsule_normal),
    "frustum": (frustum_depth, frustum_normal),
}


@dataclass(frozen=True)
class Picture:
    """What has been drawn so far.

    Attributes:
        rgb: (H, W, 3) float32, 0 to 255.
        depth: (H, W) float32, metres; infinite where nothing was drawn.
        owner: (H, W) int16, the `Solid.owner` seen at each pixel.
    """

    rgb: Array
    depth: Array
    owner: Owners

    def copy(self) -> "Picture":
        """A picture that can be drawn on without changing this one."""
        return Picture(self.rgb.copy(), self.depth.copy(), self.owner.copy())


@dataclass(frozen=True)
class Light:
    """One distant lamp and a sky.

    Attributes:
        towards: (3,) unit vector from the scene to the lamp.
        tint: (3,) colour of the lamp, about 1.
    """

    towards: Array
    tint: Array


def shade(colour: Array, normals: Array, light: Light, view: Array, gloss: float) -> Array:
    """Colour (n, 3) of a surface with unit normals (3, n): sky, a soft lamp, a highlight.

    Args:
        view: (3,) unit vector from the eye to the middle of the surface.
    """
    # Half-Lambert: the lamp fades around the body instead of ending in a hard black edge.
    lamp = np.square(0.5 + 0.5 * (light.towards @ normals)) * (1.15 - AMBIENT)
    sky = AMBIENT * (0.85 + 0.3 * normals[2])
    rgb = (sky[:, None] + lamp[:, None] * light.tint) * colour
    if gloss:
        half = unit(light.towards - view)
        rgb += 255 * gloss * np.maximum(half @ normals, 0)[:, None] ** 40
    return rgb


def draw(
    picture: Picture, camera: Camera, rays: Array, light: Light, solids: Sequence[Solid]
) -> None:
    """Draw the solids into the picture, in place, hidden where it is already nearer.

    Args:
        rays: (3, H, W) from `camera.rays()`.
    """
    for solid in solids:
        window = rectangle(camera, solid)
        seen_before = picture.depth[window]
        if not seen_before.size:
            continue
        depth_of, normals_of = SHAPES[solid.kind]
        start = solid.axes @ (camera.eye - solid.centre)
        local = solid.axes @ rays[:, *window].reshape(3, -1)
        depth = depth_of(solid, start, local)
        seen = np.flatnonzero(depth < seen_before.ravel())
        if not len(seen):
            continue
        nearest = depth[seen]
        normals = normals_of(solid, start[:, None] + nearest * local[:, seen])
        x, y, z = normals
        normals = solid.axes.T @ (normals / np.sqrt(x * x + y * y + z * z))
        shown = np.unravel_index(seen, seen_before.shape)
        view = unit(solid.centre - camera.eye)
        picture.rgb[window][shown] = shade(solid.colour, normals, light, view, solid.gloss)
        seen_before[shown] = nearest
        picture.owner[window][shown] = solid.owner


def smooth_edges(rgb: Array, owner: Owners) -> Array:
    """Soften the stairs where two owners meet: those pixels become a small local mean."""
    edge = np.zeros(owner.shape, dtype=bool)
    edge[:, 1:] |= owner[:, 1:] != owner[:, :-1]
    edge[1:] |= owner[1:] != owner[:-1]
    edge[:, :-1] |= edge[:, 1:]
    edge[:-1] |= edge[1:]
    rows, columns = edge.nonzero()
    up, down = np.maximum(rows - 1, 0), np.minimum(rows + 1, len(rgb) - 1)
    left, right = np.maximum(columns - 1, 0), np.minimum(columns + 1, rgb.shape[1] - 1)
    smooth = rgb.copy()
    smooth[rows, columns] = 0.4 * rgb[rows, columns] + 0.15 * (
        rgb[up, columns] + rgb[down, columns] + rgb[rows, left] + rgb[rows, right]
    )
    return smooth


def visible_box(owner: Owners, who: int, least: int = 6) -> tuple[int, int, int, int] | None:
    """The hull (x1, y1, x2, y2), ends exclusive, of the pixels of `who`.

    None when fewer than `least` pixels are seen: a sliver behind a box is not a sighting.
    """
    mask = owner == who
    if np.count_nonzero(mask) < least:
        return None
    columns, rows = mask.any(0).nonzero()[0], mask.any(1).nonzero()[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
