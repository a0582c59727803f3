"""The demo: generated videos, a small network on small crops, minutes on a laptop.

make demo
"""

from dataclasses import replace

from glidn.config import DataConfig, NodesConfig, RunConfig, TrainConfig
from glidn.recipes import cad120


def base() -> RunConfig:
    """Small crops and geometry, through the views of `cad120.tracks`."""
    return replace(
        cad120.tracks(),
        data=DataConfig(steps=12, variants=4),
        nodes=NodesConfig(kinds=("small", "geometry"), small_size=16),
        train=TrainConfig(
            epochs=20,
            batch=16,
            lr=2e-3,
            schedule="cosine",
            weight_decay=0.01,
            label_smoothing=0.1,
            checkpoint_every=10,
            threads=1,
        ),
    )
