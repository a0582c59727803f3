"""What a reproduction will cost: work counted from the networks themselves, and room on the disk.

The work is counted, the hours are a guess from it: no GPU was at hand when this was written.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from glidn import runs
from glidn.config import BackboneConfig, NodesConfig, RunConfig, ViewConfig
from glidn.errors import RunError
from glidn.model import build
from glidn.regions import build_backbone

# The paper's GPU, NVIDIA's TITAN RTX: its data sheet gives 16.3 TFLOP/s in float32. Convolutions
# over video rarely reach more than a third of that; nothing here was measured on one.
GPU = "TITAN RTX"
PEAK = 16.3e12
REACHED = 1 / 3
BACKWARD = 2  # a backward pass costs about two forward passes
SCORE_BYTES = 12  # of a score, as text


@dataclass(frozen=True)
class Effort:
    """What some runs cost.

    Attributes:
        runs: how many are not done yet.
        work: floating-point operations of the video networks; attention, boxes and decoding are
            not counted.
        bytes: room for what they keep, and for the largest checkpoint on top.
    """

    runs: int
    work: float
    bytes: float

    @property
    def hours(self) -> float:
        """On `GPU`, if it reached `REACHED` of its peak and never waited for the decoder."""
        return self.work / (PEAK * REACHED) / 3600


def estimate(
    plans: Iterable[tuple[Path, RunConfig]], train: int, test: int, classes: int
) -> Effort:
    """What is still to be done of a reproduction.

    Args:
        plans: run folders, which may not exist yet, and their settings.
        train, test: videos.
    """
    many, work, room, temporary = 0, 0.0, 0.0, 0.0
    forward, size_of = functools.cache(forward_work), functools.cache(parameters)
    for path, config in plans:
        if _is_done(path):
            continue
        clips, backbone = config.clips, config.backbone
        assert clips is not None and backbone is not None
        # Where its weights come from differs from run to run, and costs nothing.
        backbone = replace(backbone, weights=None)
        # A teacher looks at every clip as well.
        passes = 1 + BACKWARD + (config.distill is not None)
        work += (
            passes
            * train
            * config.train.epochs
            * forward(backbone, clips.frames, clips.size, classes)
        )
        work += (
            clips.test_clips
            * clips.test_crops
            * test
            * forward(backbone, clips.frames, clips.test_size, classes)
        )
        weights = 4 * size_of(config.nodes, config.view, backbone, classes)
        room += weights + SCORE_BYTES * test * classes
        states = 1 if config.train.optimizer == "sgd" else 2
        temporary = max(temporary, (1 + states) * weights)
        many += 1
    return Effort(many, work, room + temporary)


def forward_work(backbone: BackboneConfig, frames: int, size: int, classes: int) -> float:
    """Floating-point operations of a video network for one clip; nothing is computed."""
    with torch.device("meta"):
        network = build_backbone(backbone, classes).eval()
        clip = torch.zeros(1, 3, frames, size, size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(clip)
    return float(counter.get_total_flops())


def parameters(nodes: NodesConfig, view: ViewConfig, backbone: BackboneConfig, classes: int) -> int:
    """How many numbers a trained network keeps."""
    with torch.device("meta"):
        network = build(nodes, view, {}, classes, backbone)
    return sum(value.numel() for value in network.state_dict().values())


def _is_done(path: Path) -> bool:
    try:
        run = runs.read(path)
    except RunError:
        return False
    return all(run.is_done(fold) for fold in run.folds)
