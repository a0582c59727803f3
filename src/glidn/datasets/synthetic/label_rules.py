"""Three rules that make a label out of a hand and three objects, and nothing else does.

    relation  which object the hand follows, A or B. All three ride on one turntable and the
              hand rides along, so every node visits the same places at the same speed: without
              knowing which nodes share a frame, nothing tells. A view that relates the nodes of
              one frame can learn it; a complete graph over all frames cannot.
    identity  whether the hand moves the same object twice or two different ones. Every frame
              alone looks the same in both classes, and so does, in expectation, the mean over
              frames of anything read off single frames. A view that relates frames can learn it;
              one that adds up frames, with a linear classifier, cannot.
    order     whether A is put on B or taken off it: the same frames, reversed. Nothing that is
              blind to the order of time can learn it, whichever nodes it relates.

"Cannot" is exact for positions and movement. Two things blur it in rendered videos: the arm hides
some of what is behind it, and a reader that takes steps which 3 does not divide sees A, B and C at
slightly different points of the turntable.

`sample` draws many videos at once without rendering; `perform` plays the very same scripts as a
`Performance`. For equal random numbers, two labels give a pair of videos that differ in nothing
but what the rule says.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glidn.datasets.synthetic.performance import Interval, Performance
from glidn.datasets.synthetic.raycast import Array, vector
from glidn.datasets.synthetic.world import CATEGORIES, TABLE_TOP
from glidn.errors import SettingError, nearest

Rule = Literal["relation", "identity", "order"]
Rng = np.random.Generator

HAND, A, B, C = range(4)  # the nodes of a video
OBJECTS = ("cup", "medcase", "bowl")  # what A, B and C are when they are rendered
REST = (0.5, 1.0)  # where the hand waits, in the unit square
LOOP = 0.08  # radius of the circle on which an object is pushed around
APART = 0.32  # the least distance between places
SQUARE, NEAR = 0.58, -0.32  # metres: the side of the unit square on the table, its near edge


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
    objects = centre + radius[..., None] * on_circle(angle)  # (V, T, 3, 2)
    positions = joined(objects[np.arange(videos), :, labels], objects)
    return positions, np.ones(positions.shape[:3], dtype=bool)


def identity(labels: NDArray[np.int64], steps: int, rng: Rng) -> tuple[Array, NDArray[np.bool_]]:
    """The hand pushes an object around in a circle, rests, and pushes the same (1) or another (0).

    Each push ends where it began, so that it leaves no trace.
    """
    videos = len(labels)
    places = draw_places(videos, rng)
    early = rng.integers(0, 2, (videos, 1))  # A or B; C never moves
    late = np.where(labels[:, None] == 1, early, 1 - early)
    begin = rng.uniform(0, 2 * np.pi, (videos, 1))
    direction = rng.choice([-1, 1], (videos, 1))

    time = clock(steps) * 2  # one unit for each push
    phase = time % 1
    who = np.where(time < 1, early, late)  # (V, T)
    angle = begin + direction * 2 * np.pi * np.interp(phase, (0.2, 0.8), (0, 1))
    push = LOOP * (on_circle(angle) - on_circle(begin))  # (V, T, 2)
    near = np.interp(phase, (0, 0.2, 0.8, 1), (0, 1, 1, 0))[:, None]

    pushed = who[..., None] == np.arange(3)  # (V, T, 3)
    objects = places[:, None] + pushed[..., None] * push[:, :, None]
    target = np.take_along_axis(places, who[..., None], axis=1)
    hand = (1 - near) * np.array(REST) + near * target + push
    return joined(hand, objects), joined(
        np.ones(who.shape, dtype=bool),
        pushed & ((phase > 0.2) & (phase < 0.8))[:, None],
    )


def order(labels: NDArray[np.int64], steps: int, rng: Rng) -> tuple[Array, NDArray[np.bool_]]:
    """The hand takes A, carries it to B and goes to rest (0); or the same, backwards (1)."""
    places = draw_places(len(labels), rng)
    time = np.where(labels[:, None] == 1, clock(steps)[::-1], clock(steps))[..., None]  # (V, T, 1)
    away = np.interp(time, (0.1, 0.35, 0.65, 0.9), (1, 0, 0, 1))
    objects = np.repeat(places[:, None], steps, axis=1)  # (V, T, 3, 2)
    objects[:, :, 0] += carried(time) * (places[:, None, 1] - places[:, None, 0])
    hand = (1 - away) * objects[:, :, 0] + away * np.array(REST)
    taken = (time[..., 0] > 0.35) & (time[..., 0] < 0.65)
    still = np.zeros_like(taken)
    return joined(hand, objects), np.stack([(away < 1)[..., 0], taken, still, still], axis=-1)


def carried(time: Array) -> Array:
    """How far A is on its way to B, 0 to 1, in the script of `order`."""
    return np.interp(time, (0.35, 0.65), (0, 1))


def clock(steps: int) -> Array:
    """(T,) the middle of each step, so that backwards is exactly the mirror image."""
    return (np.arange(steps) + 0.5) / steps


def on_circle(angle: Array) -> Array:
    """(*,) angles -> (*, 2) points of the unit circle."""
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def joined(hand: NDArray[Any], objects: NDArray[Any]) -> NDArray[Any]:
    """The hand (V, T, *) as node 0 before the objects (V, T, 3, *)."""
    return np.concatenate([hand[:, :, None], objects], axis=2)


def draw_places(videos: int, rng: Rng) -> Array:
    """(V, 3, 2) places in the unit square, none near another or near the resting hand."""
    places = np.empty((videos, 3, 2))
    missing = np.arange(videos)
    while len(missing):
        tried = rng.uniform((0.12, 0.12), (0.88, 0.72), (len(missing), 3, 2))
        gaps = np.linalg.norm(tried - np.roll(tried, 1, axis=1), axis=-1)  # (missing, 3)
        places[missing] = tried
        missing = missing[gaps.min(axis=1) < APART]
    return places


SCRIPTS: dict[Rule, Callable[..., tuple[Array, NDArray[np.bool_]]]] = {
    "relation": relation,
    "identity": identity,
    "order": order,
}
# The two classes of a rendered data set, for labels 0 and 1.
RULE_ACTIVITIES: dict[Rule, tuple[str, str]] = {
    "relation": ("making_cereal", "taking_medicine"),
    "identity": ("making_cereal", "taking_medicine"),
    "order": ("stacking_objects", "unstacking_objects"),
}


def sample(
    rule: Rule,
    videos: int,
    steps: int,
    rng: Rng,
    labels: NDArray[np.int64] | None = None,
    jitter: float = 0.01,
) -> LabelRuleVideos:
    """Draw videos of a rule, without pixels.

    Args:
        labels: (V,) 0 or 1; drawn when not given.
        jitter: standard deviation of what is added to every position, alone for every node.

    Raises:
        SettingError: the rule does not exist or needs another number of steps.
    """
    if rule not in SCRIPTS:
        raise SettingError(f"no label rule {rule!r}{nearest(rule, SCRIPTS)}.")
    if labels is None:
        labels = rng.integers(0, 2, videos)
    positions, moving = SCRIPTS[rule](labels, steps, rng)
    positions = positions + jitter * rng.standard_normal(positions.shape)
    return LabelRuleVideos(
        np.clip(positions, 0, 1).astype(np.float32), moving, np.arange(4), labels
    )


def perform(rule: Rule, label: int, frames: int, rng: Rng) -> Performance:
    """Play one video of a rule on the table, in front of a person whose hand is the hand."""
    turn = rng.uniform(-0.3, 0.3, len(OBJECTS)).astype(np.float32)
    videos = sample(rule, 1, frames, rng, labels=np.array([label]), jitter=0.0)
    moving = videos.moving[0]
    ground = on_square(videos.positions[0])  # (T, N, 3)
    lift: Array = np.zeros(frames, dtype=np.float32)
    turntable = None
    if rule == "relation":
        middle = ground[:, A : C + 1, :2].mean(axis=(0, 1))
        reach = float(np.linalg.norm(ground[0, A, :2] - middle))
        turntable = (float(middle[0]), float(middle[1]), reach + 0.09)
    if rule == "order":
        time = clock(frames)[::-1] if label == 1 else clock(frames)
        way = carried(time)
        lift = way * CATEGORIES[OBJECTS[B - 1]].size[2] + 0.08 * 4 * way * (1 - way)
    place = ground[:, A:].copy()
    place[:, 0, 2] += lift
    # The hand hovers just behind and above what it touches, and so hides none of it.
    hand = ground[:, HAND] + vector(0, 0.05, 0.19)
    hand[:, 2] += lift * (1 if rule == "order" else 0)
    return Performance(
        objects=OBJECTS,
        turn=turn,
        place=place,
        tilt=np.zeros(place.shape[:2], dtype=np.float32),
        opening=np.zeros(place.shape[:2], dtype=np.float32),
        hand=hand.astype(np.float32),
        pouring=np.full(frames, -1),
        spoon=np.zeros(frames, dtype=bool),
        intervals=intervals(moving),
        turntable=turntable,
        show_hand=True,
    )


def on_square(positions: Array) -> Array:
    """(*, 2) in the unit square -> (*, 3) in a square on the table."""
    x, y = SQUARE * (positions[..., 0] - 0.5), NEAR + SQUARE * positions[..., 1]
    return np.stack([x, y, np.full_like(x, TABLE_TOP)], axis=-1).astype(np.float32)


def intervals(moving: NDArray[np.bool_]) -> tuple[Interval, ...]:
    """The labels of a script: (T, N) who moves. The last affordance is the hand's own."""
    found = []
    changes = np.flatnonzero((moving[1:] != moving[:-1]).any(axis=1)) + 1
    for first, last in zip((0, *changes), (*changes, len(moving)), strict=True):
        objects = moving[first, A:]
        name = "moving" if objects.any() else "reaching" if moving[first, HAND] else "null"
        roles = tuple("movable" if moves else "stationary" for moves in (*objects, False))
        found.append(Interval(int(first), int(last) - 1, name, roles))
    return tuple(found)
