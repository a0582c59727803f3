"""The paper's tables with our figures, as text."""

from collections.abc import Sequence

import numpy as np

from glidn.reproduction.paper import Measured


def as_markdown(measured: Measured, title: str, how: Sequence[str]) -> str:
    """The tables as text, with the command and the machine above them."""
    found, compared = measured.entries, measured.differences
    lines = [f"# {title}", "", *how, ""]
    for table in dict.fromkeys(entry.table for entry in found):
        lines += [
            f"## {_title(table)}",
            "",
            _line(measured.columns),
            "|" + "---|" * len(measured.columns),
            *(_line(measured.line(entry)) for entry in found if entry.table == table),
            "",
        ]
    if compared:
        lines += [
            "## Does it help?",
            "",
            "| what is added | points | 95% interval (paired bootstrap over videos) |",
            "|---|---|---|",
            *(f"| {d.what} | {d.mean:+.1f} | {d.low:+.1f} to {d.high:+.1f} |" for d in compared),
            "",
        ]
    return "\n".join(lines)


def _title(table: str) -> str:
    return f"Table {table}" if table.isdigit() else table


def _line(cells: Sequence[str | None]) -> str:
    """None stands where there is no figure at all."""
    return "|" + "".join(" |" if cell is None else f" {cell} |" for cell in cells)


def percent(share: float | np.floating) -> float:
    """0..1 -> percent, to a ten-thousandth."""
    return round(100 * float(share), 4)


def spread(values: np.ndarray) -> float:
    """The sample standard deviation; 0 of a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
