"""glidn boxes: torchvision's proposals by another way, interruptions, broken videos, its table."""

import itertools
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.models.detection import fasterrcnn_resnet50_fpn

from glidn.cli import main
from glidn.datasets import load, load_videos
from glidn.datasets.problems import raise_first
from glidn.detectors import Detections, faster_rcnn
from glidn.errors import DataError
from glidn.proposals import find_boxes, look_at, parts_folder, sampled
from glidn.types import Video
from glidn.video import write_video

# Odd sizes, so that the two sides are scaled by different factors after rounding.
WIDTH, HEIGHT, SIDE = 117, 67, 96
FRAMES, FPS = 23, 10


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A network without training, as torchvision publishes its own: with frozen batch norms."""
    torch.manual_seed(0)
    state = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    for key, value in state.items():
        if key.endswith("bn3.weight"):
            value.fill_(0.2)  # else sixteen blocks double what passes through them
        if key.endswith(("bn1.running_var", "bn1.weight")):
            value.fill_(1e-4 if "var" in key else 1e-2)  # so small that 1e-5 more shows
        if key.startswith("rpn.head.") and key.endswith("weight"):
            value.mul_(3)  # else every box is as good as its anchor
    path = tmp_path_factory.mktemp("weights") / "faster_rcnn"
    kept = {key: value for key, value in state.items() if "num_batches" not in key}
    torch.save(kept, path)
    return path


@pytest.fixture(scope="module")
def model(weights):
    return faster_rcnn.build(str(weights), SIDE)


def pictures(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (count, 8, 12, 3), np.uint8)
    return small.repeat(9, axis=1).repeat(10, axis=2)[:, :HEIGHT, :WIDTH]


def table(root: Path, names=("v1", "v2", "v3"), size=(WIDTH + 1, HEIGHT + 1)) -> Path:
    """Videos without boxes and labels; encoding makes odd sides even."""
    rows = [f"{name},{name}.mp4,{FRAMES},{FPS},{size[0]},{size[1]}\n" for name in names]
    root.mkdir(exist_ok=True)
    (root / "videos.csv").write_text("video,file,frames,fps,width,height\n" + "".join(rows))
    for seed, name in enumerate(names):
        write_video(root / f"{name}.mp4", pictures(FRAMES, seed), FPS)
    return root


def tensors(frames: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(frame.transpose(2, 0, 1) / np.float32(255)) for frame in frames]


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float) -> list[int]:
    """Non-maximum suppression, one pair of boxes at a time."""
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable").tolist():
        for other in kept:
            low = np.maximum(boxes[at, :2], boxes[other, :2])
            high = np.minimum(boxes[at, 2:], boxes[other, 2:])
            shared = np.prod(np.maximum(high - low, 0))
            areas = [np.prod(boxes[row, 2:] - boxes[row, :2]) for row in (at, other)]
            if shared / (sum(areas) - shared) > overlap:
                break
        else:
            kept.append(at)
    return kept


@pytest.mark.parametrize(("top", "overlap", "score"), [(15, 0.7, 0.0), (1000, 0.3, 0.5)])
def test_proposals_are_those_of_the_network_called_whole(model, top, overlap, score):
    """Would catch: boxes of the scaled image, width and height swapped, scores of other boxes."""
    frames = pictures(2)
    seen = {}
    found = faster_rcnn.proposals(model, top, overlap, score)(frames)

    filter_proposals = model.rpn.filter_proposals

    def listen(*args):
        seen["boxes"], seen["scores"] = filter_proposals(*args)
        return seen["boxes"], seen["scores"]

    model.rpn.filter_proposals = listen
    hook = model.rpn.register_forward_hook(
        lambda _, given, out: seen.update(sizes=given[0].image_sizes, out=out[0])
    )
    try:
        with torch.no_grad():
            model(tensors(frames))
    finally:
        hook.remove()
        del model.rpn.filter_proposals
    for number, one in enumerate(found):
        assert seen["out"][number].equal(seen["boxes"][number])
        height, width = seen["sizes"][number]
        assert (width / WIDTH) != (height / HEIGHT)
        boxes = seen["out"][number].numpy().astype(np.float64)
        boxes[:, 0::2] *= WIDTH / width
        boxes[:, 1::2] *= HEIGHT / height
        boxes[:, 0::2] = boxes[:, 0::2].clip(0, WIDTH)
        boxes[:, 1::2] = boxes[:, 1::2].clip(0, HEIGHT)
        scores = seen["scores"][number].numpy()
        good = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1) & (scores >= score)
        boxes, scores = boxes[good], scores[good]
        kept = suppress(boxes, scores, overlap)[:top]
        assert 1 < len(kept) <= top
        np.testing.assert_allclose(one.xyxy, boxes[kept], atol=2e-4)
        np.testing.assert_allclose(one.scores, scores[kept], atol=1e-6)
        assert one.categories == ("proposal",) * len(kept)


def test_detections_are_those_of_the_network_with_cocos_names(model):
    """Would catch: labels off by the background, people under another name than the dataset's."""
    frames = pictures(2)
    found = faster_rcnn.detections(model, 90, 0.4, 0.0, "someone")(frames)
    with torch.no_grad():
        expected = model(tensors(frames))
    names = faster_rcnn.COCO
    assert names[1] == "person" and names[90] == "toothbrush"
    for one, output in zip(found, expected, strict=True):
        good = (output["boxes"][:, 2:] - output["boxes"][:, :2] >= 1).all(dim=1)
        assert len(one.scores) == min(90, int(good.sum())) > 10
        np.testing.assert_allclose(one.xyxy, output["boxes"][good][:90], atol=1e-4)
        labels = output["labels"][good][:90].tolist()
        assert one.categories == tuple("someone" if n == 1 else names[n] for n in labels)


