"""A run and many videos: each into its folder; what is done already is not done again."""

import hashlib
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from pathlib import Path

from glidn import checkpoint
from glidn.config import Engine
from glidn.errors import DataError
from glidn.prediction import result as results
from glidn.prediction import sources, speaker
from glidn.prediction.predict import (
    BOXES_FILE,
    VIDEO_FILE,
    Boxes,
    Progress,
    Settings,
    boxes_from,
    draw,
    predict,
)
from glidn.prediction.result import ACTIONS_FILE, GRAPH_FILE, RESULT_FILE, Result
from glidn.prediction.sources import Source
from glidn.prediction.table import Told, told
from glidn.types import Video
from glidn.video import VideoFile


@dataclass(frozen=True)
class Request:
    """What is asked of every video; plain values, so that it can be sent to other processes.

    Attributes:
        run: a trained run's folder.
        out: every video gets a folder in it.
        detector: as `boxes_from` knows it; "": torchvision's, and for videos of a dataset the
            boxes that it has.
        boxes: a table of boxes instead.
        versus: another run, to tell where it says something else.
        drawn: whether annotated.mp4 is made.
        engine: what the networks that look at pixels are computed by.
    """

    run: Path
    out: Path
    detector: str = ""
    boxes: Path | None = None
    versus: Path | None = None
    settings: Settings = field(default_factory=Settings)
    drawn: bool = True
    engine: Engine = "plain"


class Predictor:
    """A request with everything loaded, once for all videos.

    Args:
        detects: whether some video brings no boxes, so that a detector is needed.

    Raises:
        GlidnError: a run or the detector cannot be used.
    """

    def __init__(self, request: Request, detects: bool) -> None:
        self.request = request
        self.speaker = speaker.load(request.run, request.engine)
        self.other = speaker.load(request.versus, request.engine) if request.versus else None
        self._found: Boxes | None = None
        if detects or request.detector or request.boxes is not None:
            name = request.detector or "torchvision"
            self._found = boxes_from(name, request.boxes, self.speaker.person, request.engine)

    def folder(self, source: Source) -> Path:
        """Where a video's files are."""
        return self.request.out / source.name

    def do(self, source: Source, progress: Progress | None = None) -> tuple[Result, bool]:
        """What the run says of a video, with all its files; and whether it had been said before.

        Raises:
            GlidnError: the video or its boxes cannot be used.
        """
        request, folder, person = self.request, self.folder(source), self.speaker.person
        video = source.open()
        if request.boxes is not None:
            video = sources.with_boxes(video, request.boxes, person)
        boxes = self._found
        if source.dataset and not request.detector and request.boxes is None:
            boxes = Boxes(f"boxes of {source.dataset}")
        assert boxes is not None
        draws = request.drawn and video.pixels is not None
        asked = self._asked(video, boxes)
        said = _read(folder, asked, draws)
        if said is not None:
            return said, True
        # It is written last, so that its presence says that everything is there.
        (folder / RESULT_FILE).unlink(missing_ok=True)
        said = predict(
            video,
            self.speaker,
            boxes,
            folder,
            request.settings,
            self.other,
            source.dataset,
            progress,
            asked,
        )
        if draws:
            draw(said, video, folder, person, progress)
        said.write(folder)
        return said, False

    def tell(self, source: Source, progress: Progress | None = None) -> Told:
        """`do`, in short.

        Raises:
            GlidnError: the video or its boxes cannot be used.
        """
        folder = self.folder(source)
        return told(source.name, folder, *self.do(source, progress))

    def _asked(self, video: Video, boxes: Boxes) -> str:
        """Changes with the video, the networks, the settings and the boxes."""
        both = [one for one in (self.speaker, self.other) if one is not None]
        parts: list[object] = [
            [checkpoint.digest(network) for one in both for network in one.networks.values()],
            astuple(self.request.settings),
            (boxes.name, _stamp(self.request.detector)),
            (video.source, video.frames, video.fps, video.width, video.height),
            [(track.name, track.category, track.frames.tobytes()) for track in video.tracks],
            [track.xyxy.tobytes() for track in video.tracks],
        ]
        if self.request.engine != "plain":
            parts.append(self.request.engine)
        if isinstance(video.pixels, VideoFile):
            parts.append(_stamp(video.pixels.source))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def teller(
    request: Request, detects: bool, progress: Progress | None = None
) -> Callable[[Source], Told]:
    """`Predictor.tell`, for a process that was sent the request.

    Raises:
        GlidnError: a run or the detector cannot be used.
    """
    predictor = Predictor(request, detects)
    return lambda source: predictor.tell(source, progress)


def _read(folder: Path, asked: str, drawn: bool) -> Result | None:
    """What was said of the same before, with all its files."""
    wanted = [RESULT_FILE, ACTIONS_FILE, GRAPH_FILE, BOXES_FILE, *[VIDEO_FILE] * drawn]
    if not all((folder / name).is_file() for name in wanted):
        return None
    try:
        found = results.read(folder / RESULT_FILE)
    except DataError:
        return None
    return found if found.asked == asked else None


def _stamp(path: str) -> tuple[int, int]:
    """Size and time of change of a file; zeros for what is none."""
    if not path or not Path(path).is_file():
        return 0, 0
    found = Path(path).stat()
    return found.st_size, found.st_mtime_ns
