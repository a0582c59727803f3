"""The table of boxes of a dataset folder <-> tracks.

    boxes.csv, boxes.csv.gz or boxes.parquet: video,frame,track,category,x1,y1,x2,y2,score

- `score` may be empty or absent, for boxes that people drew.
- `track` may be empty, as `glidn boxes` leaves it, or absent: then the first "cup" of every frame
  makes up the track "cup 1", the second "cup 2", in the order of the rows.
- A row that repeats another in every value counts once. Boxes that reach past the frame are
  clipped to it.
"""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from glidn import boxes
from glidn.datasets.box_rows import HEADER
from glidn.datasets.columns import Columns, read_columns
from glidn.datasets.problems import Problem, Report, check_boxes
from glidn.errors import nearest
from glidn.files import replacing
from glidn.types import Track, Video

BOXES_FILES = ("boxes.csv", "boxes.csv.gz", "boxes.parquet")
SIDES = ("x1", "y1", "x2", "y2")
BOX_COLUMNS = ("video", "frame", "category", *SIDES)
BOX_COLUMNS_OPTIONAL = ("track", "score")
HINTS = 20
NUMERIC = ("frame", *SIDES, "score")


def read_tracks(
    root: Path,
    videos: Mapping[str, Video],
    known: Collection[str],
    person: str,
    report: Report,
    listed: str = "videos.csv",
) -> dict[str, tuple[Track, ...]]:
    """Every video's tracks, the people first, then in the order of their first rows.

    Args:
        videos: those that can be read.
        known: the names of all videos; the boxes of the unreadable ones are passed over.
        listed: the files that list the videos, named in errors.
    """
    path = _boxes_file(root, report)
    if path is None:
        return {}
    columns = read_columns(path, BOX_COLUMNS, BOX_COLUMNS_OPTIONAL, report, numeric=NUMERIC)
    return {} if columns is None else tracks_of(columns, videos, known, person, report, listed)


def read_file(path: Path, video: Video, person: str, report: Report) -> tuple[Track, ...]:
    """One video's tracks, from a table wherever it lies; boxes of other videos are passed over."""
    columns = read_columns(path, BOX_COLUMNS, BOX_COLUMNS_OPTIONAL, report, numeric=NUMERIC)
    if columns is None:
        return ()
    every = columns.texts["video"].choices
    return tracks_of(columns, {video.name: video}, every, person, report, path.name).get(
        video.name, ()
    )


def tracks_of(
    columns: Columns,
    videos: Mapping[str, Video],
    known: Collection[str],
    person: str,
    report: Report,
    listed: str,
) -> dict[str, tuple[Track, ...]]:
    """As `read_tracks`, of rows that were read before."""
    if not len(columns):
        return {}
    names = list(videos)
    video = _video_numbers(columns, names, known, listed, report)
    category = columns.texts["category"]
    frame = columns.numbers("frame", report, whole=True)
    score = _scores(columns, report)
    xyxy = np.stack([columns.numbers(side, report) for side in SIDES], axis=-1, dtype=np.float32)
    width = np.array([videos[name].width for name in names] + [0], np.int32)[video]
    height = np.array([videos[name].height for name in names] + [0], np.int32)[video]
    frames = np.array([videos[name].frames for name in names] + [0], np.int32)[video]

    good = video >= 0
    good &= check_boxes(
        columns.file, columns.lines, np.where(good[:, None], xyxy, np.nan), width, height, report
    )
    outside = (video >= 0) & ((frame < 0) | (frame >= frames))
    for row in np.flatnonzero(outside).tolist():
        what = f"frame {frame[row]:g} is not in a video of {frames[row]} frames"
        mend = f"Frames count from 0 to frames - 1; correct the frame, or the video in {listed}"
        report(Problem(columns.file, columns.line(row), what, mend))
    empty = np.array([not choice for choice in category.choices])[category.codes]
    for row in np.flatnonzero(empty).tolist():
        mend = 'Name what every box holds, such as "person" or "cup"'
        report(Problem(columns.file, columns.line(row), "the category is empty", mend))
    good &= ~empty & ~outside & ~np.isnan(frame) & ~np.isinf(score)
    xyxy = boxes.clip(xyxy, width, height)

    rows = np.flatnonzero(good)
    track_names, track = _track_numbers(columns, video, frame, rows)
    rows = rows[np.lexsort((frame[rows], track[rows], video[rows]))]
    rows = _without_repetitions(columns, rows, video, track, frame, report)
    found: dict[str, list[tuple[bool, int, Track]]] = {name: [] for name in names}
    for at, span in _tracks(columns, rows, video, track, score, report):
        part = rows[span]
        made = Track(
            name=track_names[track[at]],
            category=category[at],
            frames=frame[part].astype(np.int64),
            xyxy=xyxy[part],
            scores=None if np.isnan(score[at]) else score[part].astype(np.float32),
        )
        # The people first, then by first row: rows are sorted by frame here; the file need not be.
        found[names[video[at]]].append((made.category != person, int(part.min()), made))
    return {
        name: tuple(track for *_, track in sorted(tracks, key=lambda it: it[:2]))
        for name, tracks in found.items()
    }


