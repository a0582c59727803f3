"""Annotations of other tools: the numbers that are in them, as a plain dataset folder."""

import json
from pathlib import Path

import numpy as np

from glidn.cli import main
from glidn.cli.import_ import FORMATS
from glidn.datasets import load, table
from glidn.datasets.importers import IMPORTERS
from glidn.types import Segment
from make_annotations import COCO, CSV, CVAT, KNOWN, MOT, film


def boxes(root: Path) -> dict[str, list[list[float]]]:
    """Track -> [frame, x1, y1, x2, y2] of a dataset's only video."""
    (video,) = load(root).videos
    return {
        f"{track.category} {track.name}": [
            [float(frame), *map(float, box)]
            for frame, box in zip(track.frames, track.xyxy, strict=True)
        ]
        for track in video.tracks
    }


def test_cvat_tracks_end_where_they_are_outside_and_attributes_become_actions(tmp_path, capsys):
    (tmp_path / "annotations.xml").write_text(CVAT)
    (tmp_path / "film.csv").write_text("not the video")
    film(tmp_path / "film.mp4")
    words = ["import", "cvat", str(tmp_path / "annotations.xml"), "--to", str(tmp_path / "d")]
    words += ["--videos", str(tmp_path), "--action-attribute", "action"]
    assert main([*words, "--action-attribute", "tilted", "--subject", "anna"]) == 0
    said = capsys.readouterr().out
    assert "1 polygon passed over" in said and "No problem found." in said
    (video,) = load(tmp_path / "d").videos
    assert (video.name, video.subject) == ("film", "anna")
    assert (video.frames, video.fps, video.width, video.height) == (9, 10, 64, 48)
    assert boxes(tmp_path / "d") == {
        "person 0": [[1, 1.5, 2, 11, 12], [2, 2, 2, 12, 12], [3, 3, 2, 13, 12]],
        "person 0.2": [[7, 4, 2, 14, 12]],
        "cup 1": [[3, 20, 20, 30, 30]],
    }
    assert video.segments == (
        Segment("reaching", 0.1, 0.3),
        Segment("drinking", 0.3, 0.4),
        Segment("tilted", 0.3, 0.4),
    )
    # Pixels are read from where the video lies.
    assert abs(int(video.pixels.read(np.array([8]))[0, 0, 0, 0]) - 72) < 4


def test_coco_by_video_and_frame_and_in_the_manner_of_youtube_vis(tmp_path):
    expected = {
        "person 2": [[1, 1, 2, 11, 22], [3, 2, 2, 12, 22]],
        "cup 5": [[1, 30, 2.5, 35, 7.5]],
    }
    (tmp_path / "a.json").write_text(json.dumps(COCO))
    words = ["--to", str(tmp_path / "a"), "--label", "sitting"]
    assert main(["import", "coco", str(tmp_path / "a.json"), *words]) == 0
    assert boxes(tmp_path / "a") == expected
    (video,) = load(tmp_path / "a").videos
    assert (video.name, video.label, video.frames, video.fps) == ("film", "sitting", 6, 10)

    person, cup = [None, [1, 2, 10, 20], None, [2, 2, 10, 20]], [None, [30, 2.5, 5, 5], None, None]
    vis = {
        "videos": [{**COCO["videos"][0], "width": 64, "height": 48}],
        "annotations": [
            {"id": 2, "video_id": 4, "category_id": 8, "bboxes": person},
            {"id": 5, "video_id": 4, "category_id": 9, "bboxes": cup},
        ],
        "categories": COCO["categories"],
    }
    (tmp_path / "b.json").write_text(json.dumps(vis))
    words = ["--to", str(tmp_path / "b"), "--label", "sitting"]
    assert main(["import", "coco", str(tmp_path / "b.json"), *words]) == 0
    assert boxes(tmp_path / "b") == expected


