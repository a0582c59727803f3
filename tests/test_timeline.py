"""Scores of timelines: hand-made cases, and a plain loop over frames."""

import numpy as np
import pytest

from glidn.errors import RunError
from glidn.timed import Timelines, read, write
from glidn.timeline import UNLABELLED, Piece, edit, pieces, score, spread

CLASSES = ("moving", "placing", "reaching")


def frames(*parts: tuple[int, int]) -> np.ndarray:
    """(class, how many frames) ... -> a timeline."""
    return np.concatenate([np.full(length, label, np.int64) for label, length in parts])


def reference_f1(pairs: list[tuple[np.ndarray, np.ndarray]], overlap: float) -> float:
    """Precision and recall counted one frame and one piece at a time."""
    right = wrong = missed = 0
    for truth, said in pairs:
        true_sets, said_sets = frame_sets(truth, truth), frame_sets(said, truth)
        found = [False] * len(true_sets)
        for label, mine in said_sets:
            best, where = 0.0, -1
            for number, (other, theirs) in enumerate(true_sets):
                share = len(mine & theirs) / len(mine | theirs) if label == other else 0.0
                if share > best:
                    best, where = share, number
            if where >= 0 and best >= overlap and not found[where]:
                found[where] = True
                right += 1
            else:
                wrong += 1
        missed += found.count(False)
    if right == 0:
        return 0.0
    precision, recall = right / (right + wrong), right / (right + missed)
    return 2 * precision * recall / (precision + recall)


def frame_sets(timeline: np.ndarray, truth: np.ndarray) -> list[tuple[int, set[int]]]:
    sets: list[tuple[int, set[int]]] = []
    last = None
    for frame, label in enumerate(timeline.tolist()):
        label = None if truth[frame] == UNLABELLED else label
        if label is not None and label != last:
            sets.append((label, set()))
        if label is not None:
            sets[-1][1].add(frame)
        last = label
    return sets


def random_pairs(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    pairs = []
    for length in (97, 53, 31):
        truth = np.repeat(rng.integers(-1, 3, length), rng.integers(1, 13, length))[:length]
        said = np.where(rng.random(length) < 0.2, rng.integers(0, 3, length), np.abs(truth))
        pairs.append((truth, np.roll(said, int(rng.integers(0, 4)))))
    return pairs


@pytest.mark.parametrize("seed", range(7))
def test_f1_is_that_of_a_plain_loop(seed):
    pairs = random_pairs(seed)
    found = score(pairs)
    for name, value in found.f1.items():
        assert value == pytest.approx(reference_f1(pairs, int(name) / 100)), name


def test_a_perfect_timeline_scores_one_whatever_it_says_where_nothing_is_labelled():
    truth = frames((0, 10), (UNLABELLED, 7), (2, 5), (1, 3))
    said = frames((0, 10), (1, 3), (0, 4), (2, 5), (1, 3))
    found = score([(truth, said)])
    assert (found.accuracy, found.edit, set(found.f1.values())) == (1.0, 1.0, {1.0})
    assert found.frames == 18


def test_over_segmentation_costs_f1_and_edit_but_no_frames():
    truth = frames((0, 50), (1, 50))
    once = truth.copy()
    once[60:64] = 2  # four frames wrong, in one piece
    often = truth.copy()
    often[[60, 70, 80, 90]] = 2  # four frames wrong, in four
    one, many = score([(truth, once)]), score([(truth, often)])
    assert one.accuracy == many.accuracy == 0.96
    assert many.edit < one.edit < 1
    assert all(many.f1[name] < one.f1[name] < 1 for name in one.f1)


@pytest.mark.parametrize(
    ("shift", "names"), [(33, {"10", "25", "50"}), (34, {"10", "25"}), (60, {"10", "25"})]
)
def test_a_shifted_piece_counts_while_it_overlaps_enough(shift, names):
    """100 frames moved by s share (100 - s) / (100 + s): 0.504 at 33, 0.493 at 34, 0.25 at 60."""
    truth = frames((UNLABELLED, 0), (0, 100), (1, 100))
    said = frames((2, shift), (0, 100), (1, 100 - shift))
    found = score([(truth, said)])
    hit = {name for name, value in found.f1.items() if value == max(found.f1.values())}
    assert hit == names


def test_a_true_piece_is_matched_once():
    truth, said = frames((0, 10)), frames((0, 4), (1, 2), (0, 4))
    assert score([(truth, said)]).f1["25"] == pytest.approx(2 * 1 / (1 + 3))


def test_pieces_are_parted_by_unlabelled_frames():
    timeline = frames((UNLABELLED, 2), (0, 3), (UNLABELLED, 1), (0, 2), (1, 1))
    assert pieces(timeline) == [Piece(0, 2, 4), Piece(0, 6, 7), Piece(1, 8, 8)]
    assert pieces(frames((UNLABELLED, 3))) == pieces(np.zeros(0, np.int64)) == []


def test_edit_counts_insertions_deletions_and_changes():
    assert edit([0, 1, 2], [0, 1, 2]) == edit([], []) == 1
    assert edit([0, 1, 2], [0, 2]) == pytest.approx(2 / 3)
    assert edit([0, 1], [0, 2, 1, 2]) == pytest.approx(1 / 2)
    assert edit([0], [1]) == edit([], [1]) == 0


def test_scores_are_spread_by_straight_lines_and_held_at_the_ends():
    found = spread(np.array([1, 3]), np.array([[1.0, 0.0], [0.0, 1.0]]), 6)
    assert found[:, 0].tolist() == [1, 1, 0.5, 0, 0, 0]
    assert found.sum(1).tolist() == [1] * 6


def test_timelines_survive_their_file(tmp_path):
    path = tmp_path / "local.timeline.csv"
    said = {
        f"v{number}": Timelines(truth, np.abs(predicted))
        for number, (truth, predicted) in enumerate(random_pairs(0))
    }
    write(path, said, CLASSES)
    again = read(path, CLASSES)
    assert list(again) == list(said)
    for video, found in said.items():
        assert (again[video].truth == found.truth).all()
        assert (again[video].predicted == found.predicted).all()


@pytest.mark.parametrize(
    "content", [None, "video,first,last\nv,0,1\n", "video,first,last,truth\n\x00"]
)
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "local.timeline.csv"
    if content:
        path.write_text(content)
    with pytest.raises(RunError, match=r"local\.timeline\.csv is missing or damaged"):
        read(path, CLASSES)


def test_smoothing_takes_out_a_short_piece_and_keeps_sums():
    at = np.arange(60)
    first = np.where((at >= 30) & (at < 32), 0.0, 1.0)
    scores = np.stack([first, 1 - first], -1)
    assert len(pieces(spread(at, scores, 60).argmax(1))) == 3
    smooth = spread(at, scores, 60, 5.0)
    assert len(pieces(smooth.argmax(1))) == 1
    assert smooth.sum(1) == pytest.approx(np.ones(60))
