"""Imported videos -> our dataset folder: a new one, or one that they are added to."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

from glidn.datasets.importers.draft import Imported
from glidn.datasets.problems import raise_first
from glidn.datasets.table import VIDEOS, read_table, write_table
from glidn.errors import DataError, few
from glidn.types import Dataset, Segment, Video


def add(found: Imported, root: Path, person: str, force: bool = False) -> Dataset:
    """Write the videos into `root`, beside those that are there.

    Args:
        force: replace videos of the same names.

    Raises:
        DataError: a video is there already, the folder is something else, or the labels do not
            go with those that are there.
    """
    twice = [name for name, count in Counter(v.name for v in found.videos).items() if count > 1]
    if twice:
        raise DataError(
            f"{few(twice)}: several of the videos have this name; give every video a name of its "
            "own, or import them one by one with --name."
        )
    old = _old(root, person)
    names = {video.name for video in found.videos}
    there = [video.name for video in old.videos if video.name in names] if old else []
    if there and not force:
        raise DataError(
            f"{root} holds {few(there)} already, and nothing was written; give another --name, or "
            "replace what is there with --force."
        )
    kept = tuple(video for video in old.videos if video.name not in names) if old else ()
    videos, task = _one_task((*kept, *found.videos), old if kept else None, root)
    shown = {video.label for video in videos} if task == "single" else _timed(videos)
    classes = (old.classes if old else ()) + found.classes
    classes = (*dict.fromkeys(classes), *sorted(shown - set(classes)))
    by_split = all(video.split for video in videos)
    dataset = Dataset(
        name=old.name if old else root.resolve().name,
        root=root,
        task=task,
        classes=classes,
        protocol="split" if by_split or not any(video.subject for video in videos) else "subjects",
        videos=videos,
        person=person,
        licence=old.licence if old else "",
    )
    write_table(dataset, root)
    return dataset


def _old(root: Path, person: str) -> Dataset | None:
    """The dataset that is there; None where there is nothing."""
    if not (root / VIDEOS).exists():
        if root.exists() and (not root.is_dir() or any(root.glob("*.csv*"))):
            raise DataError(
                f"{root} exists and is no dataset of ours: it holds no {VIDEOS}; give another --to."
            )
        return None
    old = read_table(root, raise_first)
    if old.person != person:
        raise DataError(
            f"{root} calls people {old.person!r}, and --person is {person!r}; give the same word."
        )
    return old


def _one_task(
    videos: tuple[Video, ...], old: Dataset | None, root: Path
) -> tuple[tuple[Video, ...], Literal["single", "multi"]]:
    """One label a video if every video has one and nothing else was there; else many."""
    bare = [video.name for video in videos if not video.label]
    if old is not None and old.task == "single" and bare:
        raise DataError(
            f"{root} has one label a video, and {few(bare)} has none; name it: --label NAME, or "
            "--labels TABLE."
        )
    if not bare and (old is None or old.task == "single"):
        return videos, "single"
    return tuple(map(_as_many, videos)), "multi"


def _as_many(video: Video) -> Video:
    """A video's one label becomes a label of its whole time."""
    if not video.label:
        return video
    whole = Segment(video.label, 0.0, video.seconds)
    return replace(video, label="", segments=(whole, *video.segments))


def _timed(videos: tuple[Video, ...]) -> set[str]:
    return {segment.label for video in videos for segment in video.segments}
