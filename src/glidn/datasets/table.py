"""Our dataset folder: three plain tables, which every importer writes and this module reads.

    videos.csv    video,file,subject,split,label,frames,fps,width,height
    labels.csv    video,label,start,end                                  seconds
    boxes.csv     video,frame,track,category,x1,y1,x2,y2,score           pixels; frames from 0
    dataset.yaml  name, task, classes, person, protocol, licence         datasets/manifest.py

- videos.csv: `file` is a video or a folder of images, relative to the dataset. `file`, `subject`,
  `split` and `label` may be empty, or absent as columns.
- labels.csv may be absent where every video has its one label.
- boxes.csv may also be boxes.csv.gz or boxes.parquet: datasets/table_boxes.py.
"""

import csv
import dataclasses
import io
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from glidn.datasets.charades_pixels import VideoAt24
from glidn.datasets.columns import read_columns
from glidn.datasets.manifest import Manifest, read_manifest, write_manifest
from glidn.datasets.problems import Problem, Reader, Report
from glidn.datasets.table_boxes import BOXES_FILES, read_tracks, write_boxes
from glidn.errors import DataError, nearest
from glidn.files import write_error, write_text
from glidn.types import Dataset, Pixels, Segment, Video
from glidn.video import FrameFolder, VideoFile, frame_paths

VIDEOS, LABELS = "videos.csv", "labels.csv"
VIDEO_COLUMNS = ("video", "frames", "fps", "width", "height")
VIDEO_COLUMNS_OPTIONAL = ("file", "subject", "split", "label")
LABEL_COLUMNS = ("video", "label", "start", "end")
SPLITS = ("train", "test", "")
FASTEST = 10_000  # frames a second; above, it is the clock of a file and not its frame rate


@dataclass(frozen=True)
class _Row:
    """A row of videos.csv; `video` is None where it has a problem of its own."""

    line: int
    video: Video | None


@dataclass(frozen=True)
class _Timed:
    """A row of labels.csv."""

    line: int
    video: str
    segment: Segment


def read_table(root: Path, report: Report) -> Dataset:
    """Read a dataset folder; what cannot be read is reported and passed over."""
    rows = _read_videos(root, report)
    timed = _read_labels(root, rows, report)
    manifest = read_manifest(root, report)
    task, classes = _task_and_classes(manifest, rows, timed, report)
    readable = {name: row.video for name, row in rows.items() if row.video}
    tracks = read_tracks(root, readable, rows, manifest.person, report)

    segments: dict[str, list[Segment]] = {name: [] for name in readable}
    for row in sorted(timed, key=lambda row: (row.segment.start, row.segment.end)):
        segments[row.video].append(row.segment)
    videos = []
    for name, video in readable.items():
        if not tracks.get(name):
            mend = "Add its boxes to the table of boxes, or remove its row"
            report(Problem(VIDEOS, rows[name].line, f"the video {name!r} has no box", mend))
            continue
        videos.append(
            dataclasses.replace(video, tracks=tracks[name], segments=tuple(segments[name]))
        )
    by_subject = any(video.subject for video in videos)
    return Dataset(
        name=manifest.name or root.resolve().name,
        root=root,
        task=task,
        classes=classes,
        protocol=cast(
            Literal["subjects", "split"],
            manifest.protocol or ("subjects" if by_subject else "split"),
        ),
        videos=tuple(videos),
        person=manifest.person,
        licence=manifest.licence,
    )


def read_videos(root: Path, report: Report) -> Dataset:
    """The videos alone, without boxes and labels."""
    rows = _read_videos(root, report)
    manifest = read_manifest(root, report)
    return Dataset(
        name=manifest.name or root.resolve().name,
        root=root,
        task="multi",
        classes=(),
        protocol="split",
        videos=tuple(row.video for row in rows.values() if row.video),
        person=manifest.person,
    )


