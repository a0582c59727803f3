"""The table of boxes of a dataset folder <-> tracks.

    boxes.csv, boxes.csv.gz or boxes.parquet: video,frame,track,category,x1,y1,x2,y2,score

- `score` may be empty or absent, for boxes that people drew.
- `track` may be empty or absent: then the first "cup" of every frame makes up the track "cup 1",
  the second "cup 2", in the order of the rows.
- A row that repeats another in every value counts once. Boxes that reach past the frame are
  clipped to it.
"""

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from glidn import boxes
from glidn.datasets.columns import Columns, read_columns
from glidn.datasets.problems import Problem, Report, check_boxes, numbers
from glidn.errors import nearest
from glidn.files import replacing
from glidn.types import Track, Video

BOXES_FILES = ("boxes.csv", "boxes.csv.gz", "boxes.parquet")
BOX_COLUMNS = ("video", "frame", "category", "x1", "y1", "x2", "y2")
BOX_COLUMNS_OPTIONAL = ("track", "score")


def read_tracks(
    root: Path,
    videos: Mapping[str, Video],
    known: Collection[str],
    person: str,
    report: Report,
) -> dict[str, tuple[Track, ...]]:
    """Every video's tracks, the people first, then in the order of their first rows.

    Args:
        videos: those that can be read.
        known: the names of all videos; the boxes of the unreadable ones are passed over.
    """
    path = _boxes_file(root, report)
    columns = read_columns(path, BOX_COLUMNS, BOX_COLUMNS_OPTIONAL, report) if path else None
    if columns is None or not len(columns):
        return {}
    names = list(videos)
    video = _video_numbers(columns, names, known, report)
    category = columns.words("category")
    frame = columns.numbers("frame", report, whole=True)
    score = _scores(columns, report)
    xyxy = np.stack([columns.numbers(side, report) for side in ("x1", "y1", "x2", "y2")], axis=-1)
    xyxy = xyxy.astype(np.float32)
    width = np.array([videos[name].width for name in names] + [0])[video]
    height = np.array([videos[name].height for name in names] + [0])[video]
    frames = np.array([videos[name].frames for name in names] + [0])[video]

    good = video >= 0
    good &= check_boxes(
        columns.file, columns.lines, np.where(good[:, None], xyxy, np.nan), width, height, report
    )
    outside = (video >= 0) & ((frame < 0) | (frame >= frames))
    for row in np.flatnonzero(outside).tolist():
        what = f"frame {frame[row]:g} is not in a video of {frames[row]} frames"
        mend = "Frames count from 0 to frames - 1; correct the frame, or frames in videos.csv"
        report(Problem(columns.file, columns.lines[row], what, mend))
    for row in (at for at, word in enumerate(category) if not word):
        mend = 'Name what every box holds, such as "person" or "cup"'
        report(Problem(columns.file, columns.lines[row], "the category is empty", mend))
        good[row] = False
    good &= ~outside & ~np.isnan(frame) & ~np.isinf(score)

    rows = np.flatnonzero(good)
    track_names, track = _track_numbers(columns, video, frame, category, rows)
    rows = rows[np.lexsort((frame[rows], track[rows], video[rows]))]
    rows = _without_repetitions(columns, rows, video, track, frame, report)
    xyxy = boxes.clip(xyxy, width, height)

    categories = np.array(category)
    found: dict[str, list[tuple[int, Track]]] = {name: [] for name in names}
    ends = np.flatnonzero(np.diff(video[rows]) | np.diff(track[rows])) + 1
    for group in np.split(rows, ends) if len(rows) else ():
        first = int(group.min())  # rows are sorted by frame here; the file need not be
        if wrong := _wrong_track(columns, group, categories, score):
            report(Problem(columns.file, *wrong))
            continue
        found[names[video[first]]].append(
            (
                first,
                Track(
                    name=track_names[track[first]],
                    category=category[first],
                    frames=frame[group].astype(np.int64),
                    xyxy=xyxy[group],
                    scores=None if np.isnan(score[first]) else score[group].astype(np.float32),
                ),
            )
        )
    return {
        name: tuple(
            track for _, track in sorted(tracks, key=lambda it: (it[1].category != person, it[0]))
        )
        for name, tracks in found.items()
    }


