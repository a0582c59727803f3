"""Charades in its official layout (Sigurdsson et al. 2016): many timed actions a video.

    Charades_v1_train.csv    id,subject,scene,...,actions,length       7,985 videos
    Charades_v1_test.csv     the same                                  1,863 videos
    Charades_v1_classes.txt  c000 Holding some clothes                 157 lines (or any number)
    Charades_v1_480/<id>.mp4, or Charades_v1/<id>.mp4,                 or none of them
        or Charades_v1_rgb/<id>/<id>-000001.jpg
    boxes.csv                in our format, table_boxes.py; optional

The csv files may lie in a folder Charades, as Charades.zip unpacks them. What the official files
hold, counted in both of them, and what follows from it:

- Every length is a whole number of 24ths of a second, rounded: it is the dump's number of frames.
  So a video has round(24 · length) frames at 24 a second, whatever its copy: charades_pixels.py.
- 19,623 of the 66,500 actions end after their video, by at most 1.54 s: they are cut to it, as the
  dataset's authors do (gsig/charades-algorithms, issue 5). Past `SLACK` it is a problem.
- Seven actions, all for training, end before they begin. Each becomes a moment at its end: it
  counts for its video, as in the official scorer, and for no length of time. Any other such
  action is a problem.
- 223 videos have no action, 49 of them in the test set. They are read: the score needs them.
- Without videos, width and height are unknown and are 0.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from glidn.datasets.charades_pixels import (
    DUMP_FOLDER,
    FPS,
    SLACK,
    VIDEO_FOLDERS,
    find_pixels,
    pixel_folder,
)
from glidn.datasets.columns import Columns, read_columns, read_text
from glidn.datasets.manifest import true_name
from glidn.datasets.problems import Problem, Reader, Report
from glidn.datasets.table_boxes import BOXES_FILES, read_tracks
from glidn.errors import DataError
from glidn.types import PERSON, Dataset, Pixels, Segment, Video

FOLDER = "Charades"
CLASSES_FILE = "Charades_v1_classes.txt"
FILES = {"train": "Charades_v1_train.csv", "test": "Charades_v1_test.csv"}
COLUMNS = ("id", "subject", "actions", "length")
ACTION = re.compile(r"(c\d+)\s+(-?\d+(?:\.\d*)?)\s+(-?\d+(?:\.\d*)?)")
# (video, action) as they stand in the official training file, from the end to the beginning.
BACKWARD = {
    ("00SL4", "c071 18.00 10.00"),
    ("00SL4", "c081 18.00 10.00"),
    ("AKKWU", "c113 38.00 13.00"),
    ("IOL8Q", "c023 21.20 12.00"),
    ("IOL8Q", "c024 20.90 12.00"),
    ("LEOL6", "c107 8.00 7.00"),
    ("LEOL6", "c128 8.00 7.00"),
}


@dataclass(frozen=True)
class _Row:
    """One row of a csv file; `place` is its file and line."""

    place: tuple[str, int]
    name: str
    actions: str
    length: float

    def problem(self, what: str, mend: str) -> Problem:
        return Problem(*self.place, what, mend)


def read_charades(root: Path, report: Report) -> Dataset:
    """Read a copy of Charades; what cannot be read is reported and passed over."""
    classes = _read_classes(root, report)
    videos, places = _read_splits(root, classes, report)
    tracks = {}
    if any((root / name).exists() for name in BOXES_FILES):
        if pixel_folder(root) is None:
            report(_boxes_alone(root))
        sized = {name: video for name, video in videos.items() if video.width}
        tracks = read_tracks(root, sized, places, PERSON, report, " or ".join(FILES.values()))
    with_tracks = (
        dataclasses.replace(video, tracks=tracks.get(name, ())) for name, video in videos.items()
    )
    return _dataset(root, classes, with_tracks)


def read_videos(root: Path, report: Report) -> Dataset:
    """The videos alone, without boxes and actions."""
    videos, _ = _read_splits(root, {}, report)
    return _dataset(root, {}, videos.values())


def _read_splits(
    root: Path, classes: Mapping[str, str], report: Report
) -> tuple[dict[str, Video], dict[str, tuple[str, int]]]:
    """(the videos of both csv files, where every one of them was listed), by name."""
    pixels = pixel_folder(root)
    places: dict[str, tuple[str, int]] = {}
    videos: dict[str, Video] = {}
    unknown: list[tuple[_Row, str]] = []
    for split, file in FILES.items():
        path = _annotation(root, file)
        name = path.relative_to(root).as_posix()
        columns = read_columns(path, COLUMNS, (), report, numeric=("length",), file=name)
        if columns is None:
            continue
        if not len(columns):
            report(Problem(columns.file, None, "there is no video in it", "Copy it again"))
        for video in _read_videos(columns, split, classes, pixels, places, unknown, report):
            videos[video.name] = video
    _check_unknown(unknown, classes, report)
    return videos, places


def _dataset(root: Path, classes: Mapping[str, str], videos: Iterable[Video]) -> Dataset:
    return Dataset(
        name=true_name(root, "Charades"),
        root=root,
        task="multi",
        classes=tuple(classes.values()),
        protocol="split",
        videos=tuple(videos),
        person=PERSON,
        licence="for non-commercial research (Allen Institute for AI)",
    )


def _annotation(root: Path, file: str) -> Path:
    """Where an annotation file is: in the root, or in the folder that its archive makes."""
    unpacked = root / FOLDER / file
    return unpacked if unpacked.exists() and not (root / file).exists() else root / file


def _read_classes(root: Path, report: Report) -> dict[str, str]:
    """Code -> class, "c000 Holding some clothes", in the order of the file."""
    text = read_text(_annotation(root, CLASSES_FILE), CLASSES_FILE, report)
    if text is None:
        return {}
    classes: dict[str, str] = {}
    for line, name in enumerate(text.splitlines(), start=1):
        code, _, words = name.strip().partition(" ")
        expected = f"c{len(classes):03}"
        if not code:
            continue
        if code != expected or not words.strip():
            what = f"{name.strip()!r} is not {expected} and what it means"
            report(Problem(CLASSES_FILE, line, what, "Copy the file again"))
            return {}
        classes[code] = name.strip()
    if not classes:
        report(Problem(CLASSES_FILE, None, "there is no class in it", "Copy the file again"))
    return classes


def _read_videos(
    columns: Columns,
    split: str,
    classes: Mapping[str, str],
    folder: Path | None,
    places: dict[str, tuple[str, int]],
    unknown: list[tuple[_Row, str]],
    report: Report,
) -> list[Video]:
    """The videos of one csv file.

    Args:
        places: collects where each was listed.
        unknown: collects the actions of no class.
    """
    found = []
    lengths = columns.numbers("length", report).tolist()
    cells = zip(
        *(columns.lines.tolist(), columns.words("id"), columns.words("subject")),
        *(columns.words("actions"), lengths),
        strict=True,
    )
    for line, name, subject, actions, length in cells:
        row = _Row((columns.file, line), name, actions, length)
        if not re.fullmatch(r"\w+", name):
            report(row.problem(f"the id is {name!r}", "Give every video its id, such as YSKX3"))
            continue
        if name in places:
            before = "{} line {}".format(*places[name])
            what = f"the video {name!r} was listed before, in {before}"
            report(row.problem(what, "Keep the row that is right"))
            continue
        places[name] = row.place
        frames = round(length * FPS) if length > 0 else 0  # NaN has been reported
        if length <= 0:
            report(row.problem(f"length is {length:g}", "Give the video's length in seconds"))
        if not frames:
            continue
        segments = _read_actions(row, classes, unknown, report)
        pixels, size = _find(folder, row, frames, report)
        if folder is not None and pixels is None:
            continue
        found.append(
            Video(
                name=name,
                subject=subject,
                split=split,
                label="",
                frames=frames,
                fps=FPS,
                width=size[0],
                height=size[1],
                tracks=(),
                segments=segments,
                pixels=pixels,
                source=f"{columns.file} line {line}",
            )
        )
    return found


def _read_actions(
    row: _Row, classes: Mapping[str, str], unknown: list[tuple[_Row, str]], report: Report
) -> tuple[Segment, ...]:
    """ "c092 11.90 21.20;c147 0.00 12.60" -> segments by start, cut to the video."""
    segments = []
    for action in filter(None, map(str.strip, row.actions.split(";"))):
        match = ACTION.fullmatch(action)
        if match is None:
            what = f"the action {action!r} is not a class, its start and its end"
            report(row.problem(what, 'Write actions as "c092 11.90 21.20;c147 0.00 12.60"'))
            continue
        code, start, end = match[1], float(match[2]), float(match[3])
        if code not in classes:
            unknown.append((row, action))
            continue
        if end < start and (row.name, action) in BACKWARD:
            start = end
        elif wrong := _wrong_times(start, end, row.length):
            what, mend = wrong
            report(row.problem(f"the action {action!r} {what}", mend))
            continue
        segments.append(Segment(classes[code], min(start, row.length), min(end, row.length)))
    return tuple(sorted(segments, key=lambda segment: (segment.start, segment.end)))


def _check_unknown(
    unknown: list[tuple[_Row, str]], classes: Mapping[str, str], report: Report
) -> None:
    """One problem for all actions of no class: a cut file of classes makes thousands of them."""
    if not unknown or not classes:  # without any class, that file has been reported
        return
    row, action = unknown[0]
    what = f"the action {action!r} is of no class of {CLASSES_FILE}, which ends at {[*classes][-1]}"
    if len(unknown) > 1:
        what += f"; {len(unknown) - 1:,} more actions are of none"
    report(row.problem(what, "Correct the action, or copy the whole file of the classes again"))


def _wrong_times(start: float, end: float, length: float) -> tuple[str, str] | None:
    """(what, mend) of times that cannot be."""
    if start < 0:
        return "begins before its video", "Give start and end in seconds of the video"
    if end <= start:
        return "does not end after it begins", "Write the start first and then the end, in seconds"
    if start >= length or end > length + SLACK:
        what = f"is not within its video of {length:g} s"
        return what, "Give start and end in seconds, not in frames, or correct the length"
    return None


def _find(
    folder: Path | None, row: _Row, frames: int, report: Report
) -> tuple[Pixels | None, tuple[int, int]]:
    """How to read a video's frames, and their size; (None, ...) where there are none."""
    if folder is None:
        return None, (0, 0)
    try:
        return find_pixels(folder, row.name, frames)
    except DataError as error:
        mend = f"Download it again into {folder.name}, or take its row out of the csv file"
        report(row.problem(str(error).rstrip("."), mend))
        return None, (0, 0)


def _boxes_alone(root: Path) -> Problem:
    file = next(name for name in BOXES_FILES if (root / name).exists())
    what = "boxes are in pixels, and without the videos nothing tells the size of their frames"
    mend = f"Put {' or '.join((*VIDEO_FOLDERS, DUMP_FOLDER))} beside it"
    return Problem(file, None, what, mend)


READER = Reader(
    marks=(*FILES.values(), *(f"{FOLDER}/{file}" for file in FILES.values())),
    read=read_charades,
    videos=read_videos,
)
