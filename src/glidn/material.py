"""A dataset, made ready for networks: samples in memory, windows, or videos to cut clips from.

All give training batches and test a trained network; nothing else knows the difference.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from glidn import (
    checkpoint,
    evaluation,
    features,
    many_labels,
    multiview,
    processes,
    runs,
    timed,
    windows,
)
from glidn.average_precision import labels_shown
from glidn.batch import Sample
from glidn.clips import Kept, is_short
from glidn.config import BackboneConfig, ClipsConfig, RunConfig
from glidn.errors import DataError, few
from glidn.model import AnyNetwork, measure
from glidn.protocol import Fold
from glidn.regions import step_frames
from glidn.runs import Run
from glidn.sources import Clips, Cutter, InMemory, Source
from glidn.timeline import UNLABELLED
from glidn.transforms import variations
from glidn.types import Dataset, Video

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Material:
    """A dataset's samples by video name; shared by all runs over the same data and nodes."""

    samples: Mapping[str, Sample]

    def of(self, videos: Sequence[str]) -> list[Sample]:
        return [self.samples[video] for video in videos]

    @property
    def widths(self) -> dict[str, int]:
        """Features per node of the kinds that arrive as features."""
        return _widths(next(iter(self.samples.values())))

    def source(self, videos: Sequence[str], seed: int) -> Source:
        """The training videos of a fold."""
        return InMemory(self.of(videos))

    def measure(self, networks: Sequence[AnyNetwork], videos: Sequence[str]) -> None:
        """Standardise fresh networks' inputs by their training videos."""
        measure(networks, self.of(videos))

    def labels(self, videos: Sequence[str]) -> Tensor:
        """(V,) classes, or (V, K) of 0 and 1."""
        return torch.stack([torch.as_tensor(sample.label) for sample in self.of(videos)])

    def test(
        self, run: Run, fold: Fold, view: str, network: AnyNetwork, progress: Progress | None
    ) -> None:
        """Write what a trained network says of the test videos, <view>.csv."""
        if processes.is_first():
            samples, path = self.of(fold.test), run.fold(fold.name) / f"{view}.csv"
            if run.task == "single":
                evaluation.write(path, evaluation.predict(network, samples), run.classes)
            else:
                said = many_labels.ManyPredictions(
                    videos=fold.test,
                    subjects=tuple(sample.subject for sample in samples),
                    truth=np.array([np.asarray(sample.label) > 0 for sample in samples]),
                    scores=evaluation.logits(network, samples).sigmoid().numpy(),
                )
                many_labels.write(path, said, run.classes)
        processes.wait()

    def notes(self) -> list[str]:
        """What a user should know of the data; sentences."""
        return []


