"""MOT text: a line per box: frame (from 1), id, left, top, width, height, confidence, ...

    SEQUENCE/gt/gt.txt  SEQUENCE/seqinfo.ini  SEQUENCE/img1/     or  SEQUENCE.txt

Ground truth has nine values, the last being class and visibility; there a confidence of 0 marks a
box to be ignored, which is left out. Results have seven or ten, the last three being -1.
"""

import configparser
from dataclasses import dataclass
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

VALUES = ("frame", "id", "left", "top", "width", "height", "confidence", "class")
COUNTS = (6, 7, 8, 9, 10)
INFO = "seqinfo.ini"


def read(source: Path, asked: Asked) -> Imported:
    """A file, a sequence, or a folder of either.

    Raises:
        DataError: a line is none of MOT's, or its class has no name.
    """
    paths = [p for p in sources(source, ".txt", "a MOT text file") if p != asked.names]
    if source.is_dir():
        # A sequence may hold detections beside its ground truth.
        truth = [path for path in paths if path.parent.name == "gt" and path.name == "gt.txt"]
        paths = truth or paths
    names = read_names(asked.names) if asked.names else ()
    return complete([_draft(path, names, asked) for path in paths], asked, 1)


def _draft(path: Path, names: tuple[str, ...], asked: Asked) -> Draft:
    folder = path.parent.parent if path.parent.name in ("gt", "det") else path.parent
    inside = path.parent.name in ("gt", "det")
    file = f"{folder.name}/{path.parent.name}/{path.name}" if inside else path.name
    rows = [(line, _values(text, file, line)) for line, text in read_lines(path)]
    rows = [(line, row) for line, row in rows if len(row) < 7 or row[6] != 0]
    surely = [row[6] for _, row in rows if len(row) > 6]
    # Ones alone are the mark of ground truth, and numbers beyond 1 no scores.
    scored = len(surely) == len(rows) and all(0 < s <= 1 for s in surely) and set(surely) != {1}
    boxes = []
    for line, row in rows:
        frame, track, left, top, width, height = row[:6]
        kind = int(row[7]) if len(row) in (8, 9) else -1
        category = _category(kind, names, asked.person, file, line)
        name = "" if track < 0 else f"{track:.0f}"
        corners = (left, top, left + width, top + height)
        boxes.append(Box(line, int(frame), name, category, *corners, row[6] if scored else NAN))
    info = folder / INFO
    about = _info(info) if inside and info.exists() else None
    return Draft(
        name=folder.name if inside else path.stem,
        file=file,
        boxes=boxes,
        frames=about.frames if about else None,
        fps=about.fps if about else None,
        size=about.size if about else None,
    )


def _values(text: str, file: str, line: int) -> list[float]:
    words = [word.strip() for word in (text.split(",") if "," in text else text.split())]
    if len(words) not in COUNTS:
        raise DataError(
            f"{file} line {line}: there are {len(words)} values, and MOT has 6 to 10: "
            "frame,id,left,top,width,height,confidence,class,visibility."
        )
    known = (*VALUES, "visibility", "z")
    whole = ("frame", "id", "class") if len(words) in (8, 9) else ("frame", "id")
    return [
        number(word, name, file, line, whole=name in whole)
        for word, name in zip(words, known, strict=False)
    ]


def _category(kind: int, names: tuple[str, ...], person: str, file: str, line: int) -> str:
    if names and kind != -1:
        if not 1 <= kind <= len(names):
            raise DataError(
                f"{file} line {line}: class {kind} is not one of the {len(names)} names, which "
                "count from 1; correct it, or the file of --names."
            )
        return names[kind - 1]
    if kind in (-1, 1):
        return person
    raise DataError(
        f"{file} line {line}: class {kind} has no name; give --names FILE with a name a line, the "
        "first being class 1."
    )


@dataclass(frozen=True)
class _Info:
    """What seqinfo.ini says."""

    frames: int
    fps: float
    size: tuple[int, int]


def _info(path: Path) -> _Info:
    """Read seqinfo.ini.

    Raises:
        DataError: it is none, or one of them is missing.
    """
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string("\n".join(text for _, text in read_lines(path)))
        about = parser["Sequence"]
        size = int(about["imWidth"]), int(about["imHeight"])
        return _Info(int(about["seqLength"]), float(about["frameRate"]), size)
    except (configparser.Error, KeyError, ValueError) as error:
        raise DataError(
            f"{path.parent.name}/{INFO} is not MOT's ({type(error).__name__}): under [Sequence] it "
            "must give frameRate, seqLength, imWidth and imHeight."
        ) from error
