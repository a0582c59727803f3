"""Plain csv, a row per box: video,frame,category,x1,y1,x2,y2[,track,score,action].

x,y,w,h (or width,height) may stand for the corners; other columns are passed over. `action` is what
the box's track does in that frame.
"""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from glidn import boxes
from glidn.datasets.columns import Columns, read_columns
from glidn.datasets.importers.actions import runs
from glidn.datasets.importers.complete import complete
from glidn.datasets.importers.draft import Action, Asked, Box, Draft, Imported, read_bytes, sources
from glidn.datasets.problems import raise_first
from glidn.errors import DataError

CORNERS = ("x1", "y1", "x2", "y2")
SIZES = (("x", "y", "w", "h"), ("x", "y", "width", "height"))
NEEDED = ("video", "frame", "category")
OPTIONAL = ("track", "score", "action")


def read(source: Path, asked: Asked) -> Imported:
    """A file or a folder of them.

    Raises:
        DataError: a column is missing, or a value cannot be.
    """
    drafts: list[Draft] = []
    notes: list[str] = []
    for path in sources(source, ".csv", "a csv file"):
        header = _header(path)
        sides = next((sizes for sizes in SIZES if set(sizes) <= set(header)), CORNERS)
        sides = CORNERS if set(CORNERS) <= set(header) else sides
        numeric = ("frame", "score", *sides)
        columns = read_columns(path, (*NEEDED, *sides), OPTIONAL, raise_first, numeric=numeric)
        if columns is None or not len(columns):
            raise DataError(f"{path.name}: there is no row below the header; give it boxes.")
        other = [name for name in header if name not in (*NEEDED, *OPTIONAL, *sides)]
        if other:
            notes.append(f"{path.name}: the columns {', '.join(other)} are passed over")
        drafts += _drafts(path.name, columns, sides)
    return complete(drafts, asked, 0, notes)


def _header(path: Path) -> list[str]:
    text = read_bytes(path)[:65536].decode("utf-8-sig", errors="replace")
    return [name.strip() for name in next(csv.reader(text.splitlines()), [])]


def _drafts(file: str, columns: Columns, sides: tuple[str, ...]) -> list[Draft]:
    frame = columns.numbers("frame", raise_first, whole=True)
    score = columns.numbers("score", raise_first, may_be_empty=True)
    found = np.stack([columns.numbers(side, raise_first) for side in sides], axis=-1)
    corners = found if sides == CORNERS else boxes.from_xywh(found)
    names = (columns.words(name) for name in ("video", "track", "category", "action"))
    of_video: dict[str, list[Box]] = defaultdict(list)
    values: dict[str, dict[str, list[tuple[int, str]]]] = defaultdict(lambda: defaultdict(list))
    for at, (video, track, category, action) in enumerate(zip(*names, strict=True)):
        line, number = columns.line(at), int(frame[at])
        if not video:
            raise DataError(f"{file} line {line}: the video is empty; name the video of every box.")
        if action and not track:
            raise DataError(
                f"{file} line {line}: there is an action and no track; name the track that does it."
            )
        x1, y1, x2, y2 = corners[at].tolist()
        box = Box(line, number, track, category, x1, y1, x2, y2, float(score[at]))
        of_video[video].append(box)
        if track:
            values[video][track].append((number, action))
    return [
        Draft(name=video, file=file, boxes=listed, actions=_actions(values[video]))
        for video, listed in of_video.items()
    ]


def _actions(of_track: dict[str, list[tuple[int, str]]]) -> list[Action]:
    return [one for values in of_track.values() for one in runs("action", sorted(values))]
