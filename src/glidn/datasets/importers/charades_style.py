"""A copy of Charades, or own annotations in its layout: the csv files and classes, boxes if any."""

from dataclasses import replace
from pathlib import Path

from glidn.datasets.charades import READER
from glidn.datasets.importers.draft import Asked, Imported
from glidn.datasets.problems import raise_first
from glidn.errors import DataError, few


def read(source: Path, asked: Asked) -> Imported:
    """What the reader of Charades finds; sizes of videos that are not there are as asked.

    Raises:
        DataError: its first problem, or the size of a video is unknown.
    """
    if not source.is_dir() or not READER.recognises(source):
        raise DataError(
            f"{source} is not in Charades' layout; give a folder with Charades_v1_train.csv, "
            "Charades_v1_test.csv and Charades_v1_classes.txt."
        )
    dataset = READER.read(source, raise_first)
    unsized = [video.name for video in dataset.videos if not video.width]
    if unsized and not asked.size:
        raise DataError(
            f"{source} holds no videos, so the size of {few(unsized)} is unknown; put them into "
            "Charades_v1_480, or give --size WIDTHxHEIGHT."
        )
    width, height = asked.size or (0, 0)
    videos = (
        video if video.width else replace(video, width=width, height=height)
        for video in dataset.videos
    )
    return Imported(tuple(videos), dataset.classes)
