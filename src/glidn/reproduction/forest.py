"""A baseline of another kind: extremely randomised trees on hand-made features of the tracks."""

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from glidn.boxes import fill_gaps
from glidn.evaluation import Predictions
from glidn.protocol import Fold
from glidn.types import Dataset, Track, Video

POSITIONS = 12
TREES = 600


def train_and_test(dataset: Dataset, fold: Fold, seed: int) -> Predictions:
    """The forest's predictions of a fold's test videos."""
    known = {video.name: video for video in dataset.videos}
    train = [known[name] for name in fold.train]
    test = [known[name] for name in fold.test]
    forest = ExtraTreesClassifier(TREES, random_state=seed)
    forest.fit(
        np.stack([features(video, dataset.categories) for video in train]),
        [dataset.classes.index(video.label) for video in train],
    )
    shares = forest.predict_proba(np.stack([features(v, dataset.categories) for v in test]))
    logits = np.full((len(test), len(dataset.classes)), -np.inf, np.float32)
    logits[:, forest.classes_] = np.log(np.maximum(shares, 1e-6))
    return Predictions(
        videos=tuple(video.name for video in test),
        subjects=tuple(video.subject for video in test),
        truth=np.array([dataset.classes.index(video.label) for video in test]),
        logits=logits,
    )


def features(video: Video, categories: tuple[str, ...]) -> np.ndarray:
    """The person, the object that moves most, and the video's length.

    Returns:
        (2 · (12·4 + 4 + 4 + 1) + 1 + len(categories),) float: per track 12 positions (centre and
        size in frame widths and heights), their spread, their mean speeds per second, and how
        long it is seen; then the video's seconds and the object's category.
    """
    person, *things = (_Motion(track, video) for track in video.tracks)
    thing = max(things, key=lambda motion: motion.speed.sum(), default=None)
    name = thing.category if thing else ""
    return np.concatenate(
        [
            person.features,
            thing.features if thing else np.zeros_like(person.features),
            [video.seconds],
            [float(name == known) for known in categories],
        ]
    )


class _Motion:
    """A track as numbers; places in frame widths and heights, times in seconds."""

    def __init__(self, track: Track, video: Video) -> None:
        track = fill_gaps(track)
        x1, y1, x2, y2 = (track.xyxy / [video.width, video.height, video.width, video.height]).T
        place = np.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], -1)  # (F, 4)
        at = np.linspace(0, len(place) - 1, POSITIONS).round().astype(int)
        seconds = len(place) / video.fps
        self.category = track.category
        self.speed = np.abs(np.diff(place, axis=0)).sum(0) / seconds  # (4,)
        self.features = np.concatenate([place[at].ravel(), place.std(0), self.speed, [seconds]])
