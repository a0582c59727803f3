"""From a directed script to Charades-like actions: 37 classes, verb and object, with their times.

Who is held, what it was taken from and where it was put are read off the script's own steps, so
an action's time is that of the movement itself. Actions overlap: a cup is held while it is drunk
from, and taken and put down at the two ends of that.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from glidn.datasets.synthetic.charades_script import Script
from glidn.datasets.synthetic.performance import Step

# What a category is called in the actions; a bowl and a plate are both a dish.
NOUNS = {
    "cup": "a cup",
    "bowl": "a dish",
    "plate": "a dish",
    "milk": "a carton of milk",
    "box": "a box",
    "book": "a book",
    "cloth": "a cloth",
    "remote": "a remote control",
    "medcase": "a medicine case",
    "microwave": "a microwave",
}
CARRIED = ("cup", "bowl", "milk", "box", "book", "cloth", "remote")
ACTIONS = (
    *(f"Holding {NOUNS[name]}" for name in CARRIED),
    *(f"Taking {NOUNS[name]} from somewhere" for name in CARRIED),
    *(f"Putting {NOUNS[name]} somewhere" for name in CARRIED),
    "Drinking from a cup",
    "Pouring something into a cup",
    "Pouring something into a dish",
    "Eating from a dish",
    "Opening a medicine case",
    "Closing a medicine case",
    "Taking some medicine",
    "Opening a microwave",
    "Closing a microwave",
    "Putting something in a microwave",
    "Taking something out of a microwave",
    "Putting something on a pile",
    "Taking something off a pile",
    "Wiping a microwave with a cloth",
    "Wiping a dish with a cloth",
    "Wiping the table with a cloth",
)
CODES = {action: f"c{number:03}" for number, action in enumerate(ACTIONS)}

Span = tuple[str, int, int]  # an action, its first frame, and the one after its last


def actions(script: Script, counts: Sequence[int]) -> list[Span]:
    """The actions of a script whose step k takes counts[k] frames; by their first frames."""
    ends = [sum(counts[: k + 1]) for k in range(len(counts))]
    starts = [0, *ends[:-1]]
    # Half a movement belongs to what came before it, half to what comes after.
    middles = [end - count // 2 for end, count in zip(ends, counts, strict=True)]
    found = [*handled(script, starts, middles, ends), *done(script, starts, middles, ends)]
    return joined(sorted(found, key=lambda span: (span[0], span[1])))


def handled(
    script: Script, starts: Sequence[int], middles: Sequence[int], ends: Sequence[int]
) -> Iterator[Span]:
    """Holding, taking and putting."""
    steps, objects, on = script.director.steps, script.director.objects, dict(script.on)
    for who, run in groupby(range(len(steps)), key=lambda k: steps[k].held):
        held = list(run)
        if who is None:
            continue
        first, last = held[0], held[-1]
        noun = NOUNS[objects[who]]
        yield f"Holding {noun}", starts[first], ends[last]
        below = on.pop(who, None)
        if first and reaches(steps[first - 1], who):
            span = (starts[first - 1], middles[first])
            yield f"Taking {noun} from somewhere", *span
            if below is not None:
                yield source(objects[below]), *span
        if steps[last].sub_activity == "placing":
            span = (middles[last - 1], ends[last])
            yield f"Putting {noun} somewhere", *span
            onto = taking_part(steps[last], "placeable")
            if onto is not None and onto != who:
                on[who] = onto
                yield goal(objects[onto]), *span


def done(
    script: Script, starts: Sequence[int], middles: Sequence[int], ends: Sequence[int]
) -> Iterator[Span]:
    """Everything else that one does with things."""
    steps, objects = script.director.steps, script.director.objects
    for k, step in enumerate(steps):
        match step.sub_activity:
            case "drinking":
                yield "Drinking from a cup", middles[k - 1], ends[k]
            case "pouring":
                into = objects[some(taking_part(step, "pourto"))]
                yield f"Pouring something into {NOUNS[into]}", starts[k], ends[k]
            case "opening":
                what = objects[some(taking_part(step, "openable"))]
                yield f"Opening {NOUNS[what]}", middles[k - 1], ends[k]
            case "closing":
                what = objects[some(taking_part(step, "closeable"))]
                yield f"Closing {NOUNS[what]}", middles[k - 1], ends[k]
            case "eating":  # two steps after the hand has begun to reach into the dish
                dish = objects[some(taking_part(steps[k - 2], "containable"))]
                eats = "Taking some medicine" if dish == "medcase" else "Eating from a dish"
                yield eats, starts[k - 2], ends[k]
            case "scrubbing":
                on = taking_part(step, "scrubbable")
                what = "the table" if on is None else NOUNS[objects[on]]
                yield f"Wiping {what} with a cloth", starts[k], ends[k]


def source(below: str) -> str:
    """What it is to take something from there."""
    return f"Taking something {'out of a microwave' if below == 'microwave' else 'off a pile'}"


def goal(onto: str) -> str:
    """What it is to put something there."""
    return f"Putting something {'in a microwave' if onto == 'microwave' else 'on a pile'}"


def reaches(step: Step, who: int) -> bool:
    return step.sub_activity == "reaching" and who in step.affordances


def taking_part(step: Step, affordance: str) -> int | None:
    """The object with that affordance."""
    return next((who for who, role in step.affordances.items() if role == affordance), None)


def some(who: int | None) -> int:
    assert who is not None
    return who


def joined(spans: Sequence[Span]) -> list[Span]:
    """Sorted spans, those of one action that touch made one; by their first frames."""
    kept: list[Span] = []
    for action, first, end in spans:
        if kept and kept[-1][0] == action and kept[-1][2] >= first:
            kept[-1] = (action, kept[-1][1], max(end, kept[-1][2]))
        else:
            kept.append((action, first, end))
    return sorted(kept, key=lambda span: (span[1], span[2], span[0]))
