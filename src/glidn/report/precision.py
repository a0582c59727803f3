"""Which of many classes are found: average precision by class, beside what chance reaches."""

from collections.abc import Sequence

import numpy as np

from glidn.report import spread
from glidn.report.markup import Html, class_name, tag
from glidn.report.sources import Arm
from glidn.report.spread import Line

# More classes than this stand in a box that scrolls.
MANY = 40


def section(arms: Sequence[Arm]) -> Html:
    """A line per class, the best found first."""
    lines = [by_class(arm) for arm in arms]
    names = [name for name in lines[0] if all(name in own for own in lines)]
    # Where several are compared, by their mean: no view's luck makes the order.
    order = sorted(names, key=lambda name: -sum(own[name].percent for own in lines))
    ordered = [{name: own[name] for name in order} for own in lines]
    seeds = len(arms[0].runs)
    over = f", mean over {seeds} seeds" if seeds > 1 else ""
    key = [
        tag("li", tag("span", class_=f"key {arm.view}"), arm.name, f" {arm.role}") for arm in arms
    ]
    key.append(tag("li", tag("span", class_="key chance"), "chance"))
    shown = spread.table("Average precision by class, %", arms, ordered, "dense", class_name)
    if len(order) > MANY:
        shown = tag(
            "div",
            shown,
            class_="tall",
            role="region",
            tabindex=0,
            aria_label="Average precision by class; the arrow keys scroll.",
        )
    return tag(
        "section",
        tag("h2", "Which classes it finds"),
        tag(
            "p",
            f"Average precision of every class that a test video shows{over}: the test videos are "
            "ranked by the class’s score, and precision is averaged over those that show it. "
            "Beside the name is how many do. Chance is what a random ranking reaches on average; "
            "with few videos that is more than the share of videos that show the class. Best "
            "found first.",
            class_="lead",
        ),
        tag("ul", *key, class_="keys"),
        shown,
        id="classes",
    )


def by_class(arm: Arm) -> dict[str, Line]:
    """Average precision of each class that some test video shows, in the dataset's order."""
    first = arm.precisions[0]
    labelled = sum(int(said.truth.any(1).sum()) for said in arm.rankings[0].values())
    return {
        name: Line(
            100 * float(np.mean([found.per_class[name] for found in arm.precisions])),
            positives,
            100 * chance(positives, labelled),
        )
        for name, positives in first.positives.items()
    }


def chance(positives: int, videos: int) -> float:
    """The average precision of a random ranking, on average; 0..1.

    At rank r stands a positive, and before it r - 1 of the other videos, of whom as large a share
    is positive as of all others:  (1 + (r - 1) (P - 1) / (V - 1)) / r,  averaged over r = 1..V.
    It falls to P / V as videos become many.

    Args:
        positives: P, at least 1.
        videos: V that are ranked; by the rule of Charades those with any label.
    """
    if videos == 1:
        return 1.0
    rest = (positives - 1) / (videos - 1)
    harmonic = float((1 / np.arange(1, videos + 1)).mean())
    return harmonic + rest * (1 - harmonic)
