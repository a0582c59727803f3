"""What happens in a Charades-like video: a few scenes, one after the other, at one table.

The scenes are cut from the grammar's activities. A story is invented first, on paper: which scenes
and who takes part, and what stands in or on what at the beginning. Then the table is laid and the
scenes are directed. As in the grammar, other things lie about that nobody touches, and now and
then the hand scratches the chin, or hovers over a thing and leaves it: neither is an action.
"""

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np

from glidn.datasets.synthetic import grammar
from glidn.datasets.synthetic.charades_scenes import LOWER, SCENES, UPPER, Story
from glidn.datasets.synthetic.performance import Director, Step
from glidn.datasets.synthetic.raycast import Array, vector
from glidn.datasets.synthetic.world import CATEGORIES, TABLE_TOP, Subject

OBJECTS_PER_VIDEO = 6
MOST_HANDLED = 4
NOTHING = 0.02  # the share of videos without any action
ASIDE = 0.2  # how often something that is no action comes before a scene
SCENE_SECONDS = 3.5  # a long video has as many scenes as it can hold, and never fewer than three
PACE = (0.5, 0.72)  # seconds that one unit of a step's weight takes, for a subject of pace 1
LEAST_PACE = 0.42  # a script that would be played faster loses a scene
FAR_OUT = 0.25  # metres from the middle of the table
Rng = np.random.Generator


@dataclass(frozen=True)
class Script:
    """A directed story.

    Attributes:
        director: holds the objects, the table and the steps.
        on: who stands on, or in, whom at the beginning; indices of objects.
    """

    director: Director
    on: dict[int, int]


def invent(count: int, rng: Rng) -> Story:
    """A story of at most `count` scenes: fewer where too many things would be handled."""
    story = Story()
    names, weights = list(SCENES), np.array([scene.weight for scene in SCENES.values()])
    for _ in range(20 * count):
        if len(story.scenes) == count:
            break
        name = names[rng.choice(len(names), p=weights / weights.sum())]
        tried = deepcopy(story)
        cast = SCENES[name].cast(tried, rng)
        if cast is None or len(tried.objects) > MOST_HANDLED:
            continue
        if SCENES[name].last and len(story.scenes) < count - 1:
            continue
        tried.scenes.append((name, cast))
        story = tried
    return story


def direct(story: Story, subject: Subject, rng: Rng) -> tuple[Script, list[int]]:
    """Lay the table and direct the scenes; also which steps are pauses, of any length."""
    cast = tuple(story.objects)
    objects = cast + grammar.bystanders(cast, rng, OBJECTS_PER_VIDEO)
    place, turn = grammar.lay_table(objects, rng)
    for name, who in story.scenes:
        if name == "pour":
            bring_inward(who[1], objects, place, subject.side)
    on = dict(story.on)
    idle = range(len(cast), len(objects))
    low = [k for k in idle if objects[k] in LOWER]
    high = [k for k in idle if objects[k] in UPPER and k not in low[:1]]
    if low and high and rng.random() < 0.4:  # a pile is no sign of anything
        on[high[0]] = low[0]
    for upper, lower in on.items():
        height = CATEGORIES[objects[lower]].size[2]
        place[upper] = place[lower] + vector(0, 0, height)
    director = Director(subject, objects, turn, place, np.zeros(len(objects), dtype=np.float32))
    for upper, lower in on.items():
        if objects[lower] == "microwave":
            director.place[upper] = grammar.inside_of(director, lower)
    pauses = []

    def rest(weight: float) -> None:
        director.wait(weight)
        director.wait(0.1)
        pauses.append(len(director.steps) - 1)

    if story.held is None:
        director.wait(0.1)
        pauses.append(0)
    else:
        director.place[story.held] = grammar.before_chest(subject, rng)
        director.hand = director.place[story.held] + director.grip(story.held)
    for number, (name, who) in enumerate(story.scenes):
        if number and rng.random() < 0.6:
            rest(0.8)
        if (number or story.held is None) and rng.random() < ASIDE:
            aside(director, rng)
        SCENES[name].act(director, rng, *who)
        if name in ("begin held", "pick"):
            pauses += [k for k, step in enumerate(director.steps) if is_hold(step)][-1:]
    if not story.scenes:
        for _ in range(rng.integers(1, 4)):
            rest(0.5)
            aside(director, rng)
    if not story.scenes or story.scenes[-1][0] != "pick":
        rest(0.9)
    return Script(director, on), pauses


def bring_inward(who: int, objects: tuple[str, ...], place: Array, side: int) -> None:
    """Swap an object that lies far out on the hand's side with the one farthest from there.

    Else what is poured into it, from farther out still, would be out of the picture.
    """
    if side * place[who, 0] > FAR_OUT:
        others = [k for k, name in enumerate(objects) if name != "microwave"]
        other = min(others, key=lambda k: side * place[k, 0])
        place[[who, other]] = place[[other, who]]


def is_hold(step: Step) -> bool:
    return step.sub_activity == "null" and step.held is not None


def write_script(subject: Subject, seconds: float, rng: Rng) -> Script:
    """Invent and direct what fills a video, at a natural pace, with pauses for the rest."""
    most = max(3, int(seconds / SCENE_SECONDS))
    # The larger of two throws: most videos are full of actions.
    count = 0 if rng.random() < NOTHING else int(rng.integers(1, most + 1, 2).max())
    while True:
        script, pauses = direct(invent(count, rng), subject, rng)
        steps = script.director.steps
        work = sum(step.weight for step in steps)
        if count <= 1 or work * LEAST_PACE <= seconds:
            break
        count -= 1
    spare = seconds / (rng.uniform(*PACE) / subject.pace) - work
    if spare > 0:
        for k, share in zip(pauses, rng.dirichlet(np.full(len(pauses), 2)), strict=True):
            steps[k] = replace(steps[k], weight=steps[k].weight + spare * float(share))
    return script


def aside(director: Director, rng: Rng) -> None:
    """Something that is no action: scratch the chin, or hover over a thing and leave it."""
    before = director.state()
    if rng.random() < 0.5:
        director.hand = director.subject.mouth + vector(director.subject.side * 0.07, -0.05, -0.09)
    else:
        reached = [
            k for k in range(len(director.objects)) if director.place[k][2] < TABLE_TOP + 0.01
        ]
        who = reached[rng.integers(len(reached))]
        height = CATEGORIES[director.objects[who]].size[2]
        director.hand = director.place[who] + vector(0, 0, min(height + 0.09, 0.26))
    director.add("null", 1.1, before, lift=0.04)
    director.add("null", 0.5, director.state(), swing=0.008)
    director.wait(0.9)
