"""Generated videos in Charades' official layout: many timed actions a video, some at once."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from glidn import video as video_file
from glidn.datasets.box_rows import HEADER
from glidn.datasets.synthetic import charades_layout as layout
from glidn.datasets.synthetic.charades_labels import Span, actions
from glidn.datasets.synthetic.charades_script import Script, write_script
from glidn.datasets.synthetic.performance import Performance, draw_durations, play_steps
from glidn.datasets.synthetic.raycast import visible_box
from glidn.datasets.synthetic.scene import frames, set_stage
from glidn.datasets.synthetic.workers import (
    Progress,
    check_settings,
    check_workers,
    write_each,
)
from glidn.datasets.synthetic.world import PERSON, SUBJECTS, Room, draw_room
from glidn.errors import SettingError
from glidn.files import replacing, write_text

PARTS = {"train": "A", "test": "B"}  # and how the names of their videos begin
RATES = tuple(Fraction(n, d) for n, d in ((12, 1), (15, 1), (24_000, 1001), (24, 1), (25, 1)))
RATES += (Fraction(30_000, 1001), Fraction(30))
# Width to height; the shorter side has the size that is asked for. Some are filmed upright.
SHAPES = ((4, 3), (4, 3), (4, 3), (16, 9), (16, 9), (5, 4), (3, 4), (3, 4), (9, 16))
UPRIGHT_VIEW = 1.12  # how much wider an upright camera looks, or the table's ends are cut off
LENGTHS = (0.8, 1.2)  # the shortest and the longest video, over the mean
PARTS_FOLDER = ".boxes"  # the boxes of each finished video, until all are finished
BOXES_FILE = "boxes.csv"


@dataclass(frozen=True)
class CharadesConfig:
    """What to generate.

    Attributes:
        seed: another number gives other videos.
        train, test: how many videos of each part.
        seconds: their mean length; each has 0.8 to 1.2 of it.
        size: of the shorter side of a frame, pixels.
    """

    seed: int = 0
    train: int = 150
    test: int = 60
    seconds: float = 10.0
    size: int = 96

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("train", 1), ("test", 1), ("seconds", 3), ("size", 32)):
            if not least <= getattr(self, name) < float("inf"):
                raise SettingError(f"{name} is {getattr(self, name)}; it must be {least} or more.")


@dataclass(frozen=True)
class Plan:
    """One video to come, all but its pixels.

    Attributes:
        width, height: even, pixels.
        counts: how many frames each step of the script takes.
        actions: with their first frames and the ones after their last.
        rng: for what only the pixels show.
    """

    name: str
    subject: int
    fps: Fraction
    width: int
    height: int
    room: Room
    script: Script
    counts: np.ndarray
    actions: list[Span]
    rng: np.random.Generator

    @property
    def frames(self) -> int:
        return int(self.counts.sum())

    @property
    def performance(self) -> Performance:
        """Where everything is, to a hundredth of a millimetre.

        What rests then rests exactly, and need not be drawn again in every frame.
        """
        played = play_steps(self.script.director, self.counts)
        return replace(
            played,
            hand=played.hand.round(5),
            place=played.place.round(5),
            opening=played.opening.round(5),
        )


def planned(config: CharadesConfig) -> list[tuple[str, int]]:
    """Every video of the dataset, as its part and its number there."""
    return [(part, n) for part in PARTS for n in range(getattr(config, part))]


def video_name(part: str, number: int) -> str:
    """Five letters and digits, as in Charades; more in a part of more than 10,000."""
    return f"{PARTS[part]}{number:04d}"


def plan(config: CharadesConfig, part: str, number: int) -> Plan:
    """Invent a video, from its own random numbers, whoever renders it and whenever.

    Raises:
        SettingError: the video is too short for its script.
    """
    rng = np.random.default_rng((config.seed, list(PARTS).index(part), number, 0xC4A2ADE5))
    subject = list(SUBJECTS)[number % len(SUBJECTS)]
    fps = RATES[rng.integers(len(RATES))]
    across, down = SHAPES[rng.integers(len(SHAPES))]
    scale = config.size / min(across, down) / 2
    room = draw_room(rng)
    if across < down:
        room = replace(room, degrees=room.degrees * UPRIGHT_VIEW)
    seconds = config.seconds * rng.uniform(*LENGTHS)
    script = write_script(SUBJECTS[subject], seconds, rng)
    counts = draw_durations(script.director, round(seconds * fps), "the script", rng)
    return Plan(
        name=video_name(part, number),
        subject=subject,
        fps=fps,
        width=2 * round(across * scale),
        height=2 * round(down * scale),
        room=room,
        script=script,
        counts=counts,
        actions=actions(script, counts.tolist()),
        rng=rng,
    )


def track_names(objects: tuple[str, ...]) -> list[tuple[str, str]]:
    """Track and category of the person and the objects: ("cup 2", "cup") is the second cup."""
    found = [("person", "person")]
    for k, name in enumerate(objects):
        found.append((f"{name} {objects[: k + 1].count(name)}", name))
    return found


def write_video(root: Path, config: CharadesConfig, video: tuple[str, int]) -> None:
    """Render one video and write it and its boxes; do nothing if it is there.

    The video gets its name last: where it is, its boxes are complete.
    """
    path = layout.video_path(root, video_name(*video))
    part = part_path(root, video)
    if path.exists() and (part.exists() or (root / BOXES_FILE).exists()):
        return
    shot = plan(config, *video)
    performance = shot.performance
    subject = SUBJECTS[shot.subject]
    stage = set_stage(subject, performance, shot.room, shot.width, shot.height, shot.rng)
    owners = (PERSON, *range(1, len(performance.objects) + 1))
    seen: list[list[layout.Box | None]] = []

    def drawn() -> Iterator[np.ndarray]:
        for frame in frames(stage):
            seen.append([visible_box(frame.owner, owner) for owner in owners])
            yield frame.rgb

    with replacing(path) as temporary:
        video_file.write_video(temporary, drawn(), shot.fps, repeatable=True)
        grid = layout.shown_on_grid(shot.frames, shot.fps)
        boxes = [[seen[n][k] for n in grid] for k in range(len(owners))]
        names = track_names(performance.objects)
        write_text(part, layout.box_rows(shot.name, names, boxes))


def part_path(root: Path, video: tuple[str, int]) -> Path:
    return root / PARTS_FOLDER / f"{video_name(*video)}.csv"


def write_labels(root: Path, config: CharadesConfig) -> None:
    """Write the classes and the two csv files."""
    rows: dict[str, list[tuple[str, ...]]] = {part: [] for part in PARTS}
    for part, number in planned(config):
        shot = plan(config, part, number)
        director = shot.script.director
        roles = {who for step in director.steps for who in step.affordances}
        objects = [director.objects[who] for who in sorted(roles)]
        rows[part].append(
            layout.row(shot.name, shot.subject, shot.frames, shot.fps, objects, shot.actions)
        )
    write_text(root / layout.CLASSES_FILE, layout.class_lines())
    for part, file in layout.FILES.items():
        write_text(root / file, layout.table(rows[part]))


def write_charades(
    root: Path,
    config: CharadesConfig,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Generate a dataset in Charades' official layout; go on where an earlier call stopped.

    The bytes depend on `config` only, not on the number of workers.

    Args:
        workers: processes; None: one for each processor core.
        progress: called with (videos done, videos in all).

    Raises:
        DataError: the folder holds videos generated with other settings.
        SettingError: `workers` are too few for anything.
    """
    check_workers(workers)
    check_settings(root, config)
    write_labels(root, config)
    videos = planned(config)
    write_each(partial(write_video, root, config), videos, workers, progress)
    if not (root / BOXES_FILE).exists():
        join_boxes(root, videos)
    shutil.rmtree(root / PARTS_FOLDER, ignore_errors=True)


def join_boxes(root: Path, videos: list[tuple[str, int]]) -> None:
    """Write boxes.csv from the boxes of each video."""
    with replacing(root / BOXES_FILE) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(",".join(HEADER) + "\n")
        for video in videos:
            file.write(part_path(root, video).read_text(encoding="utf-8"))