def write_table(dataset: Dataset, root: Path) -> None:
    """Write a dataset as a dataset folder; its pixels stay where they are, named by `file`.

    Raises:
        DataError: a file's own frames are not the dataset's, so that it would be read wrongly.
    """
    for video in dataset.videos:
        _check_frames(video)
    videos, labels = [], []
    for video in dataset.videos:
        file = os.path.relpath(video.pixels.source, root) if video.pixels else ""
        videos.append(
            (
                *(video.name, file, video.subject, video.split, video.label),
                *(video.frames, f"{video.fps:.10g}", video.width, video.height),
            )
        )
        for segment in video.segments:
            labels.append((video.name, segment.label, f"{segment.start:.6f}", f"{segment.end:.6f}"))
    header = ("video", "file", "subject", "split", "label", "frames", "fps", "width", "height")
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Aside first: an interruption must not leave the new videos beside the old boxes.
        with tempfile.TemporaryDirectory(dir=root, prefix=".writing.") as folder:
            aside = Path(folder)
            write_text(aside / VIDEOS, _csv(header, videos))
            write_text(aside / LABELS, _csv(LABEL_COLUMNS, labels))
            write_manifest(dataset, aside)
            write_boxes(dataset.videos, aside)
            for path in sorted(aside.iterdir()):
                path.replace(root / path.name)
        for name in set(BOXES_FILES) - {"boxes.csv"}:
            (root / name).unlink(missing_ok=True)  # of an earlier writing: two would contradict
    except OSError as error:
        raise write_error(root, error) from error


def _check_frames(video: Video) -> None:
    """A table counts the frames of the file itself; Charades, 24 a second whatever the file."""
    if not isinstance(video.pixels, VideoAt24):
        return
    every = np.arange(video.frames)
    if not np.array_equal(video.pixels.own(every), every):
        file = video.pixels.file
        raise DataError(
            f"{file.source} has {file.frames} frames, {file.fps:.4g} a second, and the dataset "
            f"counts {video.frames}, {video.fps:g} a second: a table of it would name other "
            "pictures, so none was written; use the frame dump, or copy the videos at that rate "
            f"(ffmpeg -i IN.mp4 -r {video.fps:g} OUT.mp4)."
        )


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _read_videos(root: Path, report: Report) -> dict[str, _Row]:
    path, numeric = root / VIDEOS, VIDEO_COLUMNS[1:]
    columns = read_columns(path, VIDEO_COLUMNS, VIDEO_COLUMNS_OPTIONAL, report, numeric=numeric)
    if columns is None:
        return {}
    frames, width, height = (
        columns.numbers(name, report, whole=True) for name in ("frames", "width", "height")
    )
    fps = columns.numbers("fps", report)
    texts = zip(
        *(columns.words(name) for name in ("video", "file", "subject", "split", "label")),
        strict=True,
    )
    rows: dict[str, _Row] = {}
    for at, (name, file, subject, split, label) in enumerate(texts):
        line = columns.line(at)
        count, rate, size = frames[at], fps[at], (width[at], height[at])
        wrong = _wrong_video(name, rows, split, count, rate, size)
        for what, mend in wrong:
            report(Problem(VIDEOS, line, what, mend))
        if name in rows:
            continue
        pixels, missing = _find_pixels(root, file, count)
        if missing:
            mend = "Correct the path, relative to the dataset, or leave it empty for boxes alone"
            report(Problem(VIDEOS, line, missing, mend))
        if wrong or missing or np.isnan([count, rate, *size]).any():
            rows[name] = _Row(line, None)
            continue
        rows[name] = _Row(
            line,
            Video(
                name=name,
                subject=subject,
                split=split,
                label=label,
                frames=int(count),
                fps=float(rate),
                width=int(size[0]),
                height=int(size[1]),
                tracks=(),
                pixels=pixels,
                source=f"{root / VIDEOS} line {line}",
            ),
        )
    if not rows:
        report(Problem(VIDEOS, None, "there is no video in it", "Give it one row per video"))
    return rows


def _wrong_video(
    name: str,
    rows: dict[str, _Row],
    split: str,
    frames: float,
    fps: float,
    size: tuple[float, float],
) -> list[tuple[str, str]]:
    """(what, mend) of everything wrong with a row; NaN has been reported before."""
    wrong = []
    if not name:
        wrong.append(("the video has no name", "Give every video a name of its own"))
    if name in rows:
        what = f"the video {name!r} was listed before, in line {rows[name].line}"
        wrong.append((what, "Give every video one row"))
    if split not in SPLITS:
        wrong.append((f"split is {split!r}", "Write train or test, or leave it empty"))
    if frames < 1:
        what = f"the video {name!r} is empty: it has {frames:g} frames"
        wrong.append((what, "Give the number of its frames, or remove its row"))
    if fps <= 0 or fps > FASTEST:
        wrong.append((f"fps is {fps:g}", "Give the frames a second, such as 30"))
    if min(size) <= 0:
        what = f"the frame is {size[0]:g}x{size[1]:g}"
        wrong.append((what, "Give width and height in pixels"))
    return wrong


