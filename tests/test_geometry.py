"""Geometry nodes: places by hand, motion by its rate, and independence of the frame rate."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from glidn.boxes import sample_frames
from glidn.features import steps_of
from glidn.geometry import OCTAVES, WIDTH, _octaves, geometry
from glidn.transforms import Variation, vary
from glidn.types import Track, Video
from make import dataset

CATEGORIES = ("person", "cup", "bowl")
STEPS = 11


def moving(path: np.ndarray, fps: float = 30.0) -> Video:
    """A person at rest and a cup whose left edge follows `path`, in frame widths."""
    at = np.arange(len(path))
    rest = np.tile([100.0, 100, 200, 300], (len(at), 1)).astype(np.float32)
    left = 640 * path
    cup = np.stack([left, np.full_like(left, 50), left + 32, np.full_like(left, 90)], -1)
    tracks = (Track("0", "person", at, rest), Track("1", "cup", at, cup.astype(np.float32)))
    return Video("v", "s", "", "a", len(at), fps, 640, 480, tracks)


def of(video: Video) -> np.ndarray:
    return geometry(video, steps_of(video, STEPS), CATEGORIES)


def octave_energies(features: np.ndarray, slot: int) -> np.ndarray:
    """(octaves,) mean log energy of the left edge."""
    first = 36  # after 4 places and 32 displacements
    return np.array(
        [features[:, slot, first + 8 * octave + 4].mean() for octave in range(len(OCTAVES))]
    )


def test_places_displacements_duration_and_category_by_hand():
    made = of(moving(np.linspace(0.1, 0.5, 120)))
    assert made.shape == (STEPS, 2, WIDTH + 3)
    width, height = 32 / 640, 40 / 480
    np.testing.assert_allclose(
        made[0, 1, :4], [0.1 + width / 2, 70 / 480, width, height], atol=2e-3
    )
    start_to_end = made[:, 1, 28]  # of the left edge
    np.testing.assert_allclose(start_to_end, np.arcsinh(0.4 / 0.01), rtol=0.02)
    np.testing.assert_allclose(made[..., WIDTH - 1], np.log(4 / 15), rtol=1e-6)
    assert (made[:, 0, WIDTH:] == [1, 0, 0]).all()
    assert (made[:, 1, WIDTH:] == [0, 1, 0]).all()
    assert (made[:, 0, 4:36] == 0).all(), "the person rests"


def test_scrubbing_and_carrying_differ_in_the_octave_of_their_motion():
    """Both cover the same ground; one goes back and forth twice a second."""
    seconds = np.arange(180) / 30
    scrub = octave_energies(of(moving(0.3 + 0.05 * np.sin(4 * np.pi * seconds))), 1)
    carry = octave_energies(of(moving(0.3 + 0.05 * np.sin(np.pi * seconds / 3))), 1)
    assert scrub[:2].min() > carry[:2].max() + 0.5
    assert scrub.argmax() < carry.argmax()


def test_the_frame_rate_does_not_matter():
    slow, fast = (
        of(moving(0.3 + 0.1 * np.sin(np.linspace(0, 9, int(6 * fps))), fps)) for fps in (30.0, 60.0)
    )
    np.testing.assert_allclose(slow[:, 1, :4], fast[:, 1, :4], atol=5e-3)
    np.testing.assert_allclose(octave_energies(slow, 1), octave_energies(fast, 1), atol=0.15)


@pytest.mark.parametrize("frames", [1, 2, 15, 400])
@pytest.mark.parametrize("fps", [0.5, 7.5, 30.0, 240.0])
def test_bands_and_energies_are_those_of_plain_gaussian_filters(frames: int, fps: float):
    edges = np.random.default_rng(frames).normal(size=(frames, 4)).cumsum(0) / 100

    def plain(x: np.ndarray, seconds: float) -> np.ndarray:
        return gaussian_filter1d(x, seconds * fps, axis=0, mode="nearest")

    finer, expected = edges, []
    for seconds in OCTAVES:
        band = finer - plain(edges, seconds)
        energy = plain(band**2, 2 * seconds)
        expected += [np.arcsinh(band / 0.01), np.log(np.sqrt(energy) + 1e-3)]
        finer = plain(edges, seconds)
    np.testing.assert_allclose(_octaves(edges, fps), expected, rtol=1e-9, atol=1e-9)


def test_a_mirrored_video_is_mirrored_and_nothing_else():
    video = moving(np.linspace(0.1, 0.5, 120))
    boxes = steps_of(video, STEPS)
    plain = geometry(video, boxes, CATEGORIES)
    mirrored = geometry(vary(video, Variation(mirror=True)), boxes, CATEGORIES)
    np.testing.assert_allclose(mirrored[..., 0], 1 - plain[..., 0], atol=1e-6)
    np.testing.assert_allclose(mirrored[..., 1:4], plain[..., 1:4], atol=1e-6)


def test_absent_and_unknown_things_are_zero():
    video = moving(np.linspace(0.1, 0.5, 120))
    late = video.tracks[1]
    late = replace(late, category="ladle", frames=late.frames[60:], xyxy=late.xyxy[60:])
    made = of(replace(video, tracks=(video.tracks[0], late)))
    assert (made[:5, 1] == 0).all()
    assert (made[6:, 1, :4] != 0).any()
    assert (made[:, 1, WIDTH:] == 0).all()


def test_variations_depend_on_the_video_alone():
    """So that adding a video to a dataset changes no other."""
    from glidn.transforms import variations

    first, second = dataset().videos[:2]
    assert variations(first, 5) == variations(first, 5)
    assert variations(first, 5)[:3] == variations(first, 3)
    assert variations(first, 5)[2:] != variations(second, 5)[2:]
    assert variations(first, 1) == (Variation(),)


def test_varied_frames_stay_within_the_boxes():
    from glidn.transforms import vary_frames

    video = dataset().videos[0]
    for phase in (0.0, 0.5, 0.999):
        frames = vary_frames(video, Variation(phase=phase), STEPS)
        first, last = sample_frames(video, 2)
        assert first <= frames.min() and frames.max() <= last
        assert (np.diff(frames) >= 0).all()
