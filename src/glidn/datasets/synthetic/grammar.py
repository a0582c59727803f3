"""The ten activities: which objects lie on the table, and the sub-activities that follow.

The grammar follows CAD-120's labels. Every video shows OBJECTS_PER_VIDEO objects: those that the
activity handles, and others drawn so that each category also lies about in activities that do
not touch it. So the list of objects says little; who is touched, and when, says it all.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glidn.datasets.synthetic.performance import Director, Performance, on_table, play
from glidn.datasets.synthetic.raycast import Array, vector
from glidn.datasets.synthetic.world import CATEGORIES, TABLE_TOP, TABLE_Y, Subject

OBJECTS_PER_VIDEO = 5
MOST_OF_A_KIND = 3
SPREAD_X, SPREAD_Y = 0.5, (TABLE_Y[0] + 0.10, TABLE_Y[1] - 0.12)  # where objects are laid
STACKABLE = tuple(name for name, category in CATEGORIES.items() if category.stackable)
PORTABLE = tuple(name for name, category in CATEGORIES.items() if category.portable)
Rng = np.random.Generator


@dataclass(frozen=True)
class Activity:
    """One line of the table below.

    Attributes:
        cast: draws the objects that the activity handles; they are the first of the video.
        act: directs the script; what it handles has the indices of `cast`.
        stacked: the objects of `cast` stand on one another at the beginning.
        inside: the first object of `cast`, a microwave, contains the second at the beginning.
    """

    cast: Callable[[Rng], tuple[str, ...]]
    act: Callable[[Director, Rng], None]
    stacked: bool = False
    inside: bool = False


def beside(director: Director, rng: Rng) -> Array:
    """A free place on the table, or the freest of those tried."""
    return free_place(director.place, rng)


def free_place(taken: Array, rng: Rng, least: float = 0.21) -> Array:
    """(3,) on the table, `least` metres from (n, 3) others, or as far as could be found."""
    best, room = on_table(0, 0), -1.0
    for _ in range(60):
        place = on_table(rng.uniform(-SPREAD_X, SPREAD_X), rng.uniform(*SPREAD_Y))
        gaps = place[:2] - taken[:, :2]
        # Depth is foreshortened: things behind one another need more room to be seen.
        gap = float(np.hypot(gaps[:, 0], 0.8 * gaps[:, 1]).min(initial=np.inf))
        if gap >= least:
            return place
        if gap > room:
            best, room = place, gap
    return best


def top_of(director: Director, who: int) -> Array:
    """(3,) the middle of an object's top."""
    return director.place[who] + vector(0, 0, CATEGORIES[director.objects[who]].size[2])


def move_over(director: Director, who: int, base: Array, onto: int | None = None) -> None:
    """Reach for an object, carry it above `base` and set it down there."""
    director.reach(who)
    director.carry(who, base + vector(0, 0, 0.05))
    director.put(who, base, onto)


def inside_of(director: Director, microwave: int) -> Array:
    """(3,) the middle of a microwave's floor, a little to its door side."""
    angle = director.turn[microwave]
    to_cavity = -0.05 * vector(np.cos(angle), np.sin(angle), 0)
    return director.place[microwave] + to_cavity + vector(0, 0, 0.02)


def in_front_of(director: Director, microwave: int) -> Array:
    """(3,) before the open door, at the height of the inside."""
    angle = director.turn[microwave]
    return inside_of(director, microwave) + 0.27 * vector(np.sin(angle), -np.cos(angle), 0.1)


def making_cereal(director: Director, rng: Rng) -> None:
    bowl, first, second = 0, *rng.permutation([1, 2])
    for who in (int(first), int(second)):
        home = director.place[who].copy()
        director.reach(who)
        director.carry(who, director.above(bowl, who))
        director.pour(who, bowl)
        director.carry(who, home + vector(0, 0, 0.05))
        director.put(who, home)


