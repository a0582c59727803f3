"""What a trained run says of every moment of a video, seen through windows as in its test."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from glidn import experiment, material
from glidn.config import Context
from glidn.errors import SettingError
from glidn.features import Progress
from glidn.material import Timed
from glidn.model import AnyNetwork
from glidn.runs import Run
from glidn.types import Dataset, Video


def prepare(run: Run, videos: Sequence[Video], progress: Progress | None = None) -> Timed:
    """The windows over videos, ready for the networks of a run.

    Any video with boxes will do, from any detector; a category that the run does not know is a
    thing without a name. Timed labels that the videos may have are not looked at.

    Raises:
        SettingError: the run's networks take clips of whole videos.
        DataError: a video has no box, or no pixels where the run's nodes need them.
    """
    if run.config.clips is not None:
        raise SettingError(
            f"{run.path} was trained on clips (nodes.kinds=region), which windows cannot feed; "
            "give a run with geometry, small or crop nodes."
        )
    known = run.about["dataset"]
    dataset = Dataset(
        name=run.path.name,
        root=Path(),
        task="timed",
        classes=run.classes,
        protocol="split",
        videos=tuple(replace(video, label="", segments=()) for video in videos),
        person=known["person"],
    )
    config = replace(run.config, data=replace(run.config.data, variants=1))
    return material.prepare_windows(dataset, config, tuple(known["categories"]), progress)


def network(run: Run, fold: str, view: Context, prepared: Timed) -> AnyNetwork:
    """The network that a fold of a run ended with, in eval mode.

    Raises:
        RunError: the fold is not trained, or was trained by another glidn.
    """
    return experiment.trained(run, fold, view, prepared)


def over_time(run: Run, network: AnyNetwork, prepared: Timed) -> Mapping[str, np.ndarray]:
    """Per video (F, K) in 0..1: how likely each class is shown in each of its frames."""
    return prepared.over_time(run, network, tuple(prepared.videos))
