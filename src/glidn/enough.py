"""Is there enough to learn from? What a dataset is too small for, said before it is trained on."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from glidn.errors import DataError, few
from glidn.protocol import Fold, labels_of
from glidn.types import Dataset

VIDEOS = 20  # with fewer, one video is more than five points of accuracy
OF_A_CLASS = 3  # training videos; with fewer, a class is a memory of them
TESTED = 5


def notes(dataset: Dataset, folds: Sequence[Fold]) -> list[str]:
    """A sentence for each way in which there is too little.

    Raises:
        DataError: there is nothing to tell apart.
    """
    if len(dataset.classes) < 2 and dataset.task == "single":
        raise DataError(
            f"{dataset.root}: every video is {few(dataset.classes) or 'without a label'}; at "
            "least two classes are needed to tell one from the other."
        )
    found = []
    if len(dataset.videos) < VIDEOS:
        found.append(
            f"there are {len(dataset.videos)} videos; with fewer than {VIDEOS} a score is mostly "
            "chance: add videos before you trust it"
        )
    if scarce := _scarce(dataset, folds):
        found.append(
            f"too little to learn from, fewer than {OF_A_CLASS} training videos: "
            f"{few(scarce, most=6)}; add videos of them, or give them a class with others"
        )
    if small := [f"{fold.name} ({len(fold.test)})" for fold in folds if len(fold.test) < TESTED]:
        found.append(
            f"fewer than {TESTED} videos are tested in {few(small)}: read the pooled score, not "
            "that of a fold"
        )
    return found


def _scarce(dataset: Dataset, folds: Sequence[Fold]) -> list[str]:
    """Classes with too few training videos: "drinking (1 in fold anna)", the worst fold of each."""
    shown = {video.name: labels_of(video, dataset.task) for video in dataset.videos}
    worst: dict[str, tuple[int, str]] = defaultdict(lambda: (OF_A_CLASS, ""))
    for fold in folds:
        count = Counter(label for name in fold.train for label in shown[name])
        for label in dataset.classes:
            worst[label] = min(worst[label], (count[label], fold.name), key=lambda pair: pair[0])
    return [
        f"{label} ({number} in fold {fold})"
        for label, (number, fold) in worst.items()
        if number < OF_A_CLASS
    ]
