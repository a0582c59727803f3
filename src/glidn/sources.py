"""Where training batches come from: samples in memory, or clips cut from videos as they go by.

A source has rows (videos) and variants of each (looks at it). The training loop asks for batches
as lists of (row, variant), and a source answers them in order.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from glidn.batch import Batch, Inputs, Sample, collate
from glidn.clips import (
    Kept,
    Look,
    boxes_of,
    corner,
    cut,
    decode,
    frames_of,
    index,
    labels_of,
    training_look,
    views,
)
from glidn.config import ClipsConfig
from glidn.errors import GlidnError
from glidn.types import Video

Ask = tuple[int, int]
TWICE = 2**28  # bytes of samples that are kept twice so as to batch them quickly


def loaders(config: ClipsConfig) -> int:
    """Decoding processes: as many as are wanted, and no more than this machine has cores."""
    return min(config.workers, os.cpu_count() or 1)


class Source(Protocol):
    """What the training loop draws from."""

    @property
    def videos(self) -> Sequence[str]:
        """The rows' names."""
        ...

    @property
    def variants(self) -> int:
        """Looks per video; 0: as many as there are epochs."""
        ...

    def batches(self, asked: Sequence[Sequence[Ask]]) -> Iterator[Batch]:
        """A batch per list of (row, variant), in order."""
        ...


@dataclass(frozen=True)
class InMemory:
    """Samples that were made before."""

    samples: Sequence[Sample]

    @cached_property
    def videos(self) -> tuple[str, ...]:
        return tuple(sample.video for sample in self.samples)

    @property
    def variants(self) -> int:
        return len(self.samples[0].variants)

    def batches(self, asked: Sequence[Sequence[Ask]]) -> Iterator[Batch]:
        for asks in asked:
            rows, variants = [row for row, _ in asks], [variant for _, variant in asks]
            if self._together is None:
                yield collate([self.samples[row] for row in rows], variants)
            else:
                yield self._taken(self._together, rows, variants)

    @cached_property
    def _together(self) -> tuple[Inputs, Tensor, Tensor] | None:
        """Inputs, mask and labels of all samples and variants, to take batches from at once; None
        where they differ in size, or are too much to be kept twice.
        """
        first = self.samples[0]
        each = [(v, real) for s in self.samples for v, real in zip(s.variants, s.real, strict=True)]
        size = sum(x.nbytes for inputs, _ in each for x in inputs.values())
        if size > TWICE or any(real.shape != first.real[0].shape for _, real in each):
            return None
        shape = (len(self.samples), self.variants)
        inputs = {kind: torch.stack([v[kind] for v, _ in each]) for kind in first.variants[0]}
        return (
            {kind: value.unflatten(0, shape) for kind, value in inputs.items()},
            torch.stack([real for _, real in each]).unflatten(0, shape),
            torch.stack([torch.as_tensor(sample.label) for sample in self.samples]),
        )

    def _taken(
        self, every: tuple[Inputs, Tensor, Tensor], rows: list[int], variants: list[int]
    ) -> Batch:
        inputs, real, labels = every
        at = torch.tensor(rows), torch.tensor(variants)
        return Batch(
            videos=tuple(self.videos[row] for row in rows),
            inputs={kind: value[at] for kind, value in inputs.items()},
            real=real[at],
            labels=labels[at[0]],
            variants=tuple(variants),
        )


class Clips:
    """Clips cut from videos, decoded and scaled when they are asked for.

    Args:
        seed: of looks that are drawn anew every epoch; fixed looks depend on the video alone.
    """

    def __init__(self, videos: Sequence[Video], cutter: "Cutter", seed: int) -> None:
        config = cutter.config
        self.items = videos
        self.videos = tuple(video.name for video in videos)
        self.variants = config.variants
        self._cutter = cutter
        self._seed = 0 if config.variants else seed
        self._asked = _Asked()
        self._loader: DataLoader = DataLoader(
            _Cuts(self),
            batch_sampler=self._asked,
            num_workers=loaders(config),
            collate_fn=_collate,
            persistent_workers=loaders(config) > 0,
            # A generator of its own, so that loading takes nothing from torch's.
            generator=torch.Generator().manual_seed(0),
        )

    def batches(self, asked: Sequence[Sequence[Ask]]) -> Iterator[Batch]:
        self._asked.lists = [list(rows) for rows in asked]
        for batch in self._loader:
            if isinstance(batch, GlidnError):
                raise batch
            yield batch

    def sample(self, ask: Ask) -> Sample:
        """One look at one video.

        Raises:
            DataError: the video cannot be read.
        """
        row, number = ask
        return self._cutter.training(self.items[row], number, self._seed)


