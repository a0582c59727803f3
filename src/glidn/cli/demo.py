"""glidn demo [--out DIR] [--smallest]"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

from glidn.cli.progress import progress_bar


def main(arguments: list[str]) -> int:
    """Generate videos, train every variant on them leaving one subject out, write a report.

    The same readers, networks and loop as for real CAD-120; only the videos are generated.
    """
    parser = argparse.ArgumentParser(prog="glidn demo", description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="where everything goes")
    parser.add_argument("--seeds", type=int, default=2, help="runs per row")
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    parser.add_argument("--smallest", action="store_true", help="seconds, to see that it works")
    found = parser.parse_args(arguments)

    # Imported here because torch takes seconds: a wrong option is told at once.
    from glidn import datasets
    from glidn.datasets.synthetic import SyntheticConfig, write_cad120
    from glidn.recipes import demo
    from glidn.report.page import write_report
    from glidn.reproduction import label_rules
    from glidn.reproduction.cad120 import Cad120
    from glidn.reproduction.reproduce import Reproduction, reproduce

    began = time.monotonic()
    base = replace(demo.base(), data=replace(demo.base().data, root=found.out / "data"))
    videos = SyntheticConfig(repetitions=3, frames=48, width=192, height=192)
    if found.smallest:
        base = replace(base, train=replace(base.train, epochs=2))
        videos = replace(videos, repetitions=1, frames=24, width=64, height=64)
    seeds = 1 if found.smallest else found.seeds

    with progress_bar() as report:
        write_cad120(
            base.data.root, videos, found.workers, lambda done, of: report("generating", done, of)
        )
        dataset = datasets.load(base.data.root)
        what = Reproduction(found.out, Cad120(base), seeds, tables=("3", "8"), extras=False)
        reproduce(dataset, what, found.workers, report)
        if not found.smallest:
            label_rules.learn_all(
                found.out / "label_rules.json",
                found.workers,
                lambda done, of: report("three rules", done, of),
            )
        page = write_report(found.out, progress=report)
    print((found.out / "tables.md").read_text(encoding="utf-8"))
    first = dataset.videos[0].name
    print(f"{time.monotonic() - began:.0f} s. Look at {page}")
    print(
        f"ask it: glidn predict {base.data.root} --only {first} --run {found.out}/runs/seed0/local"
    )
    return 0
