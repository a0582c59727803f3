"""Loss and accuracy over the epochs: a bold line for the mean, a thin one for every fold."""

import json
from collections.abc import Sequence

import numpy as np

from glidn.errors import RunError
from glidn.report.dots import Scale
from glidn.report.markup import Html, tag
from glidn.report.sources import Arm

WIDTH, HEIGHT = 520, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 10, 30
# More points than this are more than a screen shows.
POINTS = 120
# The smallest distance of ticks, for losses far below 1.
FINE = 0.001


def section(arms: Sequence[Arm]) -> Html:
    """How the training went, on the training videos; empty where there was none."""
    lines = [(arm, loss) for arm in arms if (loss := read(arm, "loss")).size]
    if not lines:
        return Html()
    arms = [arm for arm, _ in lines]
    epochs = lines[0][1].shape[1]
    trainings = sum(len(loss) for _, loss in lines) // len(lines)
    key = [
        tag("li", tag("span", class_=f"key {arm.view}"), arm.name, f" {arm.role}") for arm in arms
    ]
    return tag(
        "section",
        tag("h2", "Training"),
        tag(
            "p",
            _lead(epochs, trainings),
            class_="lead",
        ),
        tag("ul", *key, class_="keys"),
        tag(
            "div",
            *(_figures_many(lines) if arms[0].many else _figures_single(lines)),
            class_="pair",
        ),
        id="training",
    )


Lines = Sequence[tuple[Arm, np.ndarray]]


def _lead(epochs: int, trainings: int) -> str:
    measured = f"Measured on the training videos over {epochs} epochs"
    if trainings == 1:
        return f"{measured}."
    return (
        f"{measured}; bold is the mean of {trainings} trainings (folds and seeds), thin lines are "
        "each of them."
    )


def _figures_single(lines: Lines) -> list[Html]:
    right = [(arm, 100 * read(arm, "accuracy")) for arm, _ in lines]
    return [_figure("Loss", lines, None), _figure("Accuracy, %", right, 100)]


def _figures_many(lines: Lines) -> list[Html]:
    """The loss; and of those that are taught, what the teacher's part of it is and does."""
    figures = [_figure("Loss", lines, None, finest=FINE)]
    taught = [arm for arm, _ in lines if arm.runs[0].config.distill is not None]
    if taught:
        titles = {
            "teacher": "Distillation loss, before its weight λ2",
            "heard": "Teacher’s gradient ÷ labels’ gradient",
        }
        for name, title in titles.items():
            own = [(arm, read(arm, name)) for arm in taught]
            figures.append(_figure(title, own, None, finest=FINE))
    return figures


def read(arm: Arm, name: str) -> np.ndarray:
    """(trainings, epochs) of one number of the logs; trainings are cut to the shortest.

    Raises:
        RunError: a log is damaged.
    """
    rows = []
    for run in arm.runs:
        for fold in run.folds:
            path = run.fold(fold) / "log.jsonl"
            if not path.exists():
                continue
            try:
                lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
                rows.append([line[f"{arm.view}.{name}"] for line in lines])
            except (ValueError, KeyError) as error:
                raise RunError(f"{path} is damaged ({type(error).__name__}).") from error
    shortest = min(map(len, rows), default=0)
    return np.array([row[:shortest] for row in rows], float)


def _figure(title: str, lines: Lines, top: float | None, finest: float = 0.5) -> Html:
    high = top or max(float(values.max()) for _, values in lines)
    scale = Scale.around([0.0, high], least=0, finest=finest)
    if top:
        scale = Scale(0, top, 25)
    epochs = lines[0][1].shape[1]
    parts = [*_grid(scale, epochs)]
    for arm, values in lines:
        parts += [tag("path", d=_path(row, scale), class_=f"thin {arm.view}") for row in values]
    for arm, values in lines:
        parts.append(tag("path", d=_path(values.mean(0), scale), class_=f"bold {arm.view}"))
    digits = 2 if scale.step >= 0.5 else 4
    ends = [(arm.name, f"{values[:, -1].mean():.{digits}f}") for arm, values in lines]
    spoken = "; ".join(f"{name} ends at {end}" for name, end in ends)
    picture = tag(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="curves",
        role="img",
        aria_label=f"{title} by epoch. {spoken}.",
    )
    return tag("figure", tag("figcaption", title), picture)


def _grid(scale: Scale, epochs: int) -> list[Html]:
    parts = []
    for tick in scale.ticks:
        y = _y(tick, scale)
        parts.append(tag("line", class_="tick", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y))
        parts.append(tag("text", f"{tick:g}", x=LEFT - 8, y=y + 4, text_anchor="end"))
    base = HEIGHT - 8
    parts.append(tag("text", "1", x=LEFT, y=base))
    parts.append(tag("text", f"epoch {epochs}", x=WIDTH - RIGHT, y=base, text_anchor="end"))
    return parts


def _path(values: np.ndarray, scale: Scale) -> str:
    chosen = np.unique(np.linspace(0, len(values) - 1, POINTS).round().astype(int))
    share = chosen / max(len(values) - 1, 1)
    xs = LEFT + share * (WIDTH - LEFT - RIGHT)
    places = [f"{x:.1f} {_y(y, scale):.1f}" for x, y in zip(xs, values[chosen], strict=True)]
    return "M" + "L".join(places)


def _y(value: float, scale: Scale) -> float:
    share = (value - scale.low) / (scale.high - scale.low or 1)
    return HEIGHT - BOTTOM - float(np.clip(share, 0, 1)) * (HEIGHT - TOP - BOTTOM)
