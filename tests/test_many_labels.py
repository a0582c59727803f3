"""Many labels per video: predictions that survive their file, and scores beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from glidn.errors import RunError
from glidn.many_labels import ManyPredictions, chance, read, score, write

CLASSES = ("Holding a cup", "Putting a cup, gently, somewhere", "Sitting")


def predictions(videos: int = 11) -> ManyPredictions:
    rng = np.random.default_rng(0)
    truth = rng.random((videos, 3)) < 0.4
    truth[0] = False
    names = tuple(f"v{number}" for number in range(videos))
    scores = rng.random((videos, 3)).astype(np.float32)
    return ManyPredictions(names, ("anna",) * videos, truth, scores)


def test_predictions_survive_their_file_exactly(tmp_path):
    said = predictions()
    write(tmp_path / "local.csv", said, CLASSES)
    again = read(tmp_path / "local.csv", CLASSES)
    assert (again.videos, again.subjects) == (said.videos, said.subjects)
    assert (again.truth == said.truth).all() and (again.scores == said.scores).all()


@pytest.mark.parametrize("content", ["", "video,truth\nv1,0\n", "video,truth\nv1\n"])
def test_damaged_predictions_are_one_sentence(tmp_path, content):
    (tmp_path / "local.csv").write_text(content)
    if not content:
        (tmp_path / "local.csv").unlink()
    with pytest.raises(RunError, match=r"local\.csv is missing or damaged"):
        read(tmp_path / "local.csv", CLASSES)


def test_scores_are_the_rules_by_their_names():
    said = predictions()
    found = score(said, CLASSES, ["v3"])
    each = [average_precision_score(said.truth[:, k], said.scores[:, k]) for k in range(3)]
    assert found.sklearn == pytest.approx(np.mean(each))
    labelled = said.truth.any(1)
    official = [
        average_precision_score(said.truth[labelled][:, k], said.scores[labelled][:, k])
        for k in range(3)
    ]
    assert found.mean == pytest.approx(np.mean(official))
    assert found.weighted == pytest.approx(np.average(official, weights=said.truth.sum(0)))
    assert found.unread == ["v3"] and found.videos == 11


def test_chance_is_the_share_of_labelled_videos_that_show_a_class():
    truth = np.random.default_rng(0).random((400, 7)) < 0.25
    labelled = truth[truth.any(1)]  # the others rank last whatever their scores
    assert chance(truth) == pytest.approx(labelled.mean(), abs=0.01)