def test_torchvisions_own_weights_and_a_file_of_them_give_the_same_boxes(
    model, weights, monkeypatch
):
    """Would catch: another epsilon in the batch norms, which moves every box; a lost download."""
    from torchvision.models import _api

    state = torch.load(weights, weights_only=True)
    monkeypatch.setattr(_api, "load_state_dict_from_url", lambda *_, **__: state)
    published = faster_rcnn.build("torchvision", SIDE)
    frames = pictures(1)
    (one,) = faster_rcnn.proposals(published, 15, 0.7, 0.0)(frames)
    (other,) = faster_rcnn.proposals(model, 15, 0.7, 0.0)(frames)
    np.testing.assert_allclose(one.xyxy, other.xyxy, atol=1e-3)

    def offline(*_, **__):
        raise URLError("no network")

    monkeypatch.setattr(_api, "load_state_dict_from_url", offline)
    with pytest.raises(DataError, match=r"could not be downloaded .*258fb6c6\.pth elsewhere and"):
        faster_rcnn.build("torchvision", SIDE)


def test_wrong_weights_are_one_sentence(tmp_path, weights):
    torch.save(
        {"conv1.weight": torch.zeros(3), "layer1.0.conv1.weight": torch.zeros(3)}, tmp_path / "r"
    )
    with pytest.raises(
        DataError, match=r"holds weights of unknown \(torchvision\), not of a Faster"
    ):
        faster_rcnn.build(str(tmp_path / "r"), SIDE)
    state = torch.load(weights, weights_only=True)
    del state["rpn.head.bbox_pred.bias"]
    torch.save(state, tmp_path / "w")
    with pytest.raises(
        DataError, match=r"does not fit FasterRCNN: 1 tensors .*bbox_pred\.bias is m"
    ):
        faster_rcnn.build(str(tmp_path / "w"), SIDE)


