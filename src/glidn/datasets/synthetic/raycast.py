"""A small ray-caster: a pinhole camera, four kinds of solids, a depth buffer and an owner image.

World axes: x right, y away from the camera, z up; metres. A ray is `eye + depth * direction`
with directions scaled so that `depth` is the distance along the optical axis, which makes the
depth buffer, the skeleton's Z and the pixels agree without further conversion.

Every solid lives in a box-shaped local frame (centre, axes, half sizes), so one bounding
rectangle serves all kinds and only the pixels inside it are tested.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Owners = NDArray[np.int16]
Kind = Literal["box", "ellipsoid", "capsule", "frustum"]

CORNERS = np.array(
    [(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=np.float32
)
MISS = np.float32(np.inf)
AMBIENT = 0.42


def vector(x: float, y: float, z: float) -> Array:
    """A point, direction or colour of three numbers."""
    return np.array((x, y, z), dtype=np.float32)


def unit(direction: Array) -> Array:
    """The vector of length 1 along `direction`, which must not be zero."""
    return direction / np.linalg.norm(direction)


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
        right = unit(np.cross(forward, vector(0, 0, 1)))
        basis = np.stack([right, np.cross(right, forward), forward])
        focal = min(width, height) / 2 / np.tan(np.radians(degrees) / 2)
        return cls(eye, basis.astype(np.float32), float(focal), width, height)

    def project(self, points: Array) -> tuple[Array, Array]:
        """(*, 3) world points -> (*, 2) pixels and (*,) depths in metres."""
        right, up, depth = np.moveaxis((points - self.eye) @ self.basis.T, -1, 0)
        u = self.width / 2 + self.focal * right / depth
        v = self.height / 2 - self.focal * up / depth
        return np.stack([u, v], axis=-1), depth

    def rays(self) -> Array:
        """(H, W, 3) directions through the pixel centres, forward component 1."""
        u = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal
        v = (self.height / 2 - np.arange(self.height) - 0.5) / self.focal
        across, down = np.meshgrid(u, v)
        directions = np.stack([across, down, np.ones_like(across)], axis=-1)
        return directions.astype(np.float32) @ self.basis


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


def rectangle(camera: Camera, solid: Solid) -> tuple[slice, slice]:
    """Rows and columns that can show the solid; empty when it is out of the frame."""
    pixels, depth = camera.project(solid.centre + (CORNERS * solid.half) @ solid.axes)
    if (depth < 0.05).any():
        return slice(0, 0), slice(0, 0)
    x1, y1 = np.clip(np.floor(pixels.min(0)), 0, (camera.width, camera.height)).astype(int)
    x2, y2 = np.clip(np.ceil(pixels.max(0)), 0, (camera.width, camera.height)).astype(int)
    return slice(y1, y2), slice(x1, x2)


def quadratic(a: Array, b: Array, c: Array) -> Array:
    """The smaller root of a t² + 2 b t + c, infinite where there is none."""
    discriminant = b * b - a * c
    root = (-b - np.sqrt(np.maximum(discriminant, 0))) / a
    return np.where(discriminant > 0, root, MISS)


def box_depth(solid: Solid, start: Array, ray: Array) -> Array:
    ray = np.where(np.abs(ray) < 1e-7, np.float32(1e-7), ray)
    middle, reach = -start / ray, solid.half / np.abs(ray)
    near, far = (middle - reach).max(-1), (middle + reach).min(-1)
    return np.where((near < far) & (near > 0), near, MISS)


def box_normal(solid: Solid, point: Array) -> Array:
    relative = point / solid.half
    face = np.abs(relative).argmax(-1)[:, None]
    normal = np.zeros_like(point)
    np.put_along_axis(normal, face, np.sign(np.take_along_axis(relative, face, 1)), 1)
    return normal


def ellipsoid_depth(solid: Solid, start: Array, ray: Array) -> Array:
    start, ray = start / solid.half, ray / solid.half
    return quadratic((ray * ray).sum(-1), ray @ start, start @ start - 1)


def ellipsoid_normal(solid: Solid, point: Array) -> Array:
    return point / solid.half**2


def capsule_depth(solid: Solid, start: Array, ray: Array) -> Array:
    radius, length = solid.half[0], solid.half[2] - solid.half[0]
    flat, flat_start = ray[:, :2], start[:2]
    side = quadratic(
        np.maximum((flat * flat).sum(-1), np.float32(1e-9)),
        flat @ flat_start,
        flat_start @ flat_start - radius**2,
    )
    # A ray that misses the infinite cylinder misses the capsule, whose ends lie inside it.
    height = start[2] + np.where(np.isfinite(side), side, 0) * ray[:, 2]
    towards = start - np.where(height > 0, length, -length)[:, None] * vector(0, 0, 1)
    end = quadratic(
        (ray * ray).sum(-1), (ray * towards).sum(-1), (towards * towards).sum(-1) - radius**2
    )
    return np.where(np.isfinite(side) & (np.abs(height) > length), end, side)


def capsule_normal(solid: Solid, point: Array) -> Array:
    length = solid.half[2] - solid.half[0]
    normal = point.copy()
    normal[:, 2] -= np.clip(normal[:, 2], -length, length)
    return normal


def frustum_radii(solid: Solid) -> tuple[float, float]:
    """The radius half-way up, and how much it grows per metre of height."""
    largest = float(solid.half[0])
    bottom = largest if solid.taper <= 1 else largest / solid.taper
    top = bottom * solid.taper
    return (bottom + top) / 2, (top - bottom) / 2 / float(solid.half[2])


def frustum_depth(solid: Solid, start: Array, ray: Array) -> Array:
    middle, slope = frustum_radii(solid)
    height, flat = solid.half[2], ray[:, :2]
    radius, growth = middle + slope * start[2], slope * ray[:, 2]
    side = quadratic(
        np.maximum((flat * flat).sum(-1) - growth * growth, np.float32(1e-9)),
        flat @ start[:2] - radius * growth,
        start[:2] @ start[:2] - radius * radius,
    )
    reached = start[2] + np.where(np.isfinite(side), side, 0) * ray[:, 2]
    side = np.where(np.abs(reached) <= height, side, MISS)
    # Only the cap that faces the eye can be seen.
    face = height if start[2] > height else -height
    if abs(start[2]) <= height:
        return side
    cap = (face - start[2]) / np.where(np.abs(ray[:, 2]) < 1e-7, np.float32(1e-7), ray[:, 2])
    across = start[:2] + cap[:, None] * flat
    on_cap = (cap > 0) & ((across * across).sum(-1) < (middle + slope * face) ** 2)
    return np.minimum(side, np.where(on_cap, cap, MISS))


def frustum_normal(solid: Solid, point: Array) -> Array:
    _, slope = frustum_radii(solid)
    normal = point.copy()
    normal[:, 2] = -slope * np.linalg.norm(point[:, :2], axis=-1)
    on_cap = np.abs(point[:, 2]) > solid.half[2] * 0.999
    normal[on_cap] = np.sign(point[on_cap, 2:]) * vector(0, 0, 1)
    return normal


# In the solid's frame: depth of (n, 3) rays from one start, and normals at (n, 3) points.
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


def shade(colour: Array, normal: Array, light: Light, view: Array, gloss: float) -> Array:
    """Colour of (n, 3) surface points: sky from above, a soft lamp, a highlight."""
    facing = normal @ light.towards
    # Half-Lambert: the lamp fades around the body instead of ending in a hard black edge.
    lamp = np.square(0.5 + 0.5 * facing) * (1.15 - AMBIENT)
    sky = AMBIENT * (0.85 + 0.3 * normal[:, 2])
    rgb = colour * (sky[:, None] + lamp[:, None] * light.tint)
    if gloss:
        half = light.towards - view
        half /= np.linalg.norm(half, axis=-1, keepdims=True)
        rgb += 255 * gloss * np.maximum((normal * half).sum(-1), 0)[:, None] ** 40
    return rgb


def draw(
    picture: Picture, camera: Camera, rays: Array, light: Light, solids: Sequence[Solid]
) -> None:
    """Draw the solids into the picture, in place, hidden where it is already nearer."""
    for solid in solids:
        rows, columns = rectangle(camera, solid)
        window = rays[rows, columns]
        if not window.size:
            continue
        depth_of, normal_of = SHAPES[solid.kind]
        start = solid.axes @ (camera.eye - solid.centre)
        local = window.reshape(-1, 3) @ solid.axes.T
        depth = depth_of(solid, start, local).reshape(window.shape[:2])
        seen = depth < picture.depth[rows, columns]
        if not seen.any():
            continue
        nearest = depth[seen]
        normal = normal_of(solid, start + nearest[:, None] * local[seen.ravel()])
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        view = unit(window[seen][len(nearest) // 2])
        colour = shade(solid.colour, normal @ solid.axes, light, view, solid.gloss)
        picture.rgb[rows, columns][seen] = colour
        picture.depth[rows, columns][seen] = nearest
        picture.owner[rows, columns][seen] = solid.owner


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
    smooth[rows, columns] = (
        0.4 * rgb[rows, columns]
        + 0.15 * (rgb[up, columns] + rgb[down, columns] + rgb[rows, left] + rgb[rows, right])
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
