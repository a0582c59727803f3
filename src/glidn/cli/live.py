"""glidn predict CAMERA|ADDRESS: a line that says what is shown now, until Ctrl-C."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glidn.detectors import Detector
from glidn.files import replacing
from glidn.prediction.live import Moment, Stream, watch_live
from glidn.prediction.speaker import Speaker

EVERY = 0.5  # seconds between two lines on a terminal; elsewhere ten times as long
NAMED = 3


def run(address: str, speaker: Speaker, detector: Detector, window: float, out: Path) -> int:
    """Watch until it ends or is interrupted; out/live.csv keeps a row per frame.

    Returns:
        0: it ended or was interrupted; 1: it broke off.

    Raises:
        GlidnError: it cannot be opened, or the run is not made for it.
    """
    stream = Stream(address)
    terminal = sys.stdout.isatty()
    last: Moment | None = None
    shown = -10 * EVERY
    with replacing(out / "live.csv") as temporary, temporary.open("w", encoding="utf-8") as file:
        names = (f'"{name}"' for name in speaker.classes)
        file.write(",".join(["seconds", "latency", *names]) + "\n")
        try:
            for moment in watch_live(stream, speaker, detector, window):
                last = moment
                if moment.scores is not None:
                    scores = [f"{score:.4f}" for score in moment.scores]
                    row = [f"{moment.seconds:.3f}", f"{moment.latency:.3f}", *scores]
                    file.write(",".join(row) + "\n")
                if moment.seconds - shown >= EVERY * (1 if terminal else 10):
                    shown = moment.seconds
                    print(
                        ("\r\x1b[K" if terminal else "") + line(moment, speaker.classes),
                        end="" if terminal else "\n",
                        flush=True,
                    )
        except KeyboardInterrupt:
            pass  # how a live view is meant to end
        finally:
            stream.close()
    print()
    if last is None:
        print(f"glidn: {address} gave no frame{': ' if stream.reason else ''}{stream.reason}.")
        return 1
    print(f"{last.seconds:.1f} s seen, {last.rate:.1f} frames a second; {out / 'live.csv'}")
    if stream.reason:
        source = "the camera plugged in" if address.isdigit() else "its sender running"
        print(f"glidn: {address} broke off ({stream.reason}); is {source} still?")
        return 1
    return 0


def line(moment: Moment, classes: Sequence[str]) -> str:
    """A moment in a line."""
    pace = f"{moment.rate:4.1f} frames/s {1000 * moment.latency:4.0f} ms"
    if moment.scores is None:
        return f"{pace}  nothing found"
    best = np.argsort(-moment.scores)[:NAMED]
    return f"{pace}  " + "  ".join(f"{classes[k]} {moment.scores[k]:.2f}" for k in best)
