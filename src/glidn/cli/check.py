"""glidn check: what is wrong with a dataset, where, and the mend."""

import argparse
import itertools
from collections import defaultdict
from pathlib import Path

MOST = 20  # problems of one kind that are printed


def main(arguments: list[str]) -> int:
    """Print the problems by file, then the notes and the counts.

    Returns:
        0 if there is no problem, 1 if there is one.

    Raises:
        DataError: the path is not a dataset at all; the caller exits with 2.
    """
    parser = argparse.ArgumentParser(
        prog="glidn check",
        description="Say what is wrong with a dataset: file, line and mend. Exit code 0 if "
        "nothing is, 1 if something is, 2 if it is no dataset.",
    )
    parser.add_argument("path", type=Path, help="the dataset's folder")
    parser.add_argument("--kind", default="auto", help="table, cad120, ...; default: recognise it")
    parser.add_argument(
        "--pixels", action="store_true", help="decode every frame, not three of each video"
    )
    asked = parser.parse_args(arguments)

    # After parsing, so that `--help` answers at once.
    from glidn.datasets.check import examine
    from glidn.datasets.problems import Problem

    found = examine(asked.path, asked.kind, all_pixels=asked.pixels)
    problems = sorted(found.problems, key=lambda problem: (problem.file, problem.line or 0))
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        kinds[problem.mend].append(problem)
    printed = [problem for problem in problems if problem in kinds[problem.mend][:MOST]]
    for file, group in itertools.groupby(printed, key=lambda problem: problem.file):
        print(file)
        for problem in group:
            line = "" if problem.line is None else f"line {problem.line}: "
            print(f"  {line}{problem.what}. {problem.mend}.")
            same = kinds[problem.mend]
            if len(same) > MOST and problem is same[MOST - 1]:
                print(f"  ... and {len(same) - MOST:,} more of this kind")
        print()
    for video in found.dataset.left_out[:MOST]:
        print(f"left out: {video.video}: {video.reason}")
    if len(found.dataset.left_out) > MOST:
        print(f"... and {len(found.dataset.left_out) - MOST:,} more left out")
    for note in found.notes:
        print(f"note: {note}" + ("" if note.endswith("?") else "."))
    counts = ", ".join(f"{count:,} {name}" for name, count in found.counts.items())
    print(f"{asked.path} ({found.kind}): {counts}.")
    frames = "every frame" if asked.pixels else "three frames each"
    nothing = "No pixels. Labels and boxes were checked; networks that look at pixels need them."
    print(f"Pixels: {found.opened:,} videos opened, {frames}." if found.opened else nothing)
    many = "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
    print(f"{many}." if problems else "No problem found.")
    return 1 if problems else 0
