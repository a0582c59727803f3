"""glidn evaluate RUN"""

import argparse
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Score a run from its predictions and print the scores by fold and class."""
    parser = argparse.ArgumentParser(prog="glidn evaluate", description=main.__doc__)
    parser.add_argument("run", type=Path, help="a run folder")
    path = parser.parse_args(arguments).run

    from glidn import evaluation, runs

    for view, scores in evaluation.evaluate(runs.read(path)).items():
        print(f"{path} ({view}), {scores.videos} videos")
        print(f"  mean of folds  {100 * scores.mean:5.1f} ± {100 * scores.std:.1f}")
        print(f"  pooled         {100 * scores.pooled:5.1f}")
        for name, value in {**scores.per_fold, **scores.per_class}.items():
            print(f"    {name:24} {100 * value:5.1f}")
    return 0
