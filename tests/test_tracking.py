"""The tracker: who is who through crossings, gaps, wavering categories and low scores."""

import numpy as np
import pytest

from glidn.detectors import Detections
from glidn.errors import SettingError
from glidn.tracking import Tracked, Tracker, TrackSettings

FPS = 30.0


def found(*rows: tuple[float, float, float, float, float, str]) -> Detections:
    """(centre x, centre y, width, height, score, category) each; the surest first, as detectors."""
    rows = tuple(sorted(rows, key=lambda row: -row[4]))
    xywh = np.array([row[:4] for row in rows], np.float32).reshape(-1, 4)
    centre, size = xywh[:, :2], xywh[:, 2:]
    xyxy = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    scores = np.array([row[4] for row in rows], np.float32)
    return Detections(xyxy, scores, tuple(row[5] for row in rows))


def cup(x: float = 100, score: float = 0.9, name: str = "cup", y: float = 100) -> tuple:
    return (x, y, 40, 60, score, name)


def follow(looks: dict[int, tuple], fps: float = FPS, **settings: float) -> list[Tracked]:
    tracker = Tracker(fps, TrackSettings(**settings))
    return [one for frame, rows in looks.items() for one in tracker.update(frame, found(*rows))]


def numbers(said: list[Tracked]) -> list[tuple[int, int]]:
    return [(one.track, one.frame) for one in said]


def test_a_track_is_confirmed_by_its_second_box_and_brings_the_first():
    """Would catch: boxes of things seen once, a first box that is lost."""
    tracker = Tracker(FPS)
    assert tracker.update(4, found(cup(100))) == []
    both = tracker.update(5, found(cup(101), cup(300, 0.8)))
    assert numbers(both) == [(1, 4), (1, 5)] and both[0].xyxy[0] == 80 and both[1].xyxy[0] == 81
    assert both[1].score == pytest.approx(0.9) and both[1].category == "cup"
    # The second was seen once: whoever comes there next begins again.
    assert numbers(tracker.update(6, found(cup(102)))) == [(1, 6)]
    assert numbers(tracker.update(7, found(cup(103), cup(300)))) == [(1, 7)]
    assert numbers(tracker.update(8, found(cup(104), cup(300)))) == [(1, 8), (3, 7), (3, 8)]
    assert numbers(follow({0: (cup(),), 1: (cup(),), 2: (cup(),)}, hits=1)) == [
        (1, 0),
        (1, 1),
        (1, 2),
    ]
    assert numbers(follow({0: (cup(),), 1: (cup(),)}, hits=3)) == []


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("hidden", [0, 6])
def test_two_that_cross_keep_their_numbers(every, hidden):
    """Would catch: a prediction that stands still, which gives each the other's box.

    `hidden` frames about the crossing have one box, as suppression leaves it.
    """
    looks, right, left = {}, {}, {}
    for frame in range(0, 61, every):
        right[frame], left[frame] = 100 + 5 * frame, 400 - 5 * frame
        rows = (cup(right[frame], 0.9), cup(left[frame], 0.8))
        looks[frame] = rows[:1] if abs(frame - 30) < hidden / 2 else rows
    said = follow(looks)
    for number, place in ((1, right), (2, left)):
        mine = {one.frame: (one.xyxy[0] + one.xyxy[2]) / 2 for one in said if one.track == number}
        away = {frame: x for frame, x in mine.items() if abs(frame - 30) > 4}
        assert len(away) == len([frame for frame in looks if abs(frame - 30) > 4])
        assert all(x == place[frame] for frame, x in away.items())
    assert {one.track for one in said} == {1, 2}


def test_a_gap_within_patience_is_bridged_and_a_longer_one_is_not():
    """Would catch: patience in looks instead of seconds; a thing that waits where it was last."""

    def moving(*gap: int) -> list[Tracked]:
        frames = [*range(20), *range(20 + gap[0], 50 + gap[0])]
        return follow({frame: (cup(100 + 3 * frame),) for frame in frames}, patience=1.0)

    assert {one.track for one in moving(29)} == {1}
    assert {one.track for one in moving(30)} == {1, 2}
    empty = dict.fromkeys(range(20, 49), ())
    looks = {0: (cup(),), 19: (cup(),), **empty}
    assert {one.track for one in follow({**looks, 49: (cup(),)})} == {1}
    assert {one.track for one in follow({**looks, 50: (cup(),), 51: (cup(),)})} == {1, 2}


def test_a_category_that_wavers_is_voted():
    """Would catch: a track for each name, the last name instead of the most likely."""
    names = ["cup", "bowl", "cup", "cup", "bowl", "cup", "bowl"]
    said = follow({frame: (cup(100 + frame, 0.9, name),) for frame, name in enumerate(names)})
    assert numbers(said) == [(1, frame) for frame in range(7)]
    assert said[-1].category == "cup"
    said = follow({frame: (cup(100, 0.5 + frame / 10, ("a", "b")[frame]),) for frame in range(2)})
    assert [one.category for one in said] == ["b", "b"]


