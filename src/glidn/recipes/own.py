"""Own labels: 20 to 200 videos in our dataset folder, from boxes alone or with small crops.

    glidn import cvat annotations.xml --video film.mp4 --to my-videos
    glidn train own --data.root my-videos
    glidn train own --data.root my-videos --nodes small,geometry

The network of `cad120.tracks`; what differs is for small and uneven datasets: docs/own.md.
"""

from dataclasses import replace

from glidn.config import DataConfig, RunConfig
from glidn.recipes import cad120


def base() -> RunConfig:
    """Own labels: boxes alone, rare classes weigh more, the best epoch is kept."""
    tracks = cad120.tracks()
    return replace(
        tracks,
        data=DataConfig(variants=8, protocol="auto"),
        train=replace(
            tracks.train,
            batch=32,
            class_weights=5.0,
            validation=0.15,
            patience=30,
            checkpoint_every=10,
        ),
    )
