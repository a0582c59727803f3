"""The test on many views: as if each view had been decoded and scored alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import make_clips
from glidn import clips, multiview
from glidn.material import prepare
from glidn.model import build


@pytest.fixture
def material():
    return prepare(make_clips.dataset(), make_clips.config(), None)


def network():
    config = make_clips.config()
    torch.manual_seed(0)
    return build(config.nodes, config.view, {}, 3, config.backbone).eval()


def test_views_are_those_that_are_decoded_one_by_one(material):
    """Each view read on its own: its frames, scaled, cropped; its boxes; its score."""
    cutter = material.cutter
    video = material.videos["v12"]
    video.pixels.decoded.clear()
    prepared = cutter.test(video)
    decoded = list(video.pixels.decoded)
    looks = clips.views(video, cutter.config)
    assert len(looks) == 9
    distinct = np.unique([clips.frames_of(video, look, cutter.config) for look in looks])
    assert decoded == distinct.tolist(), "every frame once"

    net = network()
    label = torch.zeros(3)
    together = multiview.score(net, prepared, cutter)
    for number, look in enumerate(looks):
        frames = clips.frames_of(video, look, cutter.config)
        pixels = clips.scale(video.pixels.read(frames), look.short)
        left, top = clips.corner(look, video.width, video.height)
        batch = prepared.batch([number], label)
        alone = pixels[:, top : top + 32, left : left + 32].permute(3, 0, 1, 2)
        assert torch.equal(batch.clips[0], alone)
        xyxy, real = clips.boxes_of(
            video, clips.index(video), look, frames[cutter.steps], cutter.config
        )
        assert np.array_equal(batch.inputs["region"][0].numpy(), xyxy)
        assert np.array_equal(batch.real[0].numpy(), real)
        with torch.no_grad():
            torch.testing.assert_close(net(batch).logits.sigmoid()[0], together[number])


def test_scores_are_fused_by_the_highest_or_the_mean():
    scores = torch.tensor([[0.1, 0.9], [0.3, 0.2]])
    assert multiview.fuse(scores, "max").tolist() == pytest.approx([0.3, 0.9])
    assert multiview.fuse(scores, "mean").tolist() == pytest.approx([0.2, 0.55])


def test_views_per_batch_and_decoding_processes_change_nothing(material, tmp_path):
    videos = [material.videos[f"v{n}"] for n in range(12, 17)]
    said = []
    for number, settings in enumerate(({}, {"views_per_batch": 4}, {"workers": 2})):
        config = replace(material.cutter.config, **settings)
        cutter = replace(material.cutter, config=config)
        said.append(multiview.test(network(), videos, cutter, tmp_path / str(number)).scores)
    for other in said[1:]:
        for name, scores in said[0].items():
            torch.testing.assert_close(scores, other[name])


def test_an_interrupted_test_goes_on(material, tmp_path):
    """Two videos noted, then a line cut off by a kill."""
    videos = [material.videos[f"v{n}"] for n in range(12, 17)]
    whole = multiview.test(network(), videos, material.cutter, tmp_path / "whole").scores
    notes = tmp_path / "cut" / "0.jsonl"
    notes.parent.mkdir()
    lines = (tmp_path / "whole" / "0.jsonl").read_text().splitlines(keepends=True)
    notes.write_text("".join(lines[:2]) + lines[2][:30])
    for video in videos:
        video.pixels.decoded.clear()
    resumed = multiview.test(network(), videos, material.cutter, tmp_path / "cut").scores
    assert list(resumed) == list(whole)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert [bool(video.pixels.decoded) for video in videos] == [False, False, True, True, True]


def test_a_video_that_could_not_be_read_is_asked_for_again(material, tmp_path):
    (tmp_path / "0.jsonl").write_text('{"video": "v12", "error": "cut off"}\n')
    said = multiview.test(network(), [material.videos["v12"]], material.cutter, tmp_path)
    assert not said.unread and len(said.scores["v12"]) == 3
