"""What the reproduction on Charades needs, looked for before anything is trained."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from glidn import datasets
from glidn.backbones import foreign
from glidn.config import RunConfig
from glidn.datasets.problems import Problem
from glidn.errors import DataError, GlidnError, LeakError, RunError
from glidn.regions import build_backbone
from glidn.reproduction import effort
from glidn.types import Dataset

TRAIN, TEST, CLASSES = 7985, 1863, 157
# By name: in PySlowFast's model zoo.
PUBLISHED = {
    "i3d": "I3D_8x8_R50, trained on Kinetics-400 (.pkl)",
    "slowfast": "SLOWFAST_16x8_R50, trained on Charades (.pyth)",
}


@dataclass(frozen=True)
class Need:
    """One thing that is looked for.

    Attributes:
        found: what there is.
        missing: what to do about it; "" where nothing is missing.
        advice: worth knowing, and no reason to stop.
    """

    name: str
    found: str
    missing: str = ""
    advice: str = ""

    @property
    def lines(self) -> list[str]:
        mark = "MISSING" if self.missing else "ok"
        text = [f"{mark:8}{self.name}: {self.found}"]
        return text + [f"{'':8}-> {line}" for line in (self.missing, self.advice) if line]


@dataclass(frozen=True)
class Survey:
    """Everything that was looked for.

    Attributes:
        dataset: what can be read of it; None where there is none.
    """

    needs: Sequence[Need]
    dataset: Dataset | None
    effort: effort.Effort

    @property
    def missing(self) -> list[str]:
        return [need.name for need in self.needs if need.missing]


def survey(
    bases: Mapping[str, RunConfig],
    plans: Iterable[tuple[Path, RunConfig]],
    out: Path,
    published: bool,
) -> Survey:
    """Look for data, boxes, weights and room.

    Args:
        bases: by backbone that is needed, its settings.
        plans: every run folder and its settings.
        published: whether the backbones begin with published weights, on the whole of Charades.
    """
    config = next(iter(bases.values()))
    root = config.data.root
    problems: list[Problem] = []
    dataset = None
    try:
        kind = datasets.recognise(root, config.data.kind)
        dataset = datasets.READERS[kind].read(root, problems.append)
    except DataError as error:
        needs = [Need("data", str(error), "give the folder of a copy of Charades: --data.root DIR")]
    else:
        needs = [
            _videos(dataset, problems, published),
            _pixels(dataset, root),
            _boxes(dataset, root, [base.clips.boxes for base in bases.values() if base.clips]),
        ]
    classes = len(dataset.classes) if dataset and dataset.classes else CLASSES
    needs += [_weights(name, base, classes, published) for name, base in bases.items()]
    known = {split: _count(dataset, split) for split in ("train", "test")}
    found = effort.estimate(plans, known["train"] or TRAIN, known["test"] or TEST, classes)
    needs.append(_room(out, found))
    return Survey(needs, dataset, found)


def _count(dataset: Dataset | None, split: str) -> int:
    return sum(video.split == split for video in dataset.videos) if dataset else 0


def _videos(dataset: Dataset, problems: Sequence[Problem], published: bool) -> Need:
    train, test = _count(dataset, "train"), _count(dataset, "test")
    found = f"{train + test:,} ({train:,} to train on, {test:,} to test)"
    if published:
        found += f" of {TRAIN + TEST:,} ({TRAIN:,} and {TEST:,})"
    missing = advice = ""
    if problems:
        missing = f"{len(problems):,} problems, first {problems[0].sentence} All: glidn check"
        missing += f" {dataset.root}"
    elif dataset.task != "multi":
        missing = f"{dataset.name} has one label per video; the tables are of mAP"
    elif not train or not test:
        missing = "both training and test videos are needed"
    elif published and (train, test) != (TRAIN, TEST):
        advice = "not the official lists: mAP on other videos is not comparable with the paper's"
    return Need("videos", found, missing, advice)


def _pixels(dataset: Dataset, root: Path) -> Need:
    seen = [video for video in dataset.videos if video.pixels is not None]
    found = f"{len(seen):,} of {len(dataset.videos):,} videos"
    sizes = sorted((video.width, video.height) for video in seen)
    if sizes:
        found += ", {}x{} in the middle".format(*sizes[len(sizes) // 2])
    missing = ""
    if len(seen) < len(dataset.videos) or not seen:
        missing = f"put Charades_v1_480 (mp4 files) or Charades_v1_rgb (frames) into {root}"
    return Need("pixels", found, missing)


def _boxes(dataset: Dataset, root: Path, most: Sequence[int]) -> Need:
    boxed = sum(bool(video.tracks) for video in dataset.videos)
    found = f"in {boxed:,} of {len(dataset.videos):,} videos"
    missing = "" if boxed else f"make them with: glidn boxes {root} --top {max(most)}"
    advice = ""
    if 0 < boxed < len(dataset.videos):
        advice = "the others are known by their scene alone"
    return Need("boxes", found, missing, advice)


def _weights(name: str, base: RunConfig, classes: int, published: bool) -> Need:
    """A backbone's weights: are there any, do they fit, and do they know these classes?"""
    title = f"weights of {name}"
    assert base.backbone is not None
    path = base.backbone.weights
    if path is None:
        if not published:
            return Need(title, "random, as the miniature is trained from")
        give = f"--{name}-weights FILE, {PUBLISHED[name]} from PySlowFast's model zoo"
        return Need(title, "none", f"give {give}; look at it with: glidn weights FILE")
    if path.is_dir():
        return Need(title, f"those that the run {path} ended with")
    try:
        checkpoint = foreign.read(path)
    except (DataError, RunError, LeakError) as error:
        return Need(title, str(path), str(error))
    with torch.device("meta"):
        network = build_backbone(base.backbone, classes)
    fit = foreign.compare(checkpoint, network)
    found = f"{path} ({checkpoint.kind}, {checkpoint.network}, {checkpoint.classes} classes)"
    missing = ""
    if fit.misfits(without_head=True):
        missing = f"they do not fit {name}; see: glidn weights {path} --network {name}"
    elif base.train.epochs == 0 and fit.misfits():
        missing = (
            f"its classifier is not of these {classes} classes, and the first stage is not "
            f"trained; give weights that were trained on them, or --{name}-epochs 60"
        )
    return Need(title, found, missing)


