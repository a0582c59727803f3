"""The official CAD-120 layout, from a tiny copy written by hand."""

import shutil

import numpy as np
import pytest
from PIL import Image

from glidn.datasets import load
from glidn.datasets.check import examine
from glidn.datasets.synthetic import SyntheticConfig, write_cad120
from glidn.errors import DataError
from glidn.types import Segment

FRAMES = 5
SIZE = (320, 240)  # half of the camera's, so that scaling shows
CEREAL, MEAL = "making_cereal", "having_meal"

# Which joints stand where, as (x, y, z, confidence) in millimetres, in the order of the files.
# With Z = 1000, 111.47 to the right is 64 pixels of 640, and 83.36 up is 48 pixels of 480.
HEAD = (-111.47, 83.36, 1000, 1)  # u = 320 - 64 = 256, v = 240 - 48 = 192
LEFT_HAND = (111.47, -166.72, 1000, 1)  # u = 384, v = 240 + 96 = 336
LOST = (-5000, 5000, 1000, 0)  # no confidence
BEHIND = (300, 300, -10, 1)
LOW = (900, -900, 1000, 1)  # a hip, a knee or a foot, which do not count
CENTRE = (0, 0, 1000, 1)
WITH_ORIENTATION = [HEAD, CENTRE, CENTRE, LOST, BEHIND, CENTRE, CENTRE, LOW, LOW, LOW, LOW]
WITHOUT = [LEFT_HAND, LOST, LOW, LOW]
# The hull (256, 192, 384, 336) has the centre (320, 264) and the half sizes 64 and 72; times 1.2
# these are 76.8 and 86.4; and all of it is halved for frames of 320x240.
PERSON_BOX = np.array([243.2, 177.6, 396.8, 350.4]) / 2
# The copies here hold Subject1 and Subject3.
ABSENT = ["all of Subject4", "all of Subject5"]


def skeleton(frames=FRAMES, moved=None):
    """A file of that many frames; moved[frame] changes each joint of that frame, from 1."""

    def line(frame):
        move = (moved or {}).get(frame, lambda joint: joint)
        values = [frame]
        for joint in WITH_ORIENTATION:
            values += [0.5] * 9 + [1, *move(joint)]
        for joint in WITHOUT:
            values += move(joint)
        return ",".join(map(str, values)) + ",\n"

    return "".join(line(frame + 1) for frame in range(frames)) + "END"


def unseen(joint):
    return (*joint[:3], 0)


def beside(joint):
    """Five metres to the left, and no longer behind the camera."""
    return (joint[0] - 5000, joint[1], 1000, joint[3])


def object_rows(boxes):
    """One row per box, with the six numbers that follow it in the official files."""
    return "".join(
        f"{n},1,{','.join(map(str, box))},0.1,0.2,0.3,0.4,0.5,0.6\n"
        for n, box in enumerate(boxes, 1)
    )


BOWL = [(10, 20, 30, 40), (12, 20, 32, 40), (0, 0, 0, 0), (-5, 20, 36, 40), (300, 20, 330, 250)]
MILK = [(0, 0, 0, 0)] * 2 + [(100, 100, 120, 130)] * 3


@pytest.fixture
def copy(tmp_path):
    """Two subjects, one video each; the second's video shows no milk."""
    for subject, activity, name in ((1, CEREAL, "1204142055"), (3, MEAL, "1130151154")):
        folder = tmp_path / f"Subject{subject}_annotations" / activity
        images = tmp_path / f"Subject{subject}_rgbd_images" / activity / name
        folder.mkdir(parents=True)
        images.mkdir(parents=True)
        objects = "1:bowl,2:milk," if subject == 1 else "1:cup,"
        (folder / "activityLabel.txt").write_text(f"{name},{activity},Subject{subject},{objects}\n")
        (folder / "labeling.txt").write_text(
            f"{name},4,9,cleaning,stationary\n\n{name},1,3,reaching,reachable,stationary,\n"
        )
        (folder / f"{name}.txt").write_text(skeleton())
        (folder / f"{name}_obj1.txt").write_text(object_rows(BOWL))
        if subject == 1:
            (folder / f"{name}_obj2.txt").write_text(object_rows(MILK))
        for n in range(1, FRAMES + 1):
            Image.new("RGB", SIZE, (n, 0, 0)).save(images / f"RGB_{n}.png")
            Image.new("L", SIZE).save(images / f"Depth_{n}.png")
    return tmp_path


