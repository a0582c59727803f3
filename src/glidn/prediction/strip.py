"""The strip below the picture: what is seen now, the scores of the whole video, who says so.

Three bands, from the top: the actions of this moment; a row for each class, with the playhead; the
source of it all, and the warning. All but the moment's own is drawn once, in two shades: what is
played already, and what is ahead.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glidn.prediction.brush import (
    AMBER,
    DARK,
    GROUND,
    INK,
    QUIET,
    Colour,
    clean,
    dot,
    fill,
    line_height,
    paint,
    rounded,
    shortened,
    text_width,
    wrapped,
    written,
)

ROWS = 6  # more would leave less than half of the picture to the frame
LANE, CURVE, EDGE = (34, 40, 46), (64, 128, 122), (142, 226, 210)
AHEAD = 0.42  # how much of a curve's colour is left where the playhead has not been
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True)
class Scored:
    """A class and its score, 0..1."""

    label: str
    score: float


@dataclass(frozen=True)
class Timeline:
    """The scores of a whole video.

    Attributes:
        labels: the k most important classes, in the order of their rows; the first 6 are drawn.
        times: (n,) rising, seconds: the middle of each window; the first begins with the video.
        scores: (n, k) in 0..1; NaN where a window was not scored.
        seconds: how long the video is.
    """

    labels: tuple[str, ...]
    times: np.ndarray
    scores: np.ndarray
    seconds: float

    def __post_init__(self) -> None:
        if self.scores.shape != (len(self.times), len(self.labels)):
            raise ValueError(
                f"scores of shape {self.scores.shape}; expected {len(self.times)} windows x "
                f"{len(self.labels)} classes"
            )


class Strip:
    """The strip of one video: drawn but for the moment, which `draw` adds.

    Args:
        width: pixels.
        size: of the text, in pixels; none is smaller than 11.
        source: which model and detector spoke.
        warning: what to doubt; "" if nothing.

    Attributes:
        height: pixels.
    """

    def __init__(
        self, width: int, size: int, timeline: Timeline, source: str, warning: str
    ) -> None:
        self.width, self.size, self.timeline = width, size, timeline
        self.labels = timeline.labels[:ROWS]
        self.small = max(round(size * 0.92), 11)
        self.pad = round(size * 0.75)
        line = line_height(self.small)
        names = max((text_width(label, self.small) for label in self.labels), default=0)
        self.names = round(min(names, 0.32 * width)) + 1
        self.left = 2 * self.pad + self.names if self.labels else self.pad
        self.right = width - self.pad
        self.row, self.gap = round(size * 1.5), max(round(size * 0.25), 2)
        self.rows_top = self.pad + line_height(size) + round(size * 0.5)
        self.rows_low = self.rows_top + max(len(self.labels), 1) * (self.row + self.gap) - self.gap
        self.axis = self.rows_low + round(size * 0.35)
        self.pitch = round(line * 1.1)  # from one line of the notes to the next
        self.inset = 3 * max(self.size // 6, 2)  # of the warning, for the bar before it
        self.notes = self._notes(source, warning)
        self.notes_top = self.axis + line + round(size * 0.5)
        last = max((number for number, *_ in self.notes), default=-1)
        self.height = self.notes_top + (last + 1) * self.pitch + round(self.pad * 0.6)
        self.ticks = self._ticks()
        self.behind = self._still(1)
        self.ahead = self._still(AHEAD)

    def draw(self, canvas: np.ndarray, seconds: float, actions: Sequence[Scored]) -> None:
        """Onto `canvas`, (>= height, width, 3) uint8; `actions` are now, the strongest first."""
        at = self._x(seconds)
        column = round(at)
        canvas[: self.height, :column] = self.behind[:, :column]
        canvas[: self.height, column:] = self.ahead[:, column:]
        canvas[self.height :] = GROUND
        self._draw_now(canvas, actions)
        self._draw_playhead(canvas, at, seconds)

    def _x(self, seconds: float) -> float:
        """Where a moment is, in pixels from the left."""
        share = seconds / self.timeline.seconds if self.timeline.seconds > 0 else 0.0
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left - 1)

    def _lane(self, number: int) -> int:
        return self.rows_top + number * (self.row + self.gap)

    def _draw_now(self, canvas: np.ndarray, actions: Sequence[Scored]) -> None:
        size, top = self.size, self.pad
        left = self.pad + self._write(canvas, "now", self.pad, top, QUIET) + self.pad
        if not actions:
            self._write(canvas, "no scores", left, top, QUIET)
        digits = round(text_width("0.00", size))
        for number, action in enumerate(actions):
            room = self.right - left - digits - size // 2
            label = shortened(action.label, size, room)
            # One that is cut tells little, and is drawn only where there is no other.
            if number and label != clean(action.label):
                return
            self._write(canvas, f"{action.score:.2f}", left, top, EDGE if number == 0 else QUIET)
            left += digits + size // 2
            left += self._write(canvas, label, left, top, INK if number == 0 else QUIET)
            left += round(1.4 * size)

    def _draw_playhead(self, canvas: np.ndarray, at: float, seconds: float) -> None:
        thick = max(round(self.size * 0.12), 1)
        column = round(at - thick / 2)
        top, low = self.rows_top - self.gap, self.axis
        fill(canvas, (column - 1, top, column + thick + 1, low), DARK, 0.55)
        fill(canvas, (column, top, column + thick, low), INK, 1)
        for number in range(len(self.labels) if len(self.timeline.times) else 0):
            height = float(self._share(np.array([seconds]), number)[0])
            y = self._lane(number) + (self.row - 1) * (1 - height)
            if math.isfinite(y):
                dot(canvas, (at, y), self.size * 0.22, INK, max(self.size * 0.08, 1))
        words = written(clock(seconds, self.timeline.seconds, 0.1), self.small)
        height, width = words.shape[0], words.shape[1] + self.size
        edge = self.pad // 3
        left = round(min(max(at - width / 2, edge), self.width - width - edge))
        for _, first, tick in self.ticks:
            if first + tick.shape[1] + self.size // 3 < left or left + width < first:
                paint(canvas, tick, first, self.axis, QUIET)
        paint(canvas, rounded(width, height, height * 0.3), left, self.axis, INK)
        paint(canvas, words, left + self.size // 2, self.axis, GROUND)

    def _write(self, canvas: np.ndarray, text: str, left: int, top: int, ink: Colour) -> int:
        """Returns the width in pixels."""
        words = written(text, self.size)
        paint(canvas, words, left, top, ink)
        return words.shape[1]

    def _share(self, times: np.ndarray, number: int) -> np.ndarray:
        """(m,) seconds -> (m,) a class's score there, straight from window to window, or NaN."""
        middles = self.timeline.times
        # The first window begins with the video, so its middle is half of its length; the windows
        # say nothing of what lies farther outside of them.
        reach = max(middles[0], float(np.diff(middles[:2]).sum()) / 2) + 1e-6
        scores = np.interp(times, middles, self.timeline.scores[:, number].clip(0, 1))
        within = (times >= middles[0] - reach) & (times <= middles[-1] + reach)
        return np.where(within, scores, np.nan)

    def _still(self, share: float) -> np.ndarray:
        """(height, width, 3) uint8: all that does not move; `share` of the curves' colour."""
        canvas = np.full((self.height, self.width, 3), GROUND, np.uint8)
        for number, label in enumerate(self.labels):
            words = written(shortened(label, self.small, self.names), self.small)
            down = (self.row - words.shape[0]) // 2
            paint(canvas, words, self.pad, self._lane(number) + down, INK)
        for number in range(max(len(self.labels), 1)):
            lane = self._lane(number)
            fill(canvas, (self.left, lane, self.right, lane + self.row), LANE, 1)
        for column, _, _ in self.ticks:
            fill(canvas, (column, self.rows_top, column + 1, self.rows_low), QUIET, 0.16)
        if self.labels and len(self.timeline.times):
            for number in range(len(self.labels)):
                self._draw_curve(canvas, number, share)
        else:
            why = "no window was scored" if self.labels else "no class to show"
            words = written(why, self.small)
            left = (self.left + self.right - words.shape[1]) // 2
            middle = (self.rows_top + self.rows_low - words.shape[0]) // 2
            paint(canvas, words, left, middle, QUIET)
        for line, left, text, ink in self.notes:
            top = self.notes_top + line * self.pitch
            paint(canvas, written(text, self.small), left, top, ink)
            if ink == AMBER:
                first = left - self.inset
                fill(canvas, (first, top, first + self.inset // 3, top + self.pitch), AMBER, 1)
        return canvas

    def _draw_curve(self, canvas: np.ndarray, number: int, share: float) -> None:
        columns = np.arange(self.right - self.left)
        times = (columns + 0.5) / len(columns) * self.timeline.seconds
        rise = self._share(times, number).astype(np.float32) * (self.row - 1)  # (columns,)
        seen, rise = np.isfinite(rise), np.nan_to_num(rise)
        # Pixels above the curve; steep parts are farther from it than straight down.
        above = (self.row - 0.5 - np.arange(self.row, dtype=np.float32))[:, None] - rise
        slope = np.hypot(1, np.gradient(rise)) if len(rise) > 1 else np.ones_like(rise)
        lane, half = self._lane(number), max(self.size * 0.06, 0.6)
        body = np.clip(0.5 - above / slope, 0, 1) * seen * np.float32(0.75 * share)
        edge = np.clip(half + 0.5 - np.abs(above / slope), 0, 1) * seen * np.float32(share)
        paint(canvas, body, self.left, lane, CURVE)
        # A line along the floor would look like a score.
        paint(canvas, edge * np.clip(rise * 12 / self.row, 0, 1), self.left, lane, EDGE)

    def _ticks(self) -> list[tuple[int, int, np.ndarray]]:
        """(column, left, words) of the times on the axis."""
        seconds, room = self.timeline.seconds, self.right - self.left
        if seconds <= 0:
            return []
        widest = text_width(clock(seconds, seconds, 0.1), self.small) + 2 * self.size
        step = next((step for step in TICKS if step / seconds * room > widest), seconds)
        found = []
        for number in range(int(seconds / step + 1e-6) + 1):
            column = round(self._x(number * step))
            words = written(clock(number * step, seconds, step), self.small)
            left = max(column - words.shape[1] // 2, self.left)
            if left + words.shape[1] <= self.width:
                found.append((column, left, words))
        return found

    def _notes(self, source: str, warning: str) -> list[tuple[int, int, str, Colour]]:
        """(line, left, words, ink) of the source and the warning: side by side if they fit."""
        room = self.right - self.pad
        said = wrapped(source, self.small, room)
        notes = [(line, self.pad, text, QUIET) for line, text in enumerate(said)]
        doubts = wrapped(warning, self.small, room - self.inset)
        if len(said) == len(doubts) == 1:
            widths = [text_width(text, self.small) for text in (said[0], doubts[0])]
            if sum(widths) + self.inset + 2 * self.size <= room:
                return [*notes, (0, self.right - round(widths[1]) - 1, doubts[0], AMBER)]
        more = [
            (line, self.pad + self.inset, text, AMBER)
            for line, text in enumerate(doubts, len(said))
        ]
        return notes + more


def clock(seconds: float, whole: float, step: float) -> str:
    """A time as it is written in a video of `whole` seconds, as fine as `step`."""
    digits = 0 if step >= 1 else 1
    if whole < 60:
        return f"{seconds:.{digits}f} s"
    minutes, rest = divmod(round(seconds, digits), 60)
    short = f"{rest:0{3 + digits if digits else 2}.{digits}f}"
    if whole < 3600:
        return f"{minutes:.0f}:{short}"
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{short}"