def test_the_command_writes_a_table_that_is_read_back(tmp_path, weights, model, capsys):
    """Would catch: frames counted from 1, boxes of another video, a table that has no reader."""
    root = table(tmp_path / "d", ("v1", "v2"))
    words = ["boxes", str(root), "--weights", str(weights), "--short-side", str(SIDE)]
    assert main([*words, "--top", "4", "--batch", "2"]) == 0
    said = capsys.readouterr()
    assert f"boxes.csv.gz: {2 * 5 * 4} boxes in 2 videos." in said.out and not said.err
    assert sorted(path.name for path in root.iterdir()) == [
        *("boxes.csv.gz", "v1.mp4", "v2.mp4", "videos.csv")
    ]
    (root / "labels.csv").write_text("video,label,start,end\nv1,sit,0,1\nv2,sit,0,1\n")
    video = load(root).videos[1]
    assert [track.name for track in video.tracks] == [f"proposal {k}" for k in (1, 2, 3, 4)]
    np.testing.assert_array_equal(video.tracks[0].frames, [0, 5, 10, 15, 20])
    detect = faster_rcnn.proposals(model, 4, 0.7, 0.0)
    (last,) = detect(video.pixels.read(np.array([20])))
    for k, track in enumerate(video.tracks):
        np.testing.assert_allclose(track.xyxy[4], last.xyxy[k], atol=0.0051)
        np.testing.assert_allclose(track.scores[4], last.scores[k], atol=0.00006)

    assert main(words) == 2
    assert "boxes.csv.gz exists already; --force replaces it." in capsys.readouterr().err
    assert main([*words, "--out", str(root / "boxes.csv")]) == 2
    assert "holds boxes.csv.gz already, and only one table" in capsys.readouterr().err


def fake(calls: list[np.ndarray] | None = None):
    """A detector whose boxes tell the frame's brightness; one more box on every second frame."""

    def detect(frames: np.ndarray) -> list[Detections]:
        if calls is not None:
            calls.append(frames)
        found = []
        for frame in frames:
            n = 1 + int(frame.sum()) % 2
            corner = np.full((n, 2), frame.mean() / 8, np.float32)
            xyxy = np.concatenate([corner, corner + [[9, 7]] * n], axis=1).astype(np.float32)
            found.append(Detections(xyxy, np.linspace(0.9, 0.1, n, dtype="f4"), ("cup",) * n))
        return found

    return detect


def run(root: Path, out: Path, detect=None, workers: int = 2, batch: int = 2, **settings):
    videos = [video for video in load_videos(root, "auto", raise_first).videos if video.pixels]
    walk = partial(look_at, detect=detect or fake(), batch=batch, workers=workers)
    return find_boxes(videos, walk, out, settings, 0.5, lambda *_: None)