def annotations(copy, file=""):
    return copy / "Subject1_annotations" / CEREAL / file


def images(copy, file=""):
    return copy / "Subject1_rgbd_images" / CEREAL / "1204142055" / file


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def first_sentence(root):
    with pytest.raises(DataError) as error:
        load(root)
    assert str(error.value) == examine(root).problems[0].sentence
    return str(error.value)


def test_boxes_labels_and_times(copy):
    found = load(copy)
    assert (found.task, found.protocol, found.classes) == ("single", "subjects", (MEAL, CEREAL))
    assert found.subjects == ("subject1", "subject3")
    assert [one.video for one in found.left_out] == ABSENT
    video = found.videos[0]
    assert (video.name, video.label, video.frames, video.fps) == ("1204142055", CEREAL, FRAMES, 30)
    assert (video.width, video.height) == SIZE
    person, bowl, milk = video.tracks
    assert (person.category, bowl.category, milk.category) == ("person", "bowl", "milk")
    np.testing.assert_array_equal(person.frames, range(FRAMES))
    np.testing.assert_allclose(person.xyxy, np.tile(PERSON_BOX, (FRAMES, 1)), rtol=1e-5)
    np.testing.assert_array_equal(bowl.frames, [0, 1, 3, 4])
    np.testing.assert_array_equal(
        bowl.xyxy, [[10, 20, 30, 40], [12, 20, 32, 40], [0, 20, 36, 40], [300, 20, 320, 240]]
    )
    np.testing.assert_array_equal(milk.frames, [2, 3, 4])
    # Frames 1 to 3 are the seconds 0 to 0.1; frame 9 is cut to the video of 5 frames.
    assert video.segments == (
        Segment("reaching", 0, pytest.approx(0.1)),
        Segment("scrubbing", pytest.approx(0.1), pytest.approx(5 / 30)),
    )


def test_frames_are_read_lazily_and_in_order(copy):
    images(copy, "RGB_3.png").write_bytes(b"broken, and nobody asks for it")
    video = load(copy).videos[0]
    assert video.pixels.read(np.array([3, 0]))[:, 0, 0, 0].tolist() == [4, 1]
    (problem,) = examine(copy).problems  # the doctor opens the first, the middle and the last
    assert "RGB_3.png (frame 2) cannot be read" in problem.sentence


def test_a_person_out_of_sight_has_no_box(copy):
    path = annotations(copy, "1204142055.txt")
    path.write_text(skeleton(moved={2: unseen, 4: beside}))
    np.testing.assert_array_equal(load(copy).videos[0].tracks[0].frames, [0, 2, 4])


