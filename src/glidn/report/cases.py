"""Test videos to look into: which ones, what each network said of them, and whom it listened to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glidn import datasets, experiment, features
from glidn.batch import collate
from glidn.errors import DataError
from glidn.material import Material
from glidn.report.graph import rollout
from glidn.report.sources import Arm
from glidn.runs import Run
from glidn.types import Video


@dataclass(frozen=True)
class Opinion:
    """What one network said of a video that it was not trained on.

    Attributes:
        fold: whose network it is.
        probabilities: (K,)
    """

    arm: Arm
    fold: str
    truth: int
    probabilities: np.ndarray

    @property
    def predicted(self) -> int:
        return int(self.probabilities.argmax())

    @property
    def right(self) -> bool:
        return self.predicted == self.truth


@dataclass(frozen=True)
class Case:
    """One test video.

    Attributes:
        opinions: one per arm, in their order.
    """

    video: str
    subject: str
    truth: int
    opinions: tuple[Opinion, ...]

    @property
    def outcome(self) -> tuple[bool, ...]:
        """Who was right."""
        return tuple(opinion.right for opinion in self.opinions)


@dataclass(frozen=True)
class Look:
    """A case with what it takes to draw it.

    Attributes:
        attention: per opinion who is gathered from whom: (T, N, N) in the local view,
            (T·N, T·N) in the global one, None without relations.
    """

    case: Case
    video: Video
    attention: tuple[np.ndarray | None, ...]


def choose(arms: Sequence[Arm], most: int = 6) -> list[Case]:
    """A few cases of every outcome (both right, one right, none right), by rule and not by eye.

    The outcomes take turns; each gives the first video, by name, whose class and subject were
    shown least so far.
    """
    groups: dict[tuple[bool, ...], list[Case]] = {}
    for case in gather(arms):
        groups.setdefault(case.outcome, []).append(case)
    order = sorted(groups, reverse=True)
    chosen: list[Case] = []
    while order and len(chosen) < most:
        for outcome in list(order):
            case = min(groups[outcome], key=lambda case: _shown(case, chosen))
            groups[outcome].remove(case)
            chosen.append(case)
            if not groups[outcome]:
                order.remove(outcome)
            if len(chosen) == most:
                break
    return chosen


def gather(arms: Sequence[Arm]) -> list[Case]:
    """Every video that all arms tested, with what their first runs said, by name."""
    opinions: dict[str, list[Opinion]] = {}
    subjects: dict[str, str] = {}
    for arm in arms:
        for fold, said in arm.predictions[0].items():
            for row, video in enumerate(said.videos):
                opinion = Opinion(arm, fold, int(said.truth[row]), _softmax(said.logits[row]))
                opinions.setdefault(video, []).append(opinion)
                subjects[video] = said.subjects[row]
    return [
        Case(video, subjects[video], said[0].truth, tuple(said))
        for video, said in sorted(opinions.items())
        if len(said) == len(arms)
    ]


def look(run: Run, chosen: Sequence[Case]) -> list[Look]:
    """The videos of the cases, and whom every network listened to in them.

    Raises:
        GlidnError: the dataset, or one of the videos, is not where the run found it, or the
            networks are not what this glidn builds.
    """
    videos, material = _load(run, [case.video for case in chosen])
    return [
        Look(
            case,
            videos[case.video],
            tuple(_attention(o, case.video, material) for o in case.opinions),
        )
        for case in chosen
    ]


def _load(run: Run, names: Sequence[str]) -> tuple[dict[str, Video], Material]:
    dataset = datasets.load(run.config.data.root, run.config.data.kind)
    videos = {video.name: video for video in dataset.videos}
    missing = [name for name in names if name not in videos]
    if missing:
        raise DataError(f"{dataset.root} no longer holds the video {missing[0]}.")
    wanted = replace(dataset, videos=tuple(videos[name] for name in names))
    categories = tuple(run.about["dataset"]["categories"])
    # A test looks at the video itself, the first variant.
    data = replace(run.config.data, variants=1)
    samples = features.prepare(wanted, data, run.config.nodes, categories)
    material = Material({sample.video: sample for sample in samples})
    return {name: videos[name] for name in names}, material


def _attention(opinion: Opinion, video: str, material: Material) -> np.ndarray | None:
    arm, run = opinion.arm, opinion.arm.runs[0]
    if arm.view == "none":
        return None
    network = experiment.trained(run, opinion.fold, arm.view, material)
    layers = [
        layer[0].numpy() for layer in network.attention(collate([material.samples[video]]))
    ]  # (T, A, N, N), or (1, A, M, M)
    whole = rollout([np.moveaxis(layer, 1, 0) for layer in layers], run.config.view.residual)
    return whole[0] if arm.view == "global" else whole


def _shown(case: Case, chosen: Sequence[Case]) -> tuple[int, int, str]:
    return (
        sum(other.truth == case.truth for other in chosen),
        sum(other.subject == case.subject for other in chosen),
        case.video,
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()
