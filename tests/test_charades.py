"""The official Charades layout, from a tiny copy written by hand with the texts of real ones."""

import csv
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glidn.average_precision import average_precision, labels_shown
from glidn.cli.check import main
from glidn.datasets import load
from glidn.datasets.charades_pixels import mp4_size
from glidn.datasets.check import examine
from glidn.errors import DataError
from glidn.protocol import folds
from glidn.types import Segment
from glidn.video import VideoFile, write_video

HEADER = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length"
NAMES = ["Holding some clothes", "Taking a cup/glass, or so", *(f"Action {n}" for n in range(155))]
CLASSES = [f"c{n:03} {name}" for n, name in enumerate(NAMES)]
TRAIN, TEST, LIST = "Charades_v1_train.csv", "Charades_v1_test.csv", "Charades_v1_classes.txt"
# Commas, quotes and semicolons, a line end within a text, and neither quality nor objects.
NASTY = [
    '46GP8,HR43,Kitchen,6,7,Yes,"A person, at a ""stove"", cooks; then leaves.",food;stove,'
    '"One, two;\n""three"".",c092 1.10 2.00;c001 0.00 3.50;c092 0.00 0.40,2.33',
    "N11GT,0KZ7,Closet / Walk-in closet,,5,No,it's nothing,,,,1.5",
]
TESTED = ["YSKX3,HR43,Stairs,5,6,Yes,Sits.,chair,Sits.,c000 0.10 1.00,1.00"]


def write(root: Path, train=NASTY, test=TESTED, classes=CLASSES) -> Path:
    """A copy without videos, in the official files' line ends."""
    for file, rows in ((TRAIN, train), (TEST, test)):
        (root / file).write_bytes("".join(f"{row}\r\n" for row in (HEADER, *rows)).encode())
    (root / LIST).write_text("\n".join(classes) + "\n")
    return root


def film(path: Path, frames: int, fps=30.0, size=(64, 48), step=3) -> Path:
    """A video whose frames brighten by `step`."""
    path.parent.mkdir(exist_ok=True)
    width, height = size
    write_video(path, (np.full((height, width, 3), n * step, np.uint8) for n in range(frames)), fps)
    return path


def with_films(root: Path) -> Path:
    for name, frames in (("46GP8", 70), ("N11GT", 45), ("YSKX3", 30)):
        film(root / "Charades_v1_480" / f"{name}.mp4", frames)
    return root


def with_dump(root: Path) -> Path:
    for name, frames in (("46GP8", 56), ("N11GT", 36), ("YSKX3", 24)):
        folder = root / "Charades_v1_rgb" / name
        folder.mkdir(parents=True)
        for n in range(frames):
            Image.new("RGB", (64, 48), (4 * n,) * 3).save(folder / f"{name}-{n + 1:06}.jpg")
    return root


def first_sentence(root: Path) -> str:
    with pytest.raises(DataError) as error:
        load(root)
    assert str(error.value) == examine(root).problems[0].sentence
    return str(error.value)


def test_labels_times_and_split(tmp_path):
    """Would catch: rows split at every comma, seconds taken for frames, classes sorted anew."""
    found = load(write(tmp_path))
    assert (found.name, found.task, found.protocol) == ("Charades", "multi", "split")
    assert found.classes == tuple(CLASSES) and not found.left_out
    video, empty, tested = found.videos
    assert (video.name, video.subject, video.split, video.label) == ("46GP8", "HR43", "train", "")
    assert (video.frames, video.fps, video.pixels) == (56, 24, None)  # 2.33 s are 56/24
    assert (video.width, video.height) == (0, 0)
    assert video.segments == (
        Segment(CLASSES[92], 0, 0.4),
        Segment(CLASSES[1], 0, 2.33),  # 3.50 in the file: cut to the video
        Segment(CLASSES[92], 1.1, 2),
    )
    assert (empty.segments, tested.split) == ((), "test")
    (fold,) = folds(found)
    assert (fold.train, fold.test) == (("46GP8", "N11GT"), ("YSKX3",))