def test_a_thing_of_two_names_is_one_track():
    """Suppression is within a class, so a detector may say both at one place."""
    looks = {frame: (cup(100, 0.9), cup(102, 0.7, "bowl")) for frame in range(5)}
    assert {(one.track, one.category) for one in follow(looks)} == {(1, "cup")}


def test_things_of_other_kinds_do_not_take_each_others_numbers():
    """A hand appears half over a bottle, which is not found meanwhile."""
    bottle = cup(120, 0.9, "bottle")
    looks = dict.fromkeys(range(5), (bottle,))
    looks |= {frame: (cup(138, 0.9, "hand"),) for frame in range(5, 9)}
    looks |= dict.fromkeys(range(9, 12), (bottle,))
    said = follow(looks)
    assert {(one.track, one.category) for one in said} == {(1, "bottle"), (2, "hand")}
    assert all(one.xyxy[0] == 100 for one in said if one.track == 1)


def test_unsure_boxes_continue_a_track_and_begin_none():
    """Would catch: tracks of what is not there, a thing lost while it is half hidden."""
    assert follow({frame: (cup(100, 0.39),) for frame in range(9)}) == []
    scores = [0.9, 0.9, 0.2, 0.15, 0.1, 0.2, 0.9]
    said = follow({frame: (cup(100 + frame, s),) for frame, s in enumerate(scores)})
    assert numbers(said) == [(1, frame) for frame in range(7)]
    said = follow({0: (cup(),), 1: (cup(),), 2: (cup(100, 0.05),)})
    assert numbers(said) == [(1, 0), (1, 1)]
    # A sure box is not kept from its track by an unsure one that lies better.
    said = follow({0: (cup(),), 1: (cup(),), 2: (cup(100, 0.3), cup(108, 0.8))})
    assert said[-1].xyxy[0] == 88 and len(said) == 3


def test_frames_without_boxes_and_boxes_without_overlap():
    assert follow(dict.fromkeys(range(3), ())) == []
    for far in (34, 300):  # pixels; of the first, a twelfth overlaps
        assert follow({frame: (cup(100 + far * (frame % 2)),) for frame in range(9)}) == []


def test_a_fast_thing_is_followed_where_frames_are_passed_over():
    """Four looks a second at 70 px a look: boxes 40 wide overlap only where they are expected."""
    slow = {frame: (cup(100 + 3 * frame),) for frame in range(12)}
    fast = {12 + 7 * k: (cup(136 + (8 + 2 * k) * k),) for k in range(9)}
    said = follow(slow | fast)
    assert {one.track for one in said} == {1} and len(said) == 21


def test_ten_thousand_frames_are_held_in_constant_memory():
    """Would catch: ended tracks, old boxes or votes that are kept."""
    rng = np.random.default_rng(0)
    tracker, last, most = Tracker(FPS), 0, 0
    for frame in range(10_000):
        rows = [cup(100 + frame % 500, 0.9, f"kind {frame % 3}")]
        rows += [cup(*rng.uniform(0, 2000, 1), rng.uniform(), "cup", 300) for _ in range(2)]
        last = max([last, *(one.track for one in tracker.update(frame, found(*rows)))])
        most = max(most, len(tracker.alive))
        assert all(len(it.unsaid) < 2 and len(it.votes) <= 3 for it in tracker.alive)
    assert most <= 3 * (FPS + 1) and last > 1000


def test_the_same_looks_give_the_same_tracks():
    rng = np.random.default_rng(1)
    looks = {
        frame: tuple(cup(x, s) for x, s in rng.uniform([0, 0], [400, 1], (9, 2)))
        for frame in range(0, 90, 2)
    }
    for one, other in zip(follow(looks), follow(looks), strict=True):
        assert (one.track, one.frame, one.score) == (other.track, other.frame, other.score)
        np.testing.assert_array_equal(one.xyxy, other.xyxy)


def test_what_cannot_be():
    with pytest.raises(SettingError, match=r"tracker's sure is 7; it must be within 0 and 1\."):
        Tracker(FPS, TrackSettings(sure=7))
    with pytest.raises(SettingError, match=r"tracker's hits are 0; they must be 1 or more\."):
        Tracker(FPS, TrackSettings(hits=0))
    with pytest.raises(SettingError, match=r"tracker's fps is 0; it must be above 0\."):
        Tracker(0)
    tracker = Tracker(FPS)
    tracker.update(3, found())
    with pytest.raises(ValueError, match="frame 3 comes after frame 3"):
        tracker.update(3, found())
