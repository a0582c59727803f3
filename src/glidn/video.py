"""A video file or a folder of images -> frames, by number; and frames -> a video file.

Frame numbers count the shown frames from 0 in the order in which they are shown. Opening reads
nothing; only the frames asked for are decoded, and no more than their key frames force.
"""

import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glidn.errors import DataError
from glidn.files import replacing

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

# Containers in which a seek lands on the key frame asked for. MPEG-TS lands late.
SEEKS_EXACTLY = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"}

# What PIL raises for files that are missing, cut off or no image at all.
IMAGE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, zlib.error)


def frame_paths(folder: Path, prefix: str = "") -> list[Path]:
    """The images of a folder in the order of the last number in their names.

    CAD-120 keeps depth beside colour, as Depth_1.png beside RGB_1.png; depth is passed over.
    """
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.name.lower().endswith(IMAGE_SUFFIXES)
            and entry.name.startswith(prefix)
            and not entry.name.startswith((".", "Depth_"))
        ]
    return [folder / name for name in sorted(names, key=lambda name: (frame_number(name), name))]


def frame_number(name: str) -> int:
    """The last number in a file's name: RGB_17.png -> 17; -1 if there is none."""
    found = re.findall(r"\d+", Path(name).stem)
    return int(found[-1]) if found else -1


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels, from the header alone.

    Raises:
        DataError: the image is missing or unreadable.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except IMAGE_ERRORS as error:
        raise DataError(f"the image {path} cannot be read: {_reason(error)}.") from error


