"""glidn boxes DATASET: find boxes in its videos, or take over Action Genome's."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from glidn.cli.machines import add_ray, fleet_of
from glidn.cli.progress import progress_bar
from glidn.errors import DataError, SettingError, few
from glidn.fleet import Fleet

if TYPE_CHECKING:
    from glidn.datasets.problems import Problem
    from glidn.detectors import Detector
    from glidn.proposals import Found, Look, Walk
    from glidn.tracking import TrackSettings
    from glidn.types import Dataset, LeftOut, Video

DEFAULT = "boxes.csv.gz"
# What each detector's boxes may overlap, and the least score: torchvision's own values; of an ONNX
# file, those that a tracker wants.
NMS = {"proposals": 0.7, "detections": 0.5, "onnx": 0.5}
SCORE = {"proposals": 0.0, "detections": 0.05, "onnx": 0.1}
MOST = 20  # videos that are named


def main(arguments: list[str]) -> int:
    """Write a dataset's table of boxes.

    Returns:
        0: done; 1: done, but some videos could not be read, and are named.

    Raises:
        GlidnError: nothing was written; the caller exits with 2.
    """
    asked = _parser().parse_args(arguments)
    _check(asked)
    fleet = fleet_of(asked.ray, asked.workers)

    # After parsing, so that `--help` answers at once.
    from glidn.datasets import load_videos
    from glidn.datasets.box_rows import check_format
    from glidn.datasets.table_boxes import BOXES_FILES

    out = asked.out or asked.dataset / DEFAULT
    check_format(out)
    if out.exists() and not asked.force:
        raise DataError(f"{out} exists already; --force replaces it.")
    problems: list[Problem] = []
    dataset = load_videos(asked.dataset, asked.kind, problems.append)
    if out.parent.resolve() == asked.dataset.resolve():
        _check_beside(out, BOXES_FILES)
    videos = [video for video in dataset.videos if video.pixels]
    if not videos:
        reason = problems[0].sentence if problems else "none of its videos has pixels."
        raise DataError(f"there is nothing to find boxes in: {reason}")
    if asked.action_genome:
        left_out = _take_over(asked, out, dataset, videos)
    else:
        found = _find(asked, out, dataset, videos, bool(problems), fleet)
        left_out = found.left_out
        print(f"{out}: {found.boxes:,} boxes in {found.videos:,} videos.")
        if found.empty:
            print(f"Nothing was found in {few(found.empty)}.")
    print(f"Look at what is in it with: glidn check {asked.dataset}")
    if (left_out or problems) and not asked.action_genome:
        print("What was done is kept: mend the rest, and run the same command with --force.")
    unread = [f"{video.video}: {video.reason}" for video in left_out]
    unread += [f"{video.name}: it has no pixels." for video in dataset.videos if not video.pixels]
    what = "problem in the dataset" if len(problems) == 1 else "problems in the dataset"
    _tell(what, [problem.sentence for problem in problems])
    lost = f"of {len(dataset.videos):,} videos could not be read and have no boxes"
    _tell(lost, unread)
    return 1 if problems or unread else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glidn boxes",
        description="Find boxes in the videos of a dataset with torchvision's Faster R-CNN "
        "(ResNet-50, FPN) or a YOLOX detector in an ONNX file, and write them as its table of "
        "boxes. An interrupted call goes on where it stopped. Exit code 0: done; 1: done, but "
        "some videos could not be read; 2: nothing was written.",
    )
    parser.add_argument("dataset", type=Path, help="a folder of tables or a copy of Charades")
    parser.add_argument("--kind", default="auto", help="table, charades; default: recognise it")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--detector",
        default="proposals",
        help="proposals: whatever there is, without a class (default); detections: the "
        "classes of COCO; FILE.onnx: the classes of a YOLOX detector",
    )
    source.add_argument(
        "--action-genome",
        type=Path,
        metavar="FOLDER",
        help="take over the annotations of Action Genome instead (for Charades)",
    )
    parser.add_argument(
        "--weights",
        default="torchvision",
        help="of proposals and detections; torchvision: its COCO weights, a download of 160 MB "
        "once (default); or a file",
    )
    parser.add_argument("--top", type=int, default=15, help="most boxes of a frame (15)")
    parser.add_argument(
        "--every", type=float, default=0.5, help="seconds from frame to frame (0.5)"
    )
    parser.add_argument(
        "--nms", type=float, help="of boxes that overlap more, the surest stays (0.7; classes: 0.5)"
    )
    parser.add_argument(
        "--score", type=float, help="least score of a box (0; classes: 0.05; ONNX: 0.1)"
    )
    parser.add_argument(
        "--track",
        action="store_true",
        help="follow things through each video: name their tracks, drop what is in none; best "
        "with a small --every, such as 0.1",
    )
    parser.add_argument("--batch", type=int, default=8, help="frames looked at together (8)")
    parser.add_argument(
        "--short-side",
        type=int,
        help="frames are scaled to it, pixels (800); the input of an ONNX file that leaves its "
        "size open (640)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="videos decoded at a time (up to 4); with --ray, processes (all cores)",
    )
    add_ray(parser)
    parser.add_argument(
        "--out", type=Path, help=f".csv, .csv.gz or .parquet; default: DATASET/{DEFAULT}"
    )
    parser.add_argument("--force", action="store_true", help="replace an existing table")
    return parser


def _check(asked: argparse.Namespace) -> None:
    """Values that cannot be, before anything is read."""
    kind = _kind(asked.detector)
    if asked.nms is None:
        asked.nms = NMS[kind]
    if asked.score is None:
        asked.score = SCORE[kind]
    if asked.short_side is None:
        asked.short_side = 640 if kind == "onnx" else 800
    if asked.track and asked.action_genome:
        raise SettingError("--track follows what a detector finds; leave out --action-genome.")
    if asked.ray is not None and asked.action_genome:
        raise SettingError("--ray shares out what a detector does; leave out --action-genome.")
    for name in ("top", "batch"):
        if getattr(asked, name) < 1:
            raise SettingError(f"--{name} is {getattr(asked, name)}; it must be 1 or more.")
    for name in ("nms", "score"):
        if not 0 <= getattr(asked, name) <= 1:
            raise SettingError(f"--{name} is {getattr(asked, name):g}; it must be within 0 and 1.")
    if not 0 < asked.every < float("inf"):
        raise SettingError(f"--every is {asked.every:g}; it must be more than 0 seconds.")
    if asked.short_side < 32:
        raise SettingError(f"--short-side is {asked.short_side}; it must be 32 pixels or more.")


def _kind(detector: str) -> str:
    """The key of NMS and SCORE."""
    if detector.lower().endswith(".onnx"):
        return "onnx"
    if detector not in ("proposals", "detections"):
        raise SettingError(
            f"--detector {detector} is none; give proposals, detections, or FILE.onnx."
        )
    return detector


def _check_beside(out: Path, names: Sequence[str]) -> None:
    """A dataset has one table of boxes; ours must be called like one, and be the only one."""
    if out.name not in names:
        raise SettingError(
            f"{out}: in a dataset, the table of boxes is called {', '.join(names)}; write any "
            "other into another folder."
        )
    for name in set(names) - {out.name}:
        if (out.parent / name).exists():
            raise DataError(
                f"{out.parent} holds {name} already, and only one table can be meant; move it "
                "away, or give another folder: --out."
            )


def _find(
    asked: argparse.Namespace,
    out: Path,
    dataset: "Dataset",
    videos: Sequence["Video"],
    keep: bool,
    fleet: Fleet | None,
) -> "Found":
    from glidn.proposals import find_boxes, look_at, parts_folder
    from glidn.tracking import TrackSettings

    detect, weights = _detector(asked, dataset.person)
    # So that a track outlives a look in which its thing was not found.
    patience = max(TrackSettings.patience, 2.5 * asked.every)
    tracking = TrackSettings(patience=patience) if asked.track else None
    settings = {
        "detector": _kind(asked.detector),
        "weights": weights,
        **{name: getattr(asked, name) for name in ("top", "every", "nms", "score")},
        "short-side": asked.short_side,
        "person": dataset.person,
        "track": tracking and str(tracking),
    }
    walk: Walk = partial(
        look_at,
        detect=detect,
        batch=asked.batch,
        workers=asked.workers or min(4, os.cpu_count() or 1),
        tracking=tracking,
    )
    if fleet:
        walk = partial(_walk, asked, dataset.person, tracking, fleet, parts_folder(out))
    with progress_bar() as report:
        return find_boxes(videos, walk, out, settings, asked.every, report, keep)


def _walk(
    asked: argparse.Namespace,
    person: str,
    tracking: "TrackSettings | None",
    fleet: Fleet,
    folder: Path,
    looks: "Sequence[Look]",
    done: Callable[[], None],
) -> "list[LeftOut]":
    """The processes of a fleet look at a video each."""
    from glidn.fleet import over
    from glidn.types import LeftOut

    left_out = []
    for end in over(partial(_looker, asked, person, tracking), looks, fleet, folder):
        if end.error:
            left_out.append(LeftOut(looks[end.at].video.name, end.error))
        else:
            done()
    return left_out


def _looker(
    asked: argparse.Namespace, person: str, tracking: "TrackSettings | None"
) -> "Callable[[Look], None]":
    from glidn.proposals import look_at

    detect, _ = _detector(asked, person)

    def look(at: "Look") -> None:
        for one in look_at([at], lambda: None, detect, asked.batch, 1, tracking):
            raise DataError(one.reason)

    return look


def _detector(asked: argparse.Namespace, person: str) -> "tuple[Detector, str]":
    """The detector, and what tells its weights from others."""
    import hashlib

    from glidn.detectors import faster_rcnn, onnx_file

    limits = (asked.top, asked.nms, asked.score)
    if _kind(asked.detector) == "onnx":
        onnx = onnx_file.build(Path(asked.detector), asked.short_side)
        return onnx_file.detections(onnx, *limits, person), onnx.sha256[:16]
    model = faster_rcnn.build(asked.weights, asked.short_side)
    weights = asked.weights
    if weights != faster_rcnn.TORCHVISION:
        with Path(weights).open("rb") as file:
            weights = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    if asked.detector == "proposals":
        return faster_rcnn.proposals(model, *limits), weights
    return faster_rcnn.detections(model, *limits, person), weights


def _take_over(
    asked: argparse.Namespace, out: Path, dataset: "Dataset", videos: Sequence["Video"]
) -> "Sequence[LeftOut]":
    from glidn.datasets.action_genome import all_rows, read_action_genome
    from glidn.datasets.box_rows import BoxRows, write_rows

    annotations = read_action_genome(asked.action_genome)
    known = [video for video in videos if video.name in annotations.frames]
    if not known:
        raise DataError(f"{asked.action_genome} has boxes for no video of {asked.dataset}.")
    left_out: list[LeftOut] = []
    with progress_bar() as report:

        def counted() -> Iterator[BoxRows]:
            for done, rows in enumerate(all_rows(annotations, known, dataset.person, left_out), 1):
                report("taking over", done, len(known))
                yield rows

        count = write_rows(out, counted())
    print(f"{out}: {count:,} boxes in {len(known) - len(left_out):,} videos.")
    if len(known) < len(videos):
        print(f"Action Genome has none for {len(videos) - len(known):,} more videos.")
    return left_out


def _tell(what: str, sentences: Sequence[str]) -> None:
    """Count and name on standard error what is missing from the table."""
    if sentences:
        print(f"glidn: {len(sentences):,} {what}:", file=sys.stderr)
    for sentence in sentences[:MOST]:
        print(f"  {sentence}", file=sys.stderr)
    if len(sentences) > MOST:
        print(f"  ... and {len(sentences) - MOST:,} more", file=sys.stderr)
