"""glidn generate FOLDER [--rule RULE] [--repetitions N] [--frames N] [--size N] [--seed N]"""

import argparse
from pathlib import Path

from glidn.cli.progress import progress_bar


def main(arguments: list[str]) -> int:
    """Write generated videos of a person at a table, in the official CAD-120 layout."""
    parser = argparse.ArgumentParser(prog="glidn generate", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where to; an interrupted call is taken up")
    parser.add_argument(
        "--rule",
        default="activities",
        choices=["activities", "relation", "identity", "order"],
        help="what makes the label: ten activities, or one of the three label rules",
    )
    parser.add_argument("--repetitions", type=int, default=3, help="videos per subject and class")
    parser.add_argument("--frames", type=int, default=60, help="frames per video")
    parser.add_argument("--size", type=int, default=256, help="width and height, pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    found = parser.parse_args(arguments)

    from glidn.datasets.synthetic import SyntheticConfig, write_cad120

    config = SyntheticConfig(
        seed=found.seed,
        rule=found.rule,
        repetitions=found.repetitions,
        frames=found.frames,
        width=found.size,
        height=found.size,
    )
    with progress_bar() as report:
        write_cad120(
            found.folder, config, found.workers, lambda done, of: report("generating", done, of)
        )
    print(f"{found.folder}: look at what is in it with: glidn check {found.folder}")
    return 0
