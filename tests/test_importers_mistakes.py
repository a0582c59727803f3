"""A sentence for each mistake in annotations of other tools, and nothing is written."""

import json
from pathlib import Path

import pytest

from glidn.cli import main
from glidn.datasets.importers import IMPORTERS, Asked
from glidn.errors import DataError
from make_annotations import COCO, CSV, CVAT, KNOWN, MOT, film


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
        "other.csv has no row for film; nearest: flim; add its label, or correct a name.",
    ),
    ("cvat", "a.xml", CVAT, ["--video", "SHORT", "--fps", "30"], "is of a video with 9 frames"),
    (
        "csv",
        "a.csv",
        CSV,
        ["--video", "SHORT", "--fps", "30"],
        "short.mp4 has 10 frames a second, and --fps says 30; leave --fps out.",
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
    (
        "coco",
        "a.json",
        coco(images=[{"id": 1, "video_id": [], "frame_id": 0}]),
        [],
        "images[0]: video_id is [], which it cannot be",
    ),
    (
        "coco",
        "a.json",
        coco(videos=[{"id": 4, "name": "film", "fps": -1}]),
        [],
        "a.json: film would have -1 frames of 64x48 a second",
    ),
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
    ("csv", "a.csv", CSV.replace("film,1", "film,9e19"), KNOWN, "film would have 90,000,000,000,0"),
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


def test_a_damaged_seqinfo_is_one_sentence(tmp_path, capsys):
    (tmp_path / "film" / "gt").mkdir(parents=True)
    (tmp_path / "film" / "gt" / "gt.txt").write_text(MOT.splitlines()[0])
    (tmp_path / "film" / "seqinfo.ini").write_text("[Sequence]\nimWidth=x\n")
    assert main(["import", "mot", str(tmp_path), "--to", str(tmp_path / "d")]) == 2
    assert "film/seqinfo.ini is not MOT's (ValueError)" in capsys.readouterr().err


def test_yolo_without_names_of_classes(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "film_3.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError, match="which names the classes; give --names FILE"):
        IMPORTERS["yolo"](tmp_path / "labels", Asked())
