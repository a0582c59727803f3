"""CAD-120 in its official layout (Koppula et al. 2013): frames, skeletons, objects, labels.

    Subject1_annotations/making_cereal/activityLabel.txt    video,activity,subject,1:bowl,2:milk,
    Subject1_annotations/making_cereal/labeling.txt         video,first,last,sub_activity,...
    Subject1_annotations/making_cereal/<video>.txt          the skeleton: cad120_skeleton.py
    Subject1_annotations/making_cereal/<video>_obj1.txt     frame,object,x1,y1,x2,y2,...
    Subject1_rgbd_images/making_cereal/<video>/RGB_1.png    30 frames a second

All files count frames from 1. Choices where copies differ:

- A copy without any image folder is read as boxes alone, in frames of 640x480.
- The frames of a video are those that both its skeleton and its images have. Where one has less
  than half of the other, it is a damaged file and no rounding, and a problem.
- Without images, the frames are those of the skeleton.
- A video that lacks its skeleton, an object's file or its images is left out, with the reason.
- Sub-activities that end after the video (real ones do) are cut to it. "cleaning" is what the
  files call the paper's "scrubbing".
- Affordances are not read: `Segment` holds the label of a video, not of one object.
- Trailing commas, blank lines, Windows line ends, a folder unpacked into a folder of its own name
  (Subject1_annotations/Subject1_annotations): all as they come.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glidn.datasets.cad120_files import COPY_AGAIN, Reading, read_object
from glidn.datasets.cad120_skeleton import HEIGHT, WIDTH, person_boxes, read_skeleton
from glidn.datasets.columns import read_text
from glidn.datasets.manifest import true_name
from glidn.datasets.problems import Problem, Reader, Report, numbers
from glidn.errors import DataError, nearest
from glidn.types import PERSON, Dataset, LeftOut, Segment, Track, Video
from glidn.video import FrameFolder, frame_number, frame_paths, image_size

SUBJECTS = ("Subject1", "Subject3", "Subject4", "Subject5")
ACTIVITIES = (
    "making_cereal",
    "taking_medicine",
    "stacking_objects",
    "unstacking_objects",
    "microwaving_food",
    "picking_objects",
    "cleaning_objects",
    "taking_food",
    "arranging_objects",
    "having_meal",
)
SUB_ACTIVITIES = (
    "reaching",
    "moving",
    "pouring",
    "eating",
    "drinking",
    "opening",
    "placing",
    "closing",
    "scrubbing",
    "null",
)
SYNONYMS = {"cleaning": "scrubbing"}
FPS = 30
ANNOTATIONS, IMAGES = "annotations", "rgbd_images"


@dataclass(frozen=True)
class _Listed:
    """One line of an activityLabel.txt.

    Attributes:
        folder: of its annotations.
        images: of its frames; None in a copy without images.
        objects: number -> category.
        file, line: where it is listed.
    """

    name: str
    subject: str
    activity: str
    folder: Path
    images: Path | None
    objects: dict[int, str]
    file: str
    line: int


@dataclass(frozen=True)
class _Labelled:
    """One line of a labeling.txt; first and last frame count from 1."""

    line: int
    first: int
    last: int
    sub_activity: str


def read_cad120(root: Path, report: Report) -> Dataset:
    """Read a copy of CAD-120; what cannot be read is reported and passed over."""
    reading = Reading(root, report)
    videos: list[Video] = []
    seen: dict[str, _Listed] = {}
    for listed, labelled in _listings(reading):
        if listed.name in seen:
            before = f"{seen[listed.name].file} line {seen[listed.name].line}"
            what = f"the video {listed.name!r} was listed before, in {before}"
            report(Problem(listed.file, listed.line, what, "Keep the line that is right"))
            continue
        seen[listed.name] = listed
        if video := _read_video(reading, listed, labelled):
            videos.append(video)
    _leave_out_unlisted(reading, seen)
    _leave_out_subjects(reading)
    if not videos:
        what = f"not one video can be used; {len(reading.left_out)} were left out"
        report(Problem(root.name, None, what, "See what `glidn check` says of them"))
    found = {video.label for video in videos}
    return Dataset(
        name=true_name(root, "CAD-120"),
        root=root,
        task="single",
        classes=tuple(sorted(found)),
        protocol="subjects",
        videos=tuple(videos),
        person=PERSON,
        licence="for research (Cornell University)",
        left_out=tuple(reading.left_out),
    )


def _listings(reading: Reading) -> Iterator[tuple[_Listed, list[_Labelled]]]:
    """Every video that an activityLabel.txt lists, with its lines of the labeling.txt."""
    subjects = _subjects(reading.root)
    with_images = any(IMAGES in halves for halves in subjects.values())
    for subject, halves in subjects.items():
        for half in (ANNOTATIONS, IMAGES) if with_images else (ANNOTATIONS,):
            if half not in halves:
                other = reading.file(next(iter(halves.values())))
                path = reading.root / f"{subject}_{half}"
                what = f"this folder is missing, and {other} is there"
                reading.problem(path, None, what, f"Unpack it too, or move {subject} elsewhere")
        if ANNOTATIONS not in halves:
            continue
        for folder in sorted(path for path in halves[ANNOTATIONS].iterdir() if path.is_dir()):
            if folder.name not in ACTIVITIES:
                what = f"{folder.name!r} is no activity of CAD-120"
                what += nearest(folder.name, ACTIVITIES)
                reading.problem(folder, None, what, "Give the folder an activity's name")
                continue
            images = halves[IMAGES] / folder.name if IMAGES in halves else None
            listed = _read_activity(reading, subject, folder, images)
            labelled = _read_labeling(reading, folder, {video.name for video in listed})
            for video in listed:
                yield video, labelled.get(video.name, [])


def _subjects(root: Path) -> dict[str, dict[str, Path]]:
    """ "Subject1" -> the halves that are there: annotations, rgbd_images."""
    found: dict[str, dict[str, Path]] = {}
    for path in sorted(root.glob("Subject*_*")):
        name = re.fullmatch(rf"(Subject\d+)_({ANNOTATIONS}|{IMAGES})", path.name)
        if name and path.is_dir():
            inner = path / path.name  # left by some programs that unpack archives
            found.setdefault(name[1], {})[name[2]] = inner if inner.is_dir() else path
    return found


def _leave_out_subjects(reading: Reading) -> None:
    """Say which of the official subjects a copy does not have; a part of the data is still data."""
    for subject in sorted(set(SUBJECTS) - set(_subjects(reading.root))):
        reason = f"neither {subject}_{ANNOTATIONS} nor {subject}_{IMAGES} is there"
        reading.left_out.append(LeftOut(f"all of {subject}", reason))


def _read_activity(
    reading: Reading, subject: str, folder: Path, images: Path | None
) -> list[_Listed]:
    """The videos that the activityLabel.txt of a folder lists."""
    path = folder / "activityLabel.txt"
    found = []
    lines = reading.lines(path)
    if not lines and path.exists():
        reading.problem(path, None, "the file lists no video", COPY_AGAIN)
    for line, values in lines:
        if len(values) < 3:
            what = f"there are {len(values)} values; video,activity,subject,1:object,... expected"
            reading.problem(path, line, what, COPY_AGAIN)
            continue
        name, activity, _, *texts = values
        wrong = ""
        if activity not in ACTIVITIES:
            wrong = f"activity {activity!r} is no activity of CAD-120"
            wrong += nearest(activity, ACTIVITIES)
        elif activity != folder.name:
            wrong = f"activity is {activity!r}, and the folder is {folder.name}"
        numbered = [re.fullmatch(r"(\d+)\s*:\s*(\S.*)", text) for text in texts]
        objects = {int(match[1]): match[2] for match in numbered if match}
        if len(objects) < len(texts):
            wrong = f"the objects are {','.join(texts)!r}; 1:bowl,2:milk expected"
        if wrong:
            reading.problem(path, line, wrong, "Correct the line")
            continue
        place = None if images is None else images / name
        number = subject.lower()
        found.append(
            _Listed(name, number, activity, folder, place, objects, reading.file(path), line)
        )
    return found


def _read_labeling(
    reading: Reading, folder: Path, known: Collection[str]
) -> dict[str, list[_Labelled]]:
    """Video -> its sub-activities, from the labeling.txt of a folder."""
    path = folder / "labeling.txt"
    found: dict[str, list[_Labelled]] = {}
    for line, values in reading.lines(path):
        if len(values) < 4:
            what = f"there are {len(values)} values; video,first,last,sub_activity,... expected"
            reading.problem(path, line, what, COPY_AGAIN)
            continue
        name, sub_activity = values[0], SYNONYMS.get(values[3], values[3])
        first, last = numbers(
            reading.file(path), (line, line), "a frame", values[1:3], reading.report, whole=True
        )
        wrong = ""
        if name not in known:
            wrong = f"the video {name!r} is not in activityLabel.txt{nearest(name, known)}"
        elif sub_activity not in SUB_ACTIVITIES:
            wrong = f"{sub_activity!r} is no sub-activity of CAD-120"
            wrong += nearest(sub_activity, SUB_ACTIVITIES)
        elif first < 1 or last < first:
            wrong = f"it lasts from frame {first:g} to {last:g}; frames count from 1"
        if wrong:
            reading.problem(path, line, wrong, "Correct the line")
        elif not np.isnan(first + last):
            found.setdefault(name, []).append(_Labelled(line, int(first), int(last), sub_activity))
    return found


def _read_video(reading: Reading, listed: _Listed, labelled: list[_Labelled]) -> Video | None:
    """One video; None where it is left out or has a problem of its own."""
    skeleton = listed.folder / f"{listed.name}.txt"
    objects = {
        number: listed.folder / f"{listed.name}_obj{number}.txt" for number in listed.objects
    }
    lacking = [reading.file(path) for path in (skeleton, *objects.values()) if not path.is_file()]
    paths: list[Path] = []
    if listed.images is not None:
        paths = frame_paths(listed.images, "RGB_") if listed.images.is_dir() else []
        if not paths:
            lacking.append(f"images in {reading.file(listed.images)}")
    if lacking:
        reading.left_out.append(LeftOut(listed.name, f"it has no {' and no '.join(lacking)}"))
        return None

    text = read_text(skeleton, reading.file(skeleton), reading.report)
    joints = None if text is None else read_skeleton(text, reading.file(skeleton), reading.report)
    size = _size(reading, paths) if paths else (WIDTH, HEIGHT)
    if joints is None or size is None:
        return None
    frames = min(len(joints), len(paths)) if paths else len(joints)
    longest = max(len(joints), len(paths))
    if frames < longest / 2 or not frames:
        what = f"the skeleton has {len(joints)} frames"
        what += f" and there are {len(paths)} images" if paths else ""
        reading.problem(skeleton, None, what, COPY_AGAIN)
        return None
    tracks: list[Track | None] = [_person(joints[:frames], size)]
    tracks += [
        read_object(reading, path, str(number), listed.objects[number], frames, size)
        for number, path in objects.items()
    ]
    seen = tuple(track for track in tracks if track and len(track.frames))
    if None in tracks:
        return None
    if not seen:
        mend = "Copy its skeleton and its objects again, or remove the line"
        what = f"the video {listed.name!r} has no box: nobody and nothing is ever visible"
        reading.report(Problem(listed.file, listed.line, what, mend))
        return None
    return Video(
        name=listed.name,
        subject=listed.subject,
        split="",
        label=listed.activity,
        frames=frames,
        fps=FPS,
        width=size[0],
        height=size[1],
        tracks=seen,
        segments=_segments(reading, listed, labelled, frames, longest),
        pixels=FrameFolder(paths[:frames]) if paths else None,
        source=str(skeleton),
    )


def _size(reading: Reading, paths: list[Path]) -> tuple[int, int] | None:
    """(width, height) of a video's images, which must be numbered without a gap."""
    there = {frame_number(path.name) for path in paths}
    missing = sorted(set(range(1, max(there) + 1)) - there)
    if missing or len(there) < len(paths) or min(there) < 1:
        what = (
            f"the image RGB_{missing[0]}{paths[0].suffix} is missing"
            if missing
            else "the images are not numbered 1, 2, 3, ..."
        )
        reading.problem(paths[0].parent, None, what, "Copy the folder again from the dataset")
        return None
    try:
        return image_size(paths[0])
    except DataError as error:
        reading.problem(paths[0], None, str(error).rstrip("."), COPY_AGAIN)
        return None


