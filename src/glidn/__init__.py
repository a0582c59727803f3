"""glidn: human-object interactions in video, by local and global graph attention.

An implementation of GLIDN (Almushyti & Li, "Distillation of Human-Object Interaction Contexts
for Action Recognition").
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from glidn.config import Engine
    from glidn.prediction.predict import Model

__version__ = "0.1.0"


def load(run: "Path | str", engine: "Engine" = "plain") -> "Model":
    """A trained run, ready to be asked what is done in a video.

        result = glidn.load("runs/own").predict("kitchen.mp4")

    Args:
        engine: what the networks that look at pixels are computed by.

    Raises:
        SettingError: the engine is unknown, or lacks something on this machine.
        RunError: it is no run, none of its folds is trained, or it does not fit this glidn.
    """
    # Imported here because torch takes seconds.
    from glidn.prediction.predict import Model

    return Model(run, engine)
