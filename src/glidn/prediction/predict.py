"""A run and a video -> a result, with its files."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glidn.config import Engine
from glidn.detectors import Detections, Detector
from glidn.errors import RunError
from glidn.files import replacing, write_error
from glidn.prediction import sources
from glidn.prediction.finding import detect, noted, reread
from glidn.prediction.render import save_video
from glidn.prediction.result import Result, Seen, Window
from glidn.prediction.speaker import Speaker
from glidn.prediction.watch import Found, Rows, looks, rows_of, watch
from glidn.types import Video

Progress = Callable[[str, int, int], None]
BOXES_FILE, VIDEO_FILE = "boxes.csv", "annotated.mp4"


@dataclass(frozen=True)
class Settings:
    """How a video is looked at.

    Attributes:
        window: seconds that are looked at as one; None: as long as the training's videos.
        stride: seconds from one window to the next; None: as in training, or a quarter window.
        every: seconds from one frame that the detector sees to the next.
        threshold: least score of an action; None: 0.5 where there may be many, else 0.
    """

    window: float | None = None
    stride: float | None = None
    every: float = 0.1
    threshold: float | None = None


@dataclass(frozen=True)
class Boxes:
    """Where boxes come from.

    Attributes:
        name: who found them, for the result.
        detector: None where the video brings them.
        rows: the boxes themselves, frame by frame, where they were found before.
    """

    name: str
    detector: Detector | None = None
    rows: Rows | None = None


def predict(
    video: Video,
    speaker: Speaker,
    boxes: Boxes,
    folder: Path,
    settings: Settings | None = None,
    other: Speaker | None = None,
    dataset: str = "",
    progress: Progress | None = None,
    asked: str = "",
) -> Result:
    """What a run says of a video; its boxes are left in `folder`/boxes.csv.

    Args:
        boxes: a detector, or the name of who found the boxes that the video has.
        other: another run, to tell where it says something else.
        dataset: that the video is from; "" for a file.
        asked: kept in the result, to tell whether it answers the same question again.

    Raises:
        DataError: the video cannot be decoded, or has no pixels where they are needed.
        RunError: the other run knows other classes.
    """
    settings = settings or Settings()
    if other is not None and other.classes != speaker.classes:
        raise RunError(
            f"{other.run.path} was trained on other classes than {speaker.run.path}; compare two "
            "views of one dataset."
        )
    if dataset:
        speaker = speaker.unbiased(video.name)
        other = other.unbiased(video.name) if other else None
    seconds = settings.window or speaker.window
    stride = settings.stride or speaker.stride
    where = looks(video, speaker, seconds, stride)
    tally = _Tally(speaker, video.fps)
    if boxes.detector is not None:
        boxes = replace(boxes, detector=tally.beside(boxes.detector))
    rows = _rows(video, boxes, settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error

    def report(done: int, total: int) -> None:
        if progress:
            progress(video.name, done, total)

    bare = replace(video, tracks=())
    with (
        replacing(folder / BOXES_FILE) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        passing = noted(tally.over(rows), video.name, file)
        windows = tuple(watch(bare, passing, speaker, where, other, report))
        for _ in passing:  # what lies behind the last window
            pass
    threshold = settings.threshold
    if threshold is None:
        threshold = 0.5 if speaker.many else 0.0
    return Result(
        video=video.source or video.name,
        run=speaker.name,
        detector=boxes.name,
        classes=speaker.classes,
        many=speaker.many,
        timed=speaker.timed,
        threshold=threshold,
        fps=video.fps,
        width=video.width,
        height=video.height,
        seconds=round(video.seconds, 3),
        windows=windows,
        tracks=tally.tracks,
        smooth=speaker.run.config.data.smooth if speaker.timed else 0.0,
        warning=_warning(speaker, dataset),
        notes=tuple(_notes(video, windows, len(where), tally, speaker)),
        asked=asked,
    )


def draw(
    result: Result,
    video: Video,
    folder: Path,
    person: str,
    progress: Progress | None = None,
) -> None:
    """`folder`/annotated.mp4, from the boxes that `predict` left there."""

    def report(done: int, total: int) -> None:
        if progress:
            progress(f"{video.name}: drawing", done, total)

    with (folder / BOXES_FILE).open(newline="", encoding="utf-8") as lines:
        save_video(folder / VIDEO_FILE, video, result, reread(lines), person, report)


class Model:
    """A trained run, ready to be asked: `glidn.load(path)`.

    model = glidn.load("runs/own")
    result = model.predict("kitchen.mp4", detector="yolox.onnx")
    result.actions, result.timeline, result.graph()
    result.save_video("annotated.mp4")
    """

    def __init__(self, path: Path | str, engine: Engine = "plain") -> None:
        from glidn.prediction import speaker

        self.speaker = speaker.load(Path(path), engine)
        self.engine = engine

    @property
    def classes(self) -> tuple[str, ...]:
        """The K classes, in the order of the scores."""
        return self.speaker.classes

    def predict(
        self,
        video: Path | str,
        detector: str = "torchvision",
        boxes: Path | str | None = None,
        settings: Settings | None = None,
        fps: float = 30.0,
    ) -> Result:
        """What is done in a video, when, and because of what.

        Args:
            video: a file, or a folder of frames.
            detector: torchvision, a file of its weights, or FILE.onnx; not used with `boxes`.
            boxes: a table of boxes, as `glidn predict` and `glidn boxes` write.
            fps: of a folder of frames.

        Raises:
            GlidnError: a file is missing, damaged or of another kind; the message says which.
        """
        path = Path(video)
        opened = sources.open_frames(path, fps) if path.is_dir() else sources.open_file(path)
        table = None if boxes is None else Path(boxes)
        found = boxes_from(detector, table, self.speaker.person, self.engine)
        if boxes is not None:
            opened = sources.with_boxes(opened, Path(boxes), self.speaker.person)
        with tempfile.TemporaryDirectory(prefix="glidn-") as folder:
            result = predict(opened, self.speaker, found, Path(folder), settings)
            lines = (Path(folder) / BOXES_FILE).read_text(encoding="utf-8").splitlines()

        def save(target: Path) -> None:
            save_video(target, opened, result, reread(lines), self.speaker.person)

        return replace(result, drawing=save)


def boxes_from(detector: str, table: Path | None, person: str, engine: Engine = "plain") -> Boxes:
    """A detector by its name and what it is computed by, or a table's name.

    Raises:
        GlidnError: the detector is missing or is none.
    """
    if table is not None:
        return Boxes(f"boxes of {table.name}")
    from glidn.detectors.choose import load_detector

    found, name = load_detector(detector, score=0.1, person=person, engine=engine)
    return Boxes(name, found)


class _Tally:
    """Counts boxes as they pass by: what was there, without keeping where."""

    def __init__(self, speaker: Speaker, fps: float) -> None:
        self._fps = fps
        self._found: dict[str, list] = {}
        self.person = speaker.person
        self.detected = 0  # boxes, whether or not a track was made of them

    def beside(self, detector: Detector) -> Detector:
        """The same detector, its boxes counted."""

        def detect(images: np.ndarray) -> list[Detections]:
            found = detector(images)
            self.detected += sum(len(one.scores) for one in found)
            return found

        return detect

    def over(self, rows: Rows) -> Rows:
        for frame, boxes in rows:
            for box in boxes:
                self._count(frame, box)
            yield frame, boxes

    def _count(self, frame: int, box: Found) -> None:
        entry = self._found.setdefault(box.track, [box.category, 0, frame, frame])
        entry[1] += 1
        entry[3] = frame

    @property
    def tracks(self) -> tuple[Seen, ...]:
        return tuple(
            Seen(
                name, category, count, round(first / self._fps, 3), round((last + 1) / self._fps, 3)
            )
            for name, (category, count, first, last) in self._found.items()
        )

    @property
    def categories(self) -> set[str]:
        return {entry[0] for entry in self._found.values()}


def _rows(video: Video, boxes: Boxes, settings: Settings) -> Rows:
    if boxes.rows is not None:
        return boxes.rows
    if boxes.detector is None:
        return rows_of(video)
    every = max(round(settings.every * video.fps), 1)
    return detect(replace(video, tracks=()), boxes.detector, every)


def _warning(speaker: Speaker, dataset: str) -> str:
    if speaker.run.generated and not dataset.startswith("generated"):
        return (
            "Trained on generated videos: a real one is out of its training data. Do not trust it."
        )
    return ""


def _notes(
    video: Video, windows: Sequence[Window], looked: int, tally: _Tally, speaker: Speaker
) -> list[str]:
    """What a user should know; sentences."""
    notes = []
    if not tally.categories and tally.detected:
        notes.append(
            f"{tally.detected:,} boxes were found, and none of them again in the next look; look "
            "more often (--every)."
        )
    elif not tally.categories:
        notes.append("nothing was found: no person and no object in any frame.")
    elif speaker.person not in tally.categories:
        notes.append("no person was found, so nobody acts.")
    elif tally.categories == {speaker.person}:
        notes.append("no object was found, so nothing is acted on.")
    if tally.categories and len(windows) < looked:
        notes.append(f"{looked - len(windows)} of {looked} windows hold no box and say nothing.")
    unknown = sorted(tally.categories - set(speaker.categories))
    if unknown and "geometry" in speaker.run.config.nodes.kinds:
        notes.append(
            f"the run was not trained on {', '.join(unknown[:5])}; it sees that something is "
            "there, and not what."
        )
    if speaker.engine != "plain":
        notes.append(
            f"the networks that look at pixels were computed by the engine {speaker.engine}."
        )
    if sources.unsteady(video):
        notes.append(
            "the frame rate varies: times are by the mean rate. To be exact, make it even first: "
            "ffmpeg -i VIDEO -vf fps=30 even.mp4."
        )
    if missing := sources.ends_early(video):
        notes.append(missing)
    return notes
