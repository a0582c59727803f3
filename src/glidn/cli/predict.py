"""glidn predict VIDEO... --run RUN [--detector NAME | --boxes TABLE] [--out DIR]"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from glidn.checks import check_engine_name
from glidn.cli.box_source import add_box_source, check_box_source
from glidn.cli.engine import add_engine
from glidn.cli.machines import add_ray, fleet_of
from glidn.cli.progress import Report, progress_bar
from glidn.errors import DataError, SettingError
from glidn.fleet import Fleet

if TYPE_CHECKING:
    from glidn.prediction.many import Request
    from glidn.prediction.sources import Source
    from glidn.prediction.table import Told

FILES = "annotated.mp4, actions.csv, result.json, graph.graphml, boxes.csv"


def main(arguments: list[str]) -> int:
    """Say what is done in videos, when, and because of what.

    Exit code 1: some videos could not be read; the others are done.
    """
    parser = argparse.ArgumentParser(
        prog="glidn predict",
        description=f"Say what is done in videos, when, and why. Writes for each: {FILES}.",
    )
    parser.add_argument(
        "videos",
        nargs="+",
        help="files, folders of videos or of frames, datasets, patterns; or a camera's number or "
        "an address (rtsp, http), watched live",
    )
    parser.add_argument("--run", type=Path, required=True, help="a trained run's folder")
    add_box_source(parser)
    parser.add_argument("--out", type=Path, default=Path("predictions"), help="where to")
    parser.add_argument(
        "--versus", type=Path, help="another run of the same classes: where does it disagree?"
    )
    parser.add_argument("--only", nargs="+", default=(), help="of a dataset, these videos")
    parser.add_argument("--window", type=float, help="seconds looked at as one")
    parser.add_argument("--stride", type=float, help="seconds from one window to the next")
    parser.add_argument(
        "--every", type=float, default=0.1, help="seconds between looks of the detector"
    )
    parser.add_argument("--threshold", type=float, help="least score of an action, 0..1")
    parser.add_argument("--fps", type=float, default=30.0, help="of folders of frames")
    add_engine(parser)
    parser.add_argument("--no-video", action="store_true", help="leave annotated.mp4 out")
    add_ray(parser)
    parser.add_argument("--workers", type=int, help="of --ray: processes; default: all cores")
    found = parser.parse_args(arguments)
    _check(found)
    return _predict(found, fleet_of(found.ray, found.workers))


def _check(found: argparse.Namespace) -> None:
    check_box_source(found)
    check_engine_name(found.engine)
    if found.threshold is not None and not 0 <= found.threshold <= 1:
        raise SettingError(f"--threshold is {found.threshold:g}; it must be within 0 and 1.")
    for name in ("every", "fps", "window", "stride"):
        value = getattr(found, name)
        if value is not None and not 0 < value < math.inf:
            raise SettingError(f"--{name} is {value:g}; it must be above 0, and a number.")
    if found.out.exists() and not found.out.is_dir():
        raise SettingError(f"--out: {found.out} is a file; name a folder.")


def _predict(found: argparse.Namespace, fleet: Fleet | None) -> int:
    # Imported here because torch takes seconds: a wrong setting is told at once.
    from glidn.prediction import sources, table
    from glidn.prediction.live import is_live
    from glidn.prediction.many import Request
    from glidn.prediction.predict import Settings

    if any(is_live(word) for word in found.videos):
        if fleet:
            raise SettingError("--ray: a camera or a stream is watched by one process alone.")
        return _live(found)
    videos = sources.find(found.videos, found.fps, found.only)
    request = Request(
        found.run,
        found.out,
        found.detector or "",
        found.boxes,
        found.versus,
        Settings(found.window, found.stride, found.every, found.threshold),
        not found.no_video,
        found.engine,
    )
    every: list[Told] = []
    with progress_bar() as report:
        for one in _told(request, videos, fleet, report):
            if one.error and len(videos) == 1:
                raise DataError(one.error)
            _say(one)
            every.append(one)
    if fleet:
        names = {source.name: at for at, source in enumerate(videos)}
        table.write(found.out / table.TABLE_FILE, sorted(every, key=lambda one: names[one.video]))
    failed = sum(bool(one.error) for one in every)
    if failed:
        print(f"glidn: {failed} of {len(videos)} videos could not be done.", file=sys.stderr)
    return 1 if failed else 0


def _told(
    request: "Request", videos: "Sequence[Source]", fleet: Fleet | None, report: Report
) -> "Iterator[Told]":
    from glidn.fleet import over
    from glidn.prediction.many import teller
    from glidn.prediction.table import Told

    # Other processes cannot draw on our terminal.
    inside = None if fleet else report
    detects = any(not source.dataset for source in videos)
    ends = over(partial(teller, request, detects, inside), videos, fleet, request.out)
    for number, done in enumerate(ends, 1):
        if fleet:
            report("videos", number, len(videos))
        name = videos[done.at].name
        yield done.value or Told(name, request.out / name, error=done.error)


def _live(found: argparse.Namespace) -> int:
    from glidn.cli import live
    from glidn.prediction import predict as one
    from glidn.prediction import speaker

    if len(found.videos) > 1:
        raise SettingError("a camera or a stream is watched alone; give nothing beside it.")
    if found.boxes is not None:
        raise SettingError("--boxes: a stream has no table of boxes; give --detector.")
    speaks = speaker.load(found.run, found.engine)
    name = found.detector or "torchvision"
    boxes = one.boxes_from(name, None, speaks.person, found.engine)
    assert boxes.detector is not None
    return live.run(
        found.videos[0], speaks, boxes.detector, found.window or speaks.window, found.out
    )


def _say(one: "Told") -> None:
    if one.error:
        print(f"glidn: {one.error}", file=sys.stderr)
        return
    words = ", ".join(f"{label} {score:.2f}" for label, score in one.best)
    there = " It was there already." if one.before else ""
    print(f"{one.folder}: {words or 'nothing to say'}; {len(one.actions)} actions.{there}")
    for note in one.notes:
        print(f"    note: {note}")
