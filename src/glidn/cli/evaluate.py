"""glidn evaluate RUN"""

import argparse
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Score a run from its predictions and print them, by fold and class too."""
    parser = argparse.ArgumentParser(prog="glidn evaluate", description=main.__doc__)
    parser.add_argument("run", type=Path, help="a run folder")
    path = parser.parse_args(arguments).run

    from glidn import evaluation, runs

    for view, scores in evaluation.evaluate(runs.read(path)).items():
        print(f"{path} ({view}): {scores.sentence}")
        if isinstance(scores, evaluation.TimedScores):
            for name, found in scores.per_fold.items():
                print(f"    {name:40} {found.sentence}")
            scores = scores.segments
        folds = scores.per_fold if isinstance(scores, evaluation.Scores) else {}
        for name, value in {**folds, **scores.per_class}.items():
            print(f"    {name:40} {100 * value:5.1f}")
    return 0