def test_plain_coco_takes_video_and_frame_from_the_file_name(tmp_path):
    images = [
        {"id": 1, "file_name": "film/000001.jpg", "width": 64, "height": 48},
        {"id": 2, "file_name": "other_0003.jpg", "width": 64, "height": 48},
    ]
    box = {"category_id": 8, "bbox": [1, 2, 10, 20]}
    annotations = [{"image_id": 1, **box}, {"image_id": 1, **box}, {"image_id": 2, **box}]
    plain = {"images": images, "annotations": annotations, "categories": COCO["categories"]}
    annotations[1] = {**annotations[1], "bbox": [5, 2, 10, 20]}
    (tmp_path / "a.json").write_text(json.dumps(plain))
    words = ["--to", str(tmp_path / "d"), "--label", "x", "--fps", "5", "--first-frame", "1"]
    assert main(["import", "coco", str(tmp_path / "a.json"), *words]) == 0
    one, other = load(tmp_path / "d").videos
    assert (one.name, one.frames, other.name, other.frames) == ("film", 1, "other", 3)
    # Without tracks, the first and the second person of a frame.
    assert [track.name for track in one.tracks] == ["person 1", "person 2"]
    assert other.tracks[0].frames.tolist() == [2]


def test_mot_counts_frames_from_one_and_reads_the_sequence(tmp_path):
    folder = tmp_path / "films" / "film"
    (folder / "gt").mkdir(parents=True)
    (folder / "det").mkdir()
    (folder / "gt" / "gt.txt").write_text(MOT)
    (folder / "det" / "det.txt").write_text("nonsense")
    info = "[Sequence]\nname=film\nframeRate=10\nseqLength=6\nimWidth=64\nimHeight=48\n"
    (folder / "seqinfo.ini").write_text(info)
    (tmp_path / "names.txt").write_text("person\ncup\n")
    words = ["--to", str(tmp_path / "d"), "--label", "x", "--names", str(tmp_path / "names.txt")]
    assert main(["import", "mot", str(tmp_path / "films"), *words]) == 0
    (video,) = load(tmp_path / "d").videos
    assert (video.name, video.frames, video.fps, video.width) == ("film", 6, 10, 64)
    # The box whose confidence is 0 is to be ignored; ones are marks, not scores.
    assert boxes(tmp_path / "d") == {
        "person 3": [[0, 1, 2, 11, 22], [1, 2, 2, 12, 22]],
        "cup 4": [[1, 30, 2, 35, 7]],
    }
    assert video.tracks[0].scores is None


def test_mot_results_keep_their_scores(tmp_path):
    rows = "1,3,1,2,10,20,0.5,-1,-1,-1\n2,3,1,2,10,20,1,-1,-1,-1\n"
    rows += "1,10000001,1,2,10,20,0.5,-1,-1,-1\n1,10000002,1,2,10,20,0.5,-1,-1,-1\n"
    (tmp_path / "film.txt").write_text(rows)
    words = ["--to", str(tmp_path / "d"), "--label", "x", *KNOWN]
    assert main(["import", "mot", str(tmp_path / "film.txt"), *words]) == 0
    (video,) = load(tmp_path / "d").videos
    assert video.tracks[0].scores.tolist() == [0.5, 1]
    assert [track.name for track in video.tracks] == ["3", "10000001", "10000002"]


def test_yolo_is_scaled_to_the_video(tmp_path):
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "film_000002.txt").write_text("1 0.5 0.5 0.25 0.5 0.75\n0 0.25 0.5 0.5 1 0.5\n")
    (folder / "film_000004.txt").write_text("")
    (folder / "classes.txt").write_text("person\ncup\n")
    words = ["--to", str(tmp_path / "d"), "--label", "x", *KNOWN]
    assert main(["import", "yolo", str(folder), *words]) == 0
    assert boxes(tmp_path / "d") == {
        "person person 1": [[2, 0, 0, 32, 48]],
        "cup cup 1": [[2, 24, 12, 40, 36]],
    }
    (video,) = load(tmp_path / "d").videos
    # The empty file is a frame, too.
    assert (video.name, video.frames, video.tracks[1].scores.tolist()) == ("film", 5, [0.75])


