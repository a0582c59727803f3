"""YOLO text: a file per frame, a line per box: class, centre and size in parts of the frame.

    FOLDER/<video>/<frame>.txt   or   FOLDER/<video>_<frame>.txt
    0 0.5 0.5 0.2 0.4 [confidence] [track]

The frame is the last number of the file's name. Classes are named by --names, or by classes.txt,
obj.names or data.yaml in the folder.
"""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from glidn.datasets.importers.complete import complete
from glidn.datasets.importers.draft import (
    NAN,
    Asked,
    Box,
    Draft,
    Imported,
    number,
    read_lines,
    sources,
)
from glidn.datasets.importers.names import read_names
from glidn.errors import DataError
from glidn.video import frame_number

NAMES_FILES = ("classes.txt", "obj.names", "data.yaml")
OTHER_FILES = ("classes.txt", "train.txt", "val.txt", "test.txt", "valid.txt")
# Words that stand before a frame's number and name no video.
NO_NAME = ("", "frame", "img", "image")
VALUES = ("class", "centre x", "centre y", "width", "height", "confidence", "track")


def read(source: Path, asked: Asked) -> Imported:
    """A folder with the files of one video, or of several.

    Raises:
        DataError: a line is none of YOLO's, or its class has no name.
    """
    if source.is_file():
        raise DataError(f"{source} is one file; give the folder of the files of all frames.")
    paths = [p for p in sources(source, ".txt", "YOLO text") if p.name not in OTHER_FILES]
    paths = [path for path in paths if path != asked.names]
    names = read_names(_names_file(source, asked))
    of_video: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in paths:
        if frame_number(path.name) < 0:
            raise DataError(
                f"{path.name}: there is no frame number in its name, such as film_000017.txt."
            )
        of_video[path.parent, _video_name(path)].append(path)
    drafts = [_draft(name, paths, names) for (_, name), paths in of_video.items()]
    if len(drafts) == 1 and asked.video:
        drafts = [replace(drafts[0], name=asked.video.stem)]
    return complete(drafts, asked, 0)


def _names_file(source: Path, asked: Asked) -> Path:
    if asked.names is not None:
        return asked.names
    for name in NAMES_FILES:
        for folder in (source, source.parent):
            if (folder / name).is_file():
                return folder / name
    raise DataError(
        f"{source} holds no {', '.join(NAMES_FILES)}, which names the classes; give --names FILE."
    )


def _video_name(path: Path) -> str:
    """film_000017.txt -> film; film/17.txt -> film."""
    before = re.sub(r"[-_. ]*\d+$", "", path.stem)
    if before.lower() not in NO_NAME:
        return before
    folder = path.parent.resolve()
    return folder.parent.name if folder.name == "labels" else folder.name


def _draft(name: str, paths: list[Path], names: tuple[str, ...]) -> Draft:
    rows: list[tuple[int, list[float]]] = []
    for path in paths:
        frame = frame_number(path.name)
        rows += [(frame, _values(text, path.name, line, names)) for line, text in read_lines(path)]
    sixth = [row[5] for _, row in rows if len(row) == 6]
    tracked = any(value > 1 for value in sixth)
    boxes = []
    for frame, (kind, x, y, width, height, *more) in rows:
        score, track = NAN, ""
        if len(more) == 2 or (more and not tracked):
            score = more[0]
        if len(more) == 2 or (more and tracked):
            track = f"{more[-1]:.0f}"
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        boxes.append(Box(frame, frame, track, names[int(kind)], *corners, score))
    return Draft(
        name=name,
        file=f"{name} (YOLO)",
        boxes=boxes,
        least_frames=1 + max(frame_number(path.name) for path in paths),
        relative=True,
        place="frame",
    )


def _values(text: str, file: str, line: int, names: tuple[str, ...]) -> list[float]:
    words = text.split()
    if not 5 <= len(words) <= 7:
        raise DataError(
            f"{file} line {line}: there are {len(words)} values, and a box of YOLO has 5 to 7: "
            "class, centre x, centre y, width, height, confidence, track; outlines are not read."
        )
    row = [
        number(word, value, file, line, whole=value in ("class", "track"))
        for word, value in zip(words, VALUES, strict=False)
    ]
    if not 0 <= row[0] < len(names):
        raise DataError(
            f"{file} line {line}: class {row[0]:g} is not one of the {len(names)} names, which "
            "count from 0; correct it, or give the right names with --names."
        )
    for value, what in zip(row[1:5], VALUES[1:5], strict=True):
        if not 0 <= value <= 1:
            raise DataError(
                f"{file} line {line}: {what} is {value:g}, and YOLO gives it as a part of the "
                "frame, within 0 and 1; divide by the frame's width and height."
            )
    return row
