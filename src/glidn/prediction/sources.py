"""What a user points at -> videos: files, folders of frames, folders of videos, datasets."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from glidn import datasets
from glidn.datasets.problems import raise_first
from glidn.datasets.table_boxes import read_file
from glidn.errors import DataError, nearest
from glidn.types import Pixels, Video
from glidn.video import IMAGE_SUFFIXES, FrameFolder, VideoFile, frame_paths, image_size

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".mts"),
)
# Frames may be shown a little early or late; more than this is a variable rate.
STEADY = 1.5  # of the usual time between two frames


@dataclass(frozen=True)
class Source:
    """A video that is not opened yet, so that a broken one costs only itself.

    Attributes:
        name: for its folder of results.
        open: gives the video, with tracks where it brings boxes.
        dataset: the name of the dataset that it is from; "" for a file.
    """

    name: str
    open: Callable[[], Video]
    dataset: str = ""


def find(words: Sequence[str], fps: float, only: Sequence[str] = ()) -> list[Source]:
    """Every video that is meant.

    Args:
        words: files, folders, datasets, patterns such as clips/*.mp4.
        fps: of folders of frames.
        only: names of videos of a dataset; empty: all.

    Raises:
        DataError: a word names nothing, or no video.
    """
    found: list[Source] = []
    for word in words:
        # Of the whole word, which may be absolute; Path.glob is for patterns below a folder.
        paths = [Path(match) for match in sorted(glob.glob(word))] or [Path(word)]  # noqa: PTH207
        for path in paths:
            found += _at(path, fps, only, listed=len(paths) > 1)
    if not found:
        raise DataError(f"{', '.join(words)}: there is no video.")
    return _named_apart(found)


def _at(path: Path, fps: float, only: Sequence[str], listed: bool) -> list[Source]:
    if not path.exists():
        raise DataError(f"{path} does not exist; give a video, a folder or a pattern.")
    if path.is_file():
        return [Source(path.stem, partial(open_file, path))]
    try:
        kind = datasets.recognise(path)
    except DataError:
        kind = ""
    if kind:
        return _of_dataset(path, kind, only)
    if frame_paths(path):
        return [Source(path.name, partial(open_frames, path, fps))]
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
    if not files and not listed:
        raise DataError(
            f"{path} holds neither videos ({', '.join(VIDEO_SUFFIXES[:5])}, ...) nor frames."
        )
    return [Source(file.stem, partial(open_file, file)) for file in files]


def _of_dataset(root: Path, kind: str, only: Sequence[str]) -> list[Source]:
    dataset = datasets.load(root, kind)
    videos = {video.name: video for video in dataset.videos}
    for name in only:
        if name not in videos:
            raise DataError(f"{root} has no video {name}{nearest(name, videos)}.")
    chosen = [videos[name] for name in only or videos]
    return [Source(video.name, partial(_same, video), dataset.name) for video in chosen]


def _same(video: Video) -> Video:
    return video


def open_file(path: Path) -> Video:
    """A video file, its index read.

    Raises:
        DataError: it is no video, or is damaged.
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise DataError(
            f"{path} is a still image, and what is done shows in motion; give a video, or a "
            "folder of frames."
        )
    pixels = VideoFile(path)
    return _bare(path.stem, pixels, pixels.frames, pixels.fps, (pixels.width, pixels.height))


def open_frames(folder: Path, fps: float) -> Video:
    """A folder of images, one a frame.

    Raises:
        DataError: the first cannot be read.
    """
    paths = frame_paths(folder)
    return _bare(folder.name, FrameFolder(paths), len(paths), fps, image_size(paths[0]))


def _bare(name: str, pixels: Pixels, frames: int, fps: float, size: tuple[int, int]) -> Video:
    """A video of which nothing is known but its pixels."""
    return Video(
        name=name,
        subject="",
        split="",
        label="",
        frames=frames,
        fps=fps,
        width=size[0],
        height=size[1],
        tracks=(),
        pixels=pixels,
        source=pixels.source,
    )


def with_boxes(video: Video, table: Path, person: str) -> Video:
    """The video with its boxes from a table.

    Raises:
        DataError: the table is wrong, or holds boxes of other videos only, or of another size.
    """
    if not table.is_file():
        raise DataError(f"--boxes: {table} does not exist.")
    tracks = read_file(table, replace(video, tracks=()), person, raise_first)
    if not tracks:
        raise DataError(
            f"{table} has no box of the video {video.name}; write its name in the column video, "
            "or leave that out."
        )
    return replace(video, tracks=tracks)


def unsteady(video: Video) -> bool:
    """Whether the time between frames varies, so that times are only nearly right."""
    if not isinstance(video.pixels, VideoFile) or video.frames < 3:
        return False
    apart = np.diff(video.pixels.times)
    return bool(apart.max() > STEADY * max(float(np.median(apart)), 1e-9))


def _named_apart(found: Sequence[Source]) -> list[Source]:
    """Names are folders: the second clip.mp4 becomes clip-2."""
    count: dict[str, int] = {}
    named = []
    for source in found:
        count[source.name] = count.get(source.name, 0) + 1
        number = count[source.name]
        named.append(source if number == 1 else replace(source, name=f"{source.name}-{number}"))
    return named
