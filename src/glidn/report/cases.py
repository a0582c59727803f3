"""Test videos to look into: which ones, what each network said of them, and whom it listened to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glidn import datasets, experiment, features, windows
from glidn.batch import Batch, collate
from glidn.errors import DataError
from glidn.evaluation import Predictions
from glidn.graph import rollout
from glidn.many_labels import ManyPredictions
from glidn.material import AnyMaterial, Films, Material, prepare
from glidn.report import video as films
from glidn.report import view as views
from glidn.report.sources import Arm
from glidn.report.video import Film
from glidn.report.view import View
from glidn.runs import Run
from glidn.types import Video


@dataclass(frozen=True)
class Opinion:
    """What one network said of a video that it was not trained on.

    Attributes:
        fold: whose network it is.
        truth: the classes that the video shows, by their number; one, or many.
        probabilities: (K,); with many labels each in 0..1 by itself.
    """

    arm: Arm
    fold: str
    truth: tuple[int, ...]
    probabilities: np.ndarray

    @property
    def predicted(self) -> int:
        return int(self.probabilities.argmax())

    @property
    def right(self) -> bool:
        """Whether the likeliest class is shown."""
        return self.predicted in self.truth


@dataclass(frozen=True)
class Case:
    """One test video.

    Attributes:
        opinions: one per arm, in their order.
    """

    video: str
    subject: str
    truth: tuple[int, ...]
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
        view: which part of the video the film is; None for all of it.
    """

    case: Case
    film: Film
    attention: tuple[np.ndarray | None, ...]
    view: View | None = None


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
    """Every video that all arms tested and could read, with what their first runs said, by name."""
    opinions: dict[str, list[Opinion]] = {}
    subjects: dict[str, str] = {}
    for arm in arms:
        for fold, said in _said(arm).items():
            for row, video in enumerate(said.videos):
                if video not in arm.unread:
                    opinions.setdefault(video, []).append(_opinion(arm, fold, said, row))
                    subjects[video] = said.subjects[row]
    return [
        Case(video, subjects[video], said[0].truth, tuple(said))
        for video, said in sorted(opinions.items())
        if len(said) == len(arms)
    ]


def _said(arm: Arm) -> dict[str, Predictions] | dict[str, ManyPredictions]:
    return arm.rankings[0] if arm.many else arm.predictions[0]


def _opinion(arm: Arm, fold: str, said: Predictions | ManyPredictions, row: int) -> Opinion:
    if isinstance(said, Predictions):
        return Opinion(arm, fold, (int(said.truth[row]),), _softmax(said.logits[row]))
    truth = tuple(int(number) for number in np.flatnonzero(said.truth[row]))
    return Opinion(arm, fold, truth, said.scores[row])


def look(run: Run, chosen: Sequence[Case]) -> Iterator[Look]:
    """The films of the cases, and whom every network listened to in them, one after the other.

    Raises:
        GlidnError: the dataset, or one of the videos, is not where the run found it, or the
            networks are not what this glidn builds.
    """
    videos, material = _load(run, [case.video for case in chosen])
    for case in chosen:
        if isinstance(material, Films):
            yield _look_at_view(case, videos[case.video], material)
        else:
            assert isinstance(material, Material)  # `_load` makes no windows
            attention = tuple(
                _attention(opinion, material, collate([material.samples[case.video]]))
                for opinion in case.opinions
            )
            film = films.read(videos[case.video], run.config.data.steps)
            yield Look(case, film, attention)


def _look_at_view(case: Case, video: Video, material: Films) -> Look:
    """One view of the video, the same for all networks."""
    view = views.read(video, material.cutter)
    with_boxes = not all(opinion.arm.alone for opinion in case.opinions)
    attention = []
    for opinion in case.opinions:
        found = _attention(opinion, material, view.batch) if view.boxes.real.any() else None
        if found is not None:
            found = views.by_track(found, view.slots, len(view.boxes.tracks))
        attention.append(found)
    film = views.film(view, material.cutter, with_boxes)
    return Look(case, film, tuple(attention), view)


def _load(run: Run, names: Sequence[str]) -> tuple[dict[str, Video], AnyMaterial]:
    dataset = datasets.load(run.config.data.root, run.config.data.kind)
    if run.task == "timed":
        dataset = windows.segments(dataset, run.config.data.window)
    videos = {video.name: video for video in dataset.videos}
    missing = [name for name in names if name not in videos]
    if missing:
        raise DataError(f"{dataset.root} no longer holds the video {missing[0]}.")
    wanted = replace(dataset, videos=tuple(videos[name] for name in names))
    chosen = {name: videos[name] for name in names}
    if run.config.backbone is not None:
        # Networks of clips have no vocabulary of categories.
        return chosen, prepare(wanted, run.config, None)
    categories = tuple(run.about["dataset"]["categories"])
    # A test looks at the video itself, the first variant.
    data = replace(run.config.data, variants=1)
    samples = features.prepare(wanted, data, run.config.nodes, categories)
    return chosen, Material({sample.video: sample for sample in samples})


def _attention(opinion: Opinion, material: AnyMaterial, batch: Batch) -> np.ndarray | None:
    arm, run = opinion.arm, opinion.arm.runs[0]
    if arm.view == "none":
        return None
    network = experiment.trained(run, opinion.fold, arm.view, material.widths)
    layers = [
        layer[0].numpy() for layer in network.attention(batch)
    ]  # (T, A, N, N), or (1, A, M, M)
    whole = rollout([np.moveaxis(layer, 1, 0) for layer in layers], run.config.view.residual)
    return whole[0] if arm.view == "global" else whole


def _shown(case: Case, chosen: Sequence[Case]) -> tuple[int, int, str]:
    return (
        sum(len({*other.truth} & {*case.truth}) for other in chosen),
        sum(other.subject == case.subject for other in chosen),
        case.video,
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()
