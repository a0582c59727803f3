"""Scores against scikit-learn, and predictions that survive their file."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from glidn.errors import RunError
from glidn.evaluation import Predictions, pool, read, score, write
from glidn.metrics import bootstrap_difference, bootstrap_mean
from make import CLASSES


def predictions(videos: int, seed: int, first: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    names = [f"v{first + number:02}" for number in rng.permutation(videos)]
    return Predictions(
        tuple(names),
        tuple("anna" for _ in names),
        rng.integers(0, 3, videos),
        rng.normal(size=(videos, 3)).astype(np.float32),
    )


def test_scores_are_scikit_learns():
    folds = {"anna": predictions(13, 0), "ben": predictions(29, 1, 13)}
    found = score(folds, CLASSES)
    truth = np.concatenate([part.truth for part in folds.values()])
    said = np.concatenate([part.logits.argmax(1) for part in folds.values()])
    each = [accuracy_score(p.truth, p.logits.argmax(1)) for p in folds.values()]
    assert found.videos == 42
    assert found.pooled == pytest.approx(accuracy_score(truth, said))
    assert found.mean == pytest.approx(np.mean(each))
    assert found.mean != pytest.approx(found.pooled), "the folds differ in size"
    assert found.std == pytest.approx(np.std(each, ddof=1))
    assert found.confusion == confusion_matrix(truth, said).tolist()
    assert list(found.per_class.values()) == pytest.approx(recall_score(truth, said, average=None))


def test_pooling_aligns_runs_video_by_video():
    a = pool([predictions(5, 0), predictions(4, 1, 5)])
    b = pool([predictions(4, 1, 5), predictions(5, 0)])
    assert a.videos == b.videos == tuple(sorted(a.videos))
    assert (a.correct == b.correct).all()


def test_predictions_survive_their_file_exactly(tmp_path):
    said = predictions(7, 0)
    write(tmp_path / "local.csv", said, CLASSES)
    again = read(tmp_path / "local.csv", CLASSES)
    assert (again.videos, again.subjects) == (said.videos, said.subjects)
    assert (again.truth == said.truth).all()
    assert (again.logits == said.logits).all()


@pytest.mark.parametrize("content", ["", "video,truth\nv1,cutting\n", "video,truth\n\x00"])
def test_damaged_predictions_are_one_sentence(tmp_path, content):
    path = tmp_path / "local.csv"
    if content:
        path.write_text(content)
    with pytest.raises(RunError, match=r"local\.csv is missing or damaged"):
        read(path, CLASSES)


def test_the_interval_of_a_mean_is_the_normal_one_for_many_videos():
    correct = np.random.default_rng(0).random((1, 4000)) < 0.8
    low, high = bootstrap_mean(correct)
    half = 1.96 * np.sqrt(0.8 * 0.2 / 4000)
    assert low == pytest.approx(correct.mean() - half, abs=0.003)
    assert high == pytest.approx(correct.mean() + half, abs=0.003)


def test_differences_are_paired():
    """Two methods that fail on the same videos are surely equal; unpaired they would not be."""
    right = np.random.default_rng(0).random((3, 60)) < 0.7
    assert bootstrap_difference(right, right) == (0.0, 0.0)
    better = right.copy()
    better[:, :9] = True
    low, high = bootstrap_difference(better, right)
    assert 0 <= low < (better.mean() - right.mean()) < high
    assert high - low < np.ptp(bootstrap_mean(right))