def _room(out: Path, found: effort.Effort) -> Need:
    here = next(path for path in (out.resolve(), *out.resolve().parents) if path.exists())
    free = shutil.disk_usage(here).free
    said = f"{_size(found.bytes)} for {found.runs:,} runs in {out}; {_size(free)} are free"
    missing = "free some space, or give another --out" if free < found.bytes else ""
    return Need("disk", said, missing)


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def text(found: Survey, published: bool) -> str:
    """What was found, as printed."""
    lines = [line for need in found.needs for line in need.lines]
    work = found.effort.work
    said = f"{work / 1e15:,.0f} PFLOP" if work >= 1e16 else f"{work / 1e12:,.2f} TFLOP"
    lines.append(f"{'':8}work left: {said} in the video networks, counted from their layers")
    if published and found.effort.work:
        lines += [
            f"{'':8}GPU hours: about {found.effort.hours:,.0f} on one {effort.GPU} (the paper's "
            "GPU). AN ESTIMATE, NOT TESTED ON",
            f"{'':8}ANY GPU: that work at a third of the {effort.PEAK / 1e12:g} TFLOP/s of its "
            "data sheet, without waiting for the",
            f"{'':8}decoder; a step is a forward and a backward pass of twice its cost, and a "
            "teacher's forward pass.",
        ]
    return "\n".join(lines)


def refuse(found: Survey) -> None:
    """Stop before anything starts.

    Raises:
        GlidnError: something is missing.
    """
    if found.missing:
        raise GlidnError(
            f"nothing was started: {', '.join(found.missing)} missing; the list above says what "
            "to do."
        )
