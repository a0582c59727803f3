"""Who is mistaken for whom (figure 5), and how accuracy spreads over classes and subjects."""

from collections.abc import Sequence

import numpy as np

from glidn.report import spread
from glidn.report.markup import Html, spaced, tag
from glidn.report.sources import Arm
from glidn.report.spread import Line

CELL, GAP, LETTER = 36, 2, 6.4
ACROSS = "predicted →"
# From this share of a row on, numbers are written in the colour of the paper.
DARK = 0.55

# For a file of its own; on the page the style sheet of the page holds.
STYLE = """
.confusion { background: #fff; font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif }
.confusion text { fill: #1c2126 } .confusion .on { fill: #fff }
.confusion .axis { fill: #5b6570 }
.confusion .empty { fill: #f1f3f5 } .confusion .cell { fill: #0b5c96 }
"""


def svg(matrix: Sequence[Sequence[int]] | np.ndarray, classes: Sequence[str]) -> str:
    """The confusion matrix as a drawing for a file of its own.

    Args:
        matrix: (K, K) counts, rows true, columns predicted.
        classes: the K names.
    """
    style = tag("style", Html(STYLE))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{figure(matrix, classes, style)}\n'


def figure(
    matrix: Sequence[Sequence[int]] | np.ndarray,
    classes: Sequence[str],
    style: Html | None = None,
    kind: str = "",
) -> Html:
    """The same, to stand in the page; `kind` is the CSS class that gives its colour.

    A cell's colour is its share of its row, so that rare classes are as visible as frequent ones;
    the number in it is the count.
    """
    counts = np.asarray(matrix)
    names = [spaced(name) for name in classes]
    room = max(map(len, [ACROSS, *names])) * LETTER + 10
    left, top = room, room * 0.77 + 14
    side = CELL * len(names)
    right = room * 0.64 - CELL / 2
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    right_count = int(np.trace(counts))
    parts = [
        tag("text", ACROSS, x=left - 8, y=top - 24, text_anchor="end", class_="axis"),
        tag("text", "true ↓", x=left - 8, y=top - 7, text_anchor="end", class_="axis"),
    ]
    for number, name in enumerate(names):
        middle = (number + 0.5) * CELL
        turned = f"translate({left + middle:.1f} {top - 8:.1f}) rotate(-50)"
        parts.append(tag("text", name, transform=turned))
        parts.append(tag("text", name, x=left - 8, y=top + middle + 4, text_anchor="end"))
    for true, predicted in np.ndindex(*counts.shape):
        parts += _cell(
            left + predicted * CELL,
            top + true * CELL,
            int(counts[true, predicted]),
            float(shares[true, predicted]),
            f"{names[true]} called {names[predicted]}",
        )
    return tag(
        "svg",
        style or Html(),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        class_=f"confusion {kind}".strip(),
        viewBox=f"0 0 {left + side + right:.0f} {top + side + 8:.0f}",
        role="img",
        aria_label=f"Confusion matrix: {right_count} of {int(counts.sum())} on the diagonal.",
    )


def _cell(x: float, y: float, number: int, share: float, words: str) -> list[Html]:
    place = {"x": x, "y": y, "width": CELL - GAP, "height": CELL - GAP, "rx": 3}
    found = [tag("rect", class_="empty", **place)]
    if number:
        found.append(
            tag(
                "rect",
                tag("title", f"{words}: {number}"),
                class_="cell",
                fill_opacity=0.12 + 0.88 * share,
                **place,
            )
        )
        found.append(
            tag(
                "text",
                str(number),
                x=x + (CELL - GAP) / 2,
                y=y + (CELL - GAP) / 2 + 4,
                text_anchor="middle",
                class_="on" if share > DARK else None,
            )
        )
    return found


def section(arms: Sequence[Arm]) -> Html:
    """The matrices side by side, then accuracies by class and by subject."""
    seeds = len(arms[0].runs)
    over = f", summed over {seeds} seeds" if seeds > 1 else ""
    what = "the test videos’ timed labels" if arms[0].is_timed else "test videos"
    shown = [arm for arm in arms if arm.view != "none"] or list(arms)
    matrices = [
        tag(
            "figure",
            tag("figcaption", tag("b", arm.name), f" {arm.role}", class_=arm.view),
            tag("div", figure(arm.confusion, arm.classes, kind=arm.view), class_="scroll"),
        )
        for arm in shown
    ]
    parts = [
        tag("h2", "What is mistaken for what"),
        tag(
            "p",
            f"Counts of {what}{over}. A cell’s colour is its share of its row: of those of that "
            "class.",
            class_="lead",
        ),
        tag("div", *matrices, class_="pair"),
        spread.table("Accuracy by class", arms, [by_class(arm) for arm in arms]),
    ]
    subjects = [by_subject(arm) for arm in arms]
    if len(subjects[0]) > 1:
        title = "Accuracy by subject"
        if arms[0].unseen_people:
            title += ", each of them left out of training"
        parts.append(spread.table(title, arms, subjects))
    return tag("section", *parts, id="confusion")


def by_class(arm: Arm) -> dict[str, Line]:
    """Accuracy of the videos of each class that has any."""
    counts = arm.confusion
    seeds = len(arm.runs)
    return {
        spaced(name): Line(
            100 * float(np.mean([scores.per_class[name] for scores in arm.scores])),
            int(counts[number].sum()) // seeds,
        )
        for number, name in enumerate(arm.classes)
        if name in arm.scores[0].per_class
    }


def by_subject(arm: Arm) -> dict[str, Line]:
    """Accuracy of the videos of each subject; empty where none is named."""
    found: dict[str, list[float]] = {}
    for folds in arm.predictions:
        for part in folds.values():
            for subject, correct in zip(part.subjects, part.correct, strict=True):
                if subject:
                    found.setdefault(subject, []).append(float(correct))
    seeds = len(arm.runs)
    return {
        name: Line(100 * float(np.mean(values)), len(values) // seeds)
        for name, values in sorted(found.items())
    }
