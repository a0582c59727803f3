"""Small made-up material for tests: samples and datasets that need no files."""

from pathlib import Path

import numpy as np
import torch

from glidn.batch import Sample
from glidn.types import Dataset, Track, Video

CLASSES = ("cutting", "drinking", "eating")
SUBJECTS = ("anna", "ben", "carl")


def samples(videos: int = 13, steps: int = 5, width: int = 7, seed: int = 0) -> list[Sample]:
    """Geometry samples with 2 to 4 slots whose first feature tells the class."""
    g = torch.Generator().manual_seed(seed)
    made = []
    for number in range(videos):
        slots = 2 + number % 3
        real = torch.rand(steps, slots, generator=g) < 0.8
        real[0, 0] = True
        label = number % len(CLASSES)
        x = torch.randn(steps, slots, width, generator=g)
        x[..., 0] += 2 * (label - 1)
        made.append(
            Sample(
                video=f"v{number:02}",
                subject=SUBJECTS[number % len(SUBJECTS)],
                label=label,
                variants=({"geometry": x * real[..., None]},),
                real=(real,),
            )
        )
    return made


def dataset(videos: int = 12, frames: int = 40, root: Path = Path("made-up")) -> Dataset:
    """A person and a cup; how high the cup is held tells the class."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(videos):
        label = number % len(CLASSES)
        at = np.arange(frames)
        walk = rng.normal(0, 1, (2, frames)).cumsum(1)
        person = np.stack([100 + walk[0], 80 + walk[1], 200 + walk[0], 300 + walk[1]], -1)
        top = 100 + 60 * label + walk[1]
        cup = np.stack([150 + walk[0], top, 180 + walk[0], top + 30], -1)
        made.append(
            Video(
                name=f"v{number:02}",
                subject=SUBJECTS[number // len(CLASSES) % len(SUBJECTS)],
                split="",
                label=CLASSES[label],
                frames=frames,
                fps=20.0,
                width=320,
                height=400,
                tracks=(
                    Track("0", "person", at, person.astype(np.float32)),
                    Track("1", "cup", at[5:], cup[5:].astype(np.float32)),
                ),
                source="made-up",
            )
        )
    return Dataset("made-up", root, "single", CLASSES, "subjects", tuple(made))
