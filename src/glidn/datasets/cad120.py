"""CAD-120 in its official layout (Koppula et al. 2013): frames, skeletons, objects, labels.

    Subject1_annotations/making_cereal/activityLabel.txt    video,activity,subject,1:bowl,2:milk,
    Subject1_annotations/making_cereal/labeling.txt         video,first,last,sub_activity,affordances
    Subject1_annotations/making_cereal/<video>.txt          the skeleton: datasets/skeleton.py
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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glidn import boxes
from glidn.datasets.columns import read_text
from glidn.datasets.problems import Problem, Reader, Report, check_boxes, numbers
from glidn.datasets.skeleton import HEIGHT, WIDTH, person_boxes, read_skeleton, split_values
from glidn.errors import DataError, nearest
from glidn.types import PERSON, Dataset, LeftOut, Segment, Track, Video
from glidn.video import FrameFolder, frame_number, frame_paths, image_size

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
COPY_AGAIN = "Copy the file again from the dataset"


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


class _Reading:
    """One reading of a copy at `root`: where problems and left-out videos go."""

    def __init__(self, root: Path, report: Report) -> None:
        self.root = root
        self.report = report
        self.left_out: list[LeftOut] = []

    def file(self, path: Path) -> str:
        """What errors call a file."""
        return path.relative_to(self.root).as_posix()

    def problem(self, path: Path, line: int | None, what: str, mend: str) -> None:
        self.report(Problem(self.file(path), line, what, mend))

    def lines(self, path: Path) -> list[tuple[int, list[str]]]:
        """(line, values) of every line of a file that is not blank or END."""
        text = read_text(path, self.file(path), self.report) or ""
        split = enumerate(map(split_values, text.splitlines()), start=1)
        return [(line, values) for line, values in split if values and values != ["END"]]


def read_cad120(root: Path, report: Report) -> Dataset:
    """Read a copy of CAD-120; what cannot be read is reported and passed over."""
    reading = _Reading(root, report)
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
    found = {video.label for video in videos}
    return Dataset(
        name="CAD-120",
        root=root,
        task="single",
        classes=tuple(sorted(found)),
        protocol="subjects",
        videos=tuple(videos),
        person=PERSON,
        licence="for research (Cornell University)",
        left_out=tuple(reading.left_out),
    )