def _find_pixels(root: Path, file: str, frames: float) -> tuple[Pixels | None, str]:
    """(how to read the frames, what is wrong with `file`); opens nothing."""
    if not file:
        return None, ""
    path = root / file
    if path.is_file():
        return VideoFile(path), ""
    if not path.is_dir():
        return None, f"the file {file!r} does not exist"
    paths = frame_paths(path)
    if len(paths) < frames:
        return None, f"the folder {file!r} holds {len(paths)} images, and frames is {frames:g}"
    return FrameFolder(paths), ""


def _read_labels(root: Path, rows: dict[str, _Row], report: Report) -> list[_Timed]:
    """The rows of labels.csv that can be used; none where the file is absent."""
    if not (root / LABELS).exists():
        return []
    path, numeric = root / LABELS, LABEL_COLUMNS[2:]
    columns = read_columns(path, LABEL_COLUMNS, (), report, numeric=numeric)
    if columns is None:
        return []
    start, end = columns.numbers("start", report), columns.numbers("end", report)
    timed = []
    for at, (name, label) in enumerate(
        zip(columns.words("video"), columns.words("label"), strict=True)
    ):
        line, row = columns.line(at), rows.get(name)
        wrong: tuple[str, str] | None = None
        if row is None:
            what = f"the video {name!r} is not in videos.csv{nearest(name, rows)}"
            wrong = (what, "Correct the name, or add the video to videos.csv")
        else:
            wrong = wrong_times(Segment(label, float(start[at]), float(end[at])), row.video)
        if wrong:
            report(Problem(LABELS, line, *wrong))
        elif row and row.video and not np.isnan(start[at] + end[at]):
            # Ends that were rounded up are allowed one frame, and cut to the video.
            segment = Segment(label, float(start[at]), min(float(end[at]), row.video.seconds))
            timed.append(_Timed(line, name, segment))
    return timed


def wrong_times(segment: Segment, video: Video | None) -> tuple[str, str] | None:
    """(what, mend) of a timed label that cannot be; ends may be rounded up by one frame."""
    label, start, end = segment.label, segment.start, segment.end
    if not label:
        return "the label is empty", "Name the label, or remove the row"
    if end <= start:
        what = f"the end, {end:g} s, is not after the start, {start:g} s"
        return what, "Give start and end in seconds"
    if video and (start < 0 or end > video.seconds + 1 / video.fps):
        what = (
            f"{label!r} from {start:g} to {end:g} s is not within the video of {video.seconds:g} s"
        )
        return what, "Give start and end in seconds of the video, not in frames"
    return None


def _task_and_classes(
    manifest: Manifest, rows: dict[str, _Row], timed: list[_Timed], report: Report
) -> tuple[Literal["single", "multi"], tuple[str, ...]]:
    """What is learnt: one label per video, or many with their times."""
    labelled = [(row.line, row.video.label) for row in rows.values() if row.video]
    single = (
        any(label for _, label in labelled) if manifest.task is None else manifest.task == "single"
    )
    if single:
        file, found = VIDEOS, labelled
    else:
        file, found = LABELS, [(row.line, row.segment.label) for row in timed]
        if not found:
            what = "no label was found, neither here nor in videos.csv"
            report(
                Problem(LABELS, None, what, "Fill the label column of videos.csv, or labels.csv")
            )
    classes = manifest.classes or tuple(sorted({label for _, label in found if label}))
    for line, label in found:
        if not label:
            mend = "Give every video its label, or write task: multi in dataset.yaml"
            report(Problem(file, line, "the label is empty", mend))
        elif label not in classes:
            what = f"label {label!r} is not one of the {len(classes)} classes"
            mend = "Correct the label, or add it to the classes in dataset.yaml"
            report(Problem(file, line, what + nearest(label, classes), mend))
    return "single" if single else "multi", classes


READER = Reader(marks=(VIDEOS,), read=read_table, videos=read_videos)
