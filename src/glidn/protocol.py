"""Who is trained on and who is tested: the folds of a dataset, and the guard against leaks."""

import hashlib
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass

from glidn.config import ProtocolKind
from glidn.errors import DataError, LeakError, SettingError, nearest
from glidn.types import Dataset, Video

# With fewer, leaving one out trains on a single one; `auto` then parts the videos at random.
FEWEST_SUBJECTS = 3


@dataclass(frozen=True)
class Fold:
    """One split of a dataset.

    Attributes:
        name: the subject that is left out; "test" where the dataset brings its own split; "part1"
            and so on where it was parted at random.
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


def folds(
    dataset: Dataset,
    only: tuple[str, ...] = (),
    how: ProtocolKind = "dataset",
    parts: int = 4,
    seed: int = 0,
) -> tuple[Fold, ...]:
    """The folds of a protocol: leave one subject out (section 4.2), the dataset's split, or parts.

    Args:
        only: names of the folds that are wanted; empty: all.
        how: "dataset" is the protocol that the dataset names.
        parts, seed: of "random".

    Raises:
        DataError: the dataset does not allow the protocol.
        SettingError: a name in `only` is no fold.
    """
    how = choose(dataset, how)
    if how == "random":
        every = _by_chance(dataset, parts, seed)
    else:
        every = _by_subject(dataset) if how == "subjects" else (_by_split(dataset),)
    names = [fold.name for fold in every]
    for name in only:
        if name not in names:
            raise SettingError(f"folds: {name} is no fold of {dataset.name}{nearest(name, names)}.")
    return tuple(fold for fold in every if not only or fold.name in only)


def choose(dataset: Dataset, how: ProtocolKind) -> ProtocolKind:
    """The protocol itself, where `how` leaves it to the dataset."""
    if how == "dataset":
        return dataset.protocol
    if how != "auto":
        return how
    if {"train", "test"} <= {video.split for video in dataset.videos}:
        return "split"
    known = all(video.subject for video in dataset.videos)
    return "subjects" if known and len(dataset.subjects) >= FEWEST_SUBJECTS else "random"


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


def _by_chance(dataset: Dataset, parts: int, seed: int) -> tuple[Fold, ...]:
    names = [video.name for video in dataset.videos]
    if len(names) < parts:
        raise SettingError(
            f"data.parts is {parts}, and {dataset.root} has {len(names)} videos; make fewer parts."
        )
    kinds = strata([labels_of(video, dataset.task) for video in dataset.videos])
    dealt = _dealt(names, kinds, seed)
    part = {name: place % parts for place, name in enumerate(dealt)}
    return tuple(
        Fold(
            f"part{number + 1}",
            tuple(name for name in names if part[name] != number),
            tuple(name for name in names if part[name] == number),
        )
        for number in range(parts)
    )


def hold_back(
    names: Sequence[str], kinds: Sequence[str], share: float, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training videos -> (those to train on, those held back to choose the best epoch).

    Args:
        kinds: what the held back are a fair sample of; the only video of its kind is trained on.
        share: of the videos, 0..1; one at least is held back.

    Raises:
        DataError: there are too few.
    """
    count = Counter(kinds)
    spare = [(name, kind) for name, kind in zip(names, kinds, strict=True) if count[kind] > 1]
    wanted = min(max(1, round(share * len(names))), len(spare) // 2)
    if not wanted:
        raise DataError(
            f"of {len(names)} training videos none can be held back (train.validation): every "
            "class has one only; add videos, or set --train.validation 0 --train.patience 0."
        )
    dealt = _dealt([name for name, _ in spare], [kind for _, kind in spare], seed)
    # Evenly along the list, in which like videos are neighbours.
    held = {dealt[int((at + 0.5) * len(dealt) / wanted)] for at in range(wanted)}
    return (
        tuple(name for name in names if name not in held),
        tuple(name for name in names if name in held),
    )


def labels_of(video: Video, task: str) -> set[str]:
    """What a video shows of that which `Dataset.task` learns: its one label, or those with times.

    A video may have both.
    """
    if video.label and task != "timed":
        return {video.label}
    return {segment.label for segment in video.segments}


def strata(shown: Sequence[Collection[Hashable]]) -> list[str]:
    """What each video shows -> the rarest of it, by which videos are spread; "" for nothing."""
    count = Counter(label for labels in shown for label in labels)
    return [
        min((str(label) for label in labels), key=lambda label: (often[label], label), default="")
        for often in [{str(label): number for label, number in count.items()}]
        for labels in shown
    ]


def _dealt(names: Sequence[str], kinds: Sequence[str], seed: int) -> list[str]:
    """One kind after the other, within it by chance, which depends on the names alone."""
    chance = {name: hashlib.sha256(f"{seed} {name}".encode()).digest() for name in names}
    pairs = zip(kinds, names, strict=True)
    return [name for _, name in sorted(pairs, key=lambda pair: (pair[0], chance[pair[1]]))]


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
