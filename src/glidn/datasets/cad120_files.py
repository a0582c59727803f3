"""The text files of CAD-120: lines of values, and the boxes of one object."""

from pathlib import Path

import numpy as np

from glidn import boxes
from glidn.datasets.columns import read_text
from glidn.datasets.problems import Problem, Report, check_boxes, numbers
from glidn.types import LeftOut, Track

COPY_AGAIN = "Copy the file again from the dataset"


class Reading:
    """One reading of a copy at `root`: where problems and left-out videos go."""

    def __init__(self, root: Path, report: Report) -> None:
        self.root = root
        self.report = report
        self.left_out: list[LeftOut] = []

    def file(self, path: Path) -> str:
        """What errors call a file."""
        return path.relative_to(self.root).as_posix()

    def problem(self, path: Path, line: int | None, what: str, mend: str) -> None:
        self.report(Problem(self.file(path), line, what, mend))

    def lines(self, path: Path) -> list[tuple[int, list[str]]]:
        """(line, values) of every line of a file that is not blank or END."""
        text = read_text(path, self.file(path), self.report) or ""
        split = enumerate(map(split_values, text.splitlines()), start=1)
        return [(line, values) for line, values in split if values and values != ["END"]]


def read_object(
    reading: Reading, path: Path, name: str, category: str, frames: int, size: tuple[int, int]
) -> Track | None:
    """One object's boxes, in pixels of the images; None where the file has a problem."""
    file, rows = reading.file(path), reading.lines(path)
    if not rows:
        reading.problem(path, None, "the file is empty", COPY_AGAIN)
        return None
    count = max(len(rows[0][1]), 6)
    for line, values in rows:
        if len(values) != count:
            what = f"there are {len(values)} values; {count} were expected"
            reading.problem(path, line, what, COPY_AGAIN)
            return None
    lines = [line for line, _ in rows]
    columns = list(zip(*(values for _, values in rows), strict=True))
    number = numbers(file, lines, "the frame", columns[0], reading.report, whole=True)
    xyxy = np.stack(
        [
            numbers(file, lines, side, column, reading.report)
            for side, column in zip(("x1", "y1", "x2", "y2"), columns[2:6], strict=True)
        ],
        axis=-1,
    )
    if np.isnan(number).any() or np.isnan(xyxy).any():
        return None
    missing = np.setdiff1d(np.arange(1, frames + 1), number)
    if len(missing) or len(np.unique(number)) < len(number):
        what = (
            f"the file is shorter than the video of {frames} frames: frame {missing[0]} is missing"
            if len(missing)
            else "a frame occurs twice"
        )
        reading.problem(path, lines[-1], what, COPY_AGAIN)
        return None
    # All zeros say "not visible"; rows after the last frame that the images have are passed over.
    visible = (xyxy != 0).any(axis=1) & (number >= 1) & (number <= frames)
    masked = np.where(visible[:, None], xyxy, np.nan)
    if check_boxes(file, lines, masked, *size, reading.report).sum() < visible.sum():
        return None
    order = np.flatnonzero(visible)[np.argsort(number[visible])]
    clipped = boxes.clip(xyxy[order].astype(np.float32), *size)
    return Track(name, category, number[order].astype(np.int64) - 1, clipped)


def split_values(line: str) -> list[str]:
    """A line of an official file -> its values; most lines of real copies end with a comma."""
    values = [value.strip() for value in line.split(",")]
    while values and not values[-1]:
        values.pop()
    return values
