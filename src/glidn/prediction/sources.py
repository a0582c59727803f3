"""What a user points at -> videos: files, folders of frames, folders of videos, datasets."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from glidn import datasets
from glidn.datasets.problems import raise_first
from glidn.datasets.table_boxes import read_file
from glidn.errors import DataError, nearest
from glidn.types import Pixels, Video
from glidn.video import (
    IMAGE_ERRORS,
    IMAGE_SUFFIXES,
    FrameFolder,
    VideoFile,
    frame_paths,
    image_size,
)

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".m2ts"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".mts"),
)
# Frames may be shown a little early or late; more than this is a variable rate.
STEADY = 1.0  # of the mean time between two frames
CUT = 0.05  # of its declared length that a file may lack and yet be whole
LEAST_SIDE = 16  # pixels
WANTED = "give an mp4, mov, webm, mkv or avi file"


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
    if only and not any(source.dataset for source in found):
        raise DataError(
            f"--only {' '.join(only)} chooses videos of a dataset, and {', '.join(words)} is none; "
            "name the files themselves."
        )
    return _named_apart(found)


def _at(path: Path, fps: float, only: Sequence[str], listed: bool) -> list[Source]:
    if not path.exists():
        raise DataError(f"{path} does not exist; give a video, a folder or a pattern.")
    if not path.is_file() and not path.is_dir():
        raise DataError(f"{path} is neither a file nor a folder; give a video, or a folder.")
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
        DataError: it is no video, or is damaged, or there is nothing to see in it.
    """
    check_content(path)
    pixels = VideoFile(path)
    if pixels.frames < 2:
        raise DataError(f"{path} holds a single picture, and what is done shows in motion.")
    if min(pixels.width, pixels.height) < LEAST_SIDE:
        raise DataError(
            f"{path} is {pixels.width}x{pixels.height} pixels; nothing can be seen in less than "
            f"{LEAST_SIDE}x{LEAST_SIDE}."
        )
    return _bare(path.stem, pixels, pixels.frames, pixels.fps, (pixels.width, pixels.height))


def check_content(path: Path, formats: str = "") -> None:
    """Refuse a file that is no video by what it holds; its name does not matter.

    Args:
        formats: of FFmpeg's, the only ones that may be read; "": all.

    Raises:
        DataError: it is none.
    """
    import av

    if not path.exists():
        raise DataError(f"{path} does not exist; check its name.")
    if not path.stat().st_size:
        raise DataError(f"{path} is empty; copy or download it again.")
    if path.suffix.lower() in IMAGE_SUFFIXES or _is_image(path):
        raise DataError(
            f"{path} is a still image, and what is done shows in motion; {WANTED}, or a folder of "
            "frames."
        )
    try:
        with av.open(str(path), options={"format_whitelist": formats} if formats else {}) as file:
            if not file.streams.video:
                raise DataError(f"{path} holds sound and no picture; {WANTED}.")
    except av.FFmpegError as error:
        with path.open("rb") as content:
            begins_as_mp4 = content.read(8)[4:] == b"ftyp"
        if begins_as_mp4:
            raise DataError(
                f"{path} begins as an mp4 does, and has no end: it was cut off; copy or download "
                "it again."
            ) from error
        raise DataError(
            f"{path} is no video that can be read, whatever its name says; {WANTED}."
        ) from error


def _is_image(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return not getattr(image, "is_animated", False)
    except IMAGE_ERRORS:
        return False


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
            f"{table} has no box of the video {video.name}; its column `video` must say that name."
        )
    return replace(video, tracks=tracks)


def unsteady(video: Video) -> bool:
    """Whether the time between frames varies, so that times are only nearly right."""
    if not isinstance(video.pixels, VideoFile) or video.frames < 3:
        return False
    even = np.arange(video.frames) / video.fps
    return bool(np.abs(video.pixels.times - even).max() > STEADY / video.fps)


def ends_early(video: Video) -> str:
    """A sentence about a file that holds less than it says, as when it was cut off; or ""."""
    if not isinstance(video.pixels, VideoFile):
        return ""
    shown, declared = video.seconds, video.pixels.declared
    if declared <= shown * (1 + CUT) + 1:
        return ""
    return (
        f"the file says that it lasts {declared:.1f} s, and its pictures end after {shown:.1f} s: "
        "it may have been cut off."
    )


def _named_apart(found: Sequence[Source]) -> list[Source]:
    """Names are folders: the second clip.mp4 becomes clip-2."""
    count: dict[str, int] = {}
    named = []
    for source in found:
        count[source.name] = count.get(source.name, 0) + 1
        number = count[source.name]
        named.append(source if number == 1 else replace(source, name=f"{source.name}-{number}"))
    return named
