"""Who is trained on and who is tested: the folds of a dataset, and the guard against leaks."""

from collections.abc import Iterable
from dataclasses import dataclass

from glidn.errors import DataError, LeakError, SettingError, nearest
from glidn.types import Dataset


@dataclass(frozen=True)
class Fold:
    """One split of a dataset.

    Attributes:
        name: the subject that is left out; "test" where the dataset brings its own split.
        train, test: names of videos.
    """

    name: str
    train: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise LeakError(
                f"fold {self.name}: {len(both)} test videos are also trained on, first {both[0]}."
            )


def folds(dataset: Dataset, only: tuple[str, ...] = ()) -> tuple[Fold, ...]:
    """The folds of the dataset's protocol: leave one subject out (section 4.2), or its split.

    Args:
        only: names of the folds that are wanted; empty: all.

    Raises:
        DataError: there are fewer than two subjects, or a part of the split is empty.
        SettingError: a name in `only` is no fold.
    """
    every = _by_subject(dataset) if dataset.protocol == "subjects" else (_by_split(dataset),)
    names = [fold.name for fold in every]
    for name in only:
        if name not in names:
            raise SettingError(f"folds: {name} is no fold of {dataset.name}{nearest(name, names)}.")
    return tuple(fold for fold in every if not only or fold.name in only)


def _by_subject(dataset: Dataset) -> tuple[Fold, ...]:
    if len(dataset.subjects) < 2:
        raise DataError(
            f"{dataset.root}: leaving one subject out needs at least two subjects; "
            f"found {len(dataset.subjects)}. Fill the column subject of videos.csv, or give every "
            "video a split and set protocol: split in dataset.yaml."
        )
    return tuple(
        Fold(
            subject,
            tuple(video.name for video in dataset.videos if video.subject != subject),
            tuple(video.name for video in dataset.videos if video.subject == subject),
        )
        for subject in dataset.subjects
    )


def _by_split(dataset: Dataset) -> Fold:
    train = tuple(video.name for video in dataset.videos if video.split == "train")
    test = tuple(video.name for video in dataset.videos if video.split == "test")
    if not train or not test:
        raise DataError(
            f"{dataset.root}: the split has {len(train)} training and {len(test)} test videos; "
            "both are needed. Fill the column split of videos.csv with train and test."
        )
    return Fold("test", train, test)


def guard_teacher(fold: Fold, saw: Iterable[str], who: str) -> None:
    """Refuse a teacher, or a first stage, that was trained on a video which this fold tests.

    Args:
        saw: the videos that it was trained on.
        who: "the teacher runs/x", for the error.

    Raises:
        LeakError: it was.
    """
    seen = sorted(set(fold.test) & set(saw))
    if seen:
        raise LeakError(
            f"fold {fold.name}: {who} was trained on {len(seen)} of the test videos, first "
            f"{seen[0]}; train it with the same folds."
        )
