"""What the networks that look at pixels are computed by, on the command line."""

import argparse
from typing import get_args

from glidn.config import Engine

ENGINES: tuple[Engine, ...] = get_args(Engine)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """--engine."""
    parser.add_argument(
        "--engine",
        default="plain",
        metavar="NAME",
        help="what the networks that look at pixels are computed by: "
        f"{', '.join(ENGINES)}; glidn bench says which is fastest here (default: plain)",
    )
