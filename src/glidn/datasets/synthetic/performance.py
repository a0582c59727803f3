"""A script of sub-activities, and how it is played: where everything is in every frame.

A `Director` writes the script step by step ("reach for object 2", "carry it there") and keeps
the state of the table; `play` turns the script into arrays by easing between the states.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from glidn.datasets.synthetic.raycast import Array, vector
from glidn.datasets.synthetic.world import CATEGORIES, TABLE_TOP, Subject
from glidn.errors import SettingError

SETTLE = 0.25  # the share of a pour or a drink that goes into tipping, and again into righting


@dataclass(frozen=True)
class Interval:
    """A labelled stretch of frames, counted from 0, the last one included.

    Attributes:
        affordances: one for each object, in the objects' order.
    """

    first: int
    last: int
    sub_activity: str
    affordances: tuple[str, ...]


@dataclass(frozen=True)
class Performance:
    """Everything that moves in one video; T frames, N objects; metres and radians.

    Attributes:
        objects: (N,) categories.
        turn: (N,) how each object is turned about the vertical.
        place: (T, N, 3) the middle of each object's base.
        tilt: (T, N) how far it is tipped sideways, positive towards +x.
        opening: (T, N) 0 closed to 1 open, for what has a door or a lid.
        hand: (T, 3) the hand in use.
        pouring: (T,) the object that is poured from, -1 for none.
        spoon: (T,) bool, whether the hand holds a spoon.
        intervals: cover all frames, in order.
        turntable: x, y, radius of a turning disc under the objects, where there is one.
        show_hand: whether the hand itself is annotated, as a last object.
    """

    objects: tuple[str, ...]
    turn: Array
    place: Array
    tilt: Array
    opening: Array
    hand: Array
    pouring: NDArray[np.int64]
    spoon: NDArray[np.bool_]
    intervals: tuple[Interval, ...]
    turntable: tuple[float, float, float] | None = None
    show_hand: bool = False


@dataclass(frozen=True)
class State:
    """The table between two steps: (3,) hand, (N, 3) places, (N,) openings."""

    hand: Array
    place: Array
    opening: Array


@dataclass(frozen=True)
class Step:
    """One sub-activity between two states.

    Attributes:
        weight: its duration relative to the other steps.
        affordances: of the objects that take part; the others are stationary.
        held: the object that moves with the hand.
        lift: how much higher than the straight line the hand goes half-way, metres.
        tip: how far the held object is tipped during the step, radians.
        swing: metres the hand rubs to and fro sideways.
        pours, spoon: see Performance.
    """

    sub_activity: str
    weight: float
    before: State
    after: State
    affordances: dict[int, str] = field(default_factory=dict)
    held: int | None = None
    lift: float = 0.0
    tip: float = 0.0
    swing: float = 0.0
    pours: bool = False
    spoon: bool = False


def tilted(grip: Array, angle: float) -> Array:
    """The grip of an object that is tipped about the y axis, positive towards +x."""
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = grip
    return vector(cosine * x + sine * z, y, cosine * z - sine * x)


class Director:
    """Writes a script: each method adds one sub-activity and moves the state on.

    Attributes:
        steps: the script so far.
        place: (N, 3) where the objects are now.
    """

    def __init__(
        self, subject: Subject, objects: tuple[str, ...], turn: Array, place: Array, opening: Array
    ) -> None:
        self.subject = subject
        self.objects = objects
        self.turn = turn
        self.place = place.copy()
        self.opening = opening.copy()
        self.hand = subject.rest(subject.side)
        self.steps: list[Step] = []

    def state(self) -> State:
        return State(self.hand.copy(), self.place.copy(), self.opening.copy())

    def add(self, sub_activity: str, weight: float, before: State, **details: object) -> None:
        self.steps.append(Step(sub_activity, weight, before, self.state(), **details))  # type: ignore[arg-type]

    def grip(self, who: int) -> Array:
        """(3,) from the base of an object to the hand that holds it."""
        x, y, z = CATEGORIES[self.objects[who]].grip
        return vector(-self.subject.side * x, y, z)

    def handle(self, who: int) -> Array:
        """(3,) where the hand opens and closes it: the edge of the door, the front of the lid."""
        width, depth, height = CATEGORIES[self.objects[who]].size
        angle = self.turn[who]
        if self.objects[who] == "microwave":
            swing = self.opening[who] * DOOR_ANGLE
            hinge, leaf = -width / 2, width * DOOR_SHARE
            x, y = hinge + leaf * np.cos(swing), -depth / 2 - leaf * np.sin(swing) - 0.03
        else:
            x, y, height = 0.0, -depth / 2 * (1 - 1.6 * self.opening[who]), 2.2 * height
        c, s = np.cos(angle), np.sin(angle)
        return self.place[who] + vector(c * x - s * y, s * x + c * y, height * 0.55)

    def wait(self, weight: float = 1.0) -> None:
        """Do nothing: the hand goes back to where it rests."""
        before = self.state()
        self.hand = self.subject.rest(self.subject.side)
        self.add("null", weight, before, lift=0.04 if np.any(before.hand != self.hand) else 0.0)

    def reach(self, who: int) -> None:
        """Bring the empty hand to an object."""
        before = self.state()
        self.hand = self.place[who] + self.grip(who)
        self.add("reaching", 1.0, before, affordances={who: "reachable"}, lift=0.06)

    def reach_handle(self, who: int) -> None:
        """Bring the empty hand to a door or a lid."""
        before = self.state()
        self.hand = self.handle(who)
        self.add("reaching", 1.0, before, affordances={who: "reachable"}, lift=0.04)

    def swing_door(self, who: int, opening: float) -> None:
        """Open (1) or close (0) the door or lid that the hand holds."""
        before = self.state()
        self.opening[who] = opening
        self.hand = self.handle(who)
        names = ("opening", "openable") if opening else ("closing", "closeable")
        self.add(names[0], 1.1, before, affordances={who: names[1]})

    def carry(self, who: int, base: Array, lift: float = 0.10) -> None:
        """Move a held object until its base is at `base`."""
        before = self.state()
        self.place[who] = base
        self.hand = base + self.grip(who)
        self.add("moving", 1.4, before, affordances={who: "movable"}, held=who, lift=lift)

    def put(self, who: int, base: Array, onto: int | None = None) -> None:
        """Set a held object down."""
        before = self.state()
        self.place[who] = base
        self.hand = base + self.grip(who)
        roles = {who: "placeable"} if onto is None else {who: "movable", onto: "placeable"}
        self.add("placing", 0.9, before, affordances=roles, held=who)

    def pour(self, who: int, into: int) -> None:
        """Tip a held object over another one."""
        before = self.state()
        lean = -self.subject.side * 1.75
        roles = {who: "pourable", into: "pourto"}
        self.add("pouring", 1.9, before, affordances=roles, held=who, tip=lean, pours=True)

    def above(self, into: int, who: int) -> Array:
        """(3,) the base from which `who`, once tipped, pours into the middle of `into`."""
        target = CATEGORIES[self.objects[into]].size[2]
        height = CATEGORIES[self.objects[who]].size[2]
        return self.place[into] + vector(self.subject.side * height * 0.8, 0.0, target + 0.12)

    def drink(self, who: int) -> None:
        """Tip a held cup at the mouth."""
        before = self.state()
        lean = -self.subject.side * 0.9
        self.add("drinking", 1.6, before, affordances={who: "drinkable"}, held=who, tip=lean)

    def at_mouth(self, who: int) -> Array:
        """(3,) the base of a cup whose rim touches the lips."""
        width, _, height = CATEGORIES[self.objects[who]].size
        return self.subject.mouth + vector(self.subject.side * width * 0.7, -0.05, -0.85 * height)

    def eat(self, spoon: bool) -> None:
        """Bring the hand, with what it took, to the mouth (moving), and eat."""
        before = self.state()
        self.hand = self.subject.mouth + vector(self.subject.side * 0.08, -0.06, -0.05)
        self.add("moving", 1.1, before, spoon=spoon)
        self.add("eating", 1.0, self.state(), spoon=spoon)

    def dip(self, who: int, spoon: bool) -> None:
        """Take something out of an open object."""
        before = self.state()
        height = CATEGORIES[self.objects[who]].size[2]
        self.hand = self.place[who] + vector(self.subject.side * 0.03, 0.02, height + 0.05)
        roles = {who: "containable"}
        self.add("reaching", 1.0, before, affordances=roles, lift=0.06, spoon=spoon)

    def scrub(self, cloth: int, on: int) -> None:
        """Rub a held cloth over an object."""
        roles = {cloth: "scrubber", on: "scrubbable"}
        self.add("scrubbing", 2.4, self.state(), affordances=roles, held=cloth, swing=0.06)


DOOR_ANGLE = 1.75  # radians that a microwave's door opens
DOOR_SHARE = 0.72  # of its width; the rest is the panel with the buttons


def ease(share: Array) -> Array:
    """0 to 1 with a soft start and a soft end."""
    return share * share * (3 - 2 * share)


def durations(weights: Array, frames: int, activity: str) -> NDArray[np.int64]:
    """Whole frames for each step, at least one, `frames` in all.

    Raises:
        SettingError: there are more steps than frames.
    """
    spare = frames - len(weights)
    if spare < 0:
        raise SettingError(
            f"frames is {frames}, but {activity} has {len(weights)} steps here and each needs a "
            f"frame; set frames to {2 * len(weights)} or more."
        )
    ends = np.rint(np.cumsum(weights) / weights.sum() * spare).astype(np.int64)
    return np.diff(ends, prepend=0) + 1


def play(director: Director, frames: int, activity: str, rng: np.random.Generator) -> Performance:
    """Play the director's script in `frames` frames, each step a little longer or shorter."""
    return play_steps(director, draw_durations(director, frames, activity, rng))


