"""A detector over the videos of a dataset -> a table of boxes; an interruption loses one video.

With the settings of a tracker, the boxes that belong to no track are left out, and the others get
its name.

Every finished video is a file in a folder beside the table, `.boxes.csv.gz.parts`; when all are
done they are put together in the order of the dataset, and the folder goes. Its `settings.json`
keeps the results of two settings apart.
"""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glidn.datasets.box_rows import BoxRows, write_rows
from glidn.detectors import Detections, Detector
from glidn.errors import DataError
from glidn.files import replacing, write_error, write_text
from glidn.tracking import Tracker, TrackSettings
from glidn.types import LeftOut, Video

SETTINGS = "settings.json"
# Written to a hundredth of a pixel and a ten-thousandth of a score: finer digits are noise of the
# detector, and would double the table.
PIXEL_DIGITS, SCORE_DIGITS = 2, 4


@dataclass(frozen=True)
class Found:
    """What a walk over a dataset gave.

    Attributes:
        boxes: rows of the table.
        videos: that were read, now or by the call that was interrupted.
        empty: names of those in which nothing was found.
        left_out: those that could not be read.
    """

    boxes: int
    videos: int
    empty: tuple[str, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Look:
    """A video that boxes are to be found in; can be sent to other processes.

    Attributes:
        frames: (n,) int64, rising: those that are looked at.
        part: the file that what is found is kept in.
    """

    video: Video
    frames: np.ndarray
    part: Path


# (what is to do, called after every video that was read) -> the others
Walk = Callable[[Sequence[Look], Callable[[], None]], list[LeftOut]]


@dataclass
class _Reading:
    """A video on its way: its next frames are decoded while the last ones are looked at."""

    look: Look
    batches: Iterator[np.ndarray]
    found: list[Detections]


def find_boxes(
    videos: Sequence[Video],
    walk: Walk,
    out: Path,
    settings: Mapping[str, object],
    every: float,
    progress: Callable[[str, int, int], None],
    keep: bool = False,
) -> Found:
    """Write the table `out`, as `datasets.table_boxes` reads it.

    Args:
        videos: all with pixels.
        walk: who looks: `look_at` with a detector, here or in other processes.
        settings: whatever changes the result, to tell an unfinished call of other settings.
        every: seconds from one looked-at frame to the next, beginning with the first.
        progress: told what is going on, how many videos are done, of how many.
        keep: leave the parts there, because videos are missing that the next call may have; they
            are left anyway where one of `videos` could not be read.

    Raises:
        DataError: an unfinished call had other settings, or not one video could be read.
        GlidnError: the disk is full or cannot be written.
    """
    folder = parts_folder(out)
    _remember(folder, dict(settings))
    looks = []
    for video in videos:
        frames = sampled(video, every)
        looks.append(Look(video, frames, folder / _part(video, frames)))
    todo = [look for look in looks if not look.part.exists()]
    finished = len(videos) - len(todo)
    progress("finding boxes", finished, len(videos))

    def done() -> None:
        nonlocal finished
        finished += 1
        progress("finding boxes", finished, len(videos))

    left_out = walk(todo, done) if todo else []
    parts = {look.video.name: look.part for look in looks}
    found = _merge(out, videos, parts, left_out, progress)
    if not (keep or left_out):
        shutil.rmtree(folder, ignore_errors=True)
    return found


def look_at(
    looks: Iterable[Look],
    done: Callable[[], None],
    detect: Detector,
    batch: int,
    workers: int,
    tracking: TrackSettings | None = None,
) -> list[LeftOut]:
    """Find the boxes of videos, and keep those of each in its part.

    Args:
        done: called after every video that was read.
        batch: most frames that the detector gets at once; always of one video.
        workers: videos that are decoded at the same time; each holds two batches of frames.
        tracking: follow things through each video; else the tracks are left empty.

    Returns:
        those that could not be read.
    """
    left_out: list[LeftOut] = []
    waiting = iter(looks)
    pool = ThreadPoolExecutor(workers)
    active: dict[Future[np.ndarray | None], _Reading] = {}

    def go_on(reading: _Reading) -> None:
        active[pool.submit(next, reading.batches, None)] = reading

    def begin() -> None:
        look = next(waiting, None)
        if look is not None:
            go_on(_Reading(look, _batches(look.video, look.frames, batch), []))

    try:
        for _ in range(workers):
            begin()
        while active:
            ended, _ = wait(active, return_when=FIRST_COMPLETED)
            for future in ended:
                reading = active.pop(future)
                try:
                    images = future.result()
                except DataError as error:
                    left_out.append(LeftOut(reading.look.video.name, str(error)))
                    begin()
                    continue
                if images is None:
                    _write_part(reading.look.part, _rows(reading, tracking))
                    begin()
                    done()
                else:
                    go_on(reading)
                    reading.found += detect(images)
    finally:
        pool.shutdown(cancel_futures=True)
    return left_out


def parts_folder(out: Path) -> Path:
    """Where the finished videos of an unfinished call are."""
    return out.parent / f".{out.name}.parts"


def sampled(video: Video, every: float) -> np.ndarray:
    """(n,) int64, rising: the frames nearest to 0, `every`, 2 · `every`, ... seconds."""
    frames = np.rint(np.arange(0, video.seconds, every) * video.fps).astype(np.int64)
    return np.unique(frames[frames < video.frames])


def _remember(folder: Path, settings: dict[str, object]) -> None:
    """Write down the settings of this call, or compare them with the unfinished one's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    path = folder / SETTINGS
    if not path.exists():
        write_text(path, json.dumps(settings, indent=1) + "\n")
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    other = [
        f"{name} {before.get(name)}, now {value}"
        for name, value in settings.items()
        if before.get(name) != value
    ]
    if other:
        raise DataError(
            f"an unfinished call had other settings ({'; '.join(other)}): go on with those, or "
            f"remove {folder} to begin again."
        )


def _part(video: Video, frames: np.ndarray) -> str:
    """The name of a video's part, which another file or other frames would not have."""
    about: list[object] = [video.name, frames.tolist(), video.width, video.height]
    assert video.pixels is not None
    for path in video.pixels.files(frames):
        try:
            stat = path.stat()
            about.append((stat.st_size, stat.st_mtime_ns))
        except OSError:
            about.append("missing")  # reading it will say so
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32] + ".npz"


