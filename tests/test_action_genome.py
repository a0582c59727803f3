"""Action Genome's annotations, from pickles made by hand in the documented layout."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from glidn.cli import main
from glidn.datasets import load
from glidn.datasets.action_genome import OBJECTS, PEOPLE
from glidn.video import write_video

HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"
WIDTH, HEIGHT = 64, 48


def charades(root: Path, fps: float = 30, size=(WIDTH, HEIGHT)) -> Path:
    """Two videos of two seconds; the second has no annotations."""
    root.mkdir()
    rows = {"train": "46GP8,X,,,,,,,,,2.00", "test": "YSKX3,X,,,,,,,,,2.00"}
    for split, row in rows.items():
        (root / f"Charades_v1_{split}.csv").write_text(f"{HEADER}\n{row}\n")
    classes = "".join(f"c{n:03} Action {n}\n" for n in range(157))
    (root / "Charades_v1_classes.txt").write_text(classes)
    (root / "Charades_v1_480").mkdir()
    for name in ("46GP8", "YSKX3"):
        picture = np.zeros((size[1], size[0], 3), np.uint8)
        frames = [picture] * round(2 * fps)
        write_video(root / "Charades_v1_480" / f"{name}.mp4", frames, fps)
    return root


def thing(name: str, bbox, **changes):
    return {
        "class": name,
        "bbox": bbox,
        "attention_relationship": ["looking_at"],
        "spatial_relationship": ["in_front_of"],
        "contacting_relationship": ["holding", "touching"],
        "visible": bbox is not None,
        "metadata": {"tag": "46GP8.mp4/000011.png", "set": "train"},
    } | changes


def people(*boxes, size=(WIDTH, HEIGHT)):
    return {
        "bbox": np.array(boxes, np.float32).reshape(-1, 4),
        "bbox_score": np.linspace(0.9, 0.8, len(boxes), dtype=np.float32),
        "bbox_size": size,
        "bbox_mode": "xyxy",
        "keypoints": None,
    }


FOUND_OBJECTS = {
    "46GP8.mp4/000011.png": [
        thing("cup/glass/bottle", (1, 2, 10, 20)),
        thing("table", None),
        thing("door", (3, 3, 3, 3), visible=False),
    ],
    "46GP8.mp4/000031.png": [thing("chair", [60.0, 40.0, 50.0, 50.0])],
    "ABCDE.mp4/000001.png": [thing("bed", (1, 1, 9, 9))],
}
FOUND_PEOPLE = {
    "46GP8.mp4/000011.png": people((5, 6, 40, 30)),
    "46GP8.mp4/000031.png": people(),
    "ABCDE.mp4/000001.png": people((1, 1, 9, 9)),
}


def annotations(folder: Path, objects=FOUND_OBJECTS, persons=FOUND_PEOPLE, protocol=4) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / OBJECTS).write_bytes(pickle.dumps(objects, protocol=protocol))
    (folder / PEOPLE).write_bytes(pickle.dumps(persons, protocol=protocol))
    return folder


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_boxes_come_over_with_their_moments(tmp_path, protocol, capsys):
    """Would catch: frames counted at 24 a second, or from 0; xywh taken for corners."""
    root = charades(tmp_path / "d")
    folder = annotations(tmp_path / "ag", protocol=protocol)
    assert main(["boxes", str(root), "--action-genome", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "3 boxes in 1 videos." in said and "has none for 1 more videos." in said
    video, empty = load(root).videos
    assert not empty.tracks
    # The 11th frame of 30 a second begins at 1/3 s: our frame 8; the 31st at 1 s: our frame 24.
    assert [(track.name, track.frames.tolist()) for track in video.tracks] == [
        ("person 1", [8]),
        ("cup/glass/bottle 1", [8]),
        ("chair 1", [24]),
    ]
    assert [track.xyxy.tolist() for track in video.tracks] == [
        [[5, 6, 40, 30]],
        [[1, 2, 11, 22]],
        [[60, 40, 64, 48]],  # cut to the frame
    ]
    assert video.tracks[0].scores == pytest.approx([0.9]) and video.tracks[1].scores is None


def test_boxes_of_another_size_are_scaled(tmp_path):
    """Would catch: width and height of bbox_size swapped; people scaled and objects not."""
    root = charades(tmp_path / "d")
    key = "46GP8.mp4/000011.png"
    persons = {**FOUND_PEOPLE, key: people((5, 6, 40, 30), size=(WIDTH * 2, HEIGHT * 3))}
    folder = annotations(tmp_path / "ag", persons=persons)
    assert main(["boxes", str(root), "--action-genome", str(folder)]) == 0
    person, cup, _ = load(root).videos[0].tracks
    assert person.xyxy.tolist() == [[2.5, 2, 20, 10]]
    np.testing.assert_allclose(cup.xyxy, [[0.5, 2 / 3, 5.5, 22 / 3]], atol=0.0051)


def test_two_frames_that_become_one(tmp_path):
    """Would catch: a track with two boxes in one frame, which no reader takes."""
    root = charades(tmp_path / "d", fps=60)
    objects = {
        f"46GP8.mp4/{number:06}.png": [thing("cup", (number, 2, 10, 20))] for number in (10, 11, 12)
    }
    folder = annotations(tmp_path / "ag", objects, {})
    assert main(["boxes", str(root), "--action-genome", str(folder)]) == 0
    (cup,) = load(root).videos[0].tracks
    # Shown at 0.150, 0.167 and 0.183 s; our frame 4 is at 0.167 s.
    assert cup.frames.tolist() == [4] and cup.xyxy[0, 0] == 11


class Hostile:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


def refused(tmp_path, capsys, objects=FOUND_OBJECTS, persons=FOUND_PEOPLE) -> str:
    root = tmp_path / "d"
    if not root.exists():
        charades(root)
    folder = annotations(tmp_path / "ag", objects, persons)
    assert main(["boxes", str(root), "--action-genome", str(folder)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and not (root / "boxes.csv.gz").exists()
    return said


def test_code_in_the_files_never_runs(tmp_path, capsys):
    trace = tmp_path / "trace"
    said = refused(tmp_path, capsys, persons={"46GP8.mp4/000011.png": Hostile(trace)})
    assert "person_bbox.pkl holds more than boxes and words (posix.system)" in said
    assert not trace.exists()
    objects = np.array([{"class": "cup"}], dtype=object)
    assert "holds more than boxes and words" in refused(tmp_path, capsys, objects={"a": objects})


@pytest.mark.parametrize(
    ("objects", "persons", "sentence"),
    [
        ([1], {}, "object_bbox_and_relationship.pkl holds a list, and not frames by their names."),
        ({"46GP8": []}, {}, "the key '46GP8' is not like '001YG.mp4/000089.png'"),
        ({"ABCDE.mp4/000001.png": []}, {}, "has boxes for no video of"),
        ({"46GP8.mp4/000061.png": []}, {}, "46GP8.mp4 has 60 frames, so it is another copy"),
        (
            {"46GP8.mp4/000011.png": [{"class": "cup", "visible": True}]},
            {},
            "the annotations of 46GP8.mp4/000011.png are not as Action Genome's are (KeyError: 'bb",
        ),
        (
            {"46GP8.mp4/000011.png": [thing("cup", (1, 2, 3))]},
            {},
            "are not as Action Genome's are (ValueError",
        ),
        ({}, {"46GP8.mp4/000011.png": {"bbox": [1], "bbox_size": (1, 1)}}, "a list where an array"),
    ],
)
def test_other_layouts_are_one_sentence(tmp_path, capsys, objects, persons, sentence):
    assert sentence in refused(tmp_path, capsys, objects, persons)


def test_missing_and_cut_files(tmp_path, capsys):
    root, folder = charades(tmp_path / "d"), annotations(tmp_path / "ag")
    words = ["boxes", str(root), "--action-genome", str(folder)]
    whole = (folder / PEOPLE).read_bytes()
    for keep in (0, 1, 9, len(whole) // 2, len(whole) - 1):
        (folder / PEOPLE).write_bytes(whole[:keep])
        assert main(words) == 2
        said = capsys.readouterr().err
        assert "person_bbox.pkl is damaged or cut off" in said and said.count("\n") == 1
    (folder / PEOPLE).unlink()
    assert main(words) == 2
    assert "person_bbox.pkl is missing; Action Genome's annotations are" in capsys.readouterr().err


def test_a_video_that_is_cut_off_loses_no_other(tmp_path, capsys):
    """Would catch: all of Charades looked at again, because one download was mended."""
    import torch
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    from glidn.proposals import parts_folder

    root = charades(tmp_path / "d")
    path = root / "Charades_v1_480" / "YSKX3.mp4"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    torch.save(
        fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict(), tmp_path / "w"
    )
    words = ["boxes", str(root), "--weights", str(tmp_path / "w"), "--short-side", "32"]
    assert main(words) == 1
    said = capsys.readouterr()
    assert "in 1 videos.\n" in said.out and "What was done is kept" in said.out
    assert "glidn: 1 problem in the dataset:\n  Charades_v1_test.csv line 2: the vid" in said.err
    assert len(list(parts_folder(root / "boxes.csv.gz").glob("*.npz"))) == 1
    path.write_bytes(whole)
    assert main([*words, "--force"]) == 0
    assert "in 2 videos." in capsys.readouterr().out
    assert not parts_folder(root / "boxes.csv.gz").exists()


def test_a_frame_dump_does_not_tell_the_files_own_rate(tmp_path, capsys):
    from PIL import Image

    root, folder = charades(tmp_path / "d"), annotations(tmp_path / "ag")
    (root / "Charades_v1_480").rename(tmp_path / "away")
    for name in ("46GP8", "YSKX3"):
        (root / "Charades_v1_rgb" / name).mkdir(parents=True)
        path = root / "Charades_v1_rgb" / name / f"{name}-000001.jpg"
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    assert main(["boxes", str(root), "--action-genome", str(folder)]) == 2
    assert "there is no such file; put Charades_v1_480 beside" in capsys.readouterr().err