def test_folder_of_the_archive_and_byte_order_mark(tmp_path):
    """Would catch: Charades.zip as it unpacks, and a csv saved by Excel, called no dataset."""
    plain = load(write(tmp_path))
    inner = tmp_path / "Charades"
    inner.mkdir()
    for file in (TRAIN, TEST, LIST):
        (inner / file).write_bytes(b"\xef\xbb\xbf" + (tmp_path / file).read_bytes())
        (tmp_path / file).unlink()
    found = load(tmp_path).videos
    assert found[0].source == f"Charades/{TRAIN} line 3"
    moved = [replace(video, source=video.source.removeprefix("Charades/")) for video in found]
    assert tuple(moved) == plain.videos


def test_the_official_actions_that_end_before_they_begin(tmp_path):
    """Would catch: the official file refused, or a label lost that the official scorer counts."""
    row = "00SL4,XXXX,Kitchen,5,5,Yes,a,b,c,c071 18.00 10.00;c081 18.00 10.00;c002 1.0 9.9,8.96"
    other = "IOL8Q,XXXX,Kitchen,5,5,Yes,a,b,c,c023 21.20 12.00,30.38"
    video, longer, _ = load(write(tmp_path, train=[row, other])).videos
    assert longer.segments == (Segment(CLASSES[23], 12, 12),)
    assert [(segment.start, segment.end) for segment in video.segments] == [
        (1, 8.96),
        (8.96, 8.96),
        (8.96, 8.96),
    ]
    assert {segment.label for segment in video.segments} == {CLASSES[n] for n in (2, 71, 81)}


BAD = {
    "no column": (TRAIN, "actions,", "action,", f"{TRAIN} line 1: there is no column 'actions'; n"),
    "class": (TRAIN, "c001 0", "c157 0", "line 3: the action 'c157 0.00 3.50' is of no class of C"),
    "backward": (TRAIN, "1.10 2", "2.10 2", "the action 'c092 2.10 2.00' does not end after it b"),
    "no time": (TRAIN, "0.00 0.40", "0.40 0.40", "'c092 0.40 0.40' does not end after it begins"),
    "negative": (TRAIN, "0.00 0.40", "-0.1 0.40", "'c092 -0.1 0.40' begins before its video. G"),
    "too long": (TRAIN, "3.50", "4.34", "'c001 0.00 4.34' is not within its video of 2.33 s. Give"),
    "too late": (TRAIN, "1.10 2.00", "2.33 3.0", "'c092 2.33 3.0' is not within its video of 2.3"),
    "cut action": (TRAIN, "1.10 2.00", "1.10", f"{TRAIN} line 3: the action 'c092 1.10' is not a"),
    "comma": (TRAIN, "2.00;c001", "2.00 c001", "the action 'c092 1.10 2.00 c001 0.00 3.50' is not"),
    "word": (TRAIN, "2.33", "long", f"{TRAIN} line 3: length is 'long', which is not a number"),
    "length": (TEST, ",1.00\r", ",0\r", f"{TEST} line 2: length is 0. Give the video's length in"),
    "twice": (
        TEST,
        "YSKX3",
        "46GP8",
        f"{TEST} line 2: the video '46GP8' was listed before, in Cha",
    ),
    "no id": (TEST, "YSKX3", "", f"{TEST} line 2: the id is ''. Give every video its id"),
    "path": (TEST, "YSKX3", "../x", f"{TEST} line 2: the id is '../x'. Give every video its id"),
    "unquoted": (TEST, "Sits.,", "Sits, up.,", f"{TEST} line 2: there are 12 values, and the head"),
    "classes order": (LIST, "c001 ", "c002 ", f"{LIST} line 2: 'c002 Taking a cup/glass, or so' i"),
    "classes names": (LIST, " Holding some clothes", "", f"{LIST} line 1: 'c000' is not c000 and "),
}


