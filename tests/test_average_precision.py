"""Both rules of average precision, against the official scorer, scikit-learn and plain loops."""

import csv
import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from glidn.average_precision import average_precision, labels_shown
from glidn.errors import DataError
from glidn.types import Segment, Video

# Distinct primes, so that two swapped axes cannot pass by accident.
VIDEOS, CLASSES = 23, 7


def reference(truth, scores):
    """The official rule, one class and one video at a time."""
    found = []
    for k in range(truth.shape[1]):
        labelled = [v for v in range(len(truth)) if any(truth[v])]
        # sorted() keeps the order of the file among equals.
        ranked = sorted(labelled, key=lambda v: -scores[v][k])
        hits, total = 0, 0.0
        for rank, v in enumerate(ranked, start=1):
            if truth[v][k]:
                hits += 1
                total += hits / rank
        found.append(total / hits if hits else float("nan"))
    return found


def made_up(seed, levels, videos=VIDEOS, classes=CLASSES):
    """Few levels make many ties; a third of the videos is without a label."""
    rng = np.random.default_rng(seed)
    truth = rng.random((videos, classes)) < 0.3
    truth[rng.random(videos) < 1 / 3] = False
    return truth, rng.integers(0, levels, truth.shape) / levels - 0.5


CASES = given(seed=st.integers(0, 10_000), levels=st.sampled_from([1, 2, 3, 11, 10_000]))


@CASES
@settings(max_examples=30, deadline=None)
def test_the_official_rule_agrees_with_plain_loops(seed, levels):
    """Would catch: an unstable sort, ties turned round, empty videos ranked among others."""
    truth, scores = made_up(seed, levels)
    found = average_precision(truth, scores)
    np.testing.assert_allclose(found.per_class, reference(truth, scores), rtol=0, atol=1e-12)


@CASES
@settings(max_examples=30, deadline=None)
def test_the_other_rule_agrees_with_scikit_learn(seed, levels):
    """Would catch: precision read off inside a tie, and empty videos moved to the end here, too."""
    truth, scores = made_up(seed, levels)
    found = average_precision(truth, scores, "sklearn")
    for k in np.flatnonzero(truth.any(axis=0)):
        expected = average_precision_score(truth[:, k], scores[:, k])
        assert found.per_class[k] == pytest.approx(expected, abs=1e-12)


@pytest.mark.shared
def test_the_official_scorer_says_the_same(shared):
    """Would catch: any difference from the MATLAB code that papers report."""
    folder = shared / "fidelity" / "charades_scorer"
    expected = json.loads((folder / "expected.json").read_text())
    with np.load(folder / "scores.npz") as saved:
        names, scores = saved["video"].tolist(), saved["scores"]
    truth = np.zeros(scores.shape, bool)
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        for row, values in enumerate(csv.DictReader(file)):
            assert values["id"] == names[row]
            for action in filter(None, values["actions"].split(";")):
                truth[row, int(action[1:4])] = True
    found = average_precision(truth, scores)
    # The file gives 12 decimals of each class, and all of the means.
    np.testing.assert_allclose(found.per_class, expected["ap"], rtol=0, atol=1e-9)
    assert found.mean == pytest.approx(expected["map"], abs=1e-9)
    assert found.weighted == pytest.approx(expected["wap"], abs=1e-9)
    # By scikit-learn's rule, with all the differences and with that of the ties alone.
    empty_last = np.where(truth.any(axis=1, keepdims=True), scores, -1)
    for given_scores, expected_map in ((scores, 0.2690), (empty_last, 0.2718)):
        other = average_precision(truth, given_scores, "sklearn").mean
        assert other == pytest.approx(average_precision_score(truth, given_scores))
        assert other == pytest.approx(expected_map, abs=5e-5)


def test_a_case_by_hand():
    """Would catch: positives counted before the empty videos went, or means over the wrong axis."""
    truth = np.array([[1, 0], [0, 0], [1, 1], [0, 1], [1, 0]], bool)
    scores = np.array([[0.9, 0.5], [0.95, 0.9], [0.2, 0.5], [0.8, 0.1], [0.2, 0.2]])
    official, other = (average_precision(truth, scores, rule) for rule in ("charades", "sklearn"))
    # Class 0: videos 0, 3, 2, 4 and last the empty 1. Class 1: 0, 2 (a tie), 4, 3.
    assert official.per_class == pytest.approx([(1 + 2 / 3 + 3 / 4) / 3, (1 / 2 + 2 / 4) / 2])
    assert official.positives.tolist() == [3, 2]
    assert official.weighted == pytest.approx((3 * official.per_class[0] + 1) / 5)
    # Class 0: 1, 0, 3, then 2 and 4 at once. Class 1: 1, then 0 and 2 at once, 4, 3.
    assert other.per_class == pytest.approx([(1 / 2 + 3 / 5 + 3 / 5) / 3, (1 / 3 + 2 / 5) / 2])
    assert (official.rule, other.rule) == ("charades", "sklearn")


@pytest.mark.parametrize("rule", ["charades", "sklearn"])
def test_classes_that_nobody_shows_do_not_count(rule):
    """Would catch: a mean that is NaN, or that counts an absent class as 0."""
    truth = np.array([[1, 0], [1, 0], [0, 0]], bool)
    scores = np.array([[3, 1], [1, 2], [2, 3]])
    found = average_precision(truth, scores, rule)
    assert np.isnan(found.per_class[1]) and found.mean == found.weighted == found.per_class[0]
    nothing = average_precision(np.zeros((0, 2), bool), np.zeros((0, 2)), rule)
    assert np.isnan(nothing.mean) and np.isnan(nothing.weighted)


def test_scores_that_cannot_be_ranked():
    """Would catch: NaN sorted to the end, so that a network that broke down gets a figure."""
    truth = np.ones((3, 2), bool)
    with pytest.raises(DataError, match=r"the scores of 1 of 3 videos are not numbers"):
        average_precision(truth, np.array([[0, 1], [np.nan, np.nan], [0, 1]]))
    with pytest.raises(DataError, match=r"labels have shape \(3, 2\) and the scores \(2, 3\)"):
        average_precision(truth, np.zeros((2, 3)))


@pytest.mark.parametrize("rule", ["charades", "sklearn"])
def test_the_whole_test_set_takes_well_under_a_second(rule):
    """Would catch: a loop over videos; bootstrapping calls this thousands of times."""
    truth, scores = made_up(0, 10_000, videos=1863, classes=157)
    start = time.process_time()
    average_precision(truth, scores, rule)
    assert time.process_time() - start < 0.5


def test_labels_of_videos():
    """Would catch: a second interval of one class counted twice, or rows in another order."""

    def video(name, *labels):
        segments = tuple(Segment(label, 0, 1) for label in labels)
        return Video(name, "", "test", "", 24, 24, 0, 0, (), segments, source="some.csv line 3")

    videos = (video("b", "run", "run"), video("a"), video("c", "sit", "run"))
    expected = [[False, True], [False, False], [True, True]]
    assert labels_shown(videos, ("sit", "run")).tolist() == expected
    with pytest.raises(DataError, match=r"some\.csv line 3: label 'run' is not one of the 1 clas"):
        labels_shown(videos, ("sit",))