def write_boxes(videos: Iterable[Video], root: Path) -> None:
    """Write boxes.csv, one track after the other."""
    with (
        replacing(root / "boxes.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
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
        mend = (
            f"Put one of {', '.join(BOXES_FILES)} beside videos.csv, or find boxes in its videos: "
            "glidn boxes"
        )
        report(Problem("boxes.csv", None, "the table of boxes is missing", mend))
        return None
    if len(found) > 1:
        what = f"there is {found[1].name} beside it, and only one can be meant"
        report(Problem(found[0].name, None, what, "Keep the one that is right"))
    return found[0]


def _video_numbers(
    columns: Columns,
    names: Sequence[str],
    known: Collection[str],
    listed: str,
    report: Report,
) -> np.ndarray:
    """(n,) int32: which of `names` each row is of; -1 for none of them."""
    number = {name: at for at, name in enumerate(names)}
    words = columns.texts["video"]
    unknown = [code for code, word in enumerate(words.choices) if word not in known]
    first = np.unique(words.codes, return_index=True)[1] if unknown else ()
    for nth, code in enumerate(unknown):
        # Once for a video, not once for each of its boxes; the search for a like name is slow.
        word = words.choices[code]
        hint = nearest(word, known) if nth < HINTS else ""
        what = f"the video {word!r} is not in {listed}{hint}"
        mend = f"Correct the name in all its rows, or add the video to {listed}"
        report(Problem(columns.file, columns.line(first[code]), what, mend))
    return np.array([number.get(word, -1) for word in words.choices], np.int32)[words.codes]


def _scores(columns: Columns, report: Report) -> np.ndarray:
    """(n,) float64: NaN where there is no score, infinite where it is wrong, which is reported."""
    found = columns.numbers("score", report, may_be_empty=True)
    found[list(columns.figures["score"].odd)] = np.inf
    wrong = np.isfinite(found) & ((found < 0) | (found > 1))
    for row in np.flatnonzero(wrong).tolist():
        what = f"score is {found[row]:g}, which is not within 0 and 1"
        report(Problem(columns.file, columns.line(row), what, "Divide percentages by 100"))
    found[wrong] = np.inf
    return found


def _track_numbers(
    columns: Columns, video: np.ndarray, frame: np.ndarray, rows: np.ndarray
) -> tuple[list[str], np.ndarray]:
    """The tracks' names, and (n,) which of them each row belongs to (-1 outside `rows`)."""
    named, category = columns.texts["track"], columns.texts["category"]
    numbers: dict[str, int] = {}
    given = [numbers.setdefault(name, len(numbers)) if name else -1 for name in named.choices]
    track = np.full(len(columns), -1, np.int32)
    track[rows] = np.array(given, np.int32)[named.codes[rows]]

    # The k-th box of its category in its frame, in the order of the rows.
    rows = rows[track[rows] < 0]
    rows = rows[np.lexsort((category.codes[rows], frame[rows], video[rows]))]
    first = _changes(rows, category.codes, frame, video)
    count = np.arange(len(rows)) - np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
    count += 1
    pair, back = np.unique(
        count * len(category.choices) + category.codes[rows], return_inverse=True
    )
    made = [
        f"{category.choices[code]} {k}"
        for k, code in (divmod(value, len(category.choices)) for value in pair.tolist())
    ]
    shared = [numbers.setdefault(name, len(numbers)) for name in made]
    track[rows] = np.array(shared, np.int32)[back]
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
    same = ~_changes(rows, video, track, frame)
    for at in np.flatnonzero(same).tolist():
        row, before = rows[at], rows[at - 1]
        if columns.differ(row, before):
            what = (
                f"track {columns.texts['track'][row]!r} has a second box in frame "
                f"{frame[row]:g}, and it differs from that of line {columns.line(before)}"
            )
            mend = "Keep one of them, or give the other box a track of its own"
            report(Problem(columns.file, columns.line(row), what, mend))
    return rows[~same]


def _tracks(
    columns: Columns,
    rows: np.ndarray,
    video: np.ndarray,
    track: np.ndarray,
    score: np.ndarray,
    report: Report,
) -> Iterator[tuple[int, slice]]:
    """(row of its first frame, its place in the sorted `rows`) of every track that is one."""
    if not len(rows):
        return
    category = columns.texts["category"]
    starts = np.flatnonzero(_changes(rows, video, track))
    ends = np.append(starts[1:], len(rows))
    first = np.repeat(rows[starts], ends - starts)
    other = category.codes[rows] != category.codes[first]
    unlike = np.isnan(score[rows]) != np.isnan(score[first])
    wrong = np.logical_or.reduceat(other | unlike, starts)
    for start, end, bad in zip(starts.tolist(), ends.tolist(), wrong.tolist(), strict=True):
        at = int(rows[start])
        if not bad:
            yield at, slice(start, end)
            continue
        name = columns.texts["track"][at]
        if other[start:end].any():
            row = rows[start + int(np.argmax(other[start:end]))]
            what = (
                f"track {name!r} is a {category[row]!r} here and a {category[at]!r} in line "
                f"{columns.line(at)}"
            )
            mend = "Give one object one category throughout its video"
        else:
            row = rows[start + int(np.argmax(unlike[start:end]))]
            what = f"track {name!r} has scores in some of its frames only"
            mend = "Give every box of a track a score, or none"
        report(Problem(columns.file, columns.line(row), what, mend))


def _changes(rows: np.ndarray, *columns: np.ndarray) -> np.ndarray:
    """(n,) bool: whether a row differs from the one before in any of the columns."""
    changed = np.ones(len(rows), bool)
    changed[1:] = False
    for values in columns:
        changed[1:] |= values[rows[1:]] != values[rows[:-1]]
    return changed