def _batches(video: Video, frames: np.ndarray, batch: int) -> Iterator[np.ndarray]:
    """The frames, (n, height, width, 3) uint8 each, n <= batch."""
    assert video.pixels is not None
    images: list[np.ndarray] = []
    for image in video.pixels.each(frames):
        if image.shape[:2] != (video.height, video.width):
            raise DataError(
                f"the frames of {video.pixels.source} are {image.shape[1]}x{image.shape[0]}, and "
                f"{video.source} gives {video.width}x{video.height}."
            )
        images.append(image)
        if len(images) == batch:
            yield np.stack(images)
            images = []
    if images:
        yield np.stack(images)


def _rows(reading: _Reading, tracking: TrackSettings | None) -> BoxRows:
    found, name = reading.found, reading.look.video.name
    if tracking is not None:
        return _tracked(reading, tracking)
    counts = [len(one.scores) for one in found]
    return BoxRows(
        name,
        np.repeat(reading.look.frames, counts),
        np.array([name for one in found for name in one.categories], np.str_),
        np.concatenate([one.xyxy for one in found]),
        np.concatenate([one.scores for one in found]),
    )


def _tracked(reading: _Reading, tracking: TrackSettings) -> BoxRows:
    """The boxes of tracks; a track is of the category that it turned out to be at its end."""
    tracker = Tracker(reading.look.video.fps, tracking)
    said = [
        one
        for frame, found in zip(reading.look.frames.tolist(), reading.found, strict=True)
        for one in tracker.update(frame, found)
    ]
    category = {one.track: one.category for one in said}  # the last word
    said.sort(key=lambda one: (one.frame, one.track))
    return BoxRows(
        reading.look.video.name,
        np.array([one.frame for one in said], np.int64),
        np.array([category[one.track] for one in said], np.str_),
        np.array([one.xyxy for one in said], np.float32).reshape(-1, 4),
        np.array([one.score for one in said], np.float32),
        np.array([f"{category[one.track]} {one.track}" for one in said], np.str_),
    )


def _write_part(path: Path, rows: BoxRows) -> None:
    columns = {
        "frames": rows.frames,
        "categories": rows.categories,
        "xyxy": rows.xyxy.round(PIXEL_DIGITS),
        "scores": rows.scores.round(SCORE_DIGITS),
    }
    if rows.tracks is not None:
        columns["tracks"] = rows.tracks
    with replacing(path) as temporary:
        np.savez(temporary, **columns)  # type: ignore[arg-type]  # no name is allow_pickle


def _merge(
    out: Path,
    videos: Sequence[Video],
    parts: Mapping[str, Path],
    left_out: Sequence[LeftOut],
    progress: Callable[[str, int, int], None],
) -> Found:
    lost = {video.video for video in left_out}
    done = [video.name for video in videos if video.name not in lost]
    if not done:
        raise DataError(f"not one of {len(videos)} videos could be read: {left_out[0].reason}")
    empty: list[str] = []

    def rows() -> Iterator[BoxRows]:
        for number, name in enumerate(done, start=1):
            progress("writing the table", number, len(done))
            found = _read_part(name, parts[name])
            if not len(found):
                empty.append(name)
            yield found

    # Written in the folder, so that what a kill leaves of it goes with the folder.
    folder = parts_folder(out)
    boxes = write_rows(folder / out.name, rows())
    (folder / out.name).replace(out)
    return Found(boxes, len(done), tuple(empty), tuple(left_out))


def _read_part(name: str, path: Path) -> BoxRows:
    try:
        with np.load(path, allow_pickle=False) as part:
            return BoxRows(
                name,
                part["frames"],
                part["categories"],
                part["xyxy"],
                part["scores"],
                part.get("tracks"),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        path.unlink(missing_ok=True)
        raise DataError(
            f"the boxes of {name}, kept in {path}, were damaged or taken away; run the same "
            "command again to find them anew."
        ) from error
