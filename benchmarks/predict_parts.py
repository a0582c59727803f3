"""`glidn predict` of one video against its parts, and frames a second of each.

    python benchmarks/predict_parts.py --run demo/runs/seed0/local --video FILE --detector FILE.onnx

The parts are timed inside one prediction; decoding is a pass of its own over the frames that the
detector looks at.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch

from glidn import memory
from glidn.prediction import sources
from glidn.prediction.predict import Boxes, Settings, boxes_from, draw, predict
from glidn.prediction.speaker import Speaker, load
from glidn.tracking import Tracker


class Clock:
    """Seconds and calls of what it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0

    def around(self, what: Callable) -> Callable:
        def timed(*args: object, **kwargs: object) -> object:
            began = time.perf_counter()
            try:
                return what(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - began
                self.calls += 1

        return timed


def main() -> None:
    memory.keep()  # as the command line does
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--detector", required=True)
    asked = parser.parse_args()
    speaker = load(asked.run)
    video = sources.open_file(asked.video)
    found = boxes_from(asked.detector, None, speaker.person)
    assert found.detector is not None and video.pixels is not None
    settings = Settings()
    seen = np.arange(0, video.frames, max(round(settings.every * video.fps), 1))

    began = time.perf_counter()
    for _ in video.pixels.each(seen):
        pass
    decoding = time.perf_counter() - began

    detector, tracker, graph = Clock(), Clock(), Clock()
    boxes = Boxes(found.name, detector.around(found.detector))
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(Tracker, "update", tracker.around(Tracker.update)),
        mock.patch.object(Speaker, "say", graph.around(Speaker.say)),
    ):
        began = time.perf_counter()
        result = predict(video, speaker, boxes, Path(folder), settings)
        predicting = time.perf_counter() - began
        began = time.perf_counter()
        draw(result, video, Path(folder), speaker.person)
        drawing = time.perf_counter() - began

    whole = predicting + drawing
    parts = {
        "decoding for the detector": (decoding, len(seen), "frames"),
        "detector": (detector.seconds, len(seen), "frames"),
        "tracker": (tracker.seconds, len(seen), "frames"),
        "nodes, graph and deletions": (graph.seconds, graph.calls, "windows"),
        "drawing, with decoding and encoding": (drawing, video.frames, "frames"),
    }
    print(
        f"{video.width}x{video.height}, {video.frames} frames at {video.fps:.1f} a second, "
        f"{len(seen)} of them seen by the detector; {torch.get_num_threads()} threads\n"
    )
    print("| part | share of the whole | a second |\n|---|---|---|")
    for name, (seconds, count, unit) in parts.items():
        rate = count / seconds if seconds else float("nan")
        print(f"| {name} | {seconds / whole:.2f} | {rate:,.0f} {unit} |")
    total = sum(seconds for seconds, _, _ in parts.values())
    print(f"| the whole | 1.00 | {video.frames / whole:,.0f} frames |")
    print(f"\nThe whole against the sum of its parts: {whole / total:.2f}.")


if __name__ == "__main__":
    main()
