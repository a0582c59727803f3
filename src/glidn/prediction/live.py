"""A camera or a stream, watched as it comes: a window that rolls on with every frame.

A new frame costs one pass of the detector, one of the small network over its boxes, and one of the
graph; what earlier frames gave is kept. While that is computed, frames are dropped, not queued.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from glidn.batch import Inputs, Sample, collate
from glidn.boxes import fill_gaps, sample
from glidn.crops import crops
from glidn.detectors import Detector
from glidn.errors import DataError, SettingError
from glidn.geometry import geometry
from glidn.model import Encoder, Look, Network
from glidn.prediction.speaker import Speaker
from glidn.prediction.watch import Found, tracks_in
from glidn.tracking import Tracker, TrackSettings
from glidn.types import Boxes, Video

FPS = 30.0  # of the grid that frames are counted on, whatever rate they come at
ADDRESSES = ("rtsp://", "rtsps://", "http://", "https://", "rtmp://", "udp://", "tcp://")
WAIT = 10.0  # seconds without a frame after which a stream counts as ended


@dataclass(frozen=True)
class Moment:
    """What there is to say after a frame.

    Attributes:
        seconds: since the first frame.
        latency: seconds from the frame's arrival to its scores.
        rate: frames a second that are looked at, over the window.
        dropped: frames that came meanwhile and were passed over, so far.
        boxes: of the frame.
        scores: (K,) in 0..1; None while nothing has been found.
    """

    seconds: float
    latency: float
    rate: float
    dropped: int
    boxes: tuple[Found, ...]
    scores: np.ndarray | None


class Rolling:
    """The last seconds of a stream as nodes, each computed once.

    Args:
        seconds: of the window.

    Raises:
        SettingError: the run's nodes are not made frame by frame.
    """

    def __init__(self, speaker: Speaker, width: int, height: int, seconds: float) -> None:
        nodes = speaker.run.config.nodes
        for kind in nodes.kinds:
            if kind not in ("geometry", "small"):
                raise SettingError(
                    f"{speaker.run.path} has {kind} nodes, which are not made frame by frame; "
                    "record the stream, and give glidn predict the file."
                )
        self.speaker = speaker
        self.size = (width, height)
        self.seconds = seconds
        self._kept: deque[_Frame] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    @torch.no_grad()
    def add(self, seconds: float, image: np.ndarray, found: tuple[Found, ...]) -> np.ndarray | None:
        """Take a frame in; (K,) what is shown by now, None while there is no box.

        Args:
            seconds: since the first frame, rising.
            image: (height, width, 3) uint8.
        """
        number = round(seconds * FPS)
        if self._kept and number <= self._kept[-1].number:
            number = self._kept[-1].number + 1
        self._kept.append(_Frame(number, found, self._looked_at(image, found)))
        while self._kept[0].number < number - self.seconds * FPS:
            self._kept.popleft()
        return self._say()

    def _looked_at(self, image: np.ndarray, found: tuple[Found, ...]) -> dict[str, torch.Tensor]:
        """By fold, (n, D) what its small network says of each box."""
        nodes = self.speaker.run.config.nodes
        if "small" not in nodes.kinds or not found:
            return {}
        xyxy = np.stack([box.xyxy for box in found])[None]
        names = tuple(box.track for box in found)
        boxes = Boxes(xyxy, np.ones(xyxy.shape[:2], bool), np.zeros(1, np.int64), names, names)
        cut = torch.from_numpy(crops(image[None], boxes, nodes.small_size))[0]
        said = {}
        for fold, network in self.speaker.networks.items():
            look = _small(network)
            device = next(look.parameters()).device
            said[fold] = look.network(cut.to(device)).cpu()
        return said

    def _say(self) -> np.ndarray | None:
        config, speaker = self.speaker.run.config, self.speaker
        first, last = self._kept[0].number, self._kept[-1].number
        rows = [(frame.number - first, frame.boxes) for frame in self._kept]
        tracks = tracks_in(rows, speaker.person)
        if not tracks:
            return None
        video = Video("live", "", "", "", last - first + 1, FPS, *self.size, tracks)
        at = np.linspace(0, len(rows) - 1, config.data.steps).round().astype(int)
        frames = np.array([rows[row][0] for row in at])
        filled = replace(video, tracks=tuple(fill_gaps(track) for track in tracks))
        exact = "small" in config.nodes.kinds  # a gap has no crop
        boxes = sample(video if exact else filled, frames)
        real = torch.from_numpy(boxes.real)
        scores = []
        for fold, network in speaker.networks.items():
            inputs: Inputs = {}
            for kind in config.nodes.kinds:
                if kind == "geometry":
                    made = geometry(video, boxes, speaker.categories)
                    inputs[kind] = torch.from_numpy(made)
                else:
                    inputs[kind] = self._gathered(fold, at, boxes, config.nodes.small_width)
            label = torch.zeros(len(speaker.classes)) if speaker.many else 0
            batch = collate([Sample("live", "", label, (inputs,), (real,))])
            batch = batch.to(next(network.parameters()).device)
            scores.append(network.probabilities(batch)[0].float().cpu().numpy())
        return np.mean(scores, 0)

    def _gathered(self, fold: str, at: np.ndarray, boxes: Boxes, width: int) -> torch.Tensor:
        """(T, N, D) what was said of each box when it came."""
        out = torch.zeros(*boxes.real.shape, width)
        slot = {name: number for number, name in enumerate(boxes.tracks)}
        for step, row in enumerate(at.tolist()):
            frame = self._kept[row]
            for number, box in enumerate(frame.boxes):
                out[step, slot[box.track]] = frame.said[fold][number]
        return out


@dataclass(frozen=True)
class _Frame:
    number: int
    boxes: tuple[Found, ...]
    said: dict[str, torch.Tensor]


def _small(network: Any) -> Look:
    assert isinstance(network, Network) and isinstance(network.encode, Encoder)
    look = network.encode.kinds["small"]
    assert isinstance(look, Look)
    return look


def is_live(word: str) -> bool:
    """Whether a word is a camera's number or an address, and not a file."""
    return word.isdigit() or word.lower().startswith(ADDRESSES)


