"""Where the frames of a Charades video are: an mp4 file, or a folder of the official frame dump.

Both are read as the same frames: those that ffmpeg's fps=24 makes, by which the dumps were made.
Frame n is thus the same picture in every copy, whatever the camera's own rate.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from glidn.errors import DataError
from glidn.types import Pixels
from glidn.video import FrameFolder, VideoFile, image_size

FPS = 24
# In the official files, actions end up to 1.54 s after their video; more is another video.
SLACK = 2.0
# Looked for in this order; the first that exists is read.
VIDEO_FOLDERS = ("Charades_v1_480", "Charades_v1")
DUMP_FOLDER = "Charades_v1_rgb"


class VideoAt24:
    """A video file of any frame rate as `frames` frames, 24 a second.

    Frame n is the last one shown before the middle of its 24th of a second, as with ffmpeg's
    fps=24. The official length may differ a little from the file's: then the last frame stays.
    """

    def __init__(self, path: Path, frames: int) -> None:
        self.file = VideoFile(path)
        self.frames = frames
        self.source = str(path)

    def read(self, frames: np.ndarray) -> np.ndarray:
        """(n,) frame numbers -> (n, height, width, 3) uint8, RGB, upright."""
        return self.file.read(self.own(frames))

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """(n,) rising frame numbers -> (height, width, 3) uint8, RGB, one after the other."""
        # A slow camera's frame stands for several of ours, and is decoded once.
        own, times = np.unique(self.own(frames), return_counts=True)
        for image, shown in zip(self.file.each(own), times.tolist(), strict=True):
            for _ in range(shown):
                yield image

    def own(self, frames: np.ndarray) -> np.ndarray:
        """(n,) frame numbers -> (n,) numbers of the file's own frames that they show.

        Raises:
            DataError: there is no such frame, or the file is of another video.
        """
        for frame in frames[(frames < 0) | (frames >= self.frames)]:
            raise DataError(
                f"{self.source} has no frame {frame}: it has {self.frames}, counted from 0."
            )
        times = self.file.times
        lasts, listed = times[-1] + 1 / self.file.fps, self.frames / FPS
        if abs(lasts - listed) > SLACK:
            raise DataError(
                f"the video {self.source} lasts {lasts:.2f} s, and its row gives {listed:.2f} s; "
                "one of them is of another video."
            )
        # A microsecond, so that rounding cannot decide about frames on the very border.
        until = (frames + 0.5) / FPS - 1e-6
        return np.searchsorted(times, until) - 1

    def files(self, frames: np.ndarray) -> list[Path]:
        """The video file, whatever the frames."""
        return self.file.files(frames)


class FrameDump:
    """A folder <id> of <id>-000001.jpg, ..., 24 a second.

    As with a video file, the official length may differ a little: then the last image stays. The
    folder is never listed: all of them together hold seven million files.
    """

    def __init__(self, folder: Path, frames: int) -> None:
        self.folder = folder
        self.frames = frames
        self.source = str(folder)

    def image(self, frame: int) -> Path:
        return self.folder / f"{self.folder.name}-{frame + 1:06}.jpg"

    def read(self, frames: np.ndarray) -> np.ndarray:
        """(n,) frame numbers -> (n, height, width, 3) uint8, RGB."""
        return self._images().read(frames)

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """(n,) rising frame numbers -> (height, width, 3) uint8, RGB, one after the other."""
        return self._images().each(frames)

    def _images(self) -> FrameFolder:
        too_late = self.image(self.frames + round(SLACK * FPS))
        if too_late.exists():
            raise DataError(
                f"{self.source} holds {too_late.name}, and its row gives {self.frames / FPS:.2f} "
                f"s, which are {self.frames} frames; one of them is of another video."
            )
        last = self.frames - 1
        while last > max(self.frames - 1 - SLACK * FPS, 0) and not self.image(last).exists():
            last -= 1
        return FrameFolder([self.image(min(number, last)) for number in range(self.frames)])

    def files(self, frames: np.ndarray) -> list[Path]:
        """The images that these frames are read from."""
        return [self.image(frame) for frame in np.unique(frames).tolist()]


def pixel_folder(root: Path) -> Path | None:
    """The folder that holds a copy's videos or frames; None if there is none."""
    folders = (root / name for name in (*VIDEO_FOLDERS, DUMP_FOLDER))
    return next((folder for folder in folders if folder.is_dir()), None)


def find_pixels(folder: Path, video: str, frames: int) -> tuple[Pixels, tuple[int, int]]:
    """How to read a video's frames, and their (width, height), from a header alone.

    Raises:
        DataError: the video is missing, empty or cut off; the message names it by its folder.
    """
    if folder.name == DUMP_FOLDER:
        dump = FrameDump(folder / video, frames)
        if not dump.folder.is_dir():
            raise DataError(f"the folder {folder.name}/{video} is missing.")
        return dump, image_size(dump.image(0))
    path = folder / f"{video}.mp4"
    name = f"{folder.name}/{path.name}"
    if not path.is_file():
        raise DataError(f"the video {name} is missing.")
    if not path.stat().st_size:
        raise DataError(f"the video {name} is empty.")
    return VideoAt24(path, frames), mp4_size(path, name)


def mp4_size(path: Path, name: str) -> tuple[int, int]:
    """(width, height) of the frames as shown, from the header (ISO/IEC 14496-12).

    FFmpeg takes 15 ms to open a file, which for the 9,848 videos of Charades is minutes at every
    start; this takes a tenth of a millisecond, and finds what a broken download left.

    Args:
        name: what errors call the file.

    Raises:
        DataError: it is cut off, or no mp4 file with a video.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        whole = (0, len(data))
        try:
            if next(_boxes(data, whole))[0] != b"ftyp":
                raise DataError(f"the file {name} is no mp4 video.")
            (header,) = _inside(data, whole, b"moov")
            for track in _inside(data, header, b"trak"):
                if next(_inside(data, track, b"mdia", b"minf", b"vmhd"), None):
                    return _track_size(data, track)
        except (ValueError, StopIteration, struct.error) as error:
            raise DataError(f"the video {name} is cut off or damaged.") from error
    raise DataError(f"the file {name} has no video stream.")


Span = tuple[int, int]  # of bytes: the first, and the one after the last


def _track_size(data: mmap.mmap, track: Span) -> tuple[int, int]:
    """The size of a video track's frames; swapped where the file says to turn them upright."""
    ((sample, _),) = _inside(data, track, b"mdia", b"minf", b"stbl", b"stsd")
    # Version and count (8 bytes), then the first entry: its size and name (8), and 24 bytes on.
    width, height = struct.unpack_from(">HH", data, sample + 8 + 8 + 24)
    ((start, _),) = _inside(data, track, b"tkhd")
    matrix = start + (52 if data[start] == 1 else 40)  # version 1 has longer times
    along, across = struct.unpack_from(">ii", data, matrix)
    return (height, width) if across and not along else (width, height)


def _inside(data: mmap.mmap, span: Span, kind: bytes, *deeper: bytes) -> Iterator[Span]:
    """The contents of the boxes of that kind, or of those further in."""
    for found, start, end in _boxes(data, span):
        if found == kind and deeper:
            yield from _inside(data, (start, end), *deeper)
        elif found == kind:
            yield start, end


def _boxes(data: mmap.mmap, span: Span) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start and end of the content) of every box in a span.

    Raises:
        ValueError: one of them reaches past the span: the file is cut off.
    """
    at, end = span
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if size == 1:  # too large for 32 bits
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        after = end if size == 0 else at + size
        if not start <= after <= end:
            raise ValueError(kind)
        yield kind, start, after
        at = after
