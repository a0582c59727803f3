"""What is wrong with a dataset, said the same way by `load` and by the doctor.

A reader hands every problem to `report` and goes on with what can be read. `load` reports to
`raise_first`, so that the first problem ends it; the doctor (datasets/check.py) reports to a
list's `append`. There is thus one copy of every check.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glidn.errors import DataError
from glidn.types import Dataset


@dataclass(frozen=True)
class Problem:
    """One thing that must be mended before a dataset can be used.

    Attributes:
        file: relative to the dataset's root.
        line: from 1; None where the file or folder as a whole is meant.
        what: what is wrong, with the value found and the value expected.
        mend: what to do. One text for all problems of a kind: long lists are cut by it.
    """

    file: str
    line: int | None
    what: str
    mend: str

    @property
    def sentence(self) -> str:
        place = self.file if self.line is None else f"{self.file} line {self.line}"
        return f"{place}: {self.what}. {self.mend}."


Report = Callable[[Problem], None]


def raise_first(problem: Problem) -> None:
    """The report of `load`: the first problem ends the reading."""
    raise DataError(problem.sentence)


@dataclass(frozen=True)
class Reader:
    """How one kind of dataset is recognised and read.

    Attributes:
        marks: names (glob patterns) in a dataset's root, any of which tells this kind.
        read: (root, report) -> everything that could be read.
        videos: likewise, but neither boxes nor labels: for finding boxes. None where the boxes
            are part of the annotations.
    """

    marks: tuple[str, ...]
    read: Callable[[Path, Report], Dataset]
    videos: Callable[[Path, Report], Dataset] | None = None

    def recognises(self, root: Path) -> bool:
        return any(True for mark in self.marks for _ in root.glob(mark))


def numbers(
    file: str,
    lines: Sequence[int],
    name: str,
    values: Sequence[str],
    report: Report,
    whole: bool = False,
) -> np.ndarray:
    """Texts -> (n,) float64; what is no finite (whole) number is reported and becomes NaN."""
    try:
        found = np.array(list(map(float, values)), np.float64)
    except ValueError:
        found = np.array([as_float(value) for value in values], np.float64)
    wrong = ~np.isfinite(found)
    if whole:
        wrong |= found != np.floor(found)
    for row in np.flatnonzero(wrong).tolist():
        report(not_a_number(file, lines[row], name, str(values[row]).strip(), whole))
    found[wrong] = np.nan
    return found


def not_a_number(file: str, line: int, name: str, text: str, whole: bool) -> Problem:
    kind = "a whole number" if whole else "a number"
    what = f"{name} is {text!r}, which is not {kind}"
    return Problem(file, line, what, f"Write {kind} in every row, with a point for decimals")


def check_boxes(
    file: str,
    lines: Sequence[int] | np.ndarray,
    xyxy: np.ndarray,
    width: int | np.ndarray,
    height: int | np.ndarray,
    report: Report,
) -> np.ndarray:
    """Report the boxes that cannot be: without area, or entirely outside their frame.

    Args:
        xyxy: (n, 4); rows with NaN have been reported before and are passed over.
        width, height: of the frames, in pixels; numbers or (n,).

    Returns:
        (n,) bool: the good boxes. They may still reach past the frame; the reader clips them.
    """
    x1, y1, x2, y2 = xyxy.T
    width, height = np.broadcast_to(width, x1.shape), np.broadcast_to(height, x1.shape)
    known = ~np.isnan(xyxy).any(axis=1)
    flat = known & ~((x1 < x2) & (y1 < y2))
    outside = known & ~flat & ((x2 <= 0) | (y2 <= 0) | (x1 >= width) | (y1 >= height))
    for row in np.flatnonzero(flat | outside).tolist():
        box = "({})".format(", ".join(f"{value:g}" for value in xyxy[row]))
        if flat[row]:
            what = f"the box {box} has no area as x1, y1, x2, y2"
            mend = (
                "x2 must be greater than x1, and y2 than y1; if the file stores x, y, width, "
                "height, write x + width and y + height instead"
            )
        else:
            what = f"the box {box} lies entirely outside the frame of {width[row]}x{height[row]}"
            mend = (
                "Give boxes in pixels of this frame (these may be for a larger copy of the "
                "video), or correct the frame's width and height"
            )
        report(Problem(file, int(lines[row]), what, mend))
    return known & ~flat & ~outside


def as_float(text: str) -> float:
    """NaN for what is no number."""
    if not text:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        return float("nan")
