"""The smallest reproduction on Charades: both backbones, one epoch a stage."""

from dataclasses import replace
from pathlib import Path

import make_clips
from glidn.config import RunConfig
from glidn.reproduction import charades
from glidn.reproduction.charades import Charades
from glidn.reproduction.reproduce import Reproduction


def bases(loaders: int = 0) -> dict[str, RunConfig]:
    i3d = make_clips.config(context="none", scene="only")
    assert i3d.backbone and i3d.clips
    i3d = replace(
        i3d,
        train=replace(i3d.train, epochs=1),
        clips=replace(i3d.clips, test_clips=2, test_crops=1, workers=loaders),
    )
    slowfast = replace(
        i3d,
        backbone=replace(i3d.backbone, name="slowfast"),
        clips=replace(i3d.clips, frames=8, rate=2),
    )
    return {"i3d": charades.settings(i3d), "slowfast": charades.settings(slowfast)}


def study(
    out: Path, seeds: int = 1, tables: tuple[str, ...] = ("6",), loaders: int = 0
) -> Reproduction:
    return Reproduction(out, Charades(bases(loaders), second_epochs=1), seeds, tables)
