"""The engines of one network, measured in turns and compared with float32."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from glidn import engines
from glidn.bench.subject import Subject
from glidn.config import Engine
from glidn.engines import BOUNDS, Forward
from glidn.errors import GlidnError

ROUNDS = 3  # at least
WORTH = 1.05  # a gain that is no noise
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Row:
    """One engine.

    Attributes:
        first: seconds until it had answered once.
        rate: frames, or crops, a second; the median.
        ratio: times as fast as plain in the same round; the median.
        apart: from float32, relative to the norm (`engines.difference`).
        same: whether the likeliest class is the same; None where there are no classes.
        why: what keeps it from being used; "" where nothing does. Without a rate, nothing else
            is known.
    """

    engine: Engine
    first: float = 0.0
    rate: float = 0.0
    ratio: float = 0.0
    apart: float = 0.0
    same: bool | None = None
    why: str = ""


@torch.no_grad()
def measure(
    subject: Subject, names: Sequence[Engine], seconds: float, progress: Progress | None = None
) -> list[Row]:
    """Every engine in turns, round after round, so that all have the same neighbours.

    Args:
        names: plain is measured whether it is named or not.
        seconds: for the rounds, per engine; three rounds are done whatever they take.
    """
    names = ("plain", *(name for name in dict.fromkeys(names) if name != "plain"))
    ready: dict[Engine, Forward] = {}
    found: dict[Engine, Row] = {}
    plain = engines.engage(subject.network, "plain")
    expected, top = plain(subject.x), _top(subject, plain)
    for number, name in enumerate(names):
        if progress:
            progress("getting ready", number, len(names))
        try:
            began = time.perf_counter()
            forward = engines.engage(subject.network, name, compared=False)
            said = forward(subject.x)
            first = time.perf_counter() - began
        except GlidnError as error:
            found[name] = Row(name, why=str(error).rstrip("."))
            continue
        apart = engines.difference(said, expected)
        mine = _top(subject, forward)
        same = None if top is None or mine is None else torch.equal(mine, top)
        why = "" if apart <= BOUNDS[name] else f"beyond {BOUNDS[name]:g}"
        why = why or ("another class" if same is False else "")
        found[name] = Row(name, first, apart=apart, same=same, why=why)
        ready[name] = forward
    if progress:
        progress("getting ready", len(names), len(names))
    took = _rounds(subject, ready, seconds * len(ready), progress)
    for name, times in took.items():
        row = found[name]
        ratios = [base / one for base, one in zip(took["plain"], times, strict=True)]
        rate = subject.frames / statistics.median(times)
        ratio = statistics.median(ratios)
        found[name] = Row(name, row.first, rate, ratio, row.apart, row.same, row.why)
    return list(found.values())


def recommended(rows: Sequence[Row]) -> Row:
    """The fastest that holds; of those that are as fast but for noise, the one nearest float32."""
    held = [row for row in rows if row.rate and not row.why]
    most = max(row.ratio for row in held)
    return min((row for row in held if row.ratio * WORTH >= most), key=lambda row: row.apart)


def _rounds(
    subject: Subject, ready: dict[Engine, Forward], budget: float, progress: Progress | None
) -> dict[Engine, list[float]]:
    took: dict[Engine, list[float]] = {name: [] for name in ready}
    began = time.perf_counter()
    done = 0
    while done < ROUNDS or time.perf_counter() - began < budget:
        for name, forward in ready.items():
            took[name].append(clocked(partial(forward, subject.x)))
        done += 1
        if progress:
            share = (time.perf_counter() - began) / budget if budget else 1.0
            progress("measuring, %", min(round(100 * share), 100), 100)
    return took


def clocked(what: Callable[[], object]) -> float:
    """Seconds that a call takes, the accelerator's work included."""
    began = time.perf_counter()
    what()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _top(subject: Subject, forward: Forward) -> torch.Tensor | None:
    if subject.judge is None:
        return None
    with engines.installed(subject.network, forward):
        return subject.judge().argmax(-1)