def test_csv_and_a_table_of_labels_add_to_a_folder(tmp_path, capsys):
    (tmp_path / "one.csv").write_text(CSV)
    (tmp_path / "two.csv").write_text(CSV.replace("film", "more"))
    (tmp_path / "labels.csv").write_text(
        "video,label,start,end,subject\nmore,up,0.1,0.2,ben\nlater,up,9,99,al\n"
    )
    to = ["--to", str(tmp_path / "d"), *KNOWN]
    assert main(["import", "csv", str(tmp_path / "one.csv"), *to]) == 0
    labels = ["--labels", str(tmp_path / "labels.csv")]
    assert main(["import", "csv", str(tmp_path / "two.csv"), *to, *labels]) == 0
    assert "note: labels.csv: rows of later are passed over." in capsys.readouterr().out
    film, more = load(tmp_path / "d").videos
    assert film.segments == (Segment("sit", 0, 0.2),)
    assert more.segments == (Segment("sit", 0, 0.2), Segment("up", 0.1, 0.2))
    assert (more.subject, load(tmp_path / "d").classes) == ("ben", ("sit", "up"))

    before = {path: path.read_bytes() for path in (tmp_path / "d").iterdir()}
    assert main(["import", "csv", str(tmp_path / "two.csv"), *to]) == 2
    assert "holds more already, and nothing was written" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "d").iterdir()} == before
    assert main(["import", "csv", str(tmp_path / "two.csv"), *to, "--force"]) == 0
    assert load(tmp_path / "d").videos[1].segments == (Segment("sit", 0, 0.2),)


def test_an_interruption_leaves_the_dataset_as_it_was(tmp_path, monkeypatch):
    (tmp_path / "one.csv").write_text(CSV)
    (tmp_path / "two.csv").write_text(CSV.replace("film", "more"))
    to = ["--to", str(tmp_path / "d"), *KNOWN]
    assert main(["import", "csv", str(tmp_path / "one.csv"), *to]) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()}

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(table, "write_boxes", stop)
    assert main(["import", "csv", str(tmp_path / "two.csv"), *to]) == 130
    assert {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()} == before


def test_a_label_for_each_video_makes_a_dataset_of_single_labels(tmp_path, capsys):
    rows = "video,frame,category,x1,y1,x2,y2\nfilm,0,person,1,2,10,20\nfilm,3,person,1,2,10,20\n"
    (tmp_path / "one.csv").write_text(rows)
    to = ["--to", str(tmp_path / "d"), *KNOWN]
    assert main(["import", "csv", str(tmp_path / "one.csv"), *to, "--label", "up"]) == 0
    found = load(tmp_path / "d")
    assert (found.task, found.classes, found.videos[0].label) == ("single", ("up",), "up")
    again = [*to, "--name", "second"]
    assert main(["import", "csv", str(tmp_path / "one.csv"), *again]) == 2
    assert "has one label a video, and second has none" in capsys.readouterr().err


def test_charades_style_is_taken_over(tmp_path):
    (tmp_path / "c").mkdir()
    head = (
        "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    )
    row = "{},anna,Kitchen,,,,,,,{},2.0\n"
    (tmp_path / "c" / "Charades_v1_train.csv").write_text(head + row.format("AAA", "c001 0 1.5"))
    (tmp_path / "c" / "Charades_v1_test.csv").write_text(head + row.format("BBB", "c000 1 2"))
    (tmp_path / "c" / "Charades_v1_classes.txt").write_text("c000 Sit\nc001 Stand\nc002 Run\n")
    words = ["import", "charades-style", str(tmp_path / "c"), "--to", str(tmp_path / "d")]
    # There are no boxes, which the doctor says; videos and labels are there.
    assert main([*words, "--size", "64x48"]) == 1
    lines = (tmp_path / "d" / "videos.csv").read_text().splitlines()
    assert lines[1:] == ["AAA,,anna,train,,48,24,64,48", "BBB,,anna,test,,48,24,64,48"]
    assert "AAA,c001 Stand,0.000000,1.500000" in (tmp_path / "d" / "labels.csv").read_text()


def test_every_format_that_the_command_knows_has_an_importer():
    assert tuple(IMPORTERS) == FORMATS
