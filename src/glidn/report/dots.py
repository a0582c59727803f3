"""Dots with intervals on a common scale: a line of SVG that is as wide as its place.

Places along the scale are percentages, so nothing is stretched at any width; the page's style
sheet gives the colours.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from glidn.report.markup import Html, tag

HEIGHT = 24
# Tick distances of a scale.
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
# Free at either side, so that a mark at the very end is not cut; in percent of the width.
MARGIN = 3.0


@dataclass(frozen=True)
class Scale:
    """From the lowest to the highest number, with ticks at round ones."""

    low: float
    high: float
    step: float

    @staticmethod
    def around(
        values: Iterable[float], least: float, most: float = math.inf, finest: float = 0.5
    ) -> "Scale":
        """The round scale that holds all values and 0..1 steps of them.

        Args:
            least, most: what the scale may not exceed.
            finest: the smallest distance of ticks.
        """
        every = list(values)
        low, high = min(every), max(every)
        step = next((s for s in STEPS if s >= finest and (high - low) / s <= 5), 50)
        return Scale(
            max(math.floor(low / step) * step, least),
            min(math.ceil(high / step) * step, most),
            step,
        )

    def at(self, value: float) -> str:
        """A place along the width."""
        share = (value - self.low) / (self.high - self.low or 1)
        return f"{MARGIN + (100 - 2 * MARGIN) * share:.2f}%"

    @property
    def ticks(self) -> list[float]:
        number = round((self.high - self.low) / self.step)
        return [self.low + self.step * tick for tick in range(number + 1)]


@dataclass(frozen=True)
class Mark:
    """A dot, with its interval where there is one.

    Attributes:
        kind: its CSS class: a view ("local", "global", "none"), "ours", "paper" (hollow), or
            "chance" (a short upright line).
    """

    value: float
    kind: str
    low: float | None = None
    high: float | None = None


def plot(scale: Scale, marks: Sequence[Mark], label: str, zero: bool = False) -> Html:
    """One line of marks over faint ticks.

    Args:
        label: what it shows, for those who cannot see it.
        zero: draw the line of no difference.
    """
    # Ours stand one above the other, so that equal values do not hide each other.
    ours = [mark for mark in marks if mark.kind not in ("paper", "chance")]
    apart = 6.5 if len(ours) > 1 else 0
    height = {id(mark): HEIGHT / 2 for mark in marks} | {
        id(mark): HEIGHT / 2 + apart * (row - (len(ours) - 1) / 2) for row, mark in enumerate(ours)
    }
    parts = [
        tag("line", class_="tick", x1=scale.at(t), x2=scale.at(t), y1=0, y2=HEIGHT)
        for t in scale.ticks
    ]
    if zero:
        parts.append(tag("line", class_="zero", x1=scale.at(0), x2=scale.at(0), y1=0, y2=HEIGHT))
    parts += [
        tag("line", class_="chance", x1=scale.at(m.value), x2=scale.at(m.value), y1=3, y2=21)
        for m in marks
        if m.kind == "chance"
    ]
    for mark in marks:
        if mark.low is not None and mark.high is not None:
            parts.append(
                tag(
                    "line",
                    class_=f"interval {mark.kind}",
                    x1=scale.at(mark.low),
                    x2=scale.at(mark.high),
                    y1=height[id(mark)],
                    y2=height[id(mark)],
                )
            )
    parts += [
        tag(
            "circle", class_=f"dot {mark.kind}", cx=scale.at(mark.value), cy=height[id(mark)], r=4.5
        )
        for mark in marks
        if mark.kind != "chance"
    ]
    return tag(
        "svg", *parts, class_="dots", width="100%", height=HEIGHT, role="img", aria_label=label
    )


def axis(scale: Scale, unit: str = "") -> Html:
    """The numbers of the ticks, to stand above the lines."""
    numbers = [
        tag("text", f"{tick:g}{unit}".replace("-", "\N{MINUS SIGN}"), x=scale.at(tick), y=13)
        for tick in scale.ticks
    ]
    return tag("svg", *numbers, class_="dots axis", width="100%", height=18, aria_hidden="true")


def bar(share: float, chance: float, kind: str) -> Html:
    """A bar as wide as its place, with a mark where chance is; shares in 0..1."""
    return tag(
        "svg",
        tag("rect", class_="empty", width="100%", height=10, rx=2),
        tag("rect", class_=f"bar {kind}", width=f"{100 * share:.1f}%", height=10, rx=2),
        tag("line", class_="zero", x1=f"{100 * chance:.1f}%", x2=f"{100 * chance:.1f}%", y2=10),
        class_="bar",
        width="100%",
        height=10,
        aria_hidden="true",
    )
