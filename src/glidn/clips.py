"""Where clips are cut from videos: which frames, which crop, which boxes, which labels.

Training draws one look at a time; the test takes 10 clips by 3 crops (section 4.2). Times are
counted on a grid of `ClipsConfig.fps` frames a second, whatever the video's own rate.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from glidn.boxes import clip as clip_boxes
from glidn.config import ClipsConfig
from glidn.errors import DataError
from glidn.types import Video

# A box that a crop leaves less than this of, in pixels of the crop, shows nothing.
LEAST = 1.0
CHUNK = 16  # whole frames held at a time


@dataclass(frozen=True)
class Look:
    """One clip of one video, and how it is seen.

    Attributes:
        first: the clip's first frame on the grid.
        short: the frame's short side after scaling, pixels.
        across, down: 0..1, where the crop lies in the room that it has.
        size: the crop's side, pixels.
        mirror: left becomes right.
    """

    first: int
    short: int
    across: float
    down: float
    size: int
    mirror: bool = False


def training_look(video: Video, config: ClipsConfig, number: int, seed: int = 0) -> Look:
    """Look `number` at a training video; the same for the same video, number and seed.

    A video that is shorter than a clip is taken from its beginning, and its last frame stays.
    """
    name = zlib.crc32(video.name.encode())
    rng = np.random.default_rng((name, number, seed))
    return Look(
        first=int(rng.integers(_room(video, config) + 1)),
        short=int(rng.integers(config.short[0], config.short[1] + 1)),
        across=float(rng.random()),
        down=float(rng.random()),
        size=config.size,
        mirror=bool(config.mirror and rng.random() < 0.5),
    )


def views(video: Video, config: ClipsConfig) -> list[Look]:
    """The looks at a test video: clips spread evenly, ends included, by crops along the long side.

    A single clip, and a single crop, is the middle one.
    """
    looks = []
    room, size = _room(video, config), config.test_size
    for clip in range(config.test_clips):
        gaps = config.test_clips - 1
        first = round(clip * room / gaps) if gaps else room // 2
        for crop in range(config.test_crops):
            at = crop / 2 if config.test_crops == 3 else 0.5
            # Scaled to the crop's side, a frame leaves room along its long side only.
            looks.append(Look(first, size, across=at, down=at, size=size))
    return looks


def is_short(video: Video, config: ClipsConfig) -> bool:
    """Whether a clip reaches past the end of its video."""
    return _length(video, config) < _span(config)


def _span(config: ClipsConfig) -> int:
    return (config.frames - 1) * config.rate + 1


def _length(video: Video, config: ClipsConfig) -> int:
    """Frames of a video on the grid; at least one."""
    return max(round(video.seconds * config.fps), 1)


def _room(video: Video, config: ClipsConfig) -> int:
    """The last frame of the grid at which a clip can begin."""
    return max(_length(video, config) - _span(config), 0)


def frames_of(video: Video, look: Look, config: ClipsConfig) -> np.ndarray:
    """(F,) int64, rising: the frames of a look, as the dataset numbers them.

    Each is the last one shown before the middle of its place on the grid, as with ffmpeg's fps
    filter; where the video has ended, its last frame stays.
    """
    grid = look.first + np.arange(config.frames) * config.rate
    own = np.ceil((grid + 0.5) / config.fps * video.fps - 1e-6).astype(np.int64) - 1
    return np.clip(own, 0, video.frames - 1)


def labels_of(video: Video, look: Look, config: ClipsConfig, classes: Sequence[str]) -> np.ndarray:
    """(K,) float32: 1 for every class whose time meets the clip's (PROTOCOL of Charades).

    A video with a single label has it in every clip.
    """
    start = look.first / config.fps
    end = start + (_span(config) - 1) / config.fps
    shown = {
        segment.label for segment in video.segments if segment.start <= end and segment.end >= start
    }
    if video.label:
        shown = {video.label}
    return np.array([name in shown for name in classes], np.float32)


def scaled(width: int, height: int, short: int) -> tuple[int, int]:
    """(width, height) of a frame whose short side becomes `short`, in whole pixels."""
    if width < height:
        return short, int(height / width * short)
    return int(width / height * short), short


def corner(look: Look, width: int, height: int) -> tuple[int, int]:
    """(left, top) of a look's crop in the scaled frame, pixels."""
    wide, high = scaled(width, height, look.short)
    return round(look.across * (wide - look.size)), round(look.down * (high - look.size))