def draw_durations(
    director: Director, frames: int, activity: str, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(steps,) how many frames each step of the script gets, `frames` in all.

    Raises:
        SettingError: there are more steps than frames.
    """
    weights = np.array([step.weight for step in director.steps])
    return durations(weights * rng.lognormal(0, 0.15, len(weights)), frames, activity)


def play_steps(director: Director, counts: NDArray[np.int64]) -> Performance:
    """Play the director's script, step k in counts[k] frames."""
    steps = director.steps
    names = range(len(director.objects))

    place, tilt, opening, hand, pouring, spoon, intervals = [], [], [], [], [], [], []
    first = 0
    for step, count in zip(steps, counts, strict=True):
        share = ((np.arange(count) + 1) / count).astype(np.float32)  # (count,)
        eased, arc = ease(share), 4 * ease(share) * (1 - ease(share))
        tipped = ease(np.clip(np.minimum(share, 1 - share) / SETTLE, 0, 1))
        offset = np.zeros((count, 3), dtype=np.float32)
        offset[:, 2] = step.lift * arc
        offset[:, 0] = step.swing * np.sin(3 * 2 * np.pi * share)
        hand.append(mix(step.before.hand, step.after.hand, eased) + offset)
        opening.append(mix(step.before.opening, step.after.opening, eased))
        places = mix(step.before.place, step.after.place, eased)
        tilts = np.zeros((count, len(names)), dtype=np.float32)
        if step.held is not None:
            tilts[:, step.held] = step.tip * tipped
            grip = director.grip(step.held)
            turned = np.stack([tilted(grip, angle) for angle in tilts[:, step.held]])
            places[:, step.held] = hand[-1] - turned
        place.append(places)
        tilt.append(tilts)
        pouring.append(np.where(step.pours & (tipped > 0.8), step.held or 0, -1))
        spoon.append(np.full(count, step.spoon))
        affordances = tuple(step.affordances.get(k, "stationary") for k in names)
        intervals.append(Interval(first, first + int(count) - 1, step.sub_activity, affordances))
        first += int(count)

    return Performance(
        objects=director.objects,
        turn=director.turn,
        place=np.concatenate(place).astype(np.float32),
        tilt=np.concatenate(tilt),
        opening=np.concatenate(opening).astype(np.float32),
        hand=np.concatenate(hand).astype(np.float32),
        pouring=np.concatenate(pouring),
        spoon=np.concatenate(spoon),
        intervals=merged(intervals),
    )


def mix(before: Array, after: Array, share: Array) -> Array:
    """From `before` to `after`, both (*), at (T,) shares of the way: (T, *)."""
    share = share.reshape(-1, *[1] * before.ndim)
    return (1 - share) * before + share * after


def merged(intervals: list[Interval]) -> tuple[Interval, ...]:
    """Join neighbours that say the same, as a person who annotates would."""
    kept = intervals[:1]
    for interval in intervals[1:]:
        last = kept[-1]
        if (last.sub_activity, last.affordances) == (interval.sub_activity, interval.affordances):
            kept[-1] = replace(last, last=interval.last)
        else:
            kept.append(interval)
    return tuple(kept)


def on_table(x: float, y: float) -> Array:
    """(3,) a point on the table top."""
    return vector(x, y, TABLE_TOP)
