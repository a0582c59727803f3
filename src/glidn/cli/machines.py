"""Who does the work, on the command line: this process, several, or a cluster."""

import argparse

from glidn import fleet
from glidn.errors import SettingError
from glidn.fleet import Fleet


def add_ray(parser: argparse.ArgumentParser) -> None:
    """--ray."""
    parser.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="share the videos out with Ray (glidn[ray]): to processes of this machine, or to the "
        "cluster at HOST:PORT (auto: the one that this machine is part of)",
    )


def fleet_of(ray: str | None, workers: int | None) -> Fleet | None:
    """What --ray and --workers mean; None: this process does the work.

    Raises:
        SettingError: Ray is not installed, or one of them cannot be.
    """
    if workers is not None and workers < 1:
        raise SettingError(f"--workers is {workers}; it must be 1 or more.")
    if ray is None:
        return None
    found = Fleet(ray, workers or 0)
    fleet.check(found)
    return found
