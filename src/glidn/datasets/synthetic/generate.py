"""Generated videos in CAD-120's official layout: which there are, and how each is written."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from glidn.datasets.synthetic import cad120_layout as layout
from glidn.datasets.synthetic import grammar, label_rules
from glidn.datasets.synthetic.performance import Performance
from glidn.datasets.synthetic.raycast import visible_box
from glidn.datasets.synthetic.scene import frames, set_stage
from glidn.datasets.synthetic.workers import (
    Progress,
    check_settings,
    check_workers,
    write_each,
)
from glidn.datasets.synthetic.world import HAND, SUBJECTS, draw_room
from glidn.errors import SettingError, nearest
from glidn.files import replacing_folder, write_text

RULES = ("activities", "relation", "identity", "order")
COMPRESSION = 1  # of the PNG files: fixed, so that equal frames are equal files


@dataclass(frozen=True)
class SyntheticConfig:
    """What to generate.

    Attributes:
        seed: another number gives other videos.
        rule: "activities": ten activities by a grammar like CAD-120's. "relation", "identity",
            "order": two classes and one thing that tells them apart; see label_rules.
        repetitions: videos of each activity by each subject.
        frames: of each video; the script is stretched to them.
        fps: recorded only; CAD-120 is read at 30.
        width, height: of the frames, pixels.
        subjects: of 1, 3, 4, 5.
        activities: of CAD-120's ten; None: all that the rule has.
    """

    seed: int = 0
    rule: Literal["activities", "relation", "identity", "order"] = "activities"
    repetitions: int = 3
    frames: int = 60
    fps: float = 30
    width: int = 256
    height: int = 256
    subjects: tuple[int, ...] = (1, 3, 4, 5)
    activities: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise SettingError(f"no rule {self.rule!r}{nearest(self.rule, RULES)}.")
        for name, least in (("repetitions", 1), ("frames", 1), ("width", 16), ("height", 16)):
            if getattr(self, name) < least:
                raise SettingError(f"{name} is {getattr(self, name)}; it must be {least} or more.")
        for subject in self.subjects:
            if subject not in SUBJECTS:
                raise SettingError(f"no subject {subject}; known: 1, 3, 4, 5.")
        for activity in self.activities or ():
            if activity not in self.choices():
                raise SettingError(
                    f"rule {self.rule!r} has no activity {activity!r}"
                    f"{nearest(activity, self.choices())}."
                )

    def choices(self) -> tuple[str, ...]:
        """The activities that the rule has."""
        if self.rule == "activities":
            return tuple(grammar.ACTIVITIES)
        return label_rules.RULE_ACTIVITIES[self.rule]


@dataclass(frozen=True)
class Video:
    """One video to come: its name says who, what and which."""

    subject: int
    activity: str
    repetition: int

    @property
    def name(self) -> str:
        """Ten digits, as in CAD-120, unique in the dataset."""
        number = list(grammar.ACTIVITIES).index(self.activity)
        return f"{1200 + self.subject}{number:02d}{self.repetition:04d}"


def planned(config: SyntheticConfig) -> list[Video]:
    """Every video of the dataset, in order."""
    return [
        Video(subject, activity, repetition)
        for subject in config.subjects
        for activity in config.activities or config.choices()
        for repetition in range(config.repetitions)
    ]


def generator(config: SyntheticConfig, video: Video) -> np.random.Generator:
    """The video's own random numbers, whoever renders it and whenever.

    Under a label rule they do not depend on the activity, so that the two classes come in pairs
    which differ in nothing but what the rule says.
    """
    number = list(grammar.ACTIVITIES).index(video.activity) if config.rule == "activities" else 99
    return np.random.default_rng((config.seed, video.subject, number, video.repetition))


def perform(config: SyntheticConfig, video: Video, rng: np.random.Generator) -> Performance:
    """What happens in a video."""
    if config.rule == "activities":
        return grammar.perform(video.activity, SUBJECTS[video.subject], config.frames, rng)
    label = config.choices().index(video.activity)
    return label_rules.perform(config.rule, label, config.frames, rng)


def object_names(performance: Performance) -> tuple[str, ...]:
    """The annotated objects; under a label rule, the hand is the last."""
    return performance.objects + (("hand",) if performance.show_hand else ())


def write_video(root: Path, config: SyntheticConfig, video: Video) -> None:
    """Render one video and write its images, skeleton and boxes; do nothing if it is there.

    The folder of images gets its name last: where it is, the video is complete.
    """
    images = layout.images_folder(root, video.subject, video.activity) / video.name
    if images.exists():
        return
    annotations = layout.annotations_folder(root, video.subject, video.activity)
    rng = generator(config, video)
    # The room first: a pair of videos under a label rule shares it.
    room = draw_room(rng)
    performance = perform(config, video, rng)
    stage = set_stage(SUBJECTS[video.subject], performance, room, config.width, config.height, rng)
    owners = [*range(1, len(performance.objects) + 1), HAND]
    names = object_names(performance)
    boxes: list[list[layout.Box | None]] = [[] for _ in names]
    poses = []
    with replacing_folder(images) as folder:
        for number, frame in enumerate(frames(stage), start=1):
            picture = Image.fromarray(frame.rgb)
            picture.save(folder / f"RGB_{number}.png", compress_level=COMPRESSION)
            poses.append(frame.pose)
            for seen, owner in zip(boxes, owners, strict=False):
                seen.append(visible_box(frame.owner, owner))
        write_text(annotations / f"{video.name}.txt", layout.skeleton_lines(stage.camera, poses))
        for number, seen in enumerate(boxes, start=1):
            write_text(
                annotations / f"{video.name}_obj{number}.txt", layout.box_lines(number, seen)
            )


def write_labels(root: Path, config: SyntheticConfig) -> None:
    """Write activityLabel.txt and labeling.txt of every subject and activity."""
    texts: dict[Path, str] = {}
    for video in planned(config):
        rng = generator(config, video)
        draw_room(rng)
        performance = perform(config, video, rng)
        folder = layout.annotations_folder(root, video.subject, video.activity)
        line = layout.activity_line(
            video.name, video.activity, video.subject, object_names(performance)
        )
        spans = [layout.labeling_line(video.name, span) for span in performance.intervals]
        for name, text in (("activityLabel.txt", line), ("labeling.txt", "".join(spans))):
            texts[folder / name] = texts.get(folder / name, "") + text
    for path, text in texts.items():
        write_text(path, text)


def write_cad120(
    root: Path,
    config: SyntheticConfig,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Generate a dataset in CAD-120's official layout; go on where an earlier call stopped.

    The bytes depend on `config` only, not on the number of workers.

    Args:
        workers: processes; None: one for each processor core.
        progress: called with (videos done, videos in all).

    Raises:
        DataError: the folder holds videos generated with other settings.
        SettingError: `frames` are too few for a script, or `workers` too few for anything.
    """
    check_workers(workers)
    check_settings(root, config)
    # The labels first: a script that does not fit stops us before anything is rendered.
    write_labels(root, config)
    write_each(partial(write_video, root, config), planned(config), workers, progress)
