"""Labels for videos whose annotations have none: a word for all, or a table.

video,label[,start,end][,subject][,split]        seconds; without times, the whole video
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from glidn.datasets.columns import read_columns
from glidn.datasets.importers.draft import Asked, Imported
from glidn.datasets.importers.names import video_name
from glidn.datasets.problems import Problem, raise_first
from glidn.datasets.table import SPLITS, wrong_times
from glidn.errors import DataError, few, nearest
from glidn.types import Segment, Video

NEEDED = ("video", "label")
OPTIONAL = ("start", "end", "subject", "split")


def labelled(found: Imported, asked: Asked) -> Imported:
    """The videos with the labels and subjects that the user gave.

    Raises:
        DataError: a video has no row in the table, or a row is not within its video.
    """
    named = tuple(
        replace(video, label=asked.label or video.label, subject=asked.subject or video.subject)
        for video in found.videos
    )
    named_only = replace(found, videos=named)
    return named_only if asked.labels is None else _from_table(named_only, asked.labels)


def _from_table(found: Imported, path: Path) -> Imported:
    columns = read_columns(path, NEEDED, OPTIONAL, raise_first, numeric=("start", "end"))
    if columns is None or not len(columns):
        raise DataError(f"{path.name}: there is no label in it; give a row per label.")
    known = {video.name: video for video in found.videos}
    start, end = (
        columns.numbers(name, raise_first, may_be_empty=True) for name in ("start", "end")
    )
    whole: dict[str, list[str]] = defaultdict(list)
    timed: dict[str, list[Segment]] = defaultdict(list)
    about: dict[str, dict[str, str]] = defaultdict(dict)
    others: dict[str, None] = {}
    rows = zip(
        *(columns.words(name) for name in ("video", "label", "subject", "split")), strict=True
    )
    for at, (name, label, subject, split) in enumerate(rows):
        # One table may hold the labels of all videos, of which some are imported at a time.
        video = known.get(name) or known.get(video_name(name))
        if video is None:
            others.setdefault(name)
            continue
        wrong: tuple[str, str] | None = None
        if split not in SPLITS:
            wrong = (f"split is {split!r}", "Write train or test, or leave it empty")
        segment = Segment(label, float(start[at]), float(end[at]))
        if not label:
            wrong = wrong or ("the label is empty", "Name the label, or remove the row")
        elif np.isnan(start[at]) != np.isnan(end[at]):
            wrong = wrong or ("start or end is empty", "Give both, or neither")
        elif not np.isnan(start[at]):
            wrong = wrong or wrong_times(segment, video)
        if wrong:
            raise_first(Problem(columns.file, columns.line(at), *wrong))
        if np.isnan(start[at]):
            whole[video.name].append(label)
        else:
            timed[video.name].append(replace(segment, end=min(segment.end, video.seconds)))
        about[video.name] |= {
            key: value for key, value in (("subject", subject), ("split", split)) if value
        }
    if lacking := [name for name in known if name not in about]:
        hint = nearest(lacking[0], others)
        raise DataError(
            f"{columns.file} has no row for {few(lacking)}{hint}; add its label, or correct a name."
        )
    notes = [f"{columns.file}: rows of {few(others)} are passed over"] if others else []
    videos = (_add(video, whole, timed, about[video.name]) for video in found.videos)
    return replace(found, videos=tuple(videos), notes=(*found.notes, *notes))


def _add(
    video: Video,
    whole: dict[str, list[str]],
    timed: dict[str, list[Segment]],
    about: dict[str, str],
) -> Video:
    labels = list(dict.fromkeys(whole[video.name]))
    segments = [*video.segments, *timed[video.name]]
    if len(labels) > 1:
        segments += [Segment(label, 0.0, video.seconds) for label in labels]
    segments.sort(key=lambda one: (one.start, one.end, one.label))
    label = labels[0] if len(labels) == 1 else video.label
    return replace(
        video,
        label=label,
        segments=tuple(segments),
        subject=about.get("subject", video.subject),
        split=about.get("split", video.split),
    )
