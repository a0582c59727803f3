"""Drafts -> videos: their size, rate and frames are found, and every box is checked."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from glidn.datasets.columns import from_rows
from glidn.datasets.importers.draft import Asked, Draft, Imported
from glidn.datasets.problems import Problem
from glidn.datasets.table_boxes import SIDES, tracks_of
from glidn.errors import DataError, few, nearest
from glidn.types import Segment, Track, Video
from glidn.video import IMAGE_SUFFIXES, FrameFolder, VideoFile, frame_paths, image_size

FilmSize = tuple[int, int]
# What a video is searched among by its name alone; a file that is named may end otherwise.
VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"),
    *(".ts", ".mts", ".wmv", ".flv", ".3gp", ".ogv"),
)
MOST = 100_000_000  # frames: a month and more; pixels of a side are far fewer


def complete(
    drafts: Sequence[Draft], asked: Asked, first_frame: int, notes: Sequence[str] = ()
) -> Imported:
    """Every draft as a video.

    Args:
        first_frame: the number of a video's first frame, unless the user says otherwise.

    Raises:
        DataError: something is missing or contradicts the video; the sentence says where.
    """
    if not any(draft.boxes for draft in drafts):
        files = few(sorted({draft.file for draft in drafts}))
        raise DataError(f"{files}: there is no box in it; export the annotations again.")
    if len(drafts) > 1 and (asked.video or asked.name):
        option = "--video" if asked.video else "--name"
        raise DataError(
            f"{option} is for one video, and there are {len(drafts)} ({few(d.name for d in drafts)}"
            "); give the folder of the videos instead: --videos FOLDER."
        )
    categories = sorted({box.category for draft in drafts for box in draft.boxes})
    if asked.person not in categories:
        notes = (*notes, f"no box is a {asked.person!r}{nearest(asked.person, categories)}; "
                 "name the people's category with --person")  # fmt: skip
    first = first_frame if asked.first_frame is None else asked.first_frame
    least = min(box.frame for draft in drafts for box in draft.boxes)
    if asked.first_frame is None and least == first + 1 == 1:
        notes = (*notes, "no box is in frame 0; if frames count from 1 there, add --first-frame 1")
    videos = tuple(_video(_named(draft, asked), asked, first) for draft in drafts if draft.boxes)
    if empty := [draft.name for draft in drafts if not draft.boxes]:
        notes = (*notes, f"{few(empty)}: no box, left out")
    return Imported(videos, (), tuple(notes))


def _named(draft: Draft, asked: Asked) -> Draft:
    return replace(draft, name=asked.name or draft.name)


def _video(draft: Draft, asked: Asked, first: int) -> Video:
    pixels = find_pixels(draft.name, asked)
    frames, fps, size = _measures(draft, asked, pixels, first)
    video = Video(
        name=draft.name,
        subject="",
        split="",
        label="",
        frames=frames,
        fps=fps,
        width=size[0],
        height=size[1],
        tracks=(),
        pixels=pixels,
        source=draft.file,
    )
    for box in draft.boxes:
        if not first <= box.frame < first + frames:
            raise DataError(
                f"{draft.file} {draft.place} {box.place}: frame {box.frame} is not in "
                f"{draft.name}, which has {frames} frames, {first} to {first + frames - 1}; "
                "correct the frame, say where frames begin (--first-frame), or give the video "
                "that was annotated."
            )
    segments = {
        Segment(action.label, (action.first - first) / fps, (action.end - first) / fps)
        for action in draft.actions
    }
    by_time = sorted(segments, key=lambda one: (one.start, one.end, one.label))
    return replace(video, tracks=_tracks(draft, video, asked, first), segments=tuple(by_time))


def _tracks(draft: Draft, video: Video, asked: Asked, first: int) -> tuple[Track, ...]:
    """The boxes as tracks, by the same checks as a table of boxes."""
    place, _, tracks, categories, *_ = zip(*draft.boxes, strict=True)
    values = np.array([(box.frame - first, *box[4:]) for box in draft.boxes], np.float64)
    if draft.relative:
        values[:, 1:5] *= (video.width, video.height, video.width, video.height)

    def report(problem: Problem) -> None:
        line = "" if problem.line is None else f" {draft.place} {problem.line}"
        raise DataError(f"{draft.file}{line}: {problem.what}. {problem.mend}.")

    columns = from_rows(
        draft.file,
        place,
        {"video": [video.name] * len(place), "track": tracks, "category": categories},
        dict(zip(("frame", *SIDES, "score"), values.T, strict=True)),
    )
    known = {video.name: video}
    return tracks_of(columns, known, known, asked.person, report, draft.file)[video.name]


def find_pixels(name: str, asked: Asked) -> VideoFile | FrameFolder | None:
    """How to read a video's frames; None where the user names no file of it.

    Raises:
        DataError: it is not there.
    """
    path = asked.video
    if path is None and asked.videos is not None:
        if not asked.videos.is_dir():
            raise DataError(f"--videos: {asked.videos} is not a folder; give the videos' folder.")
        every = [path for path in sorted(asked.videos.iterdir()) if not path.name.startswith(".")]
        every = [path for path in every if path.is_dir() or path.suffix.lower() in VIDEO_SUFFIXES]
        same = [path for path in every if name in (path.name, path.stem)]
        if not same:
            known = [path.stem for path in every]
            raise DataError(f"{asked.videos} holds no video {name!r}{nearest(name, known)}.")
        path = same[0]
    if path is None:
        return None
    if path.is_dir():
        paths = frame_paths(path)
        if not paths:
            raise DataError(f"{path} holds no image ({', '.join(IMAGE_SUFFIXES)}).")
        return FrameFolder(paths)
    return VideoFile(path)


def _measures(
    draft: Draft, asked: Asked, pixels: VideoFile | FrameFolder | None, first: int
) -> tuple[int, float, FilmSize]:
    """(frames, fps, size), from the video itself, else from the annotations, else as asked."""
    frames, fps, size = draft.frames, draft.fps, draft.size
    if pixels is not None:
        real = _of_pixels(pixels)
        # Programs count the last frames of damaged or cut files differently.
        other = frames is not None and abs(frames - real[0]) > max(2, real[0] // 50)
        if other or (size is not None and size != real[2]):
            told = f"{frames} frames" if other else f"frames of {_times(size or real[2])}"
            found = f"{real[0]} of them" if other else f"frames of {_times(real[2])}"
            raise DataError(
                f"{draft.file} is of a video with {told}, and {pixels.source} has {found}: it "
                "belongs to another video, or to a copy of it; give the video that was annotated."
            )
        if real[1] and asked.fps and abs(real[1] - asked.fps) > 0.01 * real[1]:
            raise DataError(
                f"{pixels.source} has {real[1]:g} frames a second, and --fps says {asked.fps:g}; "
                "leave --fps out."
            )
        frames, fps, size = real[0], real[1] or asked.fps or fps, real[2]
    if size and asked.size and size != asked.size:
        raise DataError(
            f"{draft.file}: {draft.name} is {_times(size)}, and --size says {_times(asked.size)}; "
            "leave --size out."
        )
    size, fps = size or asked.size, fps or asked.fps
    if size is None or fps is None:
        lacks = [("size", "--size WIDTHxHEIGHT")] * (size is None)
        lacks += [("frame rate", "--fps N")] * (fps is None)
        raise DataError(
            f"{draft.file} does not tell the {' and '.join(what for what, _ in lacks)} of "
            f"{draft.name}; give the video (--video FILE, --videos FOLDER), or "
            f"{' and '.join(option for _, option in lacks)}."
        )
    shown = max([box.frame for box in draft.boxes] + [draft.least_frames - 1]) - first + 1
    if not 0 < fps < float("inf") or min(size) < 1:
        raise DataError(
            f"{draft.file}: {draft.name} would have {fps:g} frames of {_times(size)} a second; "
            "correct them."
        )
    for what, number in (("frames", frames or shown), ("pixels", max(size))):
        if number > MOST:
            raise DataError(f"{draft.file}: {draft.name} would have {number:,} {what}; correct it.")
    return frames or shown, fps, size


def _times(size: FilmSize) -> str:
    return f"{size[0]}x{size[1]}"


def _of_pixels(pixels: VideoFile | FrameFolder) -> tuple[int, float | None, FilmSize]:
    if isinstance(pixels, FrameFolder):
        return len(pixels.paths), None, image_size(Path(pixels.paths[0]))
    return pixels.frames, pixels.fps, (pixels.width, pixels.height)