class Stream:
    """The newest frame of a camera or an address; older ones are dropped.

    Args:
        address: a camera's number, or an address that FFmpeg knows.

    Raises:
        DataError: it cannot be opened.
    """

    def __init__(self, address: str) -> None:
        import av

        self.address = address
        self.dropped = 0
        camera = address.isdigit()
        where = f"/dev/video{address}" if camera else address
        try:
            self._container: Any = av.open(where, format="v4l2" if camera else None, timeout=WAIT)
        except (av.FFmpegError, OSError) as error:
            raise DataError(
                f"{address} cannot be opened ({_reason(error)}); is "
                f"{'the camera plugged in' if camera else 'the address right'}?"
            ) from error
        if not self._container.streams.video:
            raise DataError(f"{address} has no video stream.")
        length = self._container.duration
        if address.lower().startswith(("http://", "https://")) and length:
            self._container.close()
            raise DataError(
                f"{address} is a recording of {length / av.time_base:.0f} s and nothing live; "
                "download it, and give glidn predict the file."
            )
        self._newest: tuple[float, np.ndarray] | None = None
        self._ended = ""
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def frames(self) -> Iterator[tuple[float, np.ndarray]]:
        """(when it arrived, (height, width, 3) uint8), until the stream ends."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self._ended, timeout=2 * WAIT)
                newest, self._newest = self._newest, None
            if newest is None:
                return
            yield newest

    @property
    def reason(self) -> str:
        """Why it ended; "" where it came to its end."""
        return "" if self._ended in ("", "end") else self._ended

    def close(self) -> None:
        self._ended = self._ended or "end"

    def _read(self) -> None:
        import av

        ended = "end"
        try:
            for frame in self._container.decode(video=0):
                image = frame.to_ndarray(format="rgb24")
                image = np.ascontiguousarray(np.rot90(image, frame.rotation // 90 % 4))
                with self._changed:
                    self.dropped += self._newest is not None
                    self._newest = (time.monotonic(), image)
                    self._changed.notify()
                if self._ended:
                    break
        except (av.FFmpegError, OSError) as error:
            ended = _reason(error)
        finally:
            self._container.close()
            with self._changed:
                self._ended = ended
                self._changed.notify()


def _reason(error: Exception) -> str:
    """FFmpeg's words without its numbers."""
    return getattr(error, "strerror", None) or str(error)


def watch_live(
    stream: Stream,
    speaker: Speaker,
    detector: Detector,
    seconds: float,
    settings: TrackSettings | None = None,
) -> Iterator[Moment]:
    """What a run says of a stream, after every frame that is looked at.

    Raises:
        SettingError: the run's nodes are not made frame by frame.
    """
    rolling: Rolling | None = None
    tracker = Tracker(FPS, settings or TrackSettings(hits=1))
    start, number = 0.0, -1
    times: deque[float] = deque()
    for arrived, image in stream.frames():
        if rolling is None:
            start = arrived
            rolling = Rolling(speaker, image.shape[1], image.shape[0], seconds)
        at = arrived - start
        number = max(number + 1, round(at * FPS))
        found = tuple(
            Found(f"{box.category} {box.track}", box.category, box.xyxy, box.score)
            for box in tracker.update(number, detector(image[None])[0])
        )
        scores = rolling.add(at, image, found)
        now = time.monotonic()
        times.append(now)
        while times[0] < now - seconds:
            times.popleft()
        rate = (len(times) - 1) / max(times[-1] - times[0], 1e-9) if len(times) > 1 else 0.0
        yield Moment(at, now - arrived, rate, stream.dropped, found, scores)