def scale(frame: np.ndarray | Tensor, short: int) -> Tensor:
    """(..., height, width, 3) uint8 -> the same with the short side `short`, bilinear.

    Without smoothing before it shrinks, as the published weights were trained.
    """
    x = torch.as_tensor(frame)
    height, width = x.shape[-3:-1]
    wide, high = scaled(width, height, short)
    if (wide, high) == (width, height):
        return x
    planes = x.reshape(-1, height, width, 3).movedim(-1, 1)
    found = F.interpolate(planes, (high, wide), mode="bilinear", align_corners=False)
    return found.movedim(1, -1).reshape(*x.shape[:-3], high, wide, 3)


class Kept:
    """Decoded videos that stay in memory, the first that fit; shared by all who read them.

    Args:
        most: bytes.
    """

    def __init__(self, most: float) -> None:
        self._room = most
        self._videos: dict[str, np.ndarray] = {}

    def each(self, video: Video, frames: np.ndarray) -> Iterator[np.ndarray]:
        """(n,) rising frame numbers -> (height, width, 3) uint8 frames, decoded or remembered."""
        assert video.pixels is not None
        size = video.frames * video.width * video.height * 3
        if video.name not in self._videos and size <= self._room:
            self._videos[video.name] = video.pixels.read(np.arange(video.frames))
            self._room -= size
        if video.name in self._videos:
            return iter(self._videos[video.name][frames])
        return video.pixels.each(frames)


def decode(video: Video, frames: np.ndarray, short: int, kept: Kept | None = None) -> Tensor:
    """(n,) rising frame numbers, each decoded once -> (n, height, width, 3) uint8, scaled.

    Whole frames are held a few at a time only, however large and many they are.

    Args:
        kept: videos that are in memory already, or may stay there.

    Raises:
        DataError: the video has no pixels, or cannot be read; the message names it.
    """
    if video.pixels is None:
        raise DataError(
            f"{video.source}: video {video.name} has no pixels, and region nodes need them; put "
            "the videos beside the csv files, or use geometry nodes."
        )
    parts = []
    several: list[np.ndarray] = []
    found = kept.each(video, frames) if kept else video.pixels.each(frames)
    for number, frame in enumerate(found, start=1):
        if number == 1 and frame.shape[1::-1] != (video.width, video.height):
            raise DataError(
                f"{video.pixels.source}: its frames are {frame.shape[1]}x{frame.shape[0]}, and "
                f"its boxes are for {video.width}x{video.height}; run glidn check."
            )
        several.append(frame)
        if len(several) == CHUNK or number == len(frames):
            parts.append(scale(np.stack(several), short))
            several = []
    return torch.cat(parts)


def cut(frames: Tensor, look: Look, left: int, top: int) -> Tensor:
    """(F, height, width, 3) scaled frames -> (3, F, size, size), mirrored where the look says so.

    Still a view of `frames` where it is not mirrored.
    """
    part = frames[:, top : top + look.size, left : left + look.size].movedim(-1, 0)
    return part.flip(-1) if look.mirror else part


