"""CAD-120, as the paper trains it, and on box tracks alone.

    glidn train cad120.teacher --data.root /data/cad120
    glidn train cad120.student --data.root /data/cad120 --distill.teacher runs/cad120.teacher

Section 4.2 and Table 4: 30 frames uniformly, ResNet-50 features of cropped boxes, three layers,
Adam at 2e-5 for 100 epochs, x0.1 each 50. Width, batch size and readout are not in the paper;
docs/reproduce.md lists what was assumed.
"""

from dataclasses import replace
from pathlib import Path

from glidn.config import DataConfig, NodesConfig, RunConfig, TrainConfig, ViewConfig
from glidn.recipes import variants


def base() -> RunConfig:
    """The paper's settings; the local view alone."""
    return RunConfig()


def baseline() -> RunConfig:
    """No relations: the mean of the nodes, classified."""
    return variants.without_relations(base())


def teacher() -> RunConfig:
    """The global view, which teaches in the paper's best row."""
    return variants.alone(base(), "global")


def student() -> RunConfig:
    """The local view, taught by the global one (Table 3, "Global-teacher")."""
    return variants.taught(base(), "local", Path("runs/cad120.teacher"))


def student_without_distillation() -> RunConfig:
    """Differs from `student` in the one thing that its name says."""
    return replace(student(), distill=None)


def local_teacher() -> RunConfig:
    """The local view, to teach the global one."""
    return variants.alone(base(), "local")


def global_student() -> RunConfig:
    """The global view, taught by the local one (Table 3, "Local-teacher")."""
    return variants.taught(base(), "global", Path("runs/cad120.local_teacher"))


def mutual() -> RunConfig:
    """Deep mutual learning of both views (Table 8)."""
    return variants.mutual(base())


def tracks() -> RunConfig:
    """Boxes alone, without pixels: geometry nodes and a small network.

        glidn reproduce cad120 --nodes geometry --data.root /data/cad120_tracks --seeds 5

    Chosen by cross-validation within the training subjects: results/cad120_tracks.md.
    """
    return RunConfig(
        data=DataConfig(variants=8),
        nodes=NodesConfig(kinds=("geometry",)),
        view=ViewConfig(embed=32, width=32, residual=True),
        train=TrainConfig(
            epochs=100,
            batch=128,
            lr=2e-3,
            schedule="cosine",
            weight_decay=0.01,
            label_smoothing=0.1,
            checkpoint_every=50,
            threads=1,
        ),
    )


def timed() -> RunConfig:
    """Timed sub-activities from boxes alone: what is done when.

        glidn train cad120.timed --data.root /data/cad120_tracks

    Chosen by cross-validation within the training subjects: results/cad120_timed.md.
    """
    base = tracks()
    return replace(
        base,
        data=DataConfig(samples="windows", steps=15, variants=2),
        view=replace(base.view, context="global", embed=64, width=64, time=True),
        train=replace(base.train, epochs=40),
    )
