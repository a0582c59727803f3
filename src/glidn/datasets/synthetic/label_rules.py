"""Three rules that make a label out of a hand and three objects, and nothing else does.

    relation  which object the hand follows, A or B. All three ride on one turntable and the
              hand rides along, so every node visits the same places at the same speed: without
              knowing which nodes share a frame, nothing tells. A view that relates the nodes of
              one frame can learn it; a complete graph over all frames cannot.
    identity  whether the hand moves the same object twice or two different ones. Every frame
              alone, and the mean over frames of anything read off single frames, is the same
              in both classes. A view that relates frames can learn it; one that does not cannot.
    order     whether A is put on B or taken off it: the same frames, reversed. Nothing that is
              blind to the order of time can learn it, whichever nodes it relates.

`sample` draws many videos at once without rendering; `perform` plays the very same scripts as a
`Performance`. For equal random numbers, two labels give a pair of videos that differ in nothing
but what the rule says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glidn.datasets.synthetic.performance import Interval, Performance
from glidn.datasets.synthetic.raycast import Array, vector
from glidn.datasets.synthetic.world import CATEGORIES, TABLE_TOP
from glidn.errors import SettingError

Rule = Literal["relation", "identity", "order"]
Rng = np.random.Generator

HAND, A, B, C = range(4)  # the nodes of a video
OBJECTS = ("cup", "medcase", "bowl")  # what A, B and C are when they are rendered
REST = (0.5, 1.0)  # where the hand waits, in the unit square
LOOP = 0.08  # radius of the circle on which an object is pushed around
APART = 0.35  # the least distance between places


@dataclass(frozen=True)
class LabelRuleVideos:
    """V videos of T steps with N = 4 nodes: the hand, A, B, C.

    Attributes:
        positions: (V, T, N, 2) float32 in [0, 1], as seen from above: x right, y away.
        moving: (V, T, N) bool, who moves at that step.
        categories: (N,) int64: 0 the hand, 1 to 3 the objects.
        labels: (V,) int64, 0 or 1.
    """

    positions: Array
    moving: NDArray[np.bool_]
    categories: NDArray[np.int64]
    labels: NDArray[np.int64]


def relation(labels: NDArray[np.int64], steps: int, rng: Rng) -> tuple[Array, NDArray[np.bool_]]:
    """A turntable makes one turn; the hand stays with A (0) or B (1)."""
    if steps % 3:
        # Only then do A, B and C pass exactly the same points.
        raise SettingError(
            f"rule 'relation' needs a number of steps that 3 divides, and it is {steps}; "
            f"take {steps + 3 - steps % 3}."
        )
    videos = len(labels)
    centre = rng.uniform(0.45, 0.55, (videos, 1, 1, 2))
    radius = rng.uniform(0.25, 0.36, (videos, 1, 1))
    start = rng.uniform(0, 2 * np.pi, (videos, 1, 1))
    direction = rng.choice([-1, 1], (videos, 1, 1))
    seats = rng.permuted(np.tile(np.arange(3), (videos, 1)), axis=1)  # (V, 3)
    turn = start + direction * 2 * np.pi * np.arange(steps)[:, None] / steps  # (V, T, 1)
    angle = turn + 2 * np.pi / 3 * seats[:, None]  # (V, T, 3)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    objects = centre + radius[..., None] * circle  # (V, T, 3, 2)
    hand = objects[np.arange(videos), :, labels]
    positions = np.concatenate([hand[:, :, None], objects], axis=2)
    return positions, np.ones(positions.shape[:3], dtype=bool)


def identity(labels: NDArray[np.int64], steps: int, rng: Rng) -> tuple[Array, NDArray[np.bool_]]:
    """The hand pushes an object around in a circle, rests, and pushes the same (1) or another (0).

    Each push ends where it began, so that it leaves no trace.
    """
    videos = len(labels)
    places = draw_places(videos, rng)
    early = rng.integers(0, 3, videos)
    another = (early + rng.integers(1, 3, videos)) % 3
    late = np.where(labels == 1, early, another)
    turned = rng.uniform(0, 2 * np.pi, videos)
    direction = rng.choice([-1, 1], videos)

    objects = np.repeat(places[:, None], steps, axis=1)  # (V, T, 3, 2)
    hand = np.broadcast_to(np.array(REST), (videos, steps, 2)).copy()
    moving = np.zeros((videos, steps, 4), dtype=bool)
    rows = np.arange(videos)
    for half, who in enumerate((early, late)):
        first, last = half * steps // 2, (half + 1) * steps // 2
        reach = max(1, (last - first) // 6)
        # Steps: still, towards the object, the circle, back, still.
        clock = np.arange(first, last) - first - reach
        pushing = (clock >= reach) & (clock < last - first - 2 * reach)
        share = (clock - reach + 1)[pushing] / max(1, pushing.sum())
        angle = turned[:, None] + direction[:, None] * 2 * np.pi * share  # (V, pushing)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        origin = np.stack([np.cos(turned), np.sin(turned)], axis=-1)[:, None]
        inside = np.flatnonzero(pushing) + first
        pushed = places[rows, who][:, None] + LOOP * (circle - origin)
        objects[rows[:, None], inside, who[:, None]] = pushed
        hand[:, inside] = pushed
        moving[:, inside, HAND] = True
        moving[rows[:, None], inside, 1 + who[:, None]] = True
        for ways, step in (((clock + 1) / reach, 0), ((last - first - reach - 1 - clock - reach + 1) / reach, 1)):
            on_way = (ways > 0) & (ways <= 1) & ~pushing if step == 0 else (ways >= 0) & (ways < 1) & ~pushing
            inside = np.flatnonzero(on_way) + first
            share = ways[on_way][:, None]
            hand[:, inside] = (1 - share) * np.array(REST) + share * places[rows, who][:, None]
            moving[:, inside, HAND] = True
    return np.concatenate([hand[:, :, None], objects], axis=2), moving


def order(labels: NDArray[np.int64], steps: int, rng: Rng) -> tuple[Array, NDArray[np.bool_]]:
    """The hand takes A, carries it to B and rests (0); or the same, backwards (1)."""
    videos = len(labels)
    raise NotImplementedError
