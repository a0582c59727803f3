"""A dataset -> samples that a network can take; frozen features are computed once and cached."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glidn.average_precision import labels_shown
from glidn.backbones.resnet import WIDTH as CROP_WIDTH
from glidn.backbones.resnet import CropResNet
from glidn.batch import Inputs, Sample
from glidn.boxes import fill_gaps, sample
from glidn.config import DataConfig, Engine, NodeKind, NodesConfig
from glidn.crops import crops
from glidn.engines import engage, install
from glidn.errors import DataError
from glidn.geometry import WIDTH as GEOMETRY_WIDTH
from glidn.geometry import geometry
from glidn.store import Store
from glidn.timeline import UNLABELLED
from glidn.transforms import Variation, variations, vary, vary_frames
from glidn.types import Boxes, Dataset, Video
from glidn.windows import Part

Progress = Callable[[str, int, int], None]


def prepare(
    dataset: Dataset,
    data: DataConfig,
    config: NodesConfig,
    categories: tuple[str, ...],
    progress: Progress | None = None,
) -> list[Sample]:
    """Every video of a dataset as a sample.

    Args:
        categories: the vocabulary of geometry nodes.
        progress: called with a description, the videos done and their number.

    Raises:
        DataError: a video has no box, or no pixels where a kind of node needs them.
    """
    frozen = FrozenFeatures(config) if "crop" in config.kinds else None
    samples = []
    for number, video in enumerate(dataset.videos):
        if progress:
            progress("reading nodes", number, len(dataset.videos))
        samples.append(_sample(video, dataset, data, config, categories, frozen))
    if progress:
        progress("reading nodes", len(dataset.videos), len(dataset.videos))
    return samples


def _sample(
    video: Video,
    dataset: Dataset,
    data: DataConfig,
    config: NodesConfig,
    categories: tuple[str, ...],
    frozen: "FrozenFeatures | None",
) -> Sample:
    looks = [
        look(video, variation, data.steps, config, categories, frozen)
        for variation in variations(video, data.variants)
    ]
    return Sample(
        video=video.name,
        subject=video.subject,
        label=_label(video, dataset),
        variants=tuple(inputs for inputs, _ in looks),
        real=tuple(real for _, real in looks),
    )


def _label(video: Video, dataset: Dataset) -> int | Tensor:
    if dataset.task == "multi":
        return torch.from_numpy(labels_shown([video], dataset.classes)[0]).float()
    return dataset.classes.index(video.label) if video.label else UNLABELLED


def look(
    video: Video,
    variation: Variation,
    steps: int,
    config: NodesConfig,
    categories: tuple[str, ...],
    frozen: "FrozenFeatures | None",
) -> tuple[Inputs, Tensor]:
    """The inputs of one variant and which of its slots are real; slot n is track n.

    Raises:
        DataError: the video has no box, or no pixels where a kind of node needs them.
    """
    boxes = steps_of(video, steps, variation)
    inputs: Inputs = {}
    for kind in config.kinds:
        if kind == "geometry":
            made = geometry(vary(video, variation), boxes, categories)
            inputs[kind] = torch.from_numpy(made)
        elif kind == "small":
            cut = torch.from_numpy(crops(_pixels(video, boxes, kind), boxes, config.small_size))
            inputs[kind] = cut.flip(-1) if variation.mirror else cut
        elif frozen is not None:
            inputs[kind] = frozen.of(video, boxes, variation.mirror)
    return inputs, torch.from_numpy(boxes.real)


def widths(config: NodesConfig, categories: Sequence[str]) -> dict[str, int]:
    """Features per node of the kinds that arrive as features."""
    every = {"geometry": GEOMETRY_WIDTH + len(categories), "crop": CROP_WIDTH}
    return {kind: every[kind] for kind in config.kinds if kind in every}


def steps_of(video: Video, steps: int, variation: Variation | None = None) -> Boxes:
    """The boxes of a video at its T steps, gaps in tracks filled."""
    frames = vary_frames(video, variation or Variation(), steps)
    filled = replace(video, tracks=tuple(fill_gaps(track) for track in video.tracks))
    return sample(filled, frames)


def _pixels(video: Video, boxes: Boxes, kind: NodeKind) -> np.ndarray:
    if video.pixels is None:
        raise DataError(
            f"{video.source}: video {video.name} has boxes but no pixels, and {kind} nodes need "
            "them; use geometry nodes (--nodes geometry), or add the frames."
        )
    return video.pixels.read(boxes.frames)


def default_cache() -> Path:
    """Where frozen features are kept unless a setting says otherwise."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "glidn" / "features"


class FrozenFeatures:
    """The frozen ResNet's features of every box, computed once and kept on disk.

    An entry is keyed by the content of the frames, the boxes, the crop size and the weights, so it
    can never be stale.

    Args:
        engine: what the network is computed by; features of different ones are kept apart.
    """

    def __init__(self, config: NodesConfig, engine: Engine = "plain") -> None:
        self.size = config.crop_size
        self.store = Store(config.cache or default_cache())
        self.network = CropResNet(config.weights)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network.to(self.device)
        values = self.network.state_dict().values()
        self.weights = _digest(tensor.cpu().numpy().tobytes() for tensor in values)
        if engine != "plain":
            self.weights += f" {engine}"
            install(self.network, engage(self.network.eval(), engine))

    def of(self, video: Video, boxes: Boxes, mirror: bool = False) -> Tensor:
        """(T, N, 2048) float32, zeros in padding; of the crops, or of their mirror images."""
        if video.pixels is None:
            _pixels(video, boxes, "crop")
        assert video.pixels is not None
        part = video.pixels if isinstance(video.pixels, Part) else None
        own = part.own(boxes.frames) if part else boxes.frames
        entry = (
            self.weights,
            self.size,
            mirror,
            self.store.digest(video.pixels.files(boxes.frames)),
            _digest([own.tobytes(), boxes.real.tobytes(), boxes.xyxy.tobytes()]),
        )
        key = _digest([json.dumps(entry).encode()])[:32]
        found = self.store.get(key)
        if found is None:
            found = self._compute(video, boxes, mirror)
            self.store.put(key, found)
        return found

    def _compute(self, video: Video, boxes: Boxes, mirror: bool) -> Tensor:
        frames = _pixels(video, boxes, "crop")
        cut = torch.from_numpy(crops(frames, boxes, self.size))
        cut = cut.flip(-1) if mirror else cut
        real = torch.from_numpy(boxes.real)
        seen = torch.cat([self.network(part.to(self.device)).cpu() for part in cut[real].split(32)])
        return seen.new_zeros(*real.shape, seen.shape[-1]).masked_scatter(real[..., None], seen)


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()
