"""Charades, as the paper trains it: a backbone first, then a view on top of it, end to end.

    glidn train charades.i3d --data.root /data/charades --backbone.weights I3D_8x8_R50.pkl
    glidn train charades.i3d_local --data.root /data/charades
    glidn train charades.i3d_student --data.root /data/charades

Section 4.2 and Table 4: I3D-R50 on 32 frames or SlowFast-R50 on 64, crops of 224 from a short side
of 256 to 320 (340 for SlowFast), SGD at 0.018, 60 epochs of 8 videos for the backbone (x0.1 after
40), 30 epochs for the whole, one layer, 15 boxes, 30 views in the test. docs/reproduce.md lists
what the paper leaves open.
"""

from dataclasses import replace
from pathlib import Path

from glidn.config import (
    BackboneConfig,
    ClipsConfig,
    Context,
    DistillConfig,
    NodesConfig,
    RunConfig,
    TrainConfig,
    ViewConfig,
)

I3D = BackboneConfig(name="i3d")
I3D_CLIPS = ClipsConfig(frames=32, rate=4, short=(256, 320), test_size=224, workers=4)
SLOWFAST_CLIPS = replace(I3D_CLIPS, frames=64, rate=2, short=(256, 340), test_size=256)
# Two time steps over a second and a half, of 6 x 6 cells each; few looks, to be learnt in minutes.
SMALL = BackboneConfig(
    name="i3d", width=8, blocks=(1, 1, 1, 1), res5_stride=1, frozen_norm=False, dropout=0.0
)
# Sixteen clips at a time: with fewer, PyTorch computes 1x1 convolutions on one core the slow way.
SMALL_CLIPS = ClipsConfig(
    frames=4,
    rate=12,
    size=96,
    short=(96, 96),
    mirror=False,
    test_size=96,
    boxes=8,
    views_per_batch=30,
    memory=4.0,
)
# The paper gives neither; see docs/reproduce.md.
DISTILL = DistillConfig(temperature=2.0, lambda1=1.0, lambda2=4.0)


def i3d() -> RunConfig:
    """The first stage: I3D alone, from weights trained on Kinetics (Table 6, "I3D")."""
    return RunConfig(
        nodes=NodesConfig(kinds=("region",)),
        backbone=I3D,
        clips=I3D_CLIPS,
        view=ViewConfig(context="none", layers=1, scene="only"),
        train=TrainConfig(
            epochs=60,
            batch=8,
            optimizer="sgd",
            lr=0.018,
            decay_every=40,
            weight_decay=1e-4,
        ),
    )


def slowfast() -> RunConfig:
    """SlowFast alone: published weights of Charades, tested as they are (Table 5, "Slowfast").

    From weights of Kinetics, add --train.epochs 60.
    """
    base = i3d()
    return replace(
        base,
        backbone=BackboneConfig(name="slowfast"),
        clips=SLOWFAST_CLIPS,
        train=replace(base.train, epochs=0),
    )


def second_stage(first: RunConfig, weights: Path) -> RunConfig:
    """30 more epochs of the backbone alone: what the views are compared with, at equal cost."""
    assert first.backbone is not None
    return replace(
        first,
        backbone=replace(first.backbone, weights=weights),
        train=replace(first.train, epochs=30),
    )


def view(first: RunConfig, weights: Path, context: Context) -> RunConfig:
    """A view on top of a first stage, trained end to end; "none" has nodes but no relations."""
    base = second_stage(first, weights)
    head = replace(base.view, context=context, scene="concat", scene_dropout=0.3)
    return replace(base, view=head)


def student(
    first: RunConfig,
    weights: Path,
    context: Context,
    teacher: Path,
    distill: DistillConfig = DISTILL,
) -> RunConfig:
    """A view that is taught by a run of the other (eq. 4 with the loss of eq. 3)."""
    return replace(view(first, weights, context), distill=replace(distill, teacher=teacher))


def i3d_baseline() -> RunConfig:
    """I3D alone for as long as the views: 30 more epochs."""
    return second_stage(i3d(), Path("runs/charades.i3d"))


def i3d_local() -> RunConfig:
    """The local view on I3D (Table 6), which teaches in the paper's best row."""
    return view(i3d(), Path("runs/charades.i3d"), "local")


def i3d_global() -> RunConfig:
    """The global view on I3D (Table 6)."""
    return view(i3d(), Path("runs/charades.i3d"), "global")


def i3d_student() -> RunConfig:
    """The global view, taught by the local one (Table 6, "Local-teacher": the paper's best)."""
    local = Path("runs/charades.i3d_local")
    return student(i3d(), Path("runs/charades.i3d"), "global", local)


def slowfast_local() -> RunConfig:
    """The local view on SlowFast (Table 5)."""
    return view(slowfast(), Path("runs/charades.slowfast"), "local")


def slowfast_global() -> RunConfig:
    """The global view on SlowFast (Table 5), which teaches in the paper's best row."""
    return view(slowfast(), Path("runs/charades.slowfast"), "global")


def slowfast_student() -> RunConfig:
    """The local view, taught by the global one (Table 5, "Global-teacher": the paper's best)."""
    teacher = Path("runs/charades.slowfast_global")
    return student(slowfast(), Path("runs/charades.slowfast"), "local", teacher)


def small_i3d() -> RunConfig:
    """A first stage in miniature, from random weights: generated Charades in minutes."""
    base = i3d()
    return replace(
        base,
        nodes=replace(base.nodes, region_width=64),
        backbone=SMALL,
        clips=SMALL_CLIPS,
        view=replace(base.view, width=64),
        train=replace(
            base.train,
            optimizer="adam",
            epochs=12,
            batch=16,
            lr=2.5e-3,
            schedule="cosine",
            weight_decay=0.01,
            prior=True,
            checkpoint_every=6,
        ),
    )


def small_slowfast() -> RunConfig:
    """SlowFast in miniature, from random weights."""
    base = small_i3d()
    return replace(
        base,
        backbone=replace(SMALL, name="slowfast"),
        clips=replace(SMALL_CLIPS, frames=8, rate=6),
    )
