"""The label rules: a rule tells only what it says, drawn or rendered."""

import numpy as np
import pytest

from glidn.datasets.synthetic import SyntheticConfig, generate, label_rules
from glidn.datasets.synthetic.raycast import Array, visible_box
from glidn.datasets.synthetic.scene import frames, set_stage
from glidn.datasets.synthetic.world import HAND, SUBJECTS, draw_room
from glidn.errors import SettingError

WIDTH, HEIGHT = 67, 53


def pair(rule: label_rules.Rule, steps: int = 12) -> tuple[label_rules.LabelRuleVideos, ...]:
    """Videos that differ in nothing but their label."""
    made = [
        label_rules.sample(
            rule, 500, steps, np.random.default_rng(7), labels=np.full(500, label), jitter=0.0
        )
        for label in (0, 1)
    ]
    return tuple(made)


def node_bags(videos: label_rules.LabelRuleVideos) -> Array:
    """Each video's nodes without their frames: (V, N, T, 3) sorted x, y, moves of each category."""
    nodes = np.concatenate([videos.positions, videos.moving[..., None]], axis=-1)
    nodes = nodes.round(5).swapaxes(1, 2)  # (V, N, T, 3)
    order = np.lexsort((nodes[..., 1], nodes[..., 0]), axis=-1)
    return np.take_along_axis(nodes, order[..., None], axis=2)


def test_relation_tells_by_the_object_at_the_hand_and_by_no_node_alone() -> None:
    for label, videos in enumerate(pair("relation")):
        gaps = np.linalg.norm(videos.positions[:, :, 1:] - videos.positions[:, :, :1], axis=-1)
        assert (gaps.argmin(-1) == label).all()
    a, b = pair("relation")
    np.testing.assert_allclose(node_bags(a), node_bags(b), atol=2e-5)


def test_identity_tells_by_who_moves_twice_and_by_no_frame_alone() -> None:
    a, b = pair("identity")
    for videos, most in ((a, 2), (b, 1)):
        assert (videos.moving[:, :, 1:].any(1).sum(-1) == most).all()
        assert (videos.moving[:, :, 1:].sum(-1) <= 1).all()
    # Each half alone follows the same law: so does anything read off single frames, and its mean.
    assert np.array_equal(a.positions[:, :6], b.positions[:, :6])
    for half in (slice(0, 6), slice(6, 12)):
        often = [v.moving[:, half, 1:].any(1).mean(0) for v in (a, b)]
        np.testing.assert_allclose(often, [[0.5, 0.5, 0]] * 2, atol=0.07)
    assert np.array_equal(a.moving.sum((1, 2)), b.moving.sum((1, 2)))


def test_order_is_the_same_frames_reversed() -> None:
    a, b = pair("order")
    np.testing.assert_allclose(a.positions, b.positions[:, ::-1], atol=1e-6)
    assert np.array_equal(a.moving, b.moving[:, ::-1])
    # and the two directions are not the same: A ends on B in one and starts there in the other.
    gap = np.linalg.norm(a.positions[:, :, 1] - a.positions[:, :, 2], axis=-1)
    assert (gap[:, -1] < 1e-6).all()
    assert (gap[:, 0] > 0.3).all()


def test_labels_are_drawn_and_steps_are_checked() -> None:
    videos = label_rules.sample("identity", 400, 12, np.random.default_rng(0))
    assert videos.positions.shape == (400, 12, 4, 2)
    assert 0.4 < videos.labels.mean() < 0.6
    with pytest.raises(SettingError, match="3 divides, and it is 13; take 15"):
        label_rules.sample("relation", 2, 13, np.random.default_rng(0))
    with pytest.raises(SettingError, match="nearest: order"):
        label_rules.sample("ordre", 2, 12, np.random.default_rng(0))  # type: ignore[arg-type]


def rendered(rule: str) -> list[list]:
    """The frames of subject 3's first video of each class."""
    config = SyntheticConfig(rule=rule, frames=12, width=WIDTH, height=HEIGHT)  # type: ignore[arg-type]
    videos = []
    for activity in config.choices():
        video = generate.Video(3, activity, 0)
        rng = generate.generator(config, video)
        room = draw_room(rng)
        performance = generate.perform(config, video, rng)
        videos.append(list(frames(set_stage(SUBJECTS[3], performance, room, WIDTH, HEIGHT, rng))))
    return videos


def test_rendered_order_is_the_same_pictures_reversed() -> None:
    stacking, unstacking = rendered("order")
    for one, other in zip(stacking, reversed(unstacking), strict=True):
        assert np.array_equal(one.rgb, other.rgb)
    assert not np.array_equal(stacking[0].rgb, unstacking[0].rgb)


def test_rendered_identity_has_the_same_first_half_and_shows_the_hand() -> None:
    different, same = rendered("identity")
    for one, other in zip(different[:6], same[:6], strict=True):
        assert np.array_equal(one.rgb, other.rgb)
    assert any(not np.array_equal(a.rgb, b.rgb) for a, b in zip(different, same, strict=True))
    assert all(visible_box(frame.owner, HAND) for frame in different)