@pytest.mark.parametrize(("file", "old", "new", "expected"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_named_with_file_line_and_mend(tmp_path, file, old, new, expected):
    """Would catch: bad rows dropped in silence, each of which changes the score."""
    path = write(tmp_path) / file
    text = path.read_bytes()
    assert old.encode() in text
    path.write_bytes(text.replace(old.encode(), new.encode(), 1))
    assert expected in first_sentence(tmp_path)


def test_a_cut_file_of_classes_is_one_problem(tmp_path):
    """Would catch: thousands of lines about actions, where one file was cut off."""
    write(tmp_path, classes=CLASSES[:92])
    (problem,) = examine(tmp_path).problems
    said = first_sentence(tmp_path)
    assert said.startswith(f"{TRAIN} line 3: the action 'c092 1.10 2.00' is of no class of {LIST}")
    assert "which ends at c091; 1 more actions are of none. Correct the action, or co" in said
    write(tmp_path, classes=[])
    (problem,) = examine(tmp_path).problems
    assert problem.sentence == f"{LIST}: there is no class in it. Copy the file again."


def test_any_number_of_classes(tmp_path):
    """Would catch: other sets in this layout, such as the generated one, refused."""
    rows = [row.replace("c092", "c001") for row in NASTY]
    assert load(write(tmp_path, train=rows, classes=CLASSES[:2])).classes == tuple(CLASSES[:2])


def test_missing_files(tmp_path):
    """Would catch: a copy with half of its files taken for a whole one."""
    for file in (TRAIN, TEST, LIST):
        write(tmp_path)
        (tmp_path / file).unlink()
        assert first_sentence(tmp_path) == f"{file}: this file is missing. Put it there."
    write(tmp_path, test=[])
    assert first_sentence(tmp_path) == f"{TEST}: there is no video in it. Copy it again."


def test_check_of_the_csv_files_alone(tmp_path, capsys):
    """Would catch: a doctor that needs thirteen gigabytes of videos to look at three files."""
    assert main([str(write(tmp_path))]) == 0
    said = capsys.readouterr().out
    assert "(charades): 3 videos, 2 subjects, 157 classes, 4 segments, 0 tracks, 0 boxes" in said
    assert "No pixels." in said and "No problem found." in said


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 60), (25.0, 50), (48.0, 72), (15.0, 30)])
def test_frames_are_those_of_ffmpegs_24_a_second(tmp_path, fps, frames):
    """Would catch: frame numbers that mean another moment in a video file than in a dump."""
    import av

    seconds = frames / fps
    row = f"46GP8,X,,,,,,,,,{seconds:.2f}"
    path = film(tmp_path / "Charades_v1" / "46GP8.mp4", frames, fps)
    film(tmp_path / "Charades_v1" / "YSKX3.mp4", 24, 24)
    video = load(write(tmp_path, train=[row])).videos[0]

    expected = []
    with av.open(str(path)) as container:
        graph = av.filter.Graph()
        source = graph.add_buffer(template=container.streams.video[0])
        graph.link_nodes(source, graph.add("fps", "fps=24"), graph.add("buffersink")).configure()
        for frame in [*container.decode(video=0), None]:
            graph.push(frame)
            while True:
                try:
                    expected.append(graph.pull().to_ndarray(format="rgb24"))
                except (av.BlockingIOError, av.EOFError):
                    break
    assert len(expected) == video.frames == round(24 * seconds)
    np.testing.assert_array_equal(video.pixels.read(np.arange(video.frames)), expected)
    np.testing.assert_array_equal(
        video.pixels.read(np.array([7, 2, 7])), [expected[7], expected[2], expected[7]]
    )


