"""Boxes against small cases computed by hand."""

import numpy as np
import pytest

from glidn import boxes
from glidn.errors import DataError
from glidn.types import Track, Video


def track(name, frames, xyxy, scores=None, category="cup"):
    return Track(
        name,
        category,
        np.array(frames, np.int64),
        np.array(xyxy, np.float32),
        None if scores is None else np.array(scores, np.float32),
    )


def video(*tracks, frames=50):
    return Video("v", "", "", "", frames, 30.0, 640, 480, tracks, source="videos.csv line 2")


def test_from_xywh_adds_the_size_to_the_corner():
    np.testing.assert_array_equal(boxes.from_xywh(np.array([[3, 5, 7, 11]])), [[3, 5, 10, 16]])


def test_clip_keeps_width_and_height_apart_and_takes_one_size_per_box():
    xyxy = np.array([[-3, -5, 700, 500], [1, 2, 3, 4], [90, 90, 130, 130]], np.float32)
    clipped = boxes.clip(xyxy, np.array([640, 640, 110]), np.array([480, 480, 97]))
    np.testing.assert_array_equal(clipped, [[0, 0, 640, 480], [1, 2, 3, 4], [90, 90, 110, 97]])
    assert clipped.dtype == np.float32


def test_enlarge_keeps_the_centre():
    np.testing.assert_allclose(boxes.enlarge(np.array([10.0, 20, 30, 60]), 1.2), [8, 16, 32, 64])


def test_gaps_are_filled_by_straight_lines_and_nothing_is_added_at_the_ends():
    # Frames 3 and 7 are known; x1 goes from 10 to 50 in four steps of 10, x2 stays.
    holes = track("1", [2, 3, 7], [[10, 0, 99, 9], [10, 0, 99, 9], [50, 4, 99, 9]], [1, 0.5, 0.9])
    full = boxes.fill_gaps(holes)
    np.testing.assert_array_equal(full.frames, [2, 3, 4, 5, 6, 7])
    np.testing.assert_allclose(full.xyxy[:, 0], [10, 10, 20, 30, 40, 50])
    np.testing.assert_allclose(full.xyxy[:, 1], [0, 0, 1, 2, 3, 4])
    np.testing.assert_allclose(full.scores, [1, 0.5, 0.6, 0.7, 0.8, 0.9], rtol=1e-6)
    assert full.xyxy.dtype == np.float32
    assert boxes.fill_gaps(full) is full


def test_sample_frames_spans_the_first_to_the_last_box_of_any_track():
    late = track("1", [10, 30], [[0, 0, 1, 1]] * 2)
    early = track("0", [4, 12], [[0, 0, 1, 1]] * 2)
    np.testing.assert_array_equal(boxes.sample_frames(video(late, early), 3), [4, 17, 30])


def test_a_video_shorter_than_the_steps_repeats_its_frames():
    short = video(track("1", [5, 6], [[0, 0, 1, 1]] * 2))
    np.testing.assert_array_equal(boxes.sample_frames(short, 4), [5, 5, 6, 6])
    one = video(track("1", [5], [[0, 0, 1, 1]]))
    np.testing.assert_array_equal(boxes.sample_frames(one, 3), [5, 5, 5])


def test_a_video_without_boxes_cannot_be_sampled():
    with pytest.raises(DataError, match=r"videos.csv line 2.*has no box"):
        boxes.sample_frames(video(), 3)


def test_a_slot_is_real_only_where_its_own_track_has_a_box():
    person = track("0", [1, 2, 3], [[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]], category="person")
    cup = track("1", [2, 9], [[5, 5, 6, 6], [7, 7, 8, 8]])
    found = boxes.sample(video(person, cup), np.array([0, 2, 3, 9]))
    np.testing.assert_array_equal(
        found.real, [[False, False], [True, True], [True, False], [False, True]]
    )
    np.testing.assert_array_equal(found.xyxy[1], [[0, 0, 2, 2], [5, 5, 6, 6]])
    np.testing.assert_array_equal(found.xyxy[3, 1], [7, 7, 8, 8])
    assert found.categories == ("person", "cup") and found.tracks == ("0", "1")