def taking_medicine(director: Director, rng: Rng) -> None:
    medcase, cup = 0, 1
    director.reach_handle(medcase)
    director.swing_door(medcase, 1)
    director.dip(medcase, spoon=False)
    director.eat(spoon=False)
    drink_and_put_back(director, cup)


def having_meal(director: Director, rng: Rng) -> None:
    dish, cup = 0, 1
    drinks_after = int(rng.integers(1, 3))
    for _ in range(drinks_after):
        director.dip(dish, spoon=True)
        director.eat(spoon=True)
    drink_and_put_back(director, cup)


def drink_and_put_back(director: Director, cup: int) -> None:
    home = director.place[cup].copy()
    director.reach(cup)
    director.carry(cup, director.at_mouth(cup), lift=0.0)
    director.drink(cup)
    director.carry(cup, home + vector(0, 0, 0.05), lift=0.0)
    director.put(cup, home)


def stacking_objects(director: Director, rng: Rng) -> None:
    for lower, who in ((0, 1), (1, 2)):
        move_over(director, who, top_of(director, lower), onto=lower)


def unstacking_objects(director: Director, rng: Rng) -> None:
    for who in (2, 1):
        move_over(director, who, beside(director, rng))


def microwaving_food(director: Director, rng: Rng) -> None:
    microwave, food = 0, 1
    director.reach_handle(microwave)
    director.swing_door(microwave, 1)
    director.reach(food)
    director.carry(food, in_front_of(director, microwave))
    director.put(food, inside_of(director, microwave), onto=microwave)
    director.reach_handle(microwave)
    director.swing_door(microwave, 0)


def taking_food(director: Director, rng: Rng) -> None:
    microwave, food = 0, 1
    goal = beside(director, rng)
    director.reach_handle(microwave)
    director.swing_door(microwave, 1)
    director.reach(food)
    director.carry(food, in_front_of(director, microwave), lift=0.0)
    director.carry(food, goal + vector(0, 0, 0.05))
    director.put(food, goal)
    director.reach_handle(microwave)
    director.swing_door(microwave, 0)


def cleaning_objects(director: Director, rng: Rng) -> None:
    microwave, cloth = 0, 1
    home = director.place[cloth].copy()
    director.reach_handle(microwave)
    director.swing_door(microwave, 1)
    director.reach(cloth)
    director.carry(cloth, in_front_of(director, microwave) + vector(0, 0, 0.06))
    director.scrub(cloth, microwave)
    director.carry(cloth, home + vector(0, 0, 0.05))
    director.put(cloth, home)
    director.reach_handle(microwave)
    director.swing_door(microwave, 0)


def picking_objects(director: Director, rng: Rng) -> None:
    director.reach(0)
    director.carry(0, before_chest(director.subject, rng), lift=0.0)
    # It stays in the hand: the last step is a pause without setting it down.
    director.add("null", 2.5, director.state(), held=0)


def before_chest(subject: Subject, rng: Rng) -> Array:
    """(3,) where a thing is held to be looked at."""
    return subject.shoulders + vector(
        subject.side * rng.uniform(0.02, 0.12), -0.30, rng.uniform(-0.16, -0.08)
    )


def arranging_objects(director: Director, rng: Rng) -> None:
    for who in range(2):
        move_over(director, who, beside(director, rng))


def one_of(*names: str) -> Callable[[Rng], str]:
    return lambda rng: names[rng.integers(len(names))]


def three_to_stack(rng: Rng) -> tuple[str, ...]:
    """Three alike, as in CAD-120, or a flat pile of different ones."""
    if rng.random() < 0.5:
        return (one_of(*STACKABLE)(rng),) * 3
    # What stands on a tall or hollow thing looks wrong, so they come last.
    order = ("book", "plate", "box", "bowl")
    return tuple(order[k] for k in sorted(rng.permutation(4)[:3]))


