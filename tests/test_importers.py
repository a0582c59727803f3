"""Annotations of other tools: the numbers that are in them, and a sentence for each mistake."""

import json
from pathlib import Path

import numpy as np
import pytest

from glidn.cli import main
from glidn.datasets import load
from glidn.datasets.importers import IMPORTERS
from glidn.errors import DataError
from glidn.types import Segment
from glidn.video import write_video

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><id>5</id><name>Kitchen</name><size>9</size><start_frame>0</start_frame>
<labels><label><name>person</name></label></labels>
<original_size><width>64</width><height>48</height></original_size></task>
<source>film.mp4</source></meta>
<track id="0" label="person" source="manual">
  <box frame="1" outside="0" occluded="0" xtl="1.5" ytl="2" xbr="11" ybr="12">
    <attribute name="action">reaching</attribute></box>
  <box frame="2" outside="0" occluded="0" xtl="2" ytl="2" xbr="12" ybr="12">
    <attribute name="action">reaching</attribute></box>
  <box frame="3" outside="0" occluded="0" xtl="3" ytl="2" xbr="13" ybr="12">
    <attribute name="action">drinking</attribute></box>
  <box frame="4" outside="1" occluded="0" xtl="3" ytl="2" xbr="13" ybr="12">
    <attribute name="action">drinking</attribute></box>
  <box frame="7" outside="0" occluded="0" xtl="4" ytl="2" xbr="14" ybr="12">
    <attribute name="action">__undefined__</attribute></box>
</track>
<track id="1" label="cup">
  <box frame="3" outside="0" xtl="20" ytl="20" xbr="30" ybr="30">
    <attribute name="tilted">true</attribute></box>
  <polygon frame="4" points="1,1;2,2;3,1"/>
