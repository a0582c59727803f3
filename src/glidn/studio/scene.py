"""One video in the studio: its boxes, what the run says of it, and what was corrected."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from glidn.detectors import Detections, Detector
from glidn.errors import DataError, GlidnError, SettingError
from glidn.prediction import overlay, sources
from glidn.prediction.corrections import REMOVED, Changes, corrected, told
from glidn.prediction.finding import reread
from glidn.prediction.predict import BOXES_FILE, Boxes, Settings, draw, predict
from glidn.prediction.result import Result
from glidn.prediction.sources import Source
from glidn.prediction.speaker import Speaker
from glidn.prediction.watch import Found
from glidn.studio.playing import playable
from glidn.studio.uploads import without_path
from glidn.types import Video

# Called with what is being done and the share that is done; it may raise, to stop the work.
Report = Callable[[str, float], None]

DRAWN = "annotated.mp4"
# What may be downloaded, and what it is.
FILES = {
    "result.json": "application/json",
    "actions.csv": "text/csv; charset=utf-8",
    "boxes.csv": "text/csv; charset=utf-8",
    "graph.graphml": "application/xml",
    DRAWN: "video/mp4",
}
# The share of the work up to the end of each step.
PLAYER_DONE = 0.15
LONGEST_CATEGORY = 60


@dataclass(frozen=True)
class Voice:
    """Who speaks: a run, and who finds the boxes.

    Attributes:
        boxes: of uploads; None where there is nobody to find them.
        refusal: why not, as a sentence.
        table: of boxes of the uploads, instead of a detector.
    """

    speaker: Speaker
    boxes: Boxes | None
    refusal: str = ""
    table: Path | None = None


class Scene:
    """A video, and everything that was worked out about it.

    Args:
        name: of the file, for people.
        folder: for its files.
        source: gives the video.
        stored: where an upload lies, which is nobody's business.
    """

    def __init__(
        self, voice: Voice, name: str, folder: Path, source: Source, stored: Path | None = None
    ) -> None:
        self.voice = voice
        self.name = name
        self.folder = folder
        self.source = source
        self.stored = stored
        self.video: Video | None = None
        self.player: Path | None = None
        self.first: Result | None = None
        self.result: Result | None = None
        self.changes: Changes = {}
        self.version = 0

    def predict(self, report: Report) -> None:
        """Open, prepare the player, find boxes, and ask the run.

        Raises:
            GlidnError: the video cannot be used; the sentence knows it by its own name.
        """
        try:
            self._predict(report)
        except GlidnError as error:
            if self.stored is None:
                raise
            raise DataError(without_path(str(error), self.stored, self.name)) from error

    def score(self, changes: Changes, report: Report) -> None:
        """Ask the run again, about the boxes with these changes.

        Raises:
            SettingError: a change names no track.
        """
        assert self.video is not None and self.first is not None
        tracks = {track.track: track.category for track in self.first.tracks}
        changes = {track: to for track, to in changes.items() if tracks.get(track) != to}
        for track, category in changes.items():
            if track not in tracks:
                raise SettingError(f"{self.name} has no box called {track!r}.")
            if len(category) > LONGEST_CATEGORY:
                raise SettingError(f"a category has at most {LONGEST_CATEGORY} letters.")
        # What was found first is kept, so that taking all changes back gives the same again.
        result, target = self.first, self.folder / "found"
        if changes:
            target = self.folder / f"corrected-{self.version + 1}"
            rows = corrected(reread(_lines(self.folder / "found" / BOXES_FILE)), changes)
            name = f"{self.first.detector}; {told(changes)}"
            boxes = Boxes(name, rows=rows)
            try:
                result = self._ask(boxes, target, lambda share: report("scoring", share))
            except BaseException:
                shutil.rmtree(target, ignore_errors=True)
                raise
        old, self.result, self.changes = self.files, result, changes
        self.version += 1
        if old != self.folder / "found":
            shutil.rmtree(old, ignore_errors=True)

    def draw(self, report: Report) -> None:
        """The annotated video, among the files."""
        assert self.video is not None and self.result is not None

        def drawn(_: str, done: int, total: int) -> None:
            report("drawing the video", done / total)

        draw(self.result, self.video, self.files, self.voice.speaker.person, drawn)

    @property
    def files(self) -> Path:
        """The folder of what may be downloaded."""
        return self.folder / (f"corrected-{self.version}" if self.changes else "found")

    def as_dict(self) -> dict[str, Any]:
        """All that the page draws."""
        assert self.first is not None and self.result is not None and self.video is not None
        speaker = self.voice.speaker
        found = {track.category for track in self.first.tracks}
        return {
            "name": self.name,
            "version": self.version,
            "changes": self.changes,
            "frames": self.video.frames,
            "person": speaker.person,
            "relates": speaker.relates,
            "categories": sorted({speaker.person, *speaker.categories, *found}),
            "tracks": _tracks(self.folder / "found" / BOXES_FILE, speaker.person),
            "result": self.result.as_dict(),
            "before": self.first.scores if self.changes else None,
            "drawn": (self.files / DRAWN).exists(),
        }

    def _predict(self, report: Report) -> None:
        report("opening the video", 0)
        video, boxes = self._open()
        self.video = replace(video, source=self.name)
        self.player = playable(
            video,
            self.folder,
            lambda share: report("making a copy that browsers play", share * PLAYER_DONE),
        )
        if boxes.detector is not None:
            every = max(round(Settings().every * video.fps), 1)
            looks = len(range(0, video.frames, every))
            boxes = replace(boxes, detector=_counted(boxes.detector, looks, report))
        result = self._ask(
            boxes,
            self.folder / "found",
            # Windows are asked as their boxes come.
            lambda share: report("asking the run", PLAYER_DONE + (1 - PLAYER_DONE) * share),
        )
        self.first = self.result = result

    def _open(self) -> tuple[Video, Boxes]:
        """The video, and who finds its boxes."""
        video, dataset = self.source.open(), self.source.dataset
        if dataset:
            return video, Boxes(f"boxes of {dataset}")
        if self.voice.boxes is None:
            raise SettingError(self.voice.refusal)
        if self.voice.table is not None:
            video = sources.with_boxes(video, self.voice.table, self.voice.speaker.person)
        return video, self.voice.boxes

    def _ask(self, boxes: Boxes, target: Path, report: Callable[[float], None]) -> Result:
        """The result, with its files in `target`."""
        assert self.video is not None
        result = predict(
            self.video,
            self.voice.speaker,
            boxes,
            target,
            dataset=self.source.dataset,
            progress=lambda _, done, total: report(done / total),
        )
        result.write(target)
        return result


def _counted(detector: Detector, looks: int, report: Report) -> Detector:
    """The same detector, telling how far it is; frame by frame, so that a cancel waits for one."""
    seen = 0

    def detect(images: np.ndarray) -> list[Detections]:
        nonlocal seen
        found = []
        for image in images:
            share = PLAYER_DONE + (1 - PLAYER_DONE) * seen / looks
            report(f"looking for people and objects, frame {seen + 1} of {looks}", share)
            found += detector(image[None])
            seen += 1
        return found

    return detect


def _tracks(path: Path, person: str) -> list[dict[str, Any]]:
    """Every track with its boxes, people first: rows of frame, x1, y1, x2, y2."""
    found: dict[str, list[list[float]]] = {}
    last: dict[str, Found] = {}  # it tells what the track was found to be
    for frame, boxes in reread(_lines(path)):
        for box in boxes:
            last[box.track] = box
            found.setdefault(box.track, []).append([frame, *box.xyxy.round(1).tolist()])
    made = [
        {
            "track": track,
            "category": box.category,
            "colour": _colour(box, person),
            "boxes": found[track],
        }
        for track, box in last.items()
    ]
    return sorted(made, key=lambda track: track["category"] != person)


def _colour(box: Found, person: str) -> str:
    """As in the annotated video."""
    seen = overlay.Seen(box.xyxy, box.category, box.track, box.category == person)
    return "#{:02x}{:02x}{:02x}".format(*overlay.colour(seen))


def changes_from(found: object) -> Mapping[str, str]:
    """Changes as a page sends them: a category, or null for a track that is no box at all.

    Raises:
        SettingError: they are something else.
    """
    if not isinstance(found, dict) or not all(
        isinstance(track, str) and (to is None or (isinstance(to, str) and to.strip()))
        for track, to in found.items()
    ):
        raise SettingError('changes are written {"cup 2": "bottle", "person 3": null}.')
    return {track: REMOVED if to is None else to.strip() for track, to in found.items()}


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