def _person(joints: np.ndarray, size: tuple[int, int]) -> Track:
    """The person, as track "0"; objects are numbered from 1."""
    xyxy, visible = person_boxes(joints, *size)
    return Track("0", PERSON, np.flatnonzero(visible), xyxy[visible])


def _segments(
    reading: Reading, listed: _Listed, labelled: list[_Labelled], frames: int, longest: int
) -> tuple[Segment, ...]:
    """Sub-activities in seconds, by start."""
    found = []
    for row in labelled:
        if row.first > longest:
            what = f"it begins in frame {row.first} of a video of {longest}"
            reading.problem(listed.folder / "labeling.txt", row.line, what, "Correct the line")
        elif row.first <= frames:
            end = min(row.last, frames) / FPS
            found.append(Segment(row.sub_activity, (row.first - 1) / FPS, end))
    return tuple(sorted(found, key=lambda segment: segment.start))


def _leave_out_unlisted(reading: Reading, seen: Collection[str]) -> None:
    """Images that no activityLabel.txt names are left out, and said."""
    for halves in _subjects(reading.root).values():
        if ANNOTATIONS not in halves or IMAGES not in halves:
            continue
        for folder in sorted(halves[IMAGES].glob("*/*/")):
            hidden = folder.name.startswith(".")  # what a killed generation left behind
            if folder.name not in seen and folder.parent.name in ACTIVITIES and not hidden:
                reason = f"no activityLabel.txt lists it, and its images are in {folder}"
                reading.left_out.append(LeftOut(folder.name, reason))


READER = Reader(marks=(f"Subject*_{ANNOTATIONS}", f"Subject*_{IMAGES}"), read=read_cad120)
