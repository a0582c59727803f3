"""Clips: the moments, crops, boxes and labels of a look, against plain arithmetic and pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from glidn import clips
from glidn.clips import (
    Look,
    boxes_of,
    corner,
    cut,
    frames_of,
    index,
    labels_of,
    place,
    scale,
    views,
)
from glidn.config import ClipsConfig
from glidn.types import Segment, Track, Video

CONFIG = ClipsConfig(frames=8, rate=3, size=24, short=(24, 31), test_size=24)


def video(frames: int = 480, fps: float = 24.0, width: int = 64, height: int = 48) -> Video:
    return Video("v", "", "train", "", frames, fps, width, height, ())


def test_test_clips_start_where_the_protocol_says():
    """round(i (L - span) / 9), both ends included; three crops of each."""
    config = replace(CONFIG, frames=32, rate=4)
    span = 31 * 4 + 1
    starts = [look.first for look in views(video(720), config)]
    assert starts == [round(i * (720 - span) / 9) for i in range(10) for _ in range(3)]
    last = frames_of(video(720), views(video(720), config)[-1], config)
    assert last[-1] == 719


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (48, 48), (101, 37)])
def test_three_crops_cover_the_long_side_from_end_to_end(size):
    width, height = size
    seen = np.zeros((height, width), int)
    for look in views(video(width=width, height=height), CONFIG)[:3]:
        wide, high = clips.scaled(width, height, look.short)
        left, top = corner(look, width, height)
        assert left >= 0 and top >= 0 and left + 24 <= wide and top + 24 <= high
        x = np.arange(width) * wide / width
        y = np.arange(height) * high / height
        seen |= ((x >= left) & (x < left + 24)) & ((y >= top) & (y < top + 24))[:, None]
    if max(size) <= 3 * min(size):
        assert seen.all()


def test_one_clip_and_one_crop_are_the_middle_ones():
    (look,) = views(video(101), replace(CONFIG, test_clips=1, test_crops=1, frames=2, rate=1))
    assert look.first == 49
    assert corner(look, 64, 48) == (4, 0)


@pytest.mark.parametrize("fps", [12.0, 15.0, 23.976, 24.0, 25.0, 29.97, 60.0])
def test_frames_are_those_shown_at_the_grids_moments(fps):
    """Of a grid moment's middle, the last frame that began before it."""
    look = Look(first=7, short=24, across=0, down=0, size=24)
    found = frames_of(video(300, fps), look, CONFIG)
    for frame, moment in zip(found, (7 + 3 * np.arange(8) + 0.5) / 24, strict=True):
        began = np.flatnonzero(np.arange(300) / fps < moment - 1e-7)
        assert frame == began[-1]


def test_a_video_shorter_than_a_clip_ends_with_its_last_frame():
    short = video(frames=10)
    assert clips.is_short(short, CONFIG)
    for look in (clips.training_look(short, CONFIG, 0), *views(short, CONFIG)):
        assert frames_of(short, look, CONFIG).tolist() == [0, 3, 6, 9, 9, 9, 9, 9]
    assert not clips.is_short(video(frames=22), CONFIG)


def test_training_looks_vary_and_are_the_same_again():
    looks = [clips.training_look(video(), CONFIG, number) for number in range(200)]
    assert looks == [clips.training_look(video(), CONFIG, number) for number in range(200)]
    assert {look.short for look in looks} == set(range(24, 32))
    assert {look.mirror for look in looks} == {True, False}
    firsts = [look.first for look in looks]
    assert min(firsts) < 20 and max(firsts) > 430 and max(firsts) <= 480 - 22
    other = replace(video(), name="w")
    assert clips.training_look(other, CONFIG, 0) != looks[0]
    assert clips.training_look(video(), CONFIG, 0, seed=1) != looks[0]


def test_labels_are_those_whose_time_meets_the_clips():
    classes = ("before", "touching", "inside", "around", "after")
    start, end = 48 / 24, (48 + 21) / 24
    timed = replace(
        video(),
        segments=(
            Segment("before", 0.0, start - 0.02),
            Segment("touching", 1.0, start),
            Segment("inside", start + 0.1, start + 0.2),
            Segment("around", 0.0, 20.0),
            Segment("after", end + 0.02, 20.0),
        ),
    )
    look = Look(first=48, short=24, across=0, down=0, size=24)
    assert labels_of(timed, look, CONFIG, classes).tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("size", [(64, 48), (47, 81)])
def test_boxes_go_where_their_pixels_go(size, mirror):
    """A painted rectangle is scaled, cropped and mirrored with the pixels; its box follows."""
    width, height = size
    rng = np.random.default_rng(0)
    for number in range(20):
        look = clips.training_look(video(width=width, height=height), CONFIG, number)
        look = replace(look, mirror=mirror)
        x, y = rng.integers(0, width - 20), rng.integers(0, height - 20)
        box = np.array([x, y, x + 20, y + 17], np.float32)
        frame = np.zeros((1, height, width, 3), np.uint8)
        frame[0, y : y + 17, x : x + 20] = 255
        seen = cut(scale(frame, look.short), look, *corner(look, width, height))
        assert seen.shape == (3, 1, 24, 24)
        bright = (seen[0, 0] > 127).numpy()
        (found,), (inside,) = place(box[None], look, width, height)
        if min(bright.any(0).sum(), bright.any(1).sum()) < 2:
            continue
        assert inside
        rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
        painted = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose(found, painted, atol=1.1)


def test_a_box_that_the_crop_leaves_out_is_masked():
    look = Look(first=0, short=48, across=0.0, down=0.0, size=24)
    _, inside = place(np.array([[30, 2, 40, 9], [10, 2, 40, 9], [23.5, 0, 40, 9]]), look, 64, 48)
    assert inside.tolist() == [False, True, False]


def tracked() -> Video:
    at = np.array([0, 10, 20])
    box = np.array([[8, 8, 40, 40]] * 3, np.float32)
    tracks = tuple(
        Track(f"{k}", "thing", at, box + k, np.array([0.1 * k, 0.5, 0.9 - 0.1 * k], np.float32))
        for k in range(5)
    )
    return replace(video(frames=60), tracks=tracks)


def test_the_best_boxes_of_the_nearest_frame_are_taken():
    made = tracked()
    known = index(made)
    best = known.near(1, most=2, gap=5)
    np.testing.assert_array_equal(best[:, 0], [12, 11])  # highest scores in frame 0: tracks 4, 3
    np.testing.assert_array_equal(known.near(19, most=2, gap=5)[:, 0], [8, 9])
    assert len(known.near(26, most=2, gap=5)) == 0
    assert len(known.near(25, most=9, gap=5)) == 5
    assert len(index(video()).near(0, 3, 100)) == 0


def test_boxes_of_a_look_are_padded_and_masked():
    made = tracked()
    look = Look(first=0, short=48, across=0.0, down=0.0, size=24)
    config = replace(CONFIG, boxes=7, gap=0.25)
    xyxy, real = boxes_of(made, index(made), look, np.array([0, 6, 16, 40]), config)
    assert xyxy.shape == (4, 7, 4)
    assert real.sum(1).tolist() == [5, 5, 5, 0]
    assert (xyxy[~real] == 0).all()
    assert torch.from_numpy(xyxy[real]).amax() <= 24