@dataclass(frozen=True)
class Timed:
    """A dataset with timed labels: its videos, and the windows over each of them.

    Folds are of whole videos, so a window is trained on only where its video is.

    Attributes:
        windows: per video its windows in order; `UNLABELLED` where the middle has no label.
        middles: per video (n,) the frames in their middles.
    """

    videos: Mapping[str, Video]
    windows: Mapping[str, Sequence[Sample]]
    middles: Mapping[str, np.ndarray]

    def of(self, videos: Sequence[str]) -> list[Sample]:
        """The labelled windows of some videos."""
        every = (sample for video in videos for sample in self.windows[video])
        return [sample for sample in every if sample.label != UNLABELLED]

    @property
    def widths(self) -> dict[str, int]:
        """Features per node of the kinds that arrive as features."""
        return _widths(next(iter(self.windows.values()))[0])

    def source(self, videos: Sequence[str], seed: int) -> Source:
        """The training windows of a fold."""
        return InMemory(self.of(videos))

    def measure(self, networks: Sequence[AnyNetwork], videos: Sequence[str]) -> None:
        """Standardise fresh networks' inputs by their training windows."""
        measure(networks, self.of(videos))

    def labels(self, videos: Sequence[str]) -> Tensor:
        """(n,) classes, one per labelled window."""
        return torch.tensor([sample.label for sample in self.of(videos)], dtype=torch.int64)

    def over_time(
        self, run: Run, network: AnyNetwork, videos: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Per video (F, K) in 0..1: how likely each class is shown in each of its frames."""
        found = {}
        for name in videos:
            video, smooth = self.videos[name], run.config.data.smooth * self.videos[name].fps
            at, many = self.middles[name], run.task == "multi"
            found[name] = evaluation.over_time(
                network, self.windows[name], at, video.frames, smooth, many
            )
        return found

    def test(
        self, run: Run, fold: Fold, view: str, network: AnyNetwork, progress: Progress | None
    ) -> None:
        """Write timelines, <view>.timeline.csv, and what is said of segments, <view>.csv."""
        if processes.is_first():
            videos = [self.videos[name] for name in fold.test]
            over = self.over_time(run, network, fold.test)
            folder, classes = run.fold(fold.name), run.classes
            timelines = evaluation.timelines(videos, over, classes)
            timed.write(folder / f"{view}.timeline.csv", timelines, classes)
            evaluation.write(
                folder / f"{view}.csv", evaluation.segments(videos, over, classes), classes
            )
        processes.wait()

    def notes(self) -> list[str]:
        """Nothing that the dataset's reader did not say."""
        return []


@dataclass(frozen=True)
class Films:
    """A dataset's videos, from which clips are cut when they are wanted."""

    videos: Mapping[str, Video]
    cutter: Cutter

    @property
    def widths(self) -> dict[str, int]:
        """Nothing arrives as features."""
        return {}

    def source(self, videos: Sequence[str], seed: int) -> Source:
        """The training videos of a fold."""
        return Clips([self.videos[video] for video in videos], self.cutter, seed)

    def measure(self, networks: Sequence[AnyNetwork], videos: Sequence[str]) -> None:
        """Pixels need no measuring."""

    def labels(self, videos: Sequence[str]) -> Tensor:
        """(V,) classes, or (V, K) of 0 and 1."""
        shown, names = [self.videos[video] for video in videos], self.cutter.classes
        if self.cutter.many:
            return torch.from_numpy(labels_shown(shown, names))
        return torch.tensor([names.index(video.label) for video in shown])

    def test(
        self, run: Run, fold: Fold, view: str, network: AnyNetwork, progress: Progress | None
    ) -> None:
        """Write what a trained network says of the test videos, over all their views."""
        videos = [self.videos[video] for video in fold.test]
        folder = run.fold(fold.name) / f"{view}.test"
        notes = folder / checkpoint.digest(network)  # what other weights said does not count
        said = multiview.test(network, videos, self.cutter, notes, progress)
        if processes.is_first():
            classes = len(run.classes)
            scores = torch.stack(
                [s if len(s) else torch.zeros(classes) for s in said.scores.values()]
            ).numpy()
            subjects = tuple(video.subject for video in videos)
            path = run.fold(fold.name) / f"{view}.csv"
            runs.write_unread(run, fold.name, said.unread)
            if self.cutter.many:
                truth = labels_shown(videos, run.classes)
                many = many_labels.ManyPredictions(fold.test, subjects, truth, scores)
                many_labels.write(path, many, run.classes)
            else:
                # An unread video has no label that could be called right or wrong.
                read = [row for row, video in enumerate(videos) if len(said.scores[video.name])]
                single = evaluation.Predictions(
                    videos=tuple(videos[row].name for row in read),
                    subjects=tuple(subjects[row] for row in read),
                    truth=np.array([run.classes.index(videos[row].label) for row in read]),
                    logits=np.log(scores[read]),
                )
                evaluation.write(path, single, run.classes)
            shutil.rmtree(folder, ignore_errors=True)
        processes.wait()

    def notes(self) -> list[str]:
        """Videos that are shorter than a clip, and videos without boxes."""
        config = self.cutter.config
        short = [name for name, video in self.videos.items() if is_short(video, config)]
        bare = [name for name, video in self.videos.items() if not video.tracks]
        found = []
        if short:
            what = "shorter than a clip; their last frame stays to its end"
            found.append(f"{len(short):,} of the videos ({few(short)}): {what}.")
        if bare:
            what = "without boxes; only their scene is seen"
            found.append(f"{len(bare):,} of the videos ({few(bare)}): {what}.")
        return found


AnyMaterial = Material | Timed | Films


def _widths(sample: Sample) -> dict[str, int]:
    first = sample.variants[0]
    return {kind: value.shape[-1] for kind, value in first.items() if kind != "small"}


def prior(labels: Tensor, classes: int) -> Tensor:
    """(V,) classes or (V, K) of 0 and 1 -> (K,) logits of how often each is shown.

    As if one video more had shown each, and one had not.
    """
    if labels.dim() == 1:
        return torch.log(torch.bincount(labels, minlength=classes) + 1.0)
    return torch.logit((labels.sum(0) + 1) / (len(labels) + 2))


def cutter_of(
    backbone: BackboneConfig, clips: ClipsConfig, classes: Sequence[str], many: bool
) -> Cutter:
    """What cuts clips for a video network."""
    steps = np.arange(clips.frames)
    if clips.box_frames == "step":
        steps = step_frames(backbone.name, clips.frames).numpy()
    return Cutter(tuple(classes), many, clips, steps, Kept(clips.memory * 2**30))


def prepare(dataset: Dataset, config: RunConfig, progress: features.Progress | None) -> AnyMaterial:
    """Every video of the dataset, ready for networks of these settings.

    Raises:
        DataError: a video has no pixels, or no box where nodes need one.
    """
    if config.backbone is not None and config.clips is not None:
        cutter = cutter_of(config.backbone, config.clips, dataset.classes, dataset.task == "multi")
        return Films({video.name: video for video in dataset.videos}, cutter)
    if dataset.task == "timed":
        return prepare_windows(dataset, config, dataset.categories, progress)
    samples = features.prepare(dataset, config.data, config.nodes, dataset.categories, progress)
    return Material({sample.video: sample for sample in samples})


def prepare_windows(
    dataset: Dataset,
    config: RunConfig,
    categories: tuple[str, ...],
    progress: features.Progress | None,
) -> Timed:
    """The windows over every video of a dataset with timed labels, or without any.

    Args:
        categories: the vocabulary of geometry nodes.

    Raises:
        DataError: a video has no box, or no pixels where nodes need them.
    """
    data = config.data
    cut = {
        video.name: windows.windows(video, dataset.classes, data.window, data.stride)
        for video in dataset.videos
    }
    for video in dataset.videos:
        if not cut[video.name]:
            raise DataError(
                f"{video.source or video.name}: no window of the video {video.name} has a box."
            )
    every = replace(dataset, videos=tuple(part for parts in cut.values() for _, part in parts))
    samples = iter(features.prepare(every, data, config.nodes, categories, progress))
    return Timed(
        videos={video.name: video for video in dataset.videos},
        windows={name: [next(samples) for _ in parts] for name, parts in cut.items()},
        middles={name: np.array([at for at, _ in parts]) for name, parts in cut.items()},
    )


def keeper(
    config: RunConfig, dataset: Dataset, frozen: features.FrozenFeatures
) -> Callable[[Video], int]:
    """What computes the frozen features of one of the dataset's videos, for `prepare` to find.

    It gives the number of looks at the video or, with timed labels, at its windows; it raises a
    DataError where the video has no box or no pixels.
    """
    nodes, data, classes = replace(config.nodes, kinds=("crop",)), config.data, dataset.classes
    is_timed = dataset.task == "timed"

    def keep(video: Video) -> int:
        parts = [video]
        if is_timed:
            parts = [part for _, part in windows.windows(video, classes, data.window, data.stride)]
        looks = [(part, how) for part in parts for how in variations(part, data.variants)]
        for part, variation in looks:
            features.look(part, variation, data.steps, nodes, (), frozen)
        return len(looks)

    return keep
