"""The dataset folder: what is written is read back, and every bad row gets its sentence."""

import dataclasses
import gzip
import time

import numpy as np
import pytest
from PIL import Image

from glidn.datasets import load
from glidn.datasets.check import examine
from glidn.datasets.problems import raise_first
from glidn.datasets.table import read_table, write_table
from glidn.errors import DataError
from glidn.types import Dataset, Segment, Track, Video

TABLES = {
    "videos.csv": (
        "video,file,subject,split,label,frames,fps,width,height\n"
        "v1,,anna,,drinking,30,30,64,48\n"
        "v2,,ben,,pouring,20,10,64,48\n"
    ),
    "labels.csv": "video,label,start,end\nv1,moving,0.5,1\nv1,reaching,0,0.5\n",
    "boxes.csv": (
        "video,frame,track,category,x1,y1,x2,y2,score\n"
        "v1,3,1,cup,1,2,11,12,\n"
        "v1,3,0,person,-9,4,40,60.5,\n"
        "v1,4,0,person,5,4,41,40,\n"
        "v2,0,0,person,5,4,41,40,\n"
    ),
}


def write(root, **changes):
    """The tables above; `boxes=(old, new)` replaces once, in boxes.csv."""
    for name, text in TABLES.items():
        for old, new in changes.get(name.split(".")[0], ()):
            assert old in text
            text = text.replace(old, new, 1)
        (root / name).write_text(text)
    if "yaml" in changes:
        (root / "dataset.yaml").write_text(changes["yaml"])
    return root


def first_sentence(root):
    """What `load` says; the doctor must say the same first, and may say more."""
    with pytest.raises(DataError) as error:
        load(root)
    assert str(error.value) == examine(root).problems[0].sentence
    return str(error.value)


def test_tables_without_dataset_yaml_are_understood(tmp_path):
    found = load(write(tmp_path))
    assert (found.name, found.task, found.protocol) == (tmp_path.name, "single", "subjects")
    assert found.classes == ("drinking", "pouring") and found.subjects == ("anna", "ben")
    video = found.videos[0]
    assert [track.name for track in video.tracks] == ["0", "1"]  # the person first
    assert video.segments == (Segment("reaching", 0, 0.5), Segment("moving", 0.5, 1))
    np.testing.assert_array_equal(video.tracks[0].frames, [3, 4])
    # Clipped to 64x48, and not otherwise changed.
    np.testing.assert_array_equal(video.tracks[0].xyxy, [[0, 4, 40, 48], [5, 4, 41, 40]])
    assert video.pixels is None and video.tracks[0].scores is None


