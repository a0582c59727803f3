"""What is done when: predicted timelines below the true ones."""

from collections.abc import Sequence

import numpy as np

from glidn.report.markup import Html, count, listed, spaced, tag
from glidn.report.sources import Arm
from glidn.timed import Timelines
from glidn.timeline import UNLABELLED, pieces

SHOWN = 8  # videos
WIDTH, HEIGHT, ROW = 1000, 56, 26
LETTER = 8.2  # a character's width; a name that does not fit into its piece is left out
# Light enough for dark words; from the eleventh class on they come again, and the name in the piece
# or on the pointer tells.
COLOURS = (
    *("#6c9bd2", "#ee7788", "#66bb77", "#d9c84f", "#77d4f0"),
    *("#c58ac9", "#c4c4c4", "#f3a171", "#5fc4b4", "#b3b352"),
)


def section(arm: Arm) -> Html:
    """Some test videos, from the best predicted to the worst, and all figures of the timelines."""
    said = {video: found for folds in arm.timelines[:1] for video, found in folds.items()}
    shares = {video: _right(found) for video, found in said.items() if (found.truth >= 0).any()}
    videos = chosen(shares, SHOWN)
    scores = arm.timed[0].timeline
    keys = [
        tag("li", tag("span", class_="key", style=f"background:{_colour(number)}"), spaced(name))
        for number, name in enumerate(arm.classes)
    ]
    return tag(
        "section",
        tag("h2", "What is done when"),
        tag(
            "p",
            f"{count(scores.videos, 'test video')}: {_figures(arm)} Above the labels, below what "
            f"the network said. {count(len(videos), 'video')}, evenly spread from the best "
            "predicted to the worst. Frames without a label count neither way.",
            class_="lead",
        ),
        tag("ul", *keys, class_="keys"),
        *(_figure(video, said[video], shares[video], arm.classes) for video in videos),
        id="timelines",
    )


def chosen(shares: dict[str, float], most: int) -> list[str]:
    """At most so many videos, evenly spread from the best share of right frames to the worst."""
    order = sorted(shares, key=lambda video: (-shares[video], video))
    return [
        order[row]
        for row in np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int)
    ]


def _figures(arm: Arm) -> str:
    """The scores of the timelines, as means over the seeds."""
    found = [scores.timeline for scores in arm.timed]
    overlaps = tuple(found[0].f1)
    f1 = " / ".join(f"{100 * np.mean([one.f1[name] for one in found]):.1f}" for name in overlaps)
    accuracy, edit = (
        100 * np.mean([getattr(one, name) for one in found]) for name in ("accuracy", "edit")
    )
    names = listed(f"{name}%" for name in overlaps)
    return (
        f"{accuracy:.1f}% of the frames are right; segmental F1 at an overlap of {names} is {f1}, "
        f"the edit score {edit:.1f}."
    )


def _right(found: Timelines) -> float:
    labelled = found.truth != UNLABELLED
    return float((found.truth == found.predicted)[labelled].mean())


def _figure(video: str, found: Timelines, share: float, classes: Sequence[str]) -> Html:
    rows = [
        part
        for top, timeline in ((0, found.truth), (HEIGHT - ROW, found.predicted))
        for part in _row(timeline, top, classes)
    ]
    drawing = tag(
        "svg",
        *rows,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="timeline",
        role="img",
        aria_label=f"Timelines of {video}: {100 * share:.0f}% of the frames are right.",
    )
    words = f"{count(len(found.truth), 'frame')}, {100 * share:.0f}% right"
    return tag("figure", tag("figcaption", tag("b", video), f" {words}"), drawing)


def _row(timeline: np.ndarray, top: float, classes: Sequence[str]) -> list[Html]:
    parts = []
    for piece in pieces(timeline):
        left = WIDTH * piece.first / len(timeline)
        width = WIDTH * (piece.last + 1 - piece.first) / len(timeline)
        name = spaced(classes[piece.label])
        words = f"{name}: frames {piece.first} to {piece.last}"
        parts.append(
            tag(
                "rect",
                tag("title", words),
                x=left,
                y=top,
                width=width,
                height=ROW,
                fill=_colour(piece.label),
            )
        )
        if len(name) * LETTER + 5 < width:
            parts.append(tag("text", name, x=left + 5, y=top + ROW / 2 + 5))
    return parts


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