</track>
</annotations>
"""
COCO = {
    "videos": [{"id": 4, "name": "film.mp4", "fps": 10, "length": 6}],
    "images": [
        {"id": 70 + n, "video_id": 4, "frame_id": n, "width": 64, "height": 48} for n in range(5)
    ],
    "annotations": [
        {"image_id": 71, "track_id": 2, "category_id": 8, "bbox": [1, 2, 10, 20]},
        {"image_id": 73, "track_id": 2, "category_id": 8, "bbox": [2, 2, 10, 20]},
        {"image_id": 71, "instance_id": 5, "category_id": 9, "bbox": [30, 2.5, 5, 5]},
    ],
    "categories": [{"id": 8, "name": "person"}, {"id": 9, "name": "cup"}],
}
MOT = "1,3,1,2,10,20,1,1,0.9\n2,3,2,2,10,20,1,1,1\n2,4,30,2,5,5,1,2,1\n3,4,30,2,5,5,0,2,1\n"
CSV = """video,frame,category,x,y,w,h,track,action
film,0,person,1,2,10,20,a,sit
film,1,person,1,2,10,20,a,sit
film,2,person,1,2,10,20,a,
"""
KNOWN = ["--fps", "10", "--size", "64x48"]


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


def film(path: Path, frames: int = 9, width: int = 64, height: int = 48, fps: int = 10) -> Path:
    write_video(path, (np.full((height, width, 3), 9 * n, np.uint8) for n in range(frames)), fps)
    return path


def test_cvat_tracks_end_where_they_are_outside_and_attributes_become_actions(tmp_path, capsys):
    (tmp_path / "annotations.xml").write_text(CVAT)
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
    (tmp_path / "film.txt").write_text("1,3,1,2,10,20,0.5,-1,-1,-1\n2,3,1,2,10,20,1,-1,-1,-1\n")
    words = ["--to", str(tmp_path / "d"), "--label", "x", *KNOWN]
    assert main(["import", "mot", str(tmp_path / "film.txt"), *words]) == 0
    assert load(tmp_path / "d").videos[0].tracks[0].scores.tolist() == [0.5, 1]


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
    (tmp_path / "labels.csv").write_text("video,label,start,end,subject\nmore,up,0.1,0.2,ben\n")
    to = ["--to", str(tmp_path / "d"), *KNOWN]
    assert main(["import", "csv", str(tmp_path / "one.csv"), *to]) == 0
    labels = ["--labels", str(tmp_path / "labels.csv")]
    assert main(["import", "csv", str(tmp_path / "two.csv"), *to, *labels]) == 0
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


def coco(**changes) -> str:
    return json.dumps({**COCO, **changes})


def annotation(**changes) -> str:
    return coco(annotations=[COCO["annotations"][0] | changes])


BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
YOLO_NAMES = ["--names", "NAMES"]
# format, file name, its text, options, the sentence
BAD = [
    ("cvat", "a.xml", BOMB, [], "a.xml line 1: it declares a document type"),
    ("cvat", "a.xml", "video,frame\n", [], "a.xml line 1: this is not XML (syntax error)"),
    ("cvat", "a.xml", CVAT[:900], [], "this is not XML ("),
    ("cvat", "a.xml", "", [], "a.xml is empty; export"),
    ("cvat", "a.xml", "<html></html>", [], "a.xml begins with <html>"),
    (
        "cvat",
        "a.xml",
        '<annotations><image id="0" name="a.png" width="9" height="9"/></annotations>',
        [],
        "a.xml line 1: this is CVAT for images",
    ),
    ("cvat", "a.xml", "<annotations></annotations>", [], "a.xml: there is no box in it"),
    ("cvat", "a.xml", CVAT.replace('xtl="20"', 'xtl="2O"'), [], "line 20: xtl is '2O', which"),
    ("cvat", "a.xml", CVAT.replace('xtl="20" ', ""), [], "line 20: this <box> has no 'xtl'."),
    (
        "cvat",
        "a.xml",
        CVAT.replace('frame="7"', 'frame="9"'),
        KNOWN[:2],
        "a.xml line 16: frame 9 is not in film, which has 9 frames, 0 to 8",
    ),
    (
        "cvat",
        "a.xml",
        CVAT.replace('xtl="20" ytl="20" xbr="30"', 'xtl="70" ytl="20" xbr="80"'),
        KNOWN[:2],
        "a.xml line 20: the box (70, 20, 80, 30) lies entirely outside the frame of 64x48",
    ),
    ("cvat", "a.xml", CVAT, [], "does not tell the frame rate of film; give the video"),
    ("cvat", "a.xml", CVAT, ["--fps", "5", "--size", "9x9"], "film is 64x48, and --size says 9x9"),
    ("cvat", "a.xml", CVAT, ["--video", "SMALL"], "a.xml is of a video with frames of 64x48, and"),
    ("cvat", "a.xml", CVAT, ["--video", "SHORT"], "is of a video with 9 frames, and"),
    (
        "cvat",
        "a.xml",
        CVAT,
        [*KNOWN[:2], "--action-attribute", "actoin"],
        "no box has the attribute 'actoin'; nearest: action.",
    ),
    ("cvat", "a.xml", CVAT, ["--names", "NAMES"], "--names is for mot, yolo, and this is cvat."),
    (
        "cvat",
        "a.xml",
        CVAT,
        [*KNOWN[:2], "--labels", "LATE"],
        "late.csv line 2: 'x' from 5 to 9 s is not within the video of 0.9 s",
    ),
    (
        "cvat",
        "a.xml",
        CVAT,
        [*KNOWN[:2], "--labels", "OTHER"],
        "other.csv line 2: the video 'flim' is not among those that are imported; nearest: film",
    ),
    ("coco", "a.json", "{", [], "a.json line 1: this is not JSON (Expecting"),
    ("coco", "a.json", "\n", [], "a.json is empty"),
    ("coco", "a.json", "[" * 100000, [], "a.json: this is not JSON"),
    ("coco", "a.json", "[]", [], "a.json: this is JSON, but not COCO's"),
    ("coco", "a.json", '{"imagse": []}', [], "there is no list 'categories'"),
    (
        "coco",
        "a.json",
        annotation(category_id=3),
        [],
        "annotations[0]: category_id is 3, which is not in categories; known: 8 person, 9 cup.",
    ),
    ("coco", "a.json", annotation(image_id=3), [], "annotations[0]: there is no image with id 3."),
    ("coco", "a.json", annotation(bbox=[1, 2]), [], "annotations[0]: bbox is [1, 2], and four"),
    (
        "coco",
        "a.json",
        annotation(bbox=[1, 2, -3, 4]),
        [],
        "a.json annotation 1: the box (1, 2, -2, 6) has no area",
    ),
    (
        "coco",
        "a.json",
        coco(videos=[{"id": 4, "name": "film", "fps": 10, "length": 3}]),
        [],
        "a.json annotation 2: frame 3 is not in film, which has 3 frames, 0 to 2",
    ),
    ("mot", "film.txt", "1,2,3\n", KNOWN, "film.txt line 1: there are 3 values, and MOT has 6"),
    ("mot", "film.txt", "1,2,3,x,5,6,1\n", KNOWN, "film.txt line 1: top is 'x', which is not"),
    ("mot", "film.txt", "0,2,3,4,5,6,1\n", KNOWN, "frame 0 is not in film"),
    ("mot", "film.txt", MOT, KNOWN, "film.txt line 3: class 2 has no name; give --names"),
    ("mot", "film.txt", "", KNOWN, "film.txt: there is no box in it"),
    (
        "mot",
        "film.txt",
        MOT.replace("5,1,2,1", "5,1,3,1"),
        [*KNOWN, *YOLO_NAMES],
        "film.txt line 3: class 3 is not one of the 2 names, which count from 1",
    ),
    ("csv", "a.csv", "", KNOWN, "a.csv is empty"),
    ("csv", "a.csv", "video,frame\n", KNOWN, "a.csv line 1: there is no column 'category'"),
    ("csv", "a.csv", CSV.splitlines()[0], KNOWN, "a.csv: there is no row below the header"),
    ("csv", "a.csv", CSV.replace("frame", "frmae"), KNOWN, "no column 'frame'; nearest: frmae"),
    ("csv", "a.csv", CSV.replace("film,1", "film,1.5"), KNOWN, "line 3: frame is '1.5', which is"),
    ("csv", "a.csv", CSV.replace("20,a,sit", "20,,sit", 1), KNOWN, "an action and no track"),
    ("csv", "a.csv", CSV, [*KNOWN, "--video", "nowhere.mp4"], "nowhere.mp4 does not exist"),
    ("csv", "a.csv", CSV, [*KNOWN, "--videos", "."], ". holds no video 'film'"),
    ("csv", "a.csv", CSV, ["--fps", "10", "--size", "big"], "--size is 'big', and WIDTHxHEIGHT"),
    ("csv", "missing.csv", None, KNOWN, "missing.csv does not exist; give a csv file"),
    ("charades-style", "a.csv", CSV, [], "a.csv is not in Charades' layout"),
    ("cvta", "a.xml", CVAT, [], "no format 'cvta'; nearest: cvat."),
]


@pytest.mark.parametrize(("kind", "name", "text", "options", "sentence"), BAD)
def test_a_mistake_is_one_sentence_and_nothing_is_written(
    kind, name, text, options, sentence, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(name).write_text(text)
    Path("names.txt").write_text("person\ncup\n")
    Path("late.csv").write_text("video,label,start,end\nfilm,x,5,9\n")
    Path("other.csv").write_text("video,label\nflim,x\n")
    given = {"NAMES": "names.txt", "LATE": "late.csv", "OTHER": "other.csv"}
    if "SMALL" in options:
        film(Path("small.mp4"), width=32)
    if "SHORT" in options:
        film(Path("short.mp4"), frames=5)
    given |= {"SMALL": "small.mp4", "SHORT": "short.mp4"}
    options = [given.get(option, option) for option in options]
    assert main(["import", kind, name, "--to", "d", *options]) == 2
    said = capsys.readouterr().err
    assert said.startswith("glidn: ") and said.count("\n") == 1
    assert sentence in said
    assert not Path("d").exists()


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("2 0.5 0.5 0.1 0.1", "film_3.txt line 2: class 2 is not one of the 2 names, which count"),
        ("-1 0.5 0.5 0.1 0.1", "class -1 is not one of"),
        ("0 320 0.5 0.1 0.1", "centre x is 320, and YOLO gives it as a part of the frame"),
        ("0 0.5 0.5 0.1", "there are 4 values, and a box of YOLO has 5 to 7"),
        ("0 0.5 0.5 0.1 0.1 0.1 0.1 0.2 0.3", "outlines are not read"),
        ("cup 0.5 0.5 0.1 0.1", "class is 'cup', which is not a whole number"),
    ],
)
def test_a_mistake_in_yolo_names_file_and_line(tmp_path, row, sentence, capsys):
    (tmp_path / "film_3.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{row}\n")
    (tmp_path / "classes.txt").write_text("person\ncup\n")
    assert main(["import", "yolo", str(tmp_path), "--to", str(tmp_path / "d"), *KNOWN]) == 2
    assert sentence in capsys.readouterr().err


def test_yolo_without_names_of_classes(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "film_3.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    from glidn.datasets.importers import Asked

    with pytest.raises(DataError, match="which names the classes; give --names FILE"):
        IMPORTERS["yolo"](tmp_path / "labels", Asked())


def test_every_format_that_the_command_knows_has_an_importer():
    from glidn.cli.import_ import FORMATS

    assert tuple(IMPORTERS) == FORMATS
