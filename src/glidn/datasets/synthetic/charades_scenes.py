"""The scenes of Charades-like videos, cut from the activities of the grammar.

A scene is first cast, on paper: it finds or adds its objects and notes what stands in or on what.
Once the table is laid, it is directed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from glidn.datasets.synthetic import grammar
from glidn.datasets.synthetic.performance import Director
from glidn.datasets.synthetic.raycast import Array, vector

DISHES, FOOD = ("bowl", "plate"), ("bowl", "plate", "cup")
# Books and remote controls have no scene of their own, so they are carried about more often.
CARRIED = ("cup", "bowl", "plate", "milk", "box", "cloth", *3 * ("book", "remote"))
# What stands well on something low and flat.
LOWER, UPPER = ("book", "plate"), ("cup", "bowl", "plate", "box", "book", "remote")
REUSE = 0.5  # how often a scene takes a thing that lies there anyway, if there is one
Rng = np.random.Generator


@dataclass
class Story:
    """Scenes as they are being invented.

    Attributes:
        objects: categories of what is handled.
        on: who stands on, or in, whom at the beginning.
        held: what is in the hand at the beginning.
        taken: what later scenes leave alone, because it is in or under something.
        inside: what the microwave contains after the last scene.
        scenes: names in SCENES, each with its objects.
    """

    objects: list[str] = field(default_factory=list)
    on: dict[int, int] = field(default_factory=dict)
    held: int | None = None
    taken: set[int] = field(default_factory=set)
    inside: int | None = None
    scenes: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)

    def new(self, rng: Rng, names: tuple[str, ...]) -> int:
        """One more object, of one of these categories."""
        self.objects.append(names[rng.integers(len(names))])
        return len(self.objects) - 1

    def find(self, rng: Rng, names: tuple[str, ...]) -> int:
        """An object of one of these categories: one that is there and free, or one more."""
        free = [k for k, name in enumerate(self.objects) if name in names and k not in self.taken]
        if free and rng.random() < REUSE:
            return free[rng.integers(len(free))]
        return self.new(rng, names)

    def microwave(self) -> int:
        """The only one."""
        if "microwave" not in self.objects:
            self.objects.append("microwave")
        return self.objects.index("microwave")


# --- who takes part: each returns the objects of its scene, or None where it cannot be -----------


def cast_pour(story: Story, rng: Rng) -> tuple[int, ...]:
    return story.find(rng, ("milk", "box")), story.find(rng, ("bowl", "cup"))


def cast_stack(story: Story, rng: Rng) -> tuple[int, ...] | None:
    lower, upper = story.find(rng, LOWER), story.find(rng, UPPER)
    if lower == upper:
        return None
    story.taken |= {lower, upper}
    return lower, upper


def cast_unstack(story: Story, rng: Rng) -> tuple[int, ...]:
    lower, upper = story.new(rng, LOWER), story.new(rng, UPPER)
    story.on[upper] = lower
    return lower, upper


def cast_put_in(story: Story, rng: Rng) -> tuple[int, ...] | None:
    if story.inside is not None:
        return None
    microwave, food = story.microwave(), story.find(rng, FOOD)
    story.inside = food
    story.taken.add(food)
    return microwave, food


def cast_take_out(story: Story, rng: Rng) -> tuple[int, ...] | None:
    if story.inside is not None:
        food, story.inside = story.inside, None
        story.taken.discard(food)
        return story.microwave(), food
    if "microwave" in story.objects:
        return None  # it was seen to be empty
    microwave, food = story.microwave(), story.new(rng, FOOD)
    story.on[food] = microwave
    return microwave, food


def cast_clean(story: Story, rng: Rng) -> tuple[int, ...] | None:
    return None if story.inside is not None else (story.microwave(), story.find(rng, ("cloth",)))


def cast_begin_held(story: Story, rng: Rng) -> tuple[int, ...] | None:
    if story.scenes:
        return None
    story.held = story.new(rng, CARRIED)
    return (story.held,)


# --- what they do -------------------------------------------------------------------------------


def drink(director: Director, rng: Rng, cup: int) -> None:
    home = director.place[cup].copy()
    director.reach(cup)
    director.carry(cup, director.at_mouth(cup), lift=0.0)
    director.drink(cup)
    put_down(director, rng, cup, home, lift=0.0)


def pour(director: Director, rng: Rng, source: int, into: int) -> None:
    home = director.place[source].copy()
    director.reach(source)
    director.carry(source, director.above(into, source))
    director.pour(source, into)
    put_down(director, rng, source, home)


def eat(director: Director, rng: Rng, dish: int) -> None:
    for _ in range(rng.integers(1, 3)):
        director.dip(dish, spoon=True)
        director.eat(spoon=True)


def take_medicine(director: Director, rng: Rng, medcase: int) -> None:
    open_it(director, medcase)
    director.dip(medcase, spoon=False)
    director.eat(spoon=False)
    if rng.random() < 0.6:
        close_it(director, medcase)


def move(director: Director, rng: Rng, who: int) -> None:
    director.reach(who)
    if rng.random() < 0.5:
        director.carry(who, grammar.before_chest(director.subject, rng), lift=0.0)
        hold(director, who, float(rng.uniform(1.5, 3)))
    put_down(director, rng, who)


def begin_held(director: Director, rng: Rng, who: int) -> None:
    hold(director, who, float(rng.uniform(1.5, 3)))
    put_down(director, rng, who)


def pick(director: Director, rng: Rng, who: int) -> None:
    director.reach(who)
    director.carry(who, grammar.before_chest(director.subject, rng), lift=0.0)
    hold(director, who, float(rng.uniform(2, 4)))


def stack(director: Director, rng: Rng, lower: int, upper: int) -> None:
    grammar.move_over(director, upper, grammar.top_of(director, lower), onto=lower)


def unstack(director: Director, rng: Rng, lower: int, upper: int) -> None:
    grammar.move_over(director, upper, free_place(director, rng))


def put_in(director: Director, rng: Rng, microwave: int, food: int) -> None:
    open_it(director, microwave)
    director.reach(food)
    director.carry(food, grammar.in_front_of(director, microwave))
    director.put(food, grammar.inside_of(director, microwave), onto=microwave)
    # Not always, so that opening and closing are two things to learn.
    if rng.random() < 0.65:
        close_it(director, microwave)


def take_out(director: Director, rng: Rng, microwave: int, food: int) -> None:
    open_it(director, microwave)
    director.reach(food)
    director.carry(food, grammar.in_front_of(director, microwave), lift=0.0)
    put_down(director, rng, food)
    if rng.random() < 0.65:
        close_it(director, microwave)


def clean(director: Director, rng: Rng, microwave: int, cloth: int) -> None:
    home = director.place[cloth].copy()
    open_it(director, microwave)
    director.reach(cloth)
    director.carry(cloth, grammar.in_front_of(director, microwave) + vector(0, 0, 0.06))
    director.scrub(cloth, microwave)
    put_down(director, rng, cloth, home)
    if rng.random() < 0.65:
        close_it(director, microwave)


def wipe_dish(director: Director, rng: Rng, dish: int, cloth: int) -> None:
    home = director.place[cloth].copy()
    director.reach(cloth)
    director.carry(cloth, grammar.top_of(director, dish) + vector(0, 0, 0.005))
    director.scrub(cloth, dish)
    put_down(director, rng, cloth, home)


def wipe_table(director: Director, rng: Rng, cloth: int) -> None:
    director.reach(cloth)
    director.carry(cloth, free_place(director, rng) + vector(0, 0, 0.005))
    before = director.state()
    roles = {cloth: "scrubber"}
    director.add("scrubbing", 2.4, before, affordances=roles, held=cloth, swing=0.09)
    put_down(director, rng, cloth)


def hold(director: Director, who: int, weight: float) -> None:
    """Keep a held object where it is, not quite still."""
    director.add("null", weight, director.state(), held=who, swing=0.012)


def put_down(
    director: Director, rng: Rng, who: int, home: Array | None = None, lift: float = 0.10
) -> None:
    """Carry a held object to the table: to `home` or, as often, to another free place."""
    base = free_place(director, rng) if home is None or rng.random() < 0.5 else home
    director.carry(who, base + vector(0, 0, 0.05), lift=lift)
    director.put(who, base)


def open_it(director: Director, who: int) -> None:
    """Unless it is open."""
    if not director.opening[who]:
        director.reach_handle(who)
        director.swing_door(who, 1)


def close_it(director: Director, who: int) -> None:
    director.reach_handle(who)
    director.swing_door(who, 0)


def free_place(director: Director, rng: Rng) -> Array:
    """(3,) a free place on the table, not where a microwave's door swings."""
    at = [k for k, name in enumerate(director.objects) if name == "microwave"]
    guards = [grammar.door_guard(director.place[k]) for k in at]
    return grammar.free_place(np.stack([*director.place, *guards]), rng)


