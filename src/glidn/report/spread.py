"""How a figure spreads over classes or subjects: a line for each, with a dot per view."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from glidn.report.dots import Mark, Scale, axis, plot
from glidn.report.markup import Html, count, tag
from glidn.report.sources import Arm


@dataclass(frozen=True)
class Line:
    """What one network reached on one class, or on one subject.

    Attributes:
        percent: mean over seeds.
        videos: how many it is measured on.
        chance: what guessing reaches, in percent; None: not drawn.
    """

    percent: float
    videos: int
    chance: float | None = None


def table(
    title: str,
    arms: Sequence[Arm],
    spreads: Sequence[Mapping[str, Line]],
    kind: str = "",
    written: Callable[[str], str] = str,
) -> Html:
    """A line per class or subject with a dot per view.

    Args:
        spreads: per arm its lines by name; all have the names of the first, and its order is kept.
        kind: a CSS class more.
        written: how a name is shown.
    """
    scale = Scale(0, 100, 25)
    head = [
        tag("th", "", scope="col", class_="what"),
        tag("th", axis(scale), scope="col", class_="plot"),
        *(tag("th", _short(arm), scope="col", class_=f"number {arm.view}") for arm in arms),
    ]
    lines = [
        _line(written(name), list(zip(arms, (own[name] for own in spreads), strict=True)), scale)
        for name in spreads[0]
    ]
    return tag(
        "table",
        tag("caption", title),
        tag("thead", tag("tr", *head)),
        tag("tbody", *lines),
        class_=f"spread {kind}".strip(),
    )


def _line(name: str, values: Sequence[tuple[Arm, Line]], scale: Scale) -> Html:
    arm, first = values[0]
    counted = count(first.videos, "timed label" if arm.is_timed else "video")
    spoken = "; ".join(f"{arm.name} {line.percent:.1f}" for arm, line in values)
    marks = [Mark(line.percent, arm.view) for arm, line in values]
    if first.chance is not None:
        spoken += f"; chance {first.chance:.1f}"
        marks.append(Mark(first.chance, "chance"))
    return tag(
        "tr",
        tag("th", name, tag("small", counted), scope="row", class_="what"),
        tag("td", plot(scale, marks, spoken), class_="plot"),
        *(tag("td", f"{line.percent:.1f}", class_=f"number {arm.view}") for arm, line in values),
    )


def _short(arm: Arm) -> str:
    if arm.alone:
        return "alone"
    return {"none": "none", "local": "local", "global": "global"}[arm.view]
