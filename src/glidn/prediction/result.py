"""What was found in a video, as data; and the files that hold it.

result.json    everything below, as documented in docs/predict.md
actions.csv    label,start,end,score
graph.graphml  people and objects, and who listens to whom
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import networkx
import numpy as np

from glidn import __version__
from glidn.errors import DataError
from glidn.files import replacing, write_text
from glidn.timeline import spread
from glidn.types import Segment

FORMAT = 1
RESULT_FILE, ACTIONS_FILE, GRAPH_FILE = "result.json", "actions.csv", "graph.graphml"


@dataclass(frozen=True)
class Effect:
    """What one track contributes to the likeliest class of a window.

    Attributes:
        change: its score less that without the track.
    """

    track: str
    category: str
    label: str
    change: float


@dataclass(frozen=True)
class Relation:
    """A track that listens to another.

    Attributes:
        weight: the share that it takes from it.
        strength: 0..1, how far that is above an even share.
    """

    listener: str
    target: str
    weight: float
    strength: float


@dataclass(frozen=True)
class Window:
    """A stretch of the video that was looked at as one.

    Attributes:
        start, end: seconds, what it speaks for.
        scores: (K,) in 0..1.
        at: seconds, its middle.
        effects: largest first; empty where nothing can be said.
        relations: strongest first.
        other: the likeliest class of the run that it is compared with; "" without one.
    """

    start: float
    end: float
    scores: tuple[float, ...]
    at: float
    effects: tuple[Effect, ...] = ()
    relations: tuple[Relation, ...] = ()
    other: str = ""


@dataclass(frozen=True)
class Seen:
    """One track of the video as a whole.

    Attributes:
        boxes: in how many frames it was found.
        start, end: seconds.
    """

    track: str
    category: str
    boxes: int
    start: float
    end: float


@dataclass(frozen=True)
class Action(Segment):
    """A class that is shown from `start` to `end`, with its mean score."""

    score: float = 0.0


@dataclass(frozen=True)
class Result:
    """What a run says of a video.

    Attributes:
        video: its name or address.
        smooth: seconds over which scores are smoothed where `timed`.
        run, detector: who spoke: networks, and boxes.
        many: whether classes may be shown at once.
        timed: whether a window says what is shown at its middle, and not throughout.
        threshold: the least score of an action.
        warning: why not to trust it; "" where there is no known reason.
        notes: what could not be done, in sentences.
        asked: changes with the video, the networks, the settings and the boxes; "" where unknown.
        drawing: writes the annotated video; None for a result that was read from a file.
    """

    video: str
    run: str
    detector: str
    classes: tuple[str, ...]
    many: bool
    timed: bool
    threshold: float
    fps: float
    width: int
    height: int
    seconds: float
    windows: tuple[Window, ...]
    tracks: tuple[Seen, ...]
    smooth: float = 0.0
    warning: str = ""
    notes: tuple[str, ...] = ()
    asked: str = ""
    drawing: Callable[[Path], None] | None = field(default=None, repr=False, compare=False)

    @property
    def timeline(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) seconds, the middle of each window, and (n, K) its scores."""
        times = np.array([window.at for window in self.windows])
        scores = np.array([window.scores for window in self.windows])
        return times, scores.reshape(len(times), len(self.classes))

    @property
    def scores(self) -> dict[str, float]:
        """Of the whole video, the likeliest first: the mean over windows; of many labels the
        maximum, as in the test.
        """
        if not self.windows:
            return {}
        _, scores = self.timeline
        whole = scores.max(0) if self.many else scores.mean(0)
        order = np.argsort(-whole, kind="stable")
        return {self.classes[k]: float(whole[k]) for k in order}

    @property
    def actions(self) -> tuple[Action, ...]:
        """What is shown when: stretches in which a class scores best, or, with many labels, at
        least `threshold`; by start.
        """
        edges, scores = self._cells()
        shown = scores >= self.threshold
        if not self.many and len(scores):
            shown &= np.arange(scores.shape[1]) == scores.argmax(1)[:, None]
        found = [
            Action(
                self.classes[k],
                round(float(edges[a]), 3),
                round(float(edges[b]), 3),
                round(float(scores[a:b, k].mean()), 4),
            )
            for k in range(scores.shape[1])
            for a, b in _stretches(shown[:, k])
        ]
        return tuple(sorted(found, key=lambda action: (action.start, action.end, action.label)))

    def at(self, seconds: float) -> Window | None:
        """The window whose middle is nearest; None where there is none."""
        if not self.windows:
            return None
        return min(self.windows, key=lambda window: abs(window.at - seconds))

    @property
    def disagreements(self) -> tuple[Window, ...]:
        """Windows in which the compared run's likeliest class is another."""
        best = [self.classes[int(np.argmax(window.scores))] for window in self.windows]
        pairs = zip(self.windows, best, strict=True)
        return tuple(window for window, label in pairs if window.other and window.other != label)

    def _cells(self) -> tuple[np.ndarray, np.ndarray]:
        """(c + 1,) edges and (c, K) scores: of every frame, on straight lines between the windows'
        middles; or of every stretch between two borders of windows, the mean of those over it.
        """
        if not self.windows:
            return np.zeros(1), np.zeros((0, len(self.classes)))
        if self.timed:
            times, scores = self.timeline
            frames = round(self.seconds * self.fps)
            at = (times * self.fps).round()
            return np.arange(frames + 1) / self.fps, spread(
                at, scores, frames, self.smooth * self.fps
            )
        borders = {border for window in self.windows for border in (window.start, window.end)}
        edges = np.array(sorted(borders))
        _, scores = self.timeline
        start = np.searchsorted(edges, [window.start for window in self.windows])
        end = np.searchsorted(edges, [window.end for window in self.windows])
        # Running sums of what begins and ends at each border.
        change = np.zeros((len(edges), len(self.classes)))
        count = np.zeros(len(edges))
        np.add.at(change, start, scores)
        np.add.at(change, end, -scores)
        np.add.at(count, start, 1)
        np.add.at(count, end, -1)
        many = count.cumsum()[:-1, None]
        return edges, change.cumsum(0)[:-1] / np.maximum(many, 1)

    def graph(self) -> "networkx.DiGraph":
        """Tracks, and who listens to whom, on average over the windows that have both."""
        found = networkx.DiGraph(video=self.video, run=self.run, detector=self.detector)
        for track in self.tracks:
            found.add_node(
                track.track,
                category=track.category,
                boxes=track.boxes,
                start=track.start,
                end=track.end,
            )
        sums: dict[tuple[str, str], list[float]] = {}
        for window in self.windows:
            for relation in window.relations:
                pair = (relation.listener, relation.target)
                sums.setdefault(pair, []).append(relation.weight)
        for (listener, target), weights in sums.items():
            found.add_edge(listener, target, weight=float(np.mean(weights)), windows=len(weights))
        return found

    def _repr_html_(self) -> str:
        from glidn.prediction.card import card

        return card(self)

    def as_dict(self) -> dict[str, Any]:
        """What result.json holds."""
        own = asdict(replace(self, drawing=None))
        made = ("windows", "tracks", "drawing")
        return {
            "format": FORMAT,
            "glidn": __version__,
            **{key: value for key, value in own.items() if key not in made},
            "scores": self.scores,
            "actions": [asdict(action) for action in self.actions],
            "tracks": own["tracks"],
            "windows": own["windows"],
        }

    def save_video(self, path: Path | str) -> None:
        """The annotated video of a result that `Model.predict` gave.

        Raises:
            DataError: the result was read from a file; give the video to glidn predict again.
        """
        if self.drawing is None:
            raise DataError(
                "this result does not know its video and boxes; give them to glidn predict again."
            )
        self.drawing(Path(path))

    def write(self, folder: Path) -> None:
        """result.json, actions.csv and graph.graphml."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["label", "start", "end", "score"])
        table.writerows((a.label, a.start, a.end, a.score) for a in self.actions)
        write_text(folder / ACTIONS_FILE, out.getvalue())
        with replacing(folder / GRAPH_FILE) as temporary:
            networkx.write_graphml(self.graph(), temporary)
        write_text(folder / RESULT_FILE, json.dumps(self.as_dict(), indent=1) + "\n")


def read(path: Path) -> Result:
    """A result.json, as `Result.write` left it.

    Raises:
        DataError: it is none, or another version's.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"format {found['format']}")
        windows = tuple(
            Window(
                row["start"],
                row["end"],
                tuple(row["scores"]),
                row["at"],
                tuple(Effect(**effect) for effect in row["effects"]),
                tuple(Relation(**relation) for relation in row["relations"]),
                row["other"],
            )
            for row in found["windows"]
        )
        tracks = tuple(Seen(**row) for row in found["tracks"])
        made = {"format", "glidn", "scores", "actions", "windows", "tracks"}
        plain = {key: value for key, value in found.items() if key not in made}
        plain |= {"classes": tuple(plain["classes"]), "notes": tuple(plain["notes"])}
        return Result(**plain, windows=windows, tracks=tracks)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no result of this glidn ({type(error).__name__}: {error}); predict again."
        ) from error


def _stretches(shown: Sequence[bool] | np.ndarray) -> list[tuple[int, int]]:
    """[False, True, True] -> [(1, 3)]."""
    padded = np.concatenate([[False], shown, [False]]).astype(np.int8)
    change = np.diff(padded)
    starts, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
