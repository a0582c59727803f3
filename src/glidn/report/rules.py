"""Which view can learn what: label rules that only some views can see, and how each fared."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from glidn.report.dots import bar
from glidn.report.markup import Html, tag

# Less than this above chance is chance: what a view that sees nothing reaches by luck.
CLEAR = 0.15


def section(rows: Sequence[dict[str, Any]]) -> Html:
    """A table of small bars: rules down, views across.

    Args:
        rows: {rule, title, view, accuracy, chance}, accuracies in 0..1; several of one rule and
            view are averaged.
    """
    rules = list(dict.fromkeys(str(row["rule"]) for row in rows))
    views = list(dict.fromkeys(str(row["view"]) for row in rows))
    head = [tag("th", "", scope="col", class_="what"), *(_head(view) for view in views)]
    body = []
    for rule in rules:
        own = [row for row in rows if str(row["rule"]) == rule]
        name = str(own[0].get("title") or rule)
        cells = [_cell([row for row in own if str(row["view"]) == view], view) for view in views]
        body.append(tag("tr", tag("th", name, scope="row", class_="what"), *cells))
    return tag(
        "section",
        tag("h2", "Why two views"),
        tag(
            "p",
            "Made-up videos in which one thing alone tells the classes apart. A view that does "
            "not see it stays at chance, the mark on the bar. Accuracy, %.",
            class_="lead",
        ),
        tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body), class_="rules"),
        id="views",
    )


def colour(view: str) -> str:
    """The CSS class of a view by the name that it goes by here."""
    return next((name for name in ("local", "global") if view.startswith(name)), "none")


def _head(view: str) -> Html:
    shown = {"none": "no relations"}.get(view, view)
    return tag("th", shown, scope="col", class_=colour(view))


def _cell(rows: Sequence[dict[str, Any]], view: str) -> Html:
    if not rows:
        return tag("td", tag("span", "–", class_="quiet"), data_view=view)
    accuracy = float(np.mean([row["accuracy"] for row in rows]))
    chance = float(rows[0]["chance"])
    learnt = accuracy > chance + CLEAR
    shown = bar(accuracy, chance, colour(view))
    words = tag("span", "learns it" if learnt else "does not", class_="verdict")
    number = tag("b", f"{100 * accuracy:.0f}")
    return tag("td", number, words, shown, class_="learnt" if learnt else "chance", data_view=view)