@dataclass(frozen=True)
class Cutter:
    """Videos -> samples with clips.

    Attributes:
        many: whether a video has many labels.
        steps: (T,) int64: the frames of a clip whose boxes become nodes.
        kept: training videos in memory.
    """

    classes: tuple[str, ...]
    many: bool
    config: ClipsConfig
    steps: np.ndarray
    kept: Kept

    def training(self, video: Video, number: int, seed: int) -> Sample:
        """Look `number` at a training video."""
        look = training_look(video, self.config, number, seed)
        frames = frames_of(video, look, self.config)
        distinct, back = np.unique(frames, return_inverse=True)
        pixels = decode(video, distinct, look.short, self.kept)
        left, top = corner(look, video.width, video.height)
        clip = cut(pixels[back], look, left, top).contiguous()
        xyxy, real = boxes_of(video, index(video), look, frames[self.steps], self.config)
        labels = torch.from_numpy(labels_of(video, look, self.config, self.classes))
        return Sample(
            video=video.name,
            subject=video.subject,
            label=labels if self.many else int(labels.argmax()),
            variants=({"region": torch.from_numpy(xyxy)},),
            real=(torch.from_numpy(real),),
            clip=clip,
        )

    def test(self, video: Video) -> "Prepared":
        """All views of a test video; every frame is decoded once, however many views show it."""
        looks = views(video, self.config)
        frames = np.stack([frames_of(video, look, self.config) for look in looks])  # (V, F)
        distinct, rows = np.unique(frames, return_inverse=True)
        known = index(video)
        boxes = [
            boxes_of(video, known, look, own[self.steps], self.config)
            for look, own in zip(looks, frames, strict=True)
        ]
        return Prepared(
            video=video.name,
            pixels=decode(video, distinct, self.config.test_size),
            rows=torch.from_numpy(rows.reshape(frames.shape)),
            looks=tuple(looks),
            corners=tuple(corner(look, video.width, video.height) for look in looks),
            boxes=torch.from_numpy(np.stack([xyxy for xyxy, _ in boxes])),
            real=torch.from_numpy(np.stack([real for _, real in boxes])),
        )


@dataclass(frozen=True)
class Prepared:
    """A test video, decoded once for all of its views.

    Attributes:
        pixels: (n, height, width, 3) uint8: every frame that some view has, scaled.
        rows: (V, F) int64: the rows of `pixels` of each view.
        looks: the V views.
        corners: (left, top) of each view's crop.
        boxes: (V, T, N, 4) float32, pixels of the crop.
        real: (V, T, N) bool.
    """

    video: str
    pixels: Tensor
    rows: Tensor
    looks: tuple[Look, ...]
    corners: tuple[tuple[int, int], ...]
    boxes: Tensor
    real: Tensor

    def batch(self, views: Sequence[int], label: Tensor) -> Batch:
        """Some of the views; the label says only whether there may be many."""
        clips = [
            cut(self.pixels[self.rows[view]], self.looks[view], *self.corners[view])
            for view in views
        ]
        return Batch(
            videos=(self.video,) * len(views),
            inputs={"region": self.boxes[list(views)]},
            real=self.real[list(views)],
            labels=torch.stack([label] * len(views)),
            clips=torch.stack(clips),
            variants=tuple(views),
        )


class _Cuts(Dataset):
    """What a loader's process holds: (row, number) -> a sample, or why there is none."""

    def __init__(self, clips: Clips) -> None:
        self._sample = clips.sample

    def __getitem__(self, ask: Ask) -> tuple[Sample | GlidnError, int]:
        # An error that is raised in a loader's process arrives with a traceback in its text.
        try:
            return self._sample(ask), ask[1]
        except GlidnError as error:
            return error, ask[1]


class _Asked:
    """The lists of one epoch; a loader whose processes live on reads them anew."""

    def __init__(self) -> None:
        self.lists: list[list[Ask]] = []

    def __iter__(self) -> Iterator[list[Ask]]:
        return iter(self.lists)

    def __len__(self) -> int:
        return len(self.lists)


def _collate(found: Sequence[tuple[Sample | GlidnError, int]]) -> Batch | GlidnError:
    samples = []
    for sample, _ in found:
        if isinstance(sample, GlidnError):
            return sample
        samples.append(sample)
    return replace(collate(samples), variants=tuple(number for _, number in found))
