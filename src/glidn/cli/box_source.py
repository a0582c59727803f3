"""Where boxes come from, on the command line: a detector or a table."""

import argparse
from pathlib import Path

from glidn.errors import SettingError


def add_box_source(parser: argparse.ArgumentParser) -> None:
    """--detector and --boxes."""
    parser.add_argument(
        "--detector",
        default="",
        help="torchvision (Faster R-CNN, downloaded once; default), a file of its weights, or a "
        "YOLOX detector FILE.onnx; a dataset's own boxes are used unless this is given",
    )
    parser.add_argument("--boxes", type=Path, help="a table of boxes instead (docs/data.md)")


def check_box_source(found: argparse.Namespace) -> None:
    """Refuse both at once.

    Raises:
        SettingError: both were given.
    """
    if found.boxes is not None and found.detector:
        raise SettingError("--boxes and --detector were both given; boxes come from one of them.")