@dataclass(frozen=True)
class Scene:
    """One line of the table below.

    Attributes:
        weight: how often it is drawn.
        cast: finds or adds its objects, and notes in the story what it changes.
        act: directs it.
        last: whether it can only be the last one.
    """

    weight: float
    cast: Callable[[Story, Rng], tuple[int, ...] | None]
    act: Callable[..., None]
    last: bool = False


def one(*names: str) -> Callable[[Story, Rng], tuple[int, ...]]:
    return lambda story, rng: (story.find(rng, names),)


SCENES = {
    "drink": Scene(1.2, one("cup"), drink),
    "pour": Scene(2.0, cast_pour, pour),
    "eat": Scene(1.1, one(*DISHES), eat),
    "take medicine": Scene(1.6, one("medcase"), take_medicine),
    "move": Scene(1.6, one(*CARRIED), move),
    "begin held": Scene(1.6, cast_begin_held, begin_held),
    "pick": Scene(1.4, one(*CARRIED), pick, last=True),
    "stack": Scene(1.6, cast_stack, stack),
    "unstack": Scene(1.0, cast_unstack, unstack),
    "put in": Scene(1.2, cast_put_in, put_in),
    "take out": Scene(1.3, cast_take_out, take_out),
    "clean": Scene(1.0, cast_clean, clean),
    "wipe dish": Scene(
        1.0, lambda story, rng: (story.find(rng, DISHES), story.find(rng, ("cloth",))), wipe_dish
    ),
    "wipe table": Scene(1.3, one("cloth"), wipe_table),
}