def place(xyxy: np.ndarray, look: Look, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes as a look sees them: scaled, cropped, mirrored.

    Args:
        xyxy: (*, 4) in pixels of the video's frames, which are `width` by `height`.

    Returns:
        (*, 4) float32 in pixels of the crop, clipped to it, and (*) bool: False for those that
        lie outside.
    """
    wide, high = scaled(width, height, look.short)
    left, top = corner(look, width, height)
    factor = np.array([wide / width, high / height] * 2)
    moved = xyxy * factor - np.array([left, top] * 2)
    if look.mirror:
        moved = np.stack(
            [look.size - moved[..., 2], moved[..., 1], look.size - moved[..., 0], moved[..., 3]], -1
        )
    seen = clip_boxes(moved, look.size, look.size).astype(np.float32)
    inside = (seen[..., 2:] - seen[..., :2]).min(-1) >= LEAST
    return seen, np.asarray(inside)


@dataclass(frozen=True)
class BoxIndex:
    """All boxes of a video by frame, the best-scored first.

    Attributes:
        frames: (f,) int64, rising: the frames that have boxes.
        starts: (f + 1,) int64: the boxes of frames[i] are rows starts[i] to starts[i + 1].
        xyxy: (n, 4) float32, pixels of the video's frames.
    """

    frames: np.ndarray
    starts: np.ndarray
    xyxy: np.ndarray

    def near(self, frame: int, most: int, gap: float) -> np.ndarray:
        """(n, 4) the up to `most` best boxes of the nearest frame at most `gap` frames away."""
        if not len(self.frames):
            return self.xyxy[:0]
        right = int(np.searchsorted(self.frames, frame).clip(max=len(self.frames) - 1))
        left = max(right - 1, 0)
        nearer = abs(self.frames[left] - frame) <= abs(self.frames[right] - frame)
        at = left if nearer else right
        if abs(self.frames[at] - frame) > gap:
            return self.xyxy[:0]
        start, end = self.starts[at], self.starts[at + 1]
        return self.xyxy[start : min(end, start + most)]


def index(video: Video) -> BoxIndex:
    """The boxes of a video by frame; without scores they keep their tracks' order."""
    if not video.tracks:
        nothing = np.zeros(0, np.int64)
        return BoxIndex(nothing, np.zeros(1, np.int64), np.zeros((0, 4), np.float32))
    frames = np.concatenate([track.frames for track in video.tracks])
    xyxy = np.concatenate([track.xyxy for track in video.tracks])
    scores = np.concatenate(
        [
            np.ones(len(track.frames), np.float32) if track.scores is None else track.scores
            for track in video.tracks
        ]
    )
    order = np.lexsort((-scores, frames))  # stable: ties stay in the order of the tracks
    found, starts = np.unique(frames[order], return_index=True)
    return BoxIndex(found, np.append(starts, len(frames)), xyxy[order])


def boxes_of(
    video: Video, boxes: BoxIndex, look: Look, frames: np.ndarray, config: ClipsConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The boxes of a look at (T,) of its frames.

    Returns:
        (T, N, 4) float32, pixels of the crop, and (T, N) bool; N is ClipsConfig.boxes.
    """
    xyxy = np.zeros((len(frames), config.boxes, 4), np.float32)
    real = np.zeros(xyxy.shape[:2], bool)
    for step, frame in enumerate(frames.tolist()):
        near = boxes.near(frame, config.boxes, config.gap * video.fps)
        seen, inside = place(near, look, video.width, video.height)
        xyxy[step, : len(near)] = seen * inside[:, None]
        real[step, : len(near)] = inside
    return xyxy, real


def tracks_of(
    video: Video, frames: np.ndarray, real: np.ndarray, config: ClipsConfig
) -> np.ndarray:
    """(T, N) int64: the number of the track that each node of `boxes_of` is; -1 is padding.

    Args:
        frames: (T,) of the steps.
        real: (T, N) bool, of the same look.
    """
    # An index whose boxes are the tracks' numbers answers with numbers, in the nodes' order.
    numbered = tuple(
        replace(track, xyxy=np.full_like(track.xyxy, number))
        for number, track in enumerate(video.tracks)
    )
    known = index(replace(video, tracks=numbered))
    found = np.full(real.shape, -1)
    for step, frame in enumerate(frames.tolist()):
        near = known.near(frame, config.boxes, config.gap * video.fps)
        found[step, : len(near)] = near[:, 0]
    return np.where(real, found, -1)