def test_windows_line_ends_blank_lines_and_nested_folders(copy):
    plain = load(copy)
    for path in copy.rglob("*.txt"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    for folder in list(copy.glob("Subject*")):
        inner = folder / folder.name
        (copy / "moved").mkdir()
        for activity in folder.iterdir():
            activity.rename(copy / "moved" / activity.name)
        (copy / "moved").rename(inner)
    found = load(copy)
    for here, there in zip(found.videos, plain.videos, strict=True):
        assert here.segments == there.segments
        for one, other in zip(here.tracks, there.tracks, strict=True):
            np.testing.assert_array_equal(one.xyxy, other.xyxy)


def test_a_copy_without_images_is_boxes_in_640x480(copy):
    for folder in copy.glob("*_rgbd_images"):
        shutil.rmtree(folder)
    video = load(copy).videos[0]
    assert (video.pixels, video.width, video.height, video.frames) == (None, 640, 480, FRAMES)
    np.testing.assert_allclose(video.tracks[0].xyxy[0], 2 * PERSON_BOX, rtol=1e-5)


def test_the_video_is_what_skeleton_and_images_have_in_common(copy):
    images(copy, "RGB_5.png").unlink()
    annotations(copy, "1204142055.txt").write_text(skeleton(3))
    video = load(copy).videos[0]
    assert video.frames == 3 and len(video.pixels.paths) == 3
    assert max(track.frames.max() for track in video.tracks) == 2
    assert [segment.label for segment in video.segments] == ["reaching"]
    annotations(copy, "1204142055.txt").write_text(skeleton(1))
    assert "1204142055.txt: the skeleton has 1 frames and there are 4 images" in first_sentence(
        copy
    )


def test_videos_that_lack_a_part_are_left_out_with_the_reason(copy):
    lines = annotations(copy, "activityLabel.txt")
    line = lines.read_text()
    lines.write_text(
        line + "".join(line.replace("1204142055", name) for name in ("77", "88", "99"))
    )
    for name in ("88", "99"):
        annotations(copy, f"{name}.txt").write_text(skeleton())
        annotations(copy, f"{name}_obj1.txt").write_text(object_rows(BOWL))
    annotations(copy, "88_obj2.txt").write_text(object_rows(MILK))
    (images(copy).parent / "99").mkdir()
    shutil.copy(images(copy, "RGB_1.png"), images(copy).parent / "99" / "RGB_1.png")
    (images(copy).parent / "66").mkdir()
    found = load(copy)
    assert [video.name for video in found.videos] == ["1204142055", "1130151154"]
    reasons = {video.video: video.reason for video in found.left_out}
    assert sorted(reasons) == ["66", "77", "88", "99", *ABSENT]
    assert "neither Subject4_annotations nor Subject4_rgbd_images" in reasons["all of Subject4"]
    assert "77.txt" in reasons["77"] and "77_obj1.txt" in reasons["77"]
    assert "images in Subject1_rgbd_images/making_cereal/88" in reasons["88"]
    assert reasons["99"] == f"it has no Subject1_annotations/{CEREAL}/99_obj2.txt"
    assert "no activityLabel.txt lists it" in reasons["66"]
    assert examine(copy).counts["left out"] == 4 + len(ABSENT)


SKELETON, OBJECT = "1204142055.txt", "1204142055_obj1.txt"
LABEL, LABELING = "activityLabel.txt", "labeling.txt"
BAD = {
    "cut skeleton": (SKELETON, "END", "", f"{SKELETON} line 5: the last line is not END"),
    "short line": (SKELETON, "2,0.5,", "2,", f"{SKELETON} line 2: there are 170 values; a line"),
    "NaN in the skeleton": (SKELETON, "-111.47", "nan", f"{SKELETON} line 1: a value is 'nan'"),
    "skipped frame": (SKELETON, "\n3,0.5", "\n4,0.5", f"{SKELETON} line 3: the frame is 4, and 3"),
    "cut object": (OBJECT, ",0.1,0.2,0.3,0.4,0.5,0.6\n", "\n", f"{OBJECT} line 2: there are 12"),
    "short object": (
        OBJECT,
        object_rows(BOWL).splitlines(keepends=True)[4],
        "",
        f"{OBJECT} line 4: the file is shorter than the video of 5 frames: frame 5 is missing",
    ),
    "NaN in an object": (OBJECT, "10,20", "10,nan", f"{OBJECT} line 1: y1 is 'nan', which is not"),
    "word in an object": (OBJECT, "10,20", "10,x", f"{OBJECT} line 1: y1 is 'x', which is not a"),
    "object outside": (
        OBJECT,
        "10,20,30,40",
        "10,241,30,270",
        f"{OBJECT} line 1: the box (10, 241, 30, 270) lies entirely outside the frame of 320x240",
    ),
    "object turned round": (
        OBJECT,
        "10,20,30,40",
        "30,20,10,40",
        f"{OBJECT} line 1: the box (30, 20, 10, 40) has no area",
    ),
    "frame twice": (OBJECT, "\n2,1,", "\n1,1,", f"{OBJECT} line 5: the file is shorter than the"),
    "unknown activity": (
        LABEL,
        CEREAL,
        "making_cereals",
        f"{LABEL} line 1: activity 'making_cereals' is no activity of CAD-120; nearest: {CEREAL}",
    ),
    "another activity": (
        LABEL,
        CEREAL,
        "taking_food",
        f"{LABEL} line 1: activity is 'taking_food', and the folder is {CEREAL}",
    ),
    "bad objects": (LABEL, "2:milk", "milk", f"{LABEL} line 1: the objects are '1:bowl,milk'"),
    "short label": (LABEL, f",{CEREAL},Subject1,1:bowl,2:milk", "", f"{LABEL} line 1: there are 1"),
    "unknown sub-activity": (
        LABELING,
        "reaching",
        "reeching",
        f"{LABELING} line 3: 'reeching' is no sub-activity of CAD-120; nearest: reaching",
    ),
    "unknown video": (
        LABELING,
        "1204142055,1",
        "1204142056,1",
        f"{LABELING} line 3: the video '1204142056' is not in activityLabel.txt; nearest: 12041420",
    ),
    "end before start": (LABELING, ",4,9,", ",4,3,", f"{LABELING} line 1: it lasts from frame 4"),
    "frame 0": (LABELING, ",1,3,", ",0,3,", f"{LABELING} line 3: it lasts from frame 0 to 3"),
    "after the video": (LABELING, ",4,9,", ",6,9,", f"{LABELING} line 1: it begins in frame 6"),
    "no number": (LABELING, ",4,9,", ",4,x,", f"{LABELING} line 1: a frame is 'x'"),
}


@pytest.mark.parametrize("case", BAD)
def test_damaged_content_gets_its_sentence_from_load_and_doctor(copy, case):
    file, old, new, expected = BAD[case]
    replace(annotations(copy, file), old, new)
    assert f"Subject1_annotations/{CEREAL}/{expected}" in first_sentence(copy)


def test_generated_videos_are_read_as_they_were_meant(tmp_path):
    """The other author's writer of this layout: same frames, same projection, same pixels."""
    config = SyntheticConfig(
        repetitions=1, frames=40, width=160, height=120, subjects=(1, 3), activities=(CEREAL,)
    )
    write_cad120(tmp_path, config, workers=1)
    found = examine(tmp_path)
    assert not found.problems
    assert [one.video for one in found.dataset.left_out] == ABSENT
    assert found.counts["videos"] == found.counts["subjects"] == 2
    for video in found.dataset.videos:
        assert (video.width, video.height, video.frames) == (160, 120, 40)
        person = video.tracks[0]
        assert person.category == "person" and len(person.frames) == 40
        # The person moves and the room does not: what moves most lies within the person's box.
        images = video.pixels.read(np.arange(40)).astype(int)
        moving = np.abs(np.diff(images, axis=0)).sum(axis=(0, 3))
        y, x = np.divmod(np.argsort(moving.ravel())[-100:], 160)
        (x1, y1), (x2, y2) = person.xyxy[:, :2].min(axis=0), person.xyxy[:, 2:].max(axis=0)
        hair = 5  # the head's joint is its middle
        assert (x2 - x1) * (y2 - y1 + hair) < 0.5 * 160 * 120
        assert ((x1 <= x) & (x < x2) & (y1 - hair <= y) & (y < y2)).mean() > 0.9


def test_missing_folders_and_images(copy):
    images(copy, "RGB_2.png").unlink()
    assert "1204142055: the image RGB_2.png is missing. Copy" in first_sentence(copy)
    shutil.copy(images(copy, "RGB_1.png"), images(copy, "RGB_2.png"))
    images(copy, "RGB_1.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "RGB_1.png cannot be read" in first_sentence(copy)

    (copy / "Subject3_rgbd_images").rename(copy / "away")
    assert (
        "Subject3_rgbd_images: this folder is missing, and Subject3_annotations is there. "
        in ([problem.sentence for problem in examine(copy).problems][1])
    )
    (copy / "away").rename(copy / "Subject3_rgbd_images")
    shutil.rmtree(copy / "Subject1_annotations")
    assert first_sentence(copy).startswith("Subject1_annotations: this folder is missing, and")


def test_videos_without_a_box_or_a_frame(copy):
    nobody = dict.fromkeys(range(1, FRAMES + 1), unseen)
    annotations(copy, SKELETON).write_text(skeleton(moved=nobody))
    for number in (1, 2):
        path = annotations(copy, f"1204142055_obj{number}.txt")
        path.write_text(object_rows([(0, 0, 0, 0)] * FRAMES))
    assert "activityLabel.txt line 1: the video '1204142055' has no box" in first_sentence(copy)
    annotations(copy, SKELETON).write_text("END\n")
    assert f"{SKELETON}: the skeleton has 0 frames" in first_sentence(copy)
    annotations(copy, SKELETON).write_text("")
    assert f"{SKELETON} line 1: the last line is not END" in first_sentence(copy)


def test_a_video_listed_twice_and_an_unknown_folder(copy):
    line = annotations(copy, LABEL).read_text()
    annotations(copy, LABEL).write_text(line + line)
    assert f"{LABEL} line 2: the video '1204142055' was listed before, in" in first_sentence(copy)
    annotations(copy, LABEL).write_text("\n")
    assert f"{LABEL}: the file lists no video" in first_sentence(copy)
    annotations(copy, LABEL).write_text(line)
    (copy / "Subject1_annotations" / "drinking").mkdir()
    assert "drinking: 'drinking' is no activity of CAD-120" in first_sentence(copy)
