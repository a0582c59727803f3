"""Datasets with timed labels: predicted timelines and their file."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glidn import runs
from glidn.files import write_text
from glidn.timeline import UNLABELLED


@dataclass(frozen=True)
class Timelines:
    """The true and the predicted class of every frame of one video; (F,) indices each."""

    truth: np.ndarray
    predicted: np.ndarray


def write(path: Path, said: Mapping[str, Timelines], classes: Sequence[str]) -> None:
    """A table: video, first, last, truth, predicted; a row while neither of the two changes.

    Frames count from 0, and both ends belong to a row; truth is empty where nothing is labelled.
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["video", "first", "last", "truth", "predicted"])
    names = {UNLABELLED: "", **dict(enumerate(classes))}
    for video, found in said.items():
        both = np.stack([found.truth, found.predicted], -1)
        starts = np.flatnonzero((np.diff(both, axis=0, prepend=both[:1] - 1) != 0).any(-1))
        lasts = np.append(starts[1:], len(both)) - 1
        for first, last in zip(starts.tolist(), lasts.tolist(), strict=True):
            truth, predicted = both[first].tolist()
            table.writerow([video, first, last, names[truth], names[predicted]])
    write_text(path, out.getvalue())


def read(path: Path, classes: Sequence[str]) -> dict[str, Timelines]:
    """What `write` wrote.

    Raises:
        RunError: the file is missing or damaged.
    """
    numbers = {"": UNLABELLED, **{name: number for number, name in enumerate(classes)}}
    parts: dict[str, list[np.ndarray]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                both = [numbers[row["truth"]], numbers[row["predicted"]]]
                frames = int(row["last"]) - int(row["first"]) + 1
                parts.setdefault(row["video"], []).append(np.tile(both, (frames, 1)))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise runs.damaged(path, error) from error
    whole = {video: np.concatenate(found) for video, found in parts.items()}
    return {video: Timelines(both[:, 0], both[:, 1]) for video, both in whole.items()}
