"""glidn generate FOLDER [--layout cad120] [--rule RULE] [--repetitions N] [--frames N] ...
glidn generate FOLDER --layout charades [--train N] [--test N] [--seconds S] ...
both: [--size N] [--seed N] [--workers N]
"""

import argparse
from pathlib import Path
from typing import Any

from glidn.cli.progress import progress_bar
from glidn.errors import SettingError

# Whose settings they are; the others are of both.
OPTIONS = {"cad120": ("rule", "repetitions", "frames"), "charades": ("train", "test", "seconds")}


def main(arguments: list[str]) -> int:
    """Write generated videos of a person at a table, in an official layout.

    Raises:
        SettingError: a setting is of the other layout, or cannot be.
    """
    parser = argparse.ArgumentParser(
        prog="glidn generate",
        description="Write generated videos of a person at a table, in an official layout.",
    )
    parser.add_argument("folder", type=Path, help="where to; an interrupted call is taken up")
    parser.add_argument(
        "--layout",
        default="cad120",
        choices=list(OPTIONS),
        help="cad120 (default): one label a video, as images; charades: many timed actions, as mp4",
    )
    parser.add_argument("--size", type=int, help="of frames, pixels: default 256x256, or 96 high")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    cad120 = parser.add_argument_group("layout cad120")
    cad120.add_argument(
        "--rule",
        choices=["activities", "relation", "identity", "order"],
        help="what makes the label: ten activities (default), or one of the three label rules",
    )
    cad120.add_argument("--repetitions", type=int, help="videos per subject and class; default 3")
    cad120.add_argument("--frames", type=int, help="frames per video; default 60")
    charades = parser.add_argument_group("layout charades")
    charades.add_argument("--train", type=int, help="videos to train on; default 150")
    charades.add_argument("--test", type=int, help="videos to test on; default 60")
    charades.add_argument("--seconds", type=float, help="their mean length; default 10")
    found = parser.parse_args(arguments)

    settings = {name: value for name, value in vars(found).items() if value is not None}
    folder, layout, workers = settings.pop("folder"), settings.pop("layout"), found.workers
    settings.pop("workers", None)
    for other in OPTIONS.keys() - {layout}:
        for name in OPTIONS[other]:
            if name in settings:
                raise SettingError(f"--{name} is for --layout {other}, and the layout is {layout}.")
    with progress_bar() as report:
        write(folder, layout, settings, workers, lambda done, of: report("generating", done, of))
    print(f"{folder}: look at what is in it with: glidn check {folder}")
    return 0


def write(
    folder: Path, layout: str, settings: dict[str, Any], workers: int | None, progress: Any
) -> None:
    """Write a layout with its settings; those that are absent keep their defaults."""
    from glidn.datasets.synthetic import (
        CharadesConfig,
        SyntheticConfig,
        write_cad120,
        write_charades,
    )

    if layout == "charades":
        write_charades(folder, CharadesConfig(**settings), workers, progress)
        return
    if "size" in settings:
        settings["width"] = settings["height"] = settings.pop("size")
    write_cad120(folder, SyntheticConfig(**settings), workers, progress)
