"""Small made-up videos with several labels, for tests of what is cut from them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glidn.config import (
    BackboneConfig,
    ClipsConfig,
    NodesConfig,
    RunConfig,
    TrainConfig,
    ViewConfig,
)
from glidn.errors import DataError
from glidn.types import Dataset, Segment, Track, Video

CLASSES = ("red", "green", "blue")
FRAMES, FPS, WIDTH, HEIGHT = 60, 24.0, 48, 32


@dataclass(frozen=True)
class Painted:
    """Frames made when they are asked for: a coloured square that wanders over noise."""

    source: str
    seed: int
    broken: bool = False
    decoded: list[int] = field(default_factory=list)

    def each(self, frames: np.ndarray) -> Iterator[np.ndarray]:
        for frame in frames.tolist():
            if self.broken and frame > 30:
                raise DataError(f"{self.source}: frame {frame} cannot be decoded.")
            self.decoded.append(frame)
            rng = np.random.default_rng((self.seed, frame))
            image = rng.integers(0, 60, (HEIGHT, WIDTH, 3)).astype(np.uint8)
            x, y = place(self.seed, frame)
            image[y : y + 10, x : x + 10, shown(self.seed, frame)] = 255
            yield image

    def read(self, frames: np.ndarray) -> np.ndarray:
        wanted, back = np.unique(frames, return_inverse=True)
        return np.stack(list(self.each(wanted)))[back]

    def files(self, frames: np.ndarray) -> list[Path]:
        return []


def place(seed: int, frame: int) -> tuple[int, int]:
    return (5 * seed + frame // 2) % (WIDTH - 10), (3 * seed + frame // 3) % (HEIGHT - 10)


def shown(seed: int, frame: int) -> int:
    """The colour: it changes in the middle of the video."""
    return seed % 3 if frame < FRAMES // 2 else (seed + seed // 3) % 3


def video(number: int, split: str, broken: bool = False) -> Video:
    at = np.arange(0, FRAMES, 4)
    boxes = np.array([[*place(number, frame), 0, 0] for frame in at], np.float32)
    boxes[:, 2:] = boxes[:, :2] + 10
    half = FRAMES / FPS / 2
    return Video(
        name=f"v{number:02}",
        subject="anna",
        split=split,
        label="",
        frames=FRAMES,
        fps=FPS,
        width=WIDTH,
        height=HEIGHT,
        tracks=(Track("1", "square", at, boxes), Track("2", "square", at[3:], boxes[3:] + 2)),
        segments=(
            Segment(CLASSES[shown(number, 0)], 0, half - 0.1),
            Segment(CLASSES[shown(number, FRAMES)], half, 2 * half),
        ),
        pixels=Painted(f"v{number:02}", number, broken),
        source=f"v{number:02}",
    )


def dataset(train: int = 12, test: int = 5, broken: tuple[int, ...] = ()) -> Dataset:
    """Videos of a square that has one colour and then another."""
    videos = [
        video(number, "train" if number < train else "test", number in broken)
        for number in range(train + test)
    ]
    return Dataset("painted", Path("painted"), "multi", CLASSES, "split", tuple(videos))


def config(**view: object) -> RunConfig:
    """The smallest networks that train."""
    return RunConfig(
        nodes=NodesConfig(kinds=("region",), region_width=8),
        backbone=BackboneConfig(name="i3d", width=8, blocks=(1, 1, 1, 1)),
        clips=ClipsConfig(
            frames=4, rate=3, size=32, short=(32, 40), test_size=32, boxes=2, test_clips=3
        ),
        view=ViewConfig(**{"context": "local", "width": 8, "layers": 1, "scene": "concat", **view}),
        # Adam would divide by gradients that are nothing but rounding.
        train=TrainConfig(epochs=2, batch=5, optimizer="sgd", lr=0.01, threads=1),
    )
