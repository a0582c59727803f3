"""The demo: generated videos, a small network on small crops, minutes on a laptop.

make demo
"""

from dataclasses import replace

from glidn.config import DataConfig, NodesConfig, RunConfig
from glidn.recipes import cad120


def base() -> RunConfig:
    """Small crops and geometry, through the views of `cad120.tracks`."""
    tracks = cad120.tracks()
    return replace(
        tracks,
        data=DataConfig(steps=12, variants=4),
        nodes=NodesConfig(kinds=("small", "geometry"), small_size=16),
        train=replace(tracks.train, epochs=20, batch=16, checkpoint_every=10),
    )