def write_boxes(videos: Iterable[Video], root: Path) -> None:
    """Write boxes.csv, one track after the other."""
    with (
        replacing(root / "boxes.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("video", "frame", "track", "category", "x1", "y1", "x2", "y2", "score"))
        for video in videos:
            for track in video.tracks:
                n = len(track.frames)
                # A float32's own text is the shortest that reads back as the same float32.
                scores = [""] * n if track.scores is None else track.scores.astype(str)
                writer.writerows(
                    zip(
                        [video.name] * n,
                        track.frames,
                        [track.name] * n,
                        [track.category] * n,
                        *track.xyxy.astype(str).T,
                        scores,
                        strict=True,
                    )
                )


def _boxes_file(root: Path, report: Report) -> Path | None:
    found = [root / name for name in BOXES_FILES if (root / name).exists()]
    if not found:
        mend = f"Put one of {', '.join(BOXES_FILES)} beside videos.csv"
        report(Problem("boxes.csv", None, "the table of boxes is missing", mend))
        return None
    if len(found) > 1:
        what = f"there is {found[1].name} beside it, and only one can be meant"
        report(Problem(found[0].name, None, what, "Keep the one that is right"))
    return found[0]


def _video_numbers(
    columns: Columns, names: Sequence[str], known: Collection[str], report: Report
) -> np.ndarray:
    """(n,) int64: which of `names` each row is of; -1 for none of them."""
    number = {name: at for at, name in enumerate(names)}
    words = columns.words("video")
    found = np.array([number.get(word, -1) for word in words], np.int64)
    said = set(known)
    for row in np.flatnonzero(found < 0).tolist():
        if words[row] not in said:
            said.add(words[row])  # once for a video, not once for each of its boxes
            what = f"the video {words[row]!r} is not in videos.csv{nearest(words[row], known)}"
            mend = "Correct the name in all its rows, or add the video to videos.csv"
            report(Problem(columns.file, columns.lines[row], what, mend))
    return found


def _scores(columns: Columns, report: Report) -> np.ndarray:
    """(n,) float64: NaN where there is no score, infinite where it is wrong, which is reported."""
    texts = columns.words("score")
    rows = [row for row, text in enumerate(texts) if text]
    found = np.full(len(texts), np.nan)
    if not rows:
        return found
    lines = [columns.lines[row] for row in rows]

    given = numbers(columns.file, lines, "score", [texts[row] for row in rows], report)
    for at in np.flatnonzero((given < 0) | (given > 1)).tolist():
        what = f"score is {given[at]:g}, which is not within 0 and 1"
        report(Problem(columns.file, lines[at], what, "Divide percentages by 100"))
    found[rows] = np.where((given >= 0) & (given <= 1), given, np.inf)
    return found


def _track_numbers(
    columns: Columns,
    video: np.ndarray,
    frame: np.ndarray,
    category: Sequence[str],
    rows: np.ndarray,
) -> tuple[list[str], np.ndarray]:
    """The tracks' names, and (n,) which of them each row belongs to (-1 outside `rows`)."""
    words = columns.words("track")
    counted: dict[tuple[int, float, str], int] = {}
    numbers: dict[str, int] = {}
    track = np.full(len(words), -1, np.int64)
    for row in rows:
        word = words[row]
        if not word:
            key = (int(video[row]), float(frame[row]), category[row])
            counted[key] = counted.get(key, 0) + 1
            word = f"{category[row]} {counted[key]}"
        track[row] = numbers.setdefault(word, len(numbers))
    return list(numbers), track


def _without_repetitions(
    columns: Columns,
    rows: np.ndarray,
    video: np.ndarray,
    track: np.ndarray,
    frame: np.ndarray,
    report: Report,
) -> np.ndarray:
    """Sorted rows -> the same with one row per (video, track, frame).

    The same row twice is harmless: annotations of adjoining segments share a frame (two boxes of
    real CAD-120 do). Two different boxes for one track in one frame are a problem.
    """
    key = np.stack([video[rows], track[rows], frame[rows].astype(np.int64)])
    same = np.zeros(len(rows), bool)
    same[1:] = (key[:, 1:] == key[:, :-1]).all(axis=0)
    for at in np.flatnonzero(same).tolist():
        row, before = rows[at], rows[at - 1]
        if any(values[row] != values[before] for values in columns.values.values()):
            what = (
                f"track {columns.values['track'][row]!r} has a second box in frame "
                f"{frame[row]:g}, and it differs from that of line {columns.lines[before]}"
            )
            mend = "Keep one of them, or give the other box a track of its own"
            report(Problem(columns.file, columns.lines[row], what, mend))
    return rows[~same]


def _wrong_track(
    columns: Columns, group: np.ndarray, category: np.ndarray, score: np.ndarray
) -> tuple[int, str, str] | None:
    """(line, what, mend) if the rows of one track, sorted by frame, do not fit together."""
    first = group[0]
    name = columns.values["track"][first]
    others = group[category[group] != category[first]]
    if len(others):
        what = (
            f"track {name!r} is a {str(category[others[0]])!r} here and a "
            f"{str(category[first])!r} in line {columns.lines[first]}"
        )
        mend = "Give one object one category throughout its video"
        return columns.lines[others[0]], what, mend
    unlike = group[np.isnan(score[group]) != np.isnan(score[first])]
    if len(unlike):
        what = f"track {name!r} has scores in some of its frames only"
        return columns.lines[unlike[0]], what, "Give every box of a track a score, or none"
    return None
