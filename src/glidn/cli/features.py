"""glidn features RECIPE [--data.root DIR] [any setting of glidn train] [--ray [ADDRESS]]"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from glidn.cli.machines import add_ray, fleet_of
from glidn.cli.progress import progress_bar
from glidn.cli.settings import add_settings, parse, to_config
from glidn.cli.train import kinds_of, say_left_out
from glidn.config import RunConfig
from glidn.errors import SettingError
from glidn.fleet import Fleet
from glidn.recipes import RECIPES, find
from glidn.types import Dataset, Video


def main(arguments: list[str]) -> int:
    """Compute the frozen features that training with the same settings would ask for.

    Exit code 1: those of some videos could not be; the others are kept.
    """
    from jsonargparse import ArgumentParser

    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: glidn features RECIPE [--data.root DIR] [--ray [ADDRESS]] [any setting]\n")
        print("Computes the frozen features of crop nodes, so that training finds them; the same")
        print("settings as for training. Recipes (glidn features RECIPE --help lists settings):")
        for name in RECIPES:
            print(f"    {name}")
        return 0
    name = arguments[0]
    parser = ArgumentParser(prog=f"glidn features {name}", description=main.__doc__)
    add_ray(parser)
    parser.add_argument("--workers", type=int, help="of --ray: processes; default: all cores")
    add_settings(parser, find(name))
    found = parse(parser, kinds_of(arguments[1:]))
    fleet = fleet_of(found.ray, found.workers)
    config = to_config(found)
    if "crop" not in config.nodes.kinds:
        kinds = ",".join(config.nodes.kinds)
        raise SettingError(f"--nodes {kinds}: only the features of crop nodes are kept.")
    return _fill(config, fleet)


def _fill(config: RunConfig, fleet: Fleet | None) -> int:
    # Imported here because torch takes seconds: a wrong setting is told at once.
    from glidn import datasets, windows
    from glidn.checks import check_weights
    from glidn.features import default_cache
    from glidn.fleet import over

    check_weights(config)
    dataset = windows.learnt(datasets.load(config.data.root, config.data.kind), config.data)
    say_left_out(dataset)
    folder = config.nodes.cache or default_cache()
    videos, looks, failed = dataset.videos, 0, 0
    # Every process is sent this, and its videos one by one.
    build = partial(_keeper, config, replace(dataset, videos=()))
    with progress_bar() as report:
        for number, done in enumerate(over(build, videos, fleet, folder), 1):
            report("frozen features", number, len(videos))
            looks += done.value or 0
            if done.error:
                failed += 1
                print(f"glidn: {videos[done.at].name}: {done.error}", file=sys.stderr)
    print(f"{folder}: {looks:,} looks at {len(videos) - failed:,} videos.")
    if failed:
        print(f"glidn: {failed} of {len(videos)} videos could not be done.", file=sys.stderr)
    return 1 if failed else 0


def _keeper(config: RunConfig, dataset: Dataset) -> Callable[[Video], int]:
    from glidn.features import FrozenFeatures
    from glidn.material import keeper

    return keeper(config, dataset, FrozenFeatures(config.nodes))
