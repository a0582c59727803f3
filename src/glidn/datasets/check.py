"""The data doctor: everything that is wrong with a dataset, found by the readers' own checks.

What `load` stops at is a problem; so is a frame that cannot be decoded, or that has another size
than the dataset says. What merely looks unusual is a note.
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glidn.datasets import READERS, recognise
from glidn.datasets.problems import Problem, Report
from glidn.errors import DataError, few
from glidn.types import Dataset, Track, Video

# Opening three frames takes ~20 ms a video (PNG 640x480), so this many take seconds, not hours.
VIDEOS_OPENED = 200
CHUNK = 32  # frames decoded at a time, to bound memory
USUAL_FPS = (5, 120)
# A track whose centre moves further than this part of the frame's diagonal between two
# neighbouring frames is more likely two objects than one fast one.
JUMP = 0.25
# So many boxes that end in the upper left of their frames are for frames of another size.
MANY, WITHIN = 30, 0.8
# And so many that end so far beyond it, in its width or height, are for larger frames.
MOST_OVER, BEYOND = 0.1, 1.1


@dataclass(frozen=True)
class Examination:
    """What the doctor found.

    Attributes:
        kind: the reader, a name in `datasets.READERS`.
        dataset: what could be read of it.
        notes: unusual, not wrong; each a sentence.
        opened: of how many videos some frames were decoded.
    """

    root: Path
    kind: str
    dataset: Dataset
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    opened: int

    @property
    def counts(self) -> dict[str, int]:
        videos = self.dataset.videos
        return {
            "videos": len(videos),
            "subjects": len(self.dataset.subjects),
            "classes": len(self.dataset.classes),
            "segments": sum(len(video.segments) for video in videos),
            "tracks": sum(len(video.tracks) for video in videos),
            "boxes": sum(len(track.frames) for video in videos for track in video.tracks),
            "left out": len(self.dataset.left_out),
        }


def examine(root: Path, kind: str = "auto", all_pixels: bool = False) -> Examination:
    """Read a dataset as `load` does, and go on after every problem.

    Args:
        all_pixels: decode every frame of every video, instead of the first, the middle and the
            last one of up to `VIDEOS_OPENED` videos, spread over the dataset.

    Raises:
        DataError: it is not a dataset at all.
    """
    kind = recognise(root, kind)
    problems: list[Problem] = []
    dataset = READERS[kind].read(root, problems.append)
    videos = [video for video in dataset.videos if video.pixels]
    if not all_pixels and len(videos) > VIDEOS_OPENED:
        videos = [videos[at] for at in np.linspace(0, len(videos) - 1, VIDEOS_OPENED).astype(int)]
    for video in videos:
        _open(video, all_pixels, root, problems.append)
    return Examination(
        root, kind, dataset, tuple(problems), tuple(_notes(dataset)), opened=len(videos)
    )


def _open(video: Video, everything: bool, root: Path, report: Report) -> None:
    """Decode frames of one video; the first that cannot be decoded ends it."""
    if video.pixels is None:
        return
    frames = (
        np.arange(video.frames)
        if everything
        else np.unique([0, video.frames // 2, video.frames - 1])
    )
    file = video.pixels.source.removeprefix(f"{root}/")
    try:
        for at in range(0, len(frames), CHUNK):
            height, width = video.pixels.read(frames[at : at + CHUNK]).shape[1:3]
            if (width, height) != (video.width, video.height):
                what = (
                    f"its frames are {width}x{height}, and the boxes of {video.name!r} are for "
                    f"{video.width}x{video.height}"
                )
                report(Problem(file, None, what, "Correct the width and height of the video"))
                return
    except DataError as error:
        mend = "Copy or download it again; `frames` must not be more than the file holds"
        report(Problem(file, None, str(error).rstrip("."), mend))


def _notes(dataset: Dataset) -> list[str]:
    """One sentence for each kind of unusual thing."""
    notes = []
    shown: dict[str, set[str]] = defaultdict(set)
    for video in dataset.videos:
        for label in {video.label} if dataset.task == "single" else _labels(video):
            shown[label].add(video.subject)
    if dataset.protocol == "subjects":
        subjects = set(dataset.subjects)
        for label in dataset.classes:
            by = shown[label]
            if len(by) == 1:
                notes.append(
                    f"only {few(sorted(by))} shows {label!r}: with that subject left out, nothing "
                    "is left to learn it from"
                )
            elif by < subjects:
                notes.append(f"{few(sorted(subjects - by))} does not show {label!r}")
        if len(subjects) == 1:
            notes.append("there is one subject only; leaving one out needs at least two")
        if nobody := [video.name for video in dataset.videos if not video.subject]:
            notes.append(f"{few(sorted(nobody))}: the subject is unknown")
    elif unsplit := [video.name for video in dataset.videos if not video.split]:
        notes.append(f"{few(sorted(unsplit))}: neither in train nor in test")
    if unshown := [label for label in dataset.classes if not shown[label]]:
        notes.append(f"no video shows {few(sorted(unshown))}")
    low, high = USUAL_FPS
    if odd := [video.name for video in dataset.videos if not low <= video.fps <= high]:
        notes.append(f"{few(sorted(odd))}: frame rates outside {low} to {high} a second")
    people = {
        video.name
        for video in dataset.videos
        if any(track.category == dataset.person for track in video.tracks)
    }
    if empty := [video.name for video in dataset.videos if video.name not in people]:
        notes.append(f"{few(sorted(empty))}: no box of a {dataset.person}")
    jumps = [
        f"{video.name} track {track.name} after frame {frame}"
        for video in dataset.videos
        for track in video.tracks
        if (frame := _jump(track, video)) is not None
    ]
    reach = [_reach(video) for video in dataset.videos if video.tracks]
    if sum(len(track.frames) for video in dataset.videos for track in video.tracks) >= MANY:
        far = max(reach)
        if far < WITHIN:
            notes.append(
                f"no box ends beyond {far:.0%} of its frame's width and height; are they for a "
                "smaller copy of the videos?"
            )
    over = [video.name for video in dataset.videos if _over(video) > MOST_OVER]
    if over:
        notes.append(
            f"{few(sorted(over))}: many boxes reach far beyond the frame; are they for a larger "
            "copy of the videos?"
        )
    if jumps:
        notes.append(f"{few(sorted(jumps))}: the box jumps; is it the same object?")
    return notes


def _labels(video: Video) -> set[str]:
    return {segment.label for segment in video.segments}


def _jump(track: Track, video: Video) -> int | None:
    """The frame before a track's first jump; None if it has none."""
    centres = (track.xyxy[:, :2] + track.xyxy[:, 2:]) / 2
    moved = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    neighbours = np.diff(track.frames) == 1
    far = neighbours & (moved > JUMP * np.hypot(video.width, video.height))
    return int(track.frames[np.argmax(far)]) if far.any() else None


def _over(video: Video) -> float:
    """The share of a video's boxes that end far beyond its frame."""
    if not video.tracks:
        return 0.0
    ends = np.concatenate([track.xyxy[:, 2:] for track in video.tracks])
    return float((ends > BEYOND * np.array([video.width, video.height])).any(-1).mean())


def _reach(video: Video) -> float:
    """The part of its frame's width or height that the boxes of a video reach; the larger."""
    ends = np.max([track.xyxy[:, 2:].max(axis=0) for track in video.tracks], axis=0)
    return float((ends / (video.width, video.height)).max())