def test_a_dump_is_read_by_its_numbers(tmp_path):
    """Would catch: dumps counted from 0, and seven million files listed at every start."""
    root = with_dump(write(tmp_path))
    video = load(root).videos[0]
    assert (video.frames, video.width, video.height) == (56, 64, 48)
    assert video.pixels.read(np.array([55, 0]))[:, 0, 0, 0].tolist() == [220, 0]
    assert [path.name for path in video.pixels.files(np.array([3, 3]))] == ["46GP8-000004.jpg"]
    (root / "Charades_v1_rgb" / "46GP8" / "46GP8-000029.jpg").unlink()
    (problem,) = examine(root).problems
    assert "46GP8-000029.jpg (frame 28) cannot be read: it does not exist" in problem.sentence


def test_lengths_that_contradict_the_videos(tmp_path):
    """Would catch: labels at the wrong times, because the row or the file is another video's."""
    root = with_films(write(tmp_path))
    assert not examine(root, all_pixels=True).problems
    film(root / "Charades_v1_480" / "YSKX3.mp4", 10)  # 0.7 s too short: its last frame stays
    assert not examine(root, all_pixels=True).problems
    film(root / "Charades_v1_480" / "YSKX3.mp4", 70, fps=20)
    (problem,) = examine(root, all_pixels=True).problems
    assert problem.file == "Charades_v1_480/YSKX3.mp4"
    assert "YSKX3.mp4 lasts 3.50 s, and its row gives 1.00 s" in problem.sentence
    with pytest.raises(DataError, match=r"46GP8\.mp4 has no frame 56: it has 56, counted from 0"):
        load(root).videos[0].pixels.read(np.array([0, 56]))


def test_a_dump_that_is_longer_than_its_row(tmp_path):
    root = with_dump(write(tmp_path))
    late = root / "Charades_v1_rgb" / "YSKX3" / "YSKX3-000073.jpg"
    Image.new("RGB", (64, 48)).save(late)
    (problem,) = examine(root).problems
    assert "holds YSKX3-000073.jpg, and its row gives 1.00 s" in problem.sentence


def test_a_dump_that_is_a_little_shorter_than_its_row(tmp_path):
    """Would catch: an epoch that ends at a rounded length. A hole in the middle is damage."""
    root = with_dump(write(tmp_path))
    dump = root / "Charades_v1_rgb" / "YSKX3"
    (dump / "YSKX3-000024.jpg").unlink()
    (video,) = (video for video in load(root).videos if video.name == "YSKX3")
    found = video.pixels.read(np.array([22, 23]))
    assert np.array_equal(found[0], found[1])
    (dump / "YSKX3-000010.jpg").unlink()
    with pytest.raises(DataError, match=r"YSKX3-000010\.jpg .*does not exist"):
        video.pixels.read(np.array([9]))


def test_missing_empty_and_broken_videos(tmp_path):
    """Would catch: a broken download found only after hours of training."""
    root = with_films(write(tmp_path))
    path = root / "Charades_v1_480" / "N11GT.mp4"
    whole, place = path.read_bytes(), f"{TRAIN} line 4: the video Charades_v1_480/N11GT.mp4"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert first_sentence(root).startswith(f"{place} is cut off or damaged. Download it again")
    path.write_bytes(b"<!DOCTYPE html>Not found")
    assert first_sentence(root).startswith(f"{place} is cut off or damaged")
    path.write_bytes(b"")
    assert first_sentence(root).startswith(f"{place} is empty. Download it again into Charades_v1_")
    path.unlink()
    assert first_sentence(root).startswith(f"{place} is missing")


def test_missing_folders_of_a_dump(tmp_path):
    """Would catch: a tar that was unpacked in part, found only after hours of training."""
    root = with_dump(write(tmp_path))
    (root / "Charades_v1_rgb" / "N11GT" / "N11GT-000001.jpg").write_bytes(b"")
    assert f"{TRAIN} line 4: the image " in first_sentence(root)
    (root / "Charades_v1_rgb" / "N11GT").rename(root / "away")
    expected = f"{TRAIN} line 4: the folder Charades_v1_rgb/N11GT is missing. Download it again"
    assert first_sentence(root).startswith(expected)


