"""glidn boxes with an ONNX file, with and without tracks: the table that is read back."""

from pathlib import Path

import numpy as np
import pytest

from glidn.cli import main
from glidn.datasets import load
from glidn.proposals import parts_folder
from glidn.video import write_video
from make_onnx import red

WIDTH, HEIGHT, FRAMES, FPS = 192, 128, 24, 12


def table(root: Path, names: tuple[str, ...] = ("v1", "v2")) -> Path:
    """Videos with a red square that stays and one that is there in a single looked-at frame."""
    root.mkdir()
    rows = "".join(f"{name},{name}.mp4,{FRAMES},{FPS},{WIDTH},{HEIGHT}\n" for name in names)
    (root / "videos.csv").write_text("video,file,frames,fps,width,height\n" + rows)
    labels = "".join(f"{name},sit,0,1\n" for name in names)
    (root / "labels.csv").write_text("video,label,start,end\n" + labels)
    for name in names:
        write_video(root / f"{name}.mp4", squares(), FPS)
    return root


def squares() -> np.ndarray:
    frames = np.zeros((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    for frame in range(FRAMES):
        frames[frame, 63:81, 31:49, 0] = 255  # stays
        if frame in (6, 7):
            frames[frame, 15:33, 15:33, 0] = 255  # passes by
    return frames


def test_boxes_of_a_file_are_written_and_read_back(tmp_path, capsys):
    """Would catch: boxes of the network's input, a name that is not the file's, lost settings."""
    root, path = table(tmp_path / "d"), red(tmp_path / "red.onnx")
    (tmp_path / "red.txt").write_text("person\n")
    words = ["boxes", str(root), "--detector", str(path), "--short-side", "96", "--score", "0.8"]
    assert main([*words, "--every", "0.1667"]) == 0
    said = capsys.readouterr()
    assert "boxes.csv.gz: 26 boxes in 2 videos." in said.out and not said.err
    video = load(root).videos[1]
    assert [track.name for track in video.tracks] == ["person 1", "person 2"]
    np.testing.assert_array_equal(video.tracks[0].frames, range(0, 24, 2))
    np.testing.assert_allclose(video.tracks[0].xyxy[0], [32, 64, 48, 80], atol=0.01)
    assert not parts_folder(root / "boxes.csv.gz").exists()


@pytest.mark.parametrize("name", ["boxes.csv", "boxes.parquet"])
def test_tracks_are_named_and_what_passes_by_is_dropped(tmp_path, name):
    """Would catch: tracks in the wrong rows, one numbering for all videos."""
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    root, path = table(tmp_path / "d"), red(tmp_path / "red.onnx")
    words = ["boxes", str(root), "--detector", str(path), "--short-side", "96", "--score", "0.3"]
    assert main([*words, "--every", "0.1667", "--track", "--out", str(root / name)]) == 0
    for video in load(root).videos:
        (track,) = video.tracks
        assert (track.name, track.category) == ("object 0 1", "object 0")
        np.testing.assert_array_equal(track.frames, range(0, 24, 2))
        np.testing.assert_allclose(track.xyxy, [[32, 64, 48, 80]] * 12, atol=0.01)
        assert track.scores.min() > 0.8


def test_tracks_of_an_unfinished_call_are_not_mixed_with_boxes(tmp_path, capsys):
    root, path = table(tmp_path / "d"), red(tmp_path / "red.onnx")
    good = (root / "v2.mp4").read_bytes()
    (root / "v2.mp4").write_bytes(good[: len(good) // 2])
    words = ["boxes", str(root), "--detector", str(path), "--short-side", "96", "--every", "0.1667"]
    assert main([*words, "--track"]) == 1
    (root / "v2.mp4").write_bytes(good)
    assert main([*words, "--track", "--top", "3", "--force"]) == 2
    assert "an unfinished call had other settings (top 15, now 3)" in capsys.readouterr().err
    assert main([*words, "--force"]) == 2
    assert "an unfinished call had other settings (track TrackSettings(" in capsys.readouterr().err
    assert main([*words, "--track", "--force"]) == 0
    resumed = (root / "boxes.csv.gz").read_bytes()
    assert main([*words, "--track", "--force"]) == 0
    assert (root / "boxes.csv.gz").read_bytes() == resumed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--detector", "yolo"], "--detector yolo is none; give proposals, detections, or FILE.o"),
        (["--detector", "onnx"], "--detector onnx is none; give"),
        (["--detector", "none.onnx"], "none.onnx cannot be read (No such file or directory); giv"),
        (["--track", "--action-genome", "x"], "--track follows what a detector finds; leave out"),
    ],
)
def test_settings_that_cannot_be(tmp_path, capsys, words, sentence):
    root = table(tmp_path / "d", ("v1",))
    assert main(["boxes", str(root), *words]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not list(root.glob("*boxes*"))