BAD = {
    "missing column": (
        {"boxes": [("x2", "xx2")]},
        "boxes.csv line 1: there is no column 'x2'; nearest: xx2",
    ),
    "wrong number of values": (
        {"boxes": [("11,12,", "11,12")]},
        "boxes.csv line 2: there are 8 values, and the header names 9",
    ),
    "not a number": (
        {"boxes": [("1,2,11,12", "1,2,11;5,12")]},
        "boxes.csv line 2: x2 is '11;5', which is not a number. Write a number",
    ),
    "NaN": ({"boxes": [("5,4,41,40", "5,4,nan,40")]}, "boxes.csv line 4: x2 is 'nan'"),
    "infinite": ({"videos": [("30,30", "30,inf")]}, "videos.csv line 2: fps is 'inf'"),
    "half a frame": (
        {"boxes": [("v1,4", "v1,4.5")]},
        "boxes.csv line 4: frame is '4.5', which is not a whole number",
    ),
    "no area": (
        {"boxes": [("1,2,11,12", "11,2,1,12")]},
        "boxes.csv line 2: the box (11, 2, 1, 12) has no area as x1, y1, x2, y2. "
        "x2 must be greater than x1",
    ),
    "no height": (
        {"boxes": [("1,2,11,12", "1,2,11,2")]},
        "boxes.csv line 2: the box (1, 2, 11, 2)",
    ),
    "outside the frame": (
        {"boxes": [("1,2,11,12", "64,2,70,12")]},
        "boxes.csv line 2: the box (64, 2, 70, 12) lies entirely outside the frame of 64x48",
    ),
    "unknown video of a box": (
        {"boxes": [("v1,3,1", "v3,3,1")]},
        "boxes.csv line 2: the video 'v3' is not in videos.csv; nearest: v",
    ),
    "unknown video of a label": (
        {"labels": [("v1,moving", "w1,moving")]},
        "labels.csv line 2: the video 'w1' is not in videos.csv; nearest: v1. Correct the name",
    ),
    "unknown label": (
        {"yaml": "classes: [drinking, pouring]", "videos": [("drinking", "drnking")]},
        "videos.csv line 2: label 'drnking' is not one of the 2 classes; nearest: drinking. "
        "Correct the label, or add it to the classes in dataset.yaml.",
    ),
    "unknown timed label": (
        {"yaml": "task: multi\nclasses: [reaching]"},
        "labels.csv line 2: label 'moving' is not one of the 1 classes; known: reaching",
    ),
    "no label": ({"videos": [("pouring", "")]}, "videos.csv line 3: the label is empty"),
    "frame outside": (
        {"boxes": [("v1,3", "v1,30")]},
        "boxes.csv line 2: frame 30 is not in a video of 30 frames. Frames count from 0",
    ),
    "frame below 0": ({"boxes": [("v1,3", "v1,-1")]}, "boxes.csv line 2: frame -1 is not in"),
    "two boxes for one track": (
        {"boxes": [("v1,4,0", "v1,3,0")]},
        "boxes.csv line 4: track '0' has a second box in frame 3, and it differs from that of "
        "line 3. Keep one",
    ),
    "two categories for one track": (
        {"boxes": [("v1,4,0,person", "v1,4,0,cup")]},
        "boxes.csv line 4: track '0' is a 'cup' here and a 'person' in line 3",
    ),
    "no category": ({"boxes": [("person", "")]}, "boxes.csv line 3: the category is empty"),
    "a percentage": ({"boxes": [("11,12,", "11,12,87")]}, "boxes.csv line 2: score is 87"),
    "scores in part": (
        {"boxes": [("40,60.5,", "40,60.5,1")]},
        "boxes.csv line 4: track '0' has scores in some of its frames only",
    ),
    "end before start": (
        {"labels": [("0.5,1", "0.5,0.2")]},
        "labels.csv line 2: the end, 0.2 s, is not after the start, 0.5 s",
    ),
    "times in frames": (
        {"labels": [("0.5,1", "15,30")]},
        "labels.csv line 2: 'moving' from 15 to 30 s is not within the video of 1 s",
    ),
    "no box": (
        {"boxes": [("v2,0,0,person,5,4,41,40,\n", "")]},
        "videos.csv line 3: the video 'v2' has no box. Add its boxes",
    ),
    "empty video": (
        {"videos": [("drinking,30", "drinking,0")]},
        "videos.csv line 2: the video 'v1' is empty: it has 0 frames",
    ),
    "no frame rate": ({"videos": [("20,10", "20,0")]}, "videos.csv line 3: fps is 0"),
    "ticks for frames": ({"videos": [("20,10", "20,90000")]}, "videos.csv line 3: fps is 90000"),
    "no size": ({"videos": [("30,64", "30,0")]}, "videos.csv line 2: the frame is 0x48"),
    "split": ({"videos": [("anna,", "anna,val")]}, "videos.csv line 2: split is 'val'"),
    "video twice": (
        {"videos": [("v2,", "v1,")]},
        "videos.csv line 3: the video 'v1' was listed before, in line 2",
    ),
    "file missing": (
        {"videos": [("v1,", "v1,films/v1.mp4")]},
        "videos.csv line 2: the file 'films/v1.mp4' does not exist. Correct the path",
    ),
    "bad yaml": ({"yaml": "name: x\ntask: [single\n"}, "dataset.yaml line 3: this is not YAML"),
    "bad key": (
        {"yaml": "name: x\nclases: [drinking]"},
        "dataset.yaml line 2: 'clases' is no key of dataset.yaml; nearest: classes",
    ),
    "bad task": ({"yaml": "task: one"}, "dataset.yaml line 1: task is 'one', which is not single"),
    "class twice": ({"yaml": "classes: [a, b, a]"}, "dataset.yaml line 1: the class 'a' is listed"),
}


@pytest.mark.parametrize("case", BAD)
def test_every_bad_value_gets_its_sentence_from_load_and_doctor(tmp_path, case):
    changes, expected = BAD[case]
    assert expected in first_sentence(write(tmp_path, **changes))


def test_the_doctor_finds_all_problems_at_once_and_still_counts(tmp_path):
    root = write(
        tmp_path,
        boxes=[("1,2,11,12", "1,2,0,12"), ("v1,4,0", "v1,99,0"), ("v2,0", "v7,0")],
        labels=[("moving,0.5,1", "moving,1,0.5")],
    )
    found = examine(root)
    assert [(problem.file, problem.line) for problem in found.problems] == [
        ("labels.csv", 2),
        ("boxes.csv", 5),
        ("boxes.csv", 2),
        ("boxes.csv", 4),
        ("videos.csv", 3),  # v2 has lost its only box
    ]
    assert found.counts["videos"] == 1 and found.counts["boxes"] == 1


