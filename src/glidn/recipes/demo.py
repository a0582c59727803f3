"""The demo: generated videos, small networks, minutes on a laptop.

    make demo
"""

from glidn.config import DataConfig, NodesConfig, RunConfig, TrainConfig, ViewConfig


def base() -> RunConfig:
    """Small crops and geometry through small views."""
    return RunConfig(
        data=DataConfig(steps=12),
        nodes=NodesConfig(kinds=("small", "geometry")),
        view=ViewConfig(embed=64, width=64),
        train=TrainConfig(
            epochs=40, batch=8, lr=2e-3, decay_every=30, checkpoint_every=10
        ),
    )
