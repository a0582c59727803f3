"""The paper's figures beside ours, and whether each part of the method helps."""

from collections.abc import Sequence
from typing import Any

from glidn.report.dots import Mark, Scale, axis, plot
from glidn.report.markup import Html, join, signed, tag

Row = dict[str, Any]

MEASURES = {"accuracy": "Accuracy", "mAP": "Mean average precision (mAP)"}


def section(rows: Sequence[Row], measure: str = "accuracy") -> Html:
    """Every table, on one scale; `measure` is a key of MEASURES."""
    known = [
        value
        for row in rows
        for key in ("paper", "low", "high", "mean")
        if (value := row.get(key)) is not None
    ]
    scale = Scale.around(known, least=0, most=100)
    names = list(dict.fromkeys(str(row["table"]) for row in rows))
    return tag(
        "section",
        tag("h2", "The paper’s tables"),
        tag(
            "p",
            f"{MEASURES[measure]} in percent. ",
            tag("span", class_="key ours"),
            " ours, mean over seeds, with a 95% interval over videos; ",
            tag("span", class_="key paper"),
            " the paper’s figure, on its own data and inputs.",
            class_="lead",
        ),
        *(
            _table(name, [row for row in rows if str(row["table"]) == name], scale)
            for name in names
        ),
        id="tables",
    )


def _table(name: str, rows: Sequence[Row], scale: Scale) -> Html:
    head = tag(
        "tr",
        tag("th", "", scope="col", class_="what"),
        tag("th", axis(scale), scope="col", class_="plot"),
        tag("th", "ours", scope="col", class_="number"),
        tag("th", "paper", scope="col", class_="number"),
        tag("th", "interval", scope="col", class_="number wide"),
        tag("th", "seeds", scope="col", class_="number wide"),
    )
    return tag(
        "table",
        tag("caption", f"Table {name}" if name.isdigit() else name),
        tag("thead", head),
        tag("tbody", *(_row(row, scale) for row in rows)),
        class_="results",
    )


def _row(row: Row, scale: Scale) -> Html:
    paper, mean, note = row["paper"], row["mean"], row.get("note") or ""
    kind = str(row.get("view") or "") or "ours"
    marks = [] if mean is None else [Mark(mean, kind, row.get("low"), row.get("high"))]
    if paper is not None:
        marks.append(Mark(paper, "paper"))
    ours = tag("span", "–", class_="quiet")
    interval, seeds = "", ""
    spoken = "" if paper is None else f"paper {paper:g}"
    if mean is not None:
        # One seed has no spread; a zero would claim that it has none.
        spread = f" ± {row['std']:.1f}" if row["seeds"] > 1 and row["std"] is not None else ""
        ours = join([tag("b", f"{mean:.1f}"), tag("small", spread)])
        said, seeds = f"ours {mean:.1f}", str(row["seeds"])
        if row.get("low") is not None:
            interval = f"{row['low']:.1f} to {row['high']:.1f}"
            said += f", interval {interval}"
        spoken = f"{said}; {spoken}".rstrip("; ")
    cells = [
        tag("th", row["row"], tag("small", note), scope="row", class_="what"),
        tag("td", plot(scale, marks, spoken), class_="plot"),
        tag("td", ours, class_="number ours"),
        tag("td", "" if paper is None else f"{paper:.4g}", class_="number paper"),
        tag("td", interval, class_="number wide"),
        tag("td", seeds, class_="number wide"),
    ]
    return tag("tr", *cells)


def differences(rows: Sequence[Row], measure: str = "accuracy") -> Html:
    """Does each part help? A forest plot, with every line said in words."""
    scale = Scale.around([0.0, *(row[key] for row in rows for key in ("low", "high"))], least=-100)
    lines = [
        tag(
            "li",
            tag("div", _upper(row["what"]), class_="what"),
            tag("div", plot(scale, [_mark(row)], sentence(row, measure), zero=True), class_="plot"),
            tag("p", sentence(row, measure)),
            class_=verdict(row),
        )
        for row in rows
    ]
    return tag(
        "section",
        tag("h2", "Does it help?"),
        tag(
            "p",
            f"Points of {measure} gained by what each line adds, on the same videos. A line that "
            "crosses zero is no evidence of an effect. The interval (95%, paired bootstrap) says "
            "how the difference may vary with other videos of this kind; it does not cover other "
            "people or other training runs.",
            class_="lead",
        ),
        tag("div", axis(scale), class_="forest-axis"),
        tag("ul", *lines, class_="forest"),
        id="differences",
    )


def sentence(row: Row, measure: str = "accuracy") -> str:
    """A difference in words, no stronger than its interval."""
    numbers = (
        f"{signed(row['mean'])} points, interval {signed(row['low'])} to {signed(row['high'])}"
    )
    if measure != "accuracy" and verdict(row) == "same":
        return f"{numbers}: the same on these videos."
    return f"{numbers}: {_MEANING[verdict(row)]}"


def verdict(row: Row) -> str:
    """helps, hurts, unclear or same."""
    if row["low"] == row["high"] == 0:
        return "same"
    if row["low"] > 0:
        return "helps"
    return "hurts" if row["high"] < 0 else "unclear"


_MEANING = {
    "helps": "it helps on these videos.",
    "hurts": "it hurts on these videos.",
    "unclear": "not distinguishable from no effect with these videos.",
    "same": "right and wrong on exactly the same videos.",
}


def _mark(row: Row) -> Mark:
    return Mark(row["mean"], verdict(row), row["low"], row["high"])


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