@pytest.mark.parametrize("name", ["boxes.csv", "boxes.csv.gz", "boxes.parquet"])
def test_an_interrupted_call_goes_on_and_ends_with_the_same_bytes(tmp_path, name):
    """Would catch: videos done twice or not at all, times or orders that creep into the file."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    root = table(tmp_path / "d")
    whole, resumed = tmp_path / "whole" / name, tmp_path / "resumed" / name
    run(root, whole)
    detect, calls = fake(), itertools.count()

    def interrupted(frames):
        if next(calls) == 7:  # each video has three batches
            raise KeyboardInterrupt
        return detect(frames)

    with pytest.raises(KeyboardInterrupt):
        run(root, resumed, interrupted, workers=1)
    assert not resumed.exists() and len(list(parts_folder(resumed).glob("*.npz"))) == 2
    seen: list[np.ndarray] = []
    found = run(root, resumed, fake(seen))
    assert sum(map(len, seen)) == 5 and (found.videos, found.left_out) == (3, ())
    assert resumed.read_bytes() == whole.read_bytes()
    assert [path.name for path in resumed.parent.iterdir()] == [name]


def test_a_killed_call_leaves_nothing_half_written(tmp_path, weights):
    """Would catch: a table or a part that kill -9 cut, taken for whole."""
    root = table(tmp_path / "d")
    words = ["boxes", str(root), "--weights", str(weights), "--short-side", str(SIDE)]
    code = f"from glidn.cli import main; main({[*words, '--workers', '1', '--batch', '1']})"
    call = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    parts = parts_folder(root / "boxes.csv.gz")
    until = time.monotonic() + 100
    while not list(parts.glob("[0-9a-f]*.npz")) and call.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(call.pid, signal.SIGKILL)
    call.wait()
    assert main([*words, "--batch", "1"]) == 0
    killed = (root / "boxes.csv.gz").read_bytes()
    assert not parts.exists()
    assert main([*words, "--batch", "1", "--force"]) == 0
    assert (root / "boxes.csv.gz").read_bytes() == killed


def test_an_unfinished_call_keeps_its_settings(tmp_path):
    root = table(tmp_path / "d")
    out = tmp_path / "boxes.csv"

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(root, out, interrupted, top=15)
    with pytest.raises(DataError, match=r"had other settings \(top 15, now 9\): go on with those"):
        run(root, out, top=9)
    assert run(root, out, top=15).videos == 3


def test_a_video_that_cannot_be_read_is_counted_and_named(tmp_path, weights, capsys):
    """Would catch: one broken download that stops ten thousand others, or goes unsaid."""
    root = table(tmp_path / "d")
    path = root / "v2.mp4"
    good = path.read_bytes()
    path.write_bytes(good[: len(good) * 2 // 3])
    words = ["boxes", str(root), "--weights", str(weights), "--short-side", str(SIDE)]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "boxes in 2 videos." in said.out and "run the same command with --force" in said.out
    assert "glidn: 1 of 3 videos could not be read and have no boxes:\n  v2: the vid" in said.err
    path.write_bytes(good)
    begin = time.perf_counter()
    assert main([*words, "--force"]) == 0
    assert time.perf_counter() - begin < 60
    assert "boxes in 3 videos." in capsys.readouterr().out
    assert not parts_folder(root / "boxes.csv.gz").exists()


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>Not found"])
def test_videos_that_are_none(tmp_path, content):
    root = table(tmp_path / "d", ("v1", "v2"))
    (root / "v2.mp4").write_bytes(content)
    (lost,) = run(root, tmp_path / "boxes.csv").left_out
    assert lost.video == "v2" and "v2.mp4 cannot be decoded" in lost.reason
    (root / "v1.mp4").write_bytes(content)
    with pytest.raises(DataError, match=r"not one of 2 videos could be read: the video"):
        run(root, tmp_path / "other.csv")


def test_videos_that_are_not_as_their_table_says(tmp_path, capsys):
    """Would catch: boxes in pixels of one size, read as pixels of another."""
    root = table(tmp_path / "d", ("v1",), size=(640, 480))
    with pytest.raises(DataError, match=r"are 118x68, and .*videos\.csv line 2 gives 640x480"):
        run(root, tmp_path / "boxes.csv")
    (root / "videos.csv").write_text("video,file,frames,fps,width,height\nv1,,9,9,9,9\n")
    assert main(["boxes", str(root)]) == 2
    assert "nothing to find boxes in: none of its videos has pixels" in capsys.readouterr().err
    (root / "videos.csv").write_text("video,file,frames,fps,width,height\nv1,x.mp4,9,9,9,9\n")
    assert main(["boxes", str(root)]) == 2
    assert "videos.csv line 2: the file 'x.mp4' does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--top", "0"], "--top is 0; it must be 1 or more."),
        (["--nms", "7"], "--nms is 7; it must be within 0 and 1."),
        (["--every", "0"], "--every is 0; it must be more than 0 seconds."),
        (["--short-side", "8"], "--short-side is 8; it must be 32 pixels or more."),
        (["--out", "x.txt"], "x.txt: a table of boxes is called .csv, .csv.gz, .parquet at its e"),
        (["--weights", "none.pth"], "none.pth does not exist; give a file of weights."),
        (["--kind", "cad120"], "whose annotations bring their own boxes"),
    ],
)
def test_settings_that_cannot_be(tmp_path, capsys, words, sentence):
    root = table(tmp_path / "d", ("v1",))
    assert main(["boxes", str(root), *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert sorted(path.name for path in root.iterdir()) == ["v1.mp4", "videos.csv"]


def test_frames_are_sampled_by_time():
    def frames(count, fps, every):
        video = Video("v", "", "", "", count, fps, 9, 9, ())
        return sampled(video, every).tolist()

    assert frames(30, 24, 0.5) == [0, 12, 24]
    assert frames(24, 24, 0.5) == [0, 12]
    assert frames(100, 30000 / 1001, 1) == [0, 30, 60, 90]
    assert frames(3, 30, 0.001) == [0, 1, 2] and frames(1, 30, 9) == [0]