def box(data: bytes, kind: bytes) -> int:
    """Where the content of a box begins."""
    return data.index(kind) + 4


def test_sizes_are_those_that_the_decoder_gives(tmp_path):
    """Would catch: sound taken for video, upright videos on their side, other orders of boxes."""
    path = film(tmp_path / "a.mp4", 3, size=(64, 48))
    data = path.read_bytes()
    assert mp4_size(path, "a.mp4") == (64, 48)
    matrix = box(data, b"tkhd") + 40
    turned = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data[:matrix] + turned + data[matrix + 36 :])
    upright = VideoFile(path)
    assert mp4_size(path, "a.mp4") == (upright.width, upright.height) == (48, 64)

    # As ffmpeg writes it by default: the header last, after data whose size takes 64 bits.
    start = box(data, b"ftyp") - 8
    moov, mdat = box(data, b"moov") - 8, box(data, b"mdat") - 8
    end = moov + int.from_bytes(data[moov : moov + 4], "big")
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 5) + b"media"
    path.write_bytes(data[start:moov] + large + data[moov:end])
    assert moov < mdat and mp4_size(path, "a.mp4") == (64, 48)
    path.write_bytes(data[:end].replace(b"vmhd", b"smhd"))
    with pytest.raises(DataError, match=r"the file a\.mp4 has no video stream"):
        mp4_size(path, "a.mp4")
    path.write_bytes(data[moov:])
    with pytest.raises(DataError, match=r"the file a\.mp4 is no mp4 video"):
        mp4_size(path, "a.mp4")


def test_boxes_beside_the_videos(tmp_path, capsys):
    """Would catch: boxes of another size of the videos, or of frames that do not exist."""
    root = with_films(write(tmp_path))
    rows = "46GP8,55,0,person,1,2,30,40\n46GP8,55,1,cup,5,6,7,8\nYSKX3,0,0,person,1,2,70,40\n"
    table = root / "boxes.csv"
    table.write_text(f"video,frame,track,category,x1,y1,x2,y2\n{rows}")
    assert main([str(root)]) == 0 and " 3 tracks, 3 boxes, " in capsys.readouterr().out
    video, empty, tested = load(root).videos
    assert [track.category for track in video.tracks] == ["person", "cup"] and not empty.tracks
    assert tested.tracks[0].xyxy.tolist() == [[1, 2, 64, 40]]
    table.write_text(table.read_text().replace(",55,0", ",56,0"))
    assert "boxes.csv line 2: frame 56 is not in a video of 56 frames" in first_sentence(root)
    table.write_text(table.read_text().replace("5,6,7,8", "64,6,70,8"))
    assert "line 3: the box (64, 6, 70, 8) lies entirely outside the frame" in first_sentence(root)
    (root / "Charades_v1_480").rename(root / "elsewhere")
    assert first_sentence(root).startswith("boxes.csv: boxes are in pixels, and without the videos")
    assert len(examine(root).problems) == 1


@pytest.mark.shared
def test_read_and_scored_like_the_official_scorer(shared, tmp_path):
    """Would catch: rows sorted by the reader, which moves ties, or videos without actions lost."""
    folder = shared / "fidelity" / "charades_scorer"
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    root = write(tmp_path)
    with (root / TEST).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER.split(","))
        writer.writeheader()
        # Some of the made-up actions begin after their made-up lengths.
        writer.writerows({**row, "length": "99"} for row in rows)
    found = load(root)
    tested = [video for video in found.videos if video.split == "test"]
    with np.load(folder / "scores.npz") as saved:
        assert [video.name for video in tested] == saved["video"].tolist()
        scored = average_precision(labels_shown(tested, found.classes), saved["scores"])
    assert scored.mean == pytest.approx(0.2725554952242548, abs=1e-9)