class FrameFolder:
    """A video as images, one a frame; paths[0] is frame 0. All have the same size."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.source = str(paths[0].parent) if paths else "an empty folder of frames"

    def read(self, frames: np.ndarray) -> np.ndarray:
        """(n,) frame numbers -> (n, height, width, 3) uint8, RGB."""
        wanted, back = np.unique(frames, return_inverse=True)
        return np.stack(list(self.each(wanted)))[back]

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """(n,) rising frame numbers -> (height, width, 3) uint8, RGB, one after the other."""
        _check_range(self.source, frames, len(self.paths))
        first = None
        for frame in frames.tolist():
            image = _read_image(self.paths[frame], frame)
            first = image.shape if first is None else first
            if image.shape != first:
                raise DataError(
                    f"{self.paths[frame]} (frame {frame}) is {image.shape[1]}x{image.shape[0]} "
                    f"and {self.paths[frames[0]].name} is {first[1]}x{first[0]}; the images of "
                    "one video must have one size."
                )
            yield image

    def files(self, frames: np.ndarray) -> list[Path]:
        """The images that these frames are read from."""
        return [self.paths[frame] for frame in np.unique(frames)]


class VideoFile:
    """A video file, read frame-accurately through PyAV: seek to a key frame, decode on from there.

    Args:
        threads: of the decoder.
    """

    def __init__(self, path: Path, threads: int = 2) -> None:
        self.path = path
        self.threads = threads
        self.source = str(path)

    @property
    def frames(self) -> int:
        return len(self._index.pts)

    @property
    def fps(self) -> float:
        """Frames a second, on average over the whole file."""
        return self._index.fps

    @property
    def width(self) -> int:
        """Pixels, as shown: a video filmed upright is higher than wide."""
        return self._index.size[0]

    @property
    def height(self) -> int:
        return self._index.size[1]

    @cached_property
    def times(self) -> np.ndarray:
        """(F,) float64: when each frame is shown, in seconds after the first."""
        return (self._index.pts - self._index.pts[0]) * float(self._index.time_base)

    @cached_property
    def declared(self) -> float:
        """Seconds that the file says its pictures last; 0 where it does not."""
        import av

        with _errors_of(self.path), av.open(str(self.path)) as container:
            stream = _video_stream(container, self.path)
            if stream.duration and stream.time_base:
                return float(stream.duration * stream.time_base)
            return (container.duration or 0) / av.time_base

    @cached_property
    def _index(self) -> "_Index":
        with _errors_of(self.path):
            return _read_index(self.path)

    def read(self, frames: np.ndarray) -> np.ndarray:
        """(n,) frame numbers -> (n, height, width, 3) uint8, RGB, upright."""
        wanted, back = np.unique(frames, return_inverse=True)
        return np.stack(list(self.each(wanted)))[back]

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """(n,) rising frame numbers -> (height, width, 3) uint8, RGB, one after the other."""
        _check_range(self.source, frames, self.frames)
        with _errors_of(self.path):
            yield from _decode(self.path, self._index, frames, self.threads)

    def files(self, frames: np.ndarray) -> list[Path]:
        """The video file, whatever the frames."""
        return [self.path]


def write_video(
    path: Path, frames: Iterable[np.ndarray], fps: float | Fraction, repeatable: bool = False
) -> None:
    """Write (height, width, 3) uint8 RGB frames as H.264 that every browser plays.

    H.264 stores colour for blocks of 2x2 pixels, so an odd width or height is made even by
    repeating the last column or row.

    Args:
        repeatable: the same bytes for the same frames. Else libx264 chooses its threads by the
            machine, and the bytes depend on them; with mbtree, frames of 48x64 also came out in
            two or three ways on one machine, by what happened to lie in memory.
    """
    import av

    options: dict[str, object] = {"crf": "20", "preset": "veryfast"}
    if repeatable:
        options |= {"threads": "1", "x264-params": "mbtree=0"}

    with (
        replacing(path) as temporary,
        av.open(str(temporary), "w", options={"movflags": "+faststart"}) as container,
    ):
        stream = None
        for image in frames:
            height, width = image.shape[:2]
            if stream is None:
                # 90,000 ticks are enough for any rate that cameras use, 30000/1001 included.
                stream = container.add_stream(
                    "libx264", rate=Fraction(fps).limit_denominator(90_000)
                )
                stream.pix_fmt = "yuv420p"
                stream.width, stream.height = width + width % 2, height + height % 2
                stream.options = options
            even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        if stream is None:
            raise DataError(f"{path} was not written: there are no frames to write.")
        container.mux(stream.encode())


@dataclass(frozen=True)
class _Index:
    """Where the frames of a file are.

    Attributes:
        pts: (F,) int64, rising: when each shown frame is shown, in `time_base` seconds.
        keys: (k,) int64: the pts of the key frames, where decoding can begin.
    """

    pts: np.ndarray
    keys: np.ndarray
    time_base: Fraction
    fps: float
    size: tuple[int, int]
    seeks: bool


def _read_index(path: Path) -> _Index:
    """Read the packets without decoding them, and the first frame for the size as shown."""
    import av

    with av.open(str(path)) as container:
        stream = _video_stream(container, path)
        time_base = stream.time_base
        seeks = container.format.name in SEEKS_EXACTLY
        packets: list[tuple[int, bool]] = []  # (pts, is key frame)
        for packet in container.demux(stream):
            # The packet in which a file was cut off; MPEG-TS has such at its beginning, too.
            if packet.is_corrupt and seeks:
                raise DataError(
                    f"the video {path} is damaged or cut off after frame {len(packets)}; copy or "
                    "download it again."
                )
            # Packets marked to be discarded lie outside an edit list's cut: never shown.
            if packet.pts is not None and not packet.is_discard:
                packets.append((packet.pts, packet.is_keyframe))
    if not packets:
        raise DataError(
            f"the video {path} holds no frame with a time; put it into a container: "
            f"ffmpeg -i {path.name} {path.stem}.mp4"
        )
    pts = np.unique([moment for moment, _ in packets])
    keys = np.unique([moment for moment, key in packets if key])
    with av.open(str(path)) as container:
        first = next(container.decode(_video_stream(container, path)), None)
        if first is None:
            raise DataError(f"{path}: not one frame can be decoded.")
        upright = first.rotation % 180 == 0
        size = (first.width, first.height) if upright else (first.height, first.width)
    shown = float((pts[-1] - pts[0]) * time_base)
    fps = (len(pts) - 1) / shown if shown > 0 else float(stream_rate(path))
    return _Index(pts, keys, time_base, fps, size, seeks)


def stream_rate(path: Path) -> Fraction:
    """The frame rate that a file declares: all there is to know where it has a single frame."""
    import av

    with av.open(str(path)) as container:
        return _video_stream(container, path).average_rate or Fraction(1)


def _decode(path: Path, index: _Index, wanted: np.ndarray, threads: int) -> Iterator[np.ndarray]:
    """Yield the wanted frames (rising), each (height, width, 3) uint8, turned upright."""
    import av
    from av.video.reformatter import VideoReformatter

    with av.open(str(path)) as container:
        stream = _video_stream(container, path)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads
        # Without this, FFmpeg paints over damaged bytes and says nothing.
        stream.codec_context.options = {"err_detect": "explode"}
        decoded = container.decode(stream)
        # Kept, because a new one for every frame takes longer than decoding a small frame.
        to_rgb = VideoReformatter()
        at = index.pts[0] - 1
        for number in wanted:
            target = index.pts[number]
            key = index.keys[max(np.searchsorted(index.keys, target, "right") - 1, 0)]
            if index.seeks and at < key <= target and key > index.pts[0]:
                container.seek(int(key), stream=stream)
                decoded = container.decode(stream)
            frame = next((frame for frame in decoded if frame.pts >= target), None)
            if frame is None or frame.pts != target:
                raise DataError(f"{path}: frame {number} cannot be decoded; the file is damaged.")
            at = target
            image = to_rgb.reformat(frame, format="rgb24").to_ndarray()
            yield np.ascontiguousarray(np.rot90(image, frame.rotation // 90 % 4))


def _video_stream(container: Any, path: Path) -> Any:
    if not container.streams.video:
        raise DataError(f"{path} has no video stream.")
    return container.streams.video[0]


def _check_range(source: str, wanted: np.ndarray, frames: int) -> None:
    """`wanted` is sorted."""
    if len(wanted) and (wanted[0] < 0 or wanted[-1] >= frames):
        outside = wanted[0] if wanted[0] < 0 else wanted[-1]
        raise DataError(f"{source} has no frame {outside}: it has {frames}, counted from 0.")


def _read_image(path: Path, frame: int) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except IMAGE_ERRORS as error:
        raise DataError(
            f"the image {path} (frame {frame}) cannot be read: {_reason(error)}."
        ) from error


class _errors_of:  # noqa: N801  reads as the `with` statement that it is
    """Turn FFmpeg's errors into one sentence that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        if not self.path.is_file():
            raise DataError(f"the video {self.path} does not exist.")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import av

        if isinstance(error, av.FFmpegError):
            raise DataError(
                f"the video {self.path} cannot be decoded: {_reason(error)}."
            ) from error


def _reason(error: Exception) -> str:
    """What went wrong in a few words, without the path, which the sentence names already."""
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is empty, cut off, or not an image"
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return words.rstrip(".")
