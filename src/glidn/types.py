"""What passes between stages: each stage takes one of these and returns the next.

Axes, named here once and used in every docstring:
    B videos in a batch    T time steps per video   N node slots per step
    D node feature width   A attention heads        K action classes
    F frames of a video    S side of a crop in pixels
    M nodes of one graph: N in the local view, T·N in the global view
Boxes are xyxy, float32, in pixels of the frame they belong to; frames count from 0; times are in
seconds. Up to a `Batch` everything is NumPy, so that data can be read and checked without torch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from glidn.errors import DataError

PERSON = "person"


class Pixels(Protocol):
    """How the frames of one video are read. Opening it reads nothing."""

    source: str

    def read(self, frames: np.ndarray) -> np.ndarray:
        """(n,) frame numbers, from 0 -> (n, height, width, 3) uint8, RGB.

        Raises:
            DataError: a frame is missing or unreadable; the message names the file.
        """
        ...

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        """As `read`, one (height, width, 3) frame after the other, for rising frame numbers.

        Only one frame is held at a time, so that a long video can be shrunk as it is decoded.
        """
        ...

    def files(self, frames: np.ndarray) -> list[Path]:
        """The files that these frames are read from, to tell whether they have changed."""
        ...


@dataclass(frozen=True)
class Track:
    """One person or object through a video.

    Attributes:
        name: unique within the video.
        category: what it is: "person", "cup", ...
        frames: (F,) int64, rising: the frames in which it is visible.
        xyxy: (F, 4) float32, pixels; x1 < x2 and y1 < y2.
        scores: (F,) float32 in 0..1, the detector's; None for annotated boxes.
    """

    name: str
    category: str
    frames: np.ndarray
    xyxy: np.ndarray
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class Segment:
    """A label with its time: a sub-activity of CAD-120, an action of Charades; in seconds."""

    label: str
    start: float
    end: float


@dataclass(frozen=True)
class Video:
    """One video: who and what is in it, and how to read its frames.

    Attributes:
        name: unique within the dataset.
        subject: who acts; "" where unknown.
        split: "train", "test" or "".
        label: the video's one class; "" in a dataset with many labels.
        frames: number of frames.
        fps: frames a second.
        width, height: pixels.
        tracks: the person first, then the objects.
        segments: timed labels, by start.
        pixels: None where only boxes are known.
        source: the file to quote in errors.
    """

    name: str
    subject: str
    split: str
    label: str
    frames: int
    fps: float
    width: int
    height: int
    tracks: tuple[Track, ...]
    segments: tuple[Segment, ...] = ()
    pixels: Pixels | None = None
    source: str = ""

    @property
    def seconds(self) -> float:
        return self.frames / self.fps


@dataclass(frozen=True)
class LeftOut:
    """A video that was not read, and why."""

    video: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """Everything that a reader found.

    Attributes:
        task: one label per video, many labels per video, or one label at a time: `segments`.
        classes: the K action classes, in the order of the logits.
        protocol: "subjects" leaves one subject out in turn; "split" trains on the videos whose
            split is "train" and tests on those whose split is "test".
        left_out: what could not be used; said once, by whoever loads the dataset.
    """

    name: str
    root: Path
    task: Literal["single", "multi", "timed"]
    classes: tuple[str, ...]
    protocol: Literal["subjects", "split"]
    videos: tuple[Video, ...]
    person: str = PERSON
    licence: str = ""
    left_out: tuple[LeftOut, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(sorted({video.subject for video in self.videos if video.subject}))

    @property
    def categories(self) -> tuple[str, ...]:
        """Every category of a box, the person first."""
        found = {track.category for video in self.videos for track in video.tracks}
        return (self.person, *sorted(found - {self.person}))


@dataclass(frozen=True)
class Boxes:
    """The people and objects of one video at T of its frames, padded to N slots per step.

    A slot belongs to one track throughout.

    Attributes:
        xyxy: (T, N, 4) float32, pixels; x1 < x2 and y1 < y2 in every real slot.
        real: (T, N) bool; False marks padding, whose coordinates mean nothing.
        frames: (T,) int64, the frame of each step.
        categories: what each slot holds.
        tracks: the name of each slot's track.
        source: where they were read from, quoted in errors.
    """

    xyxy: np.ndarray
    real: np.ndarray
    frames: np.ndarray
    categories: tuple[str, ...]
    tracks: tuple[str, ...]
    source: str = field(default="")

    def __post_init__(self) -> None:
        if self.xyxy.shape != (*self.real.shape, 4):
            raise DataError(
                f"{self.source}: boxes have shape {self.xyxy.shape} and their mask "
                f"{self.real.shape}; expected (T, N, 4) and (T, N)."
            )
        x1, y1, x2, y2 = np.moveaxis(self.xyxy, -1, 0)
        wrong = self.real & ~((x1 < x2) & (y1 < y2))
        if wrong.any():
            step, slot = np.argwhere(wrong)[0]
            box = ", ".join(f"{value:g}" for value in self.xyxy[step, slot])
            raise DataError(
                f"{self.source}: the box in frame {self.frames[step]}, track "
                f"{self.tracks[slot]} is ({box}), which has no area as x1, y1, x2, y2. "
                "If the file stores x, y, width, height, convert it with boxes.from_xywh()."
            )