food = one_of("bowl", "plate", "cup", "box")
ACTIVITIES = {
    "making_cereal": Activity(lambda rng: ("bowl", "milk", "box"), making_cereal),
    "taking_medicine": Activity(lambda rng: ("medcase", "cup"), taking_medicine),
    "stacking_objects": Activity(three_to_stack, stacking_objects),
    "unstacking_objects": Activity(three_to_stack, unstacking_objects, stacked=True),
    "microwaving_food": Activity(lambda rng: ("microwave", food(rng)), microwaving_food),
    "picking_objects": Activity(lambda rng: (one_of(*PORTABLE)(rng),), picking_objects),
    "cleaning_objects": Activity(lambda rng: ("microwave", "cloth"), cleaning_objects),
    "taking_food": Activity(lambda rng: ("microwave", food(rng)), taking_food, inside=True),
    "arranging_objects": Activity(
        lambda rng: (one_of(*PORTABLE)(rng), one_of(*PORTABLE)(rng)), arranging_objects
    ),
    "having_meal": Activity(lambda rng: (one_of("bowl", "plate")(rng), "cup"), having_meal),
}


def bystanders(cast: tuple[str, ...], rng: Rng, in_all: int = OBJECTS_PER_VIDEO) -> tuple[str, ...]:
    """Objects that nobody touches: now and then a microwave, otherwise of any category."""
    others: list[str] = []
    if "microwave" not in cast and rng.random() < 0.5:
        others.append("microwave")
    while len(cast) + len(others) < in_all:
        name = PORTABLE[rng.integers(len(PORTABLE))]
        if (*cast, *others).count(name) < MOST_OF_A_KIND:
            others.append(name)
    return tuple(others)


def door_guard(microwave: Array) -> Array:
    """(3,) a point that is kept free beside a microwave at (3,), for its size and its door."""
    return microwave - vector(np.sign(microwave[0]) * 0.16, 0.12, 0)


def lay_table(objects: tuple[str, ...], rng: Rng) -> tuple[Array, Array]:
    """Where the objects are at the beginning, (N, 3), and how they are turned, (N,)."""
    count = len(objects)
    turn = rng.uniform(-0.35, 0.35, count).astype(np.float32)
    place = np.full((count, 3), 9.0, dtype=np.float32)  # far away until laid
    side = -1 if rng.random() < 0.5 else 1
    for who in sorted(range(count), key=lambda k: objects[k] != "microwave"):
        if objects[who] == "microwave":
            # At one end of the table, its door towards the middle and the camera.
            place[who] = on_table(side * rng.uniform(0.40, 0.44), rng.uniform(0.02, 0.08))
            turn[who] = -side * rng.uniform(0.45, 0.65)
            guard = door_guard(place[who])
        else:
            rows = [row for row in place if row[0] < 9]
            if "microwave" in objects:
                rows.append(guard)
            taken = np.array(rows, dtype=np.float32).reshape(-1, 3)
            place[who] = free_place(taken, rng)
    return place, turn


def perform(activity: str, subject: Subject, frames: int, rng: Rng) -> Performance:
    """One video of an activity.

    Raises:
        SettingError: `frames` are too few for the script.
    """
    plan = ACTIVITIES[activity]
    cast = plan.cast(rng)
    objects = cast + bystanders(cast, rng)
    place, turn = lay_table(objects, rng)
    if plan.stacked:
        height = TABLE_TOP
        for who in range(len(cast)):
            place[who] = (*place[0, :2], height)
            height += CATEGORIES[objects[who]].size[2]
    director = Director(subject, objects, turn, place, np.zeros(len(objects), dtype=np.float32))
    if plan.inside:
        director.place[1] = inside_of(director, 0)
    director.wait(float(rng.uniform(0.4, 1.0)))
    plan.act(director, rng)
    if activity != "picking_objects":
        # The quicker the subject, the longer the rest at the end.
        work = sum(step.weight for step in director.steps)
        director.wait(work * (subject.pace - 0.85) * float(rng.uniform(0.7, 1.2)))
    return play(director, frames, activity, rng)
