"""A dataset, made ready for networks: samples in memory, or videos to cut clips from.

Both give training batches and test a trained network; nothing else knows the difference.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glidn import checkpoint, evaluation, features, many_labels, multiview, processes, runs
from glidn.average_precision import labels_shown
from glidn.batch import Sample
from glidn.clips import Kept, is_short
from glidn.config import RunConfig
from glidn.errors import few
from glidn.model import AnyNetwork
from glidn.protocol import Fold
from glidn.regions import step_frames
from glidn.runs import Run
from glidn.sources import Clips, Cutter, InMemory, Source
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
        first = next(iter(self.samples.values())).variants[0]
        return {kind: value.shape[-1] for kind, value in first.items() if kind != "small"}

    def source(self, videos: Sequence[str], seed: int) -> Source:
        """The training videos of a fold."""
        return InMemory(self.of(videos))

    def measure(self, network: AnyNetwork, videos: Sequence[str]) -> None:
        """Standardise a fresh network's inputs by its training videos."""
        network.measure(self.of(videos))

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

    def measure(self, network: AnyNetwork, videos: Sequence[str]) -> None:
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


AnyMaterial = Material | Films


def prior(labels: Tensor, classes: int) -> Tensor:
    """(V,) classes or (V, K) of 0 and 1 -> (K,) logits of how often each is shown.

    As if one video more had shown each, and one had not.
    """
    if labels.dim() == 1:
        return torch.log(torch.bincount(labels, minlength=classes) + 1.0)
    return torch.logit((labels.sum(0) + 1) / (len(labels) + 2))


def prepare(dataset: Dataset, config: RunConfig, progress: features.Progress | None) -> AnyMaterial:
    """Every video of the dataset, ready for networks of these settings.

    Raises:
        DataError: a video has no pixels, or no box where nodes need one.
    """
    if config.backbone is not None and config.clips is not None:
        steps = np.arange(config.clips.frames)
        if config.clips.box_frames == "step":
            steps = step_frames(config.backbone.name, config.clips.frames).numpy()
        many = dataset.task == "multi"
        kept = Kept(config.clips.memory * 2**30)
        cutter = Cutter(dataset.classes, many, config.clips, steps, kept)
        return Films({video.name: video for video in dataset.videos}, cutter)
    samples = features.prepare(dataset, config.data, config.nodes, dataset.categories, progress)
    return Material({sample.video: sample for sample in samples})