def test_files_that_cannot_be_read_as_tables(tmp_path):
    root = write(tmp_path)
    packed = gzip.compress(TABLES["boxes.csv"].encode() * 50)
    (root / "boxes.csv.gz").write_bytes(packed)
    assert "boxes.csv: there is boxes.csv.gz beside it" in first_sentence(root)
    (root / "boxes.csv").unlink()
    (root / "boxes.csv.gz").write_bytes(packed[:-30])
    assert "boxes.csv.gz: this file cannot be read" in first_sentence(root)
    (root / "boxes.csv.gz").unlink()
    assert "boxes.csv: the table of boxes is missing" in first_sentence(root)
    (root / "boxes.csv").write_bytes("video,frame\nKüche,1\n".encode("latin-1"))
    assert "boxes.csv line 2: this is not UTF-8" in first_sentence(root)
    (root / "boxes.csv").write_text("")
    assert "boxes.csv: this file is empty" in first_sentence(root)
    (root / "videos.csv").write_text("video,frames,fps,width,height\n")
    assert "videos.csv: there is no video in it" in first_sentence(root)


def test_tables_as_spreadsheets_write_them(tmp_path):
    root = write(tmp_path)
    for name, text in TABLES.items():
        mangled = "\ufeff" + text.replace("\n", "\r\n\r\n").replace("anna", '"anna"')
        (root / name).write_bytes(mangled.encode())
    assert [video.subject for video in load(root).videos] == ["anna", "ben"]


def test_gz_and_parquet_hold_the_same_boxes(tmp_path):
    root = write(tmp_path)
    plain = load(root)
    (root / "boxes.csv").unlink()
    (root / "boxes.csv.gz").write_bytes(gzip.compress(TABLES["boxes.csv"].encode()))
    assert_same(load(root), plain)
    (root / "boxes.csv.gz").unlink()
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [line.split(",") for line in TABLES["boxes.csv"].splitlines()]
    columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    typed = {
        name: [int(v) for v in values]
        if name == "frame"
        else [float(v) for v in values]
        if name[0] in "xy"
        else [None] * len(values)
        if name == "score"
        else list(values)
        for name, values in columns.items()
    }
    parquet.write_table(pyarrow.table(typed), root / "boxes.parquet")
    assert_same(load(root), plain)
    parquet.write_table(pyarrow.table({**typed, "x2": [0.5, 50, 50, None]}), root / "boxes.parquet")
    assert "boxes.parquet line 5: x2 is ''" in first_sentence(root)
    (root / "boxes.parquet").write_bytes(b"PAR1 no")
    assert "boxes.parquet: this file cannot be read" in first_sentence(root)


def test_boxes_without_tracks_are_told_apart_by_their_order(tmp_path):
    rows = (
        "video,frame,category,x1,y1,x2,y2\n"
        "v1,0,cup,1,1,2,2\nv1,0,cup,3,1,4,2\nv1,0,person,5,1,6,2\n"
        "v1,1,cup,7,1,8,2\nv2,0,cup,1,1,2,2\n"
    )
    root = write(tmp_path)
    (root / "boxes.csv").write_text(rows)
    tracks = load(root).videos[0].tracks
    assert [(track.name, track.frames.tolist()) for track in tracks] == [
        ("person 1", [0]),
        ("cup 1", [0, 1]),
        ("cup 2", [0]),
    ]


def test_a_row_repeated_word_for_word_counts_once(tmp_path):
    row = "v1,4,0,person,5,4,41,40,\n"
    root = write(tmp_path, boxes=[(row, row + row)])
    np.testing.assert_array_equal(load(root).videos[0].tracks[0].frames, [3, 4])


def test_an_end_rounded_up_is_cut_to_the_video(tmp_path):
    root = write(tmp_path, labels=[("0.5,1", "0.5,1.02")])
    assert load(root).videos[0].segments[1].end == 1


def test_many_labels_and_a_split(tmp_path):
    root = write(tmp_path, videos=[("anna,,drinking", ",train,"), ("ben,,pouring", ",test,")])
    found = load(root)
    assert (found.task, found.protocol) == ("multi", "split")
    assert found.classes == ("moving", "reaching")


