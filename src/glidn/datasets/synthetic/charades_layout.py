"""Charades' official files: names, the text of each kind of line, and the videos.

<root>/Charades_v1_train.csv, Charades_v1_test.csv    a row for each video
<root>/Charades_v1_classes.txt                        "c000 Holding a cup"
<root>/Charades_v1_480/<id>.mp4                       H.264, at the video's own rate
<root>/boxes.csv                                      ours: table_boxes.py; 24 frames a second
"""

import csv
import io
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glidn.datasets.charades import CLASSES_FILE, FILES
from glidn.datasets.charades_pixels import FPS, VIDEO_FOLDERS
from glidn.datasets.synthetic.charades_labels import CODES

__all__ = ["CLASSES_FILE", "FILES"]

COLUMNS = (
    *("id", "subject", "scene", "quality", "relevance", "verified", "script", "objects"),
    *("descriptions", "actions", "length"),
)
Box = tuple[int, int, int, int]


def video_path(root: Path, video: str) -> Path:
    return root / VIDEO_FOLDERS[0] / f"{video}.mp4"


def class_lines() -> str:
    """The file of the classes."""
    return "".join(f"{code} {action}\n" for action, code in CODES.items())


def on_grid(frames: int, fps: Fraction) -> int:
    """How many 24ths of a second the official files would give a video of `frames` frames."""
    return max(1, round(frames / fps * FPS))


def shown_on_grid(frames: int, fps: Fraction) -> NDArray[np.int64]:
    """Which of the video's frames each frame of the 24-fps grid shows, as ffmpeg's fps=24."""
    until = (np.arange(on_grid(frames, fps)) + 0.5) / FPS - 1e-6
    return np.searchsorted(np.arange(frames) / float(fps), until) - 1


def row(
    video: str,
    subject: int,
    frames: int,
    fps: Fraction,
    objects: Sequence[str],
    actions: Iterable[tuple[str, int, int]],
) -> tuple[str, ...]:
    """One row of a csv file, in the order of COLUMNS.

    Args:
        objects: categories of what is handled.
        actions: each with its first frame and the one after its last.
    """
    length = on_grid(frames, fps) / FPS
    timed, words = [], []
    for action, first, end in actions:
        # As the reader does: an action does not outlast its video.
        start, stop = float(first / fps), min(float(end / fps), length)
        timed.append(f"{CODES[action]} {start:.2f} {stop:.2f}")
        words.append(action[0].lower() + action[1:])
    said = f"A person at a table is {', '.join(words) or 'doing nothing in particular'}."
    return (
        *(video, f"SUB{subject}", "Dining room", "7", "7", "Yes", said),
        *(";".join(sorted(set(objects))), said, ";".join(timed), f"{length:.2f}"),
    )


def table(rows: Iterable[Sequence[str]]) -> str:
    """A csv file with the official header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return text.getvalue()


def box_rows(
    video: str, names: Sequence[tuple[str, str]], boxes: Sequence[Sequence[Box | None]]
) -> str:
    """Rows of boxes.csv; no row where something is not seen.

    Args:
        names: track and category of whom the boxes are.
        boxes: of each of them, in every frame of the grid.
    """
    return "".join(
        f"{video},{frame},{track},{category},{','.join(map(str, box))},\n"
        for (track, category), seen in zip(names, boxes, strict=True)
        for frame, box in enumerate(seen)
        if box is not None
    )