def test_pixels_are_found_in_folders_and_files(tmp_path):
    root = write(tmp_path, videos=[("v1,", "v1,frames/v1"), ("v2,", "v2,v2.mp4")])
    folder = root / "frames" / "v1"
    folder.mkdir(parents=True)
    for n in range(29):
        Image.new("RGB", (64, 48), (n, 0, 0)).save(folder / f"{n:03}.png")
    (root / "v2.mp4").write_bytes(b"opened by nobody")
    assert "the folder 'frames/v1' holds 29 images, and frames is 30" in first_sentence(root)
    Image.new("RGB", (64, 48), (29, 0, 0)).save(folder / "029.png")
    videos = load(root).videos
    assert videos[0].pixels.read(np.array([29]))[0, 0, 0, 0] == 29
    assert videos[1].pixels.source == str(root / "v2.mp4")


def assert_same(found: Dataset, expected: Dataset):
    """Equal but for where they lie; times to a microsecond."""
    for field in ("name", "task", "classes", "protocol", "person", "licence"):
        assert getattr(found, field) == getattr(expected, field), field
    assert len(found.videos) == len(expected.videos)
    for here, there in zip(found.videos, expected.videos, strict=True):
        for field in ("name", "subject", "split", "label", "frames", "width", "height"):
            assert getattr(here, field) == getattr(there, field), field
        assert here.fps == pytest.approx(there.fps, rel=1e-9)
        assert [segment.label for segment in here.segments] == [s.label for s in there.segments]
        times = [[(s.start, s.end) for s in video.segments] for video in (here, there)]
        np.testing.assert_allclose(*times, atol=1e-6)
        for one, other in zip(here.tracks, there.tracks, strict=True):
            assert (one.name, one.category) == (other.name, other.category)
            np.testing.assert_array_equal(one.frames, other.frames)
            np.testing.assert_array_equal(one.xyxy, other.xyxy)
            assert (one.scores is None) == (other.scores is None)
            if one.scores is not None:
                np.testing.assert_array_equal(one.scores, other.scores)


def made_up(rng, root) -> Dataset:
    def track(name, category, scores=False):
        frames = np.sort(rng.choice(41, 17, replace=False)).astype(np.int64)
        corner = rng.uniform(0, 100, (17, 2))
        xyxy = np.concatenate([corner, corner + rng.uniform(1, 97, (17, 2))], 1).astype(np.float32)
        return Track(
            name, category, frames, xyxy, rng.random(17).astype(np.float32) if scores else None
        )

    def video(name, subject):
        return Video(
            name=name,
            subject=subject,
            split="train",
            label="yes, pour",
            frames=41,
            fps=30000 / 1001,
            width=211,
            height=199,
            tracks=(track("b", "someone"), track("7", 'a "mug"', True), track("a", "cup")),
            segments=(Segment("reach", 0.1, 1 / 3), Segment("put", 0.5, 41 * 1001 / 30000)),
        )

    return Dataset(
        name="kitchen",
        root=root,
        task="single",
        classes=("yes, pour", "drink"),
        protocol="split",
        videos=(video("v 1", "ünal"), video("0002", "")),
        person="someone",
        licence="CC0",
    )


def test_what_is_written_is_read_back(tmp_path):
    dataset = made_up(np.random.default_rng(3), tmp_path)
    (tmp_path / "boxes.csv.gz").write_bytes(b"of an earlier import")
    write_table(dataset, tmp_path)
    found = read_table(tmp_path, raise_first)
    assert_same(found, dataset)
    write_table(dataclasses.replace(found, name="again"), tmp_path / "b")
    assert (tmp_path / "b" / "boxes.csv").read_bytes() == (tmp_path / "boxes.csv").read_bytes()


@pytest.mark.shared
def test_real_cad120_tracks_load_quickly_and_completely(shared, tmp_path):
    begin = time.perf_counter()
    found = load(shared / "data" / "cad120_tracks")
    assert time.perf_counter() - begin < 5  # 1 s on two idle cores of 2024
    assert (len(found.videos), len(found.subjects), len(found.classes)) == (112, 4, 9)
    assert sum(len(video.segments) for video in found.videos) == 982
    # 100,970 rows, of which two repeat the rows before them: 1130151154, frame 151.
    boxes = sum(len(track.frames) for video in found.videos for track in video.tracks)
    assert boxes == 100_968
    assert all(video.tracks[0].category == "person" for video in found.videos)
    write_table(found, tmp_path / "copy")
    assert_same(load(tmp_path / "copy"), dataclasses.replace(found, name="cad120_tracks"))
