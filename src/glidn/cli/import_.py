"""glidn import FORMAT SOURCE --to DIR: annotations of other tools, into a dataset folder."""

import argparse
import re
from pathlib import Path

from glidn.cli import check
from glidn.errors import SettingError, nearest
from glidn.types import PERSON

FORMATS = ("cvat", "coco", "mot", "yolo", "charades-style", "csv")
# Options that only some formats understand.
ONLY = {
    "names": ("mot", "yolo"),
    "action_attribute": ("cvat", "coco"),
    **{
        name: tuple(kind for kind in FORMATS if kind != "charades-style")
        for name in ("video", "videos", "name", "fps", "first_frame")
    },
}


def main(arguments: list[str]) -> int:
    """Write the dataset folder, or add to it; then what `glidn check` says of it.

    Returns:
        0: no problem, 1: the dataset has problems, which are printed.

    Raises:
        GlidnError: the annotations cannot be read, and nothing was written.
    """
    asked = _parser().parse_args(arguments)
    _check(asked)

    # After parsing, so that `--help` answers at once.
    from glidn.datasets.importers import import_into
    from glidn.datasets.importers.draft import Asked

    given = Asked(
        video=asked.video,
        videos=asked.videos,
        name=asked.name,
        fps=asked.fps,
        size=asked.size,
        first_frame=asked.first_frame,
        names=asked.names,
        person=asked.person,
        attributes=tuple(asked.action_attribute or ()),
        label=asked.label,
        subject=asked.subject,
        labels=asked.labels,
    )
    found = import_into(asked.to, asked.format, asked.source, given, asked.force)
    for note in found.notes:
        print(f"note: {note}.")
    many = "1 video" if len(found.videos) == 1 else f"{len(found.videos):,} videos"
    print(f"{asked.to}: {many} written; what glidn check says of all of it:")
    return check.main([str(asked.to)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glidn import",
        description="Read annotations of another tool and write our dataset folder, or add to it. "
        "Videos are named, not copied. Exit code 0: done; 1: done, and glidn check finds problems; "
        "2: nothing was written.",
    )
    parser.add_argument("format", metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a file, or a folder of them")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="the dataset folder")
    video = parser.add_argument_group("the videos: where frames, size and rate come from")
    which = video.add_mutually_exclusive_group()
    which.add_argument("--video", type=Path, help="the one video: a file or a folder of frames")
    which.add_argument("--videos", type=Path, help="the folder of the videos, found by their names")
    video.add_argument("--name", default="", help="of the one video")
    video.add_argument("--fps", type=float, help="frames a second, where nothing tells")
    video.add_argument("--size", type=_size, metavar="WxH", help="pixels, where nothing tells")
    video.add_argument(
        "--first-frame", type=int, help="number of the first frame; default: 1 for mot, else 0"
    )
    labels = parser.add_argument_group("labels")
    labels.add_argument("--label", default="", help="what every one of these videos shows")
    labels.add_argument(
        "--labels", type=Path, help="a csv table: video,label[,start,end][,subject][,split]"
    )
    labels.add_argument("--subject", default="", help="who acts in every one of these videos")
    labels.add_argument(
        "--action-attribute",
        action="append",
        metavar="NAME",
        help="cvat, coco: the attribute that names actions (action); may be repeated",
    )
    labels.add_argument("--names", type=Path, help="yolo, mot: the names of classes, one a line")
    labels.add_argument("--person", default=PERSON, help=f"the category of people ({PERSON})")
    parser.add_argument("--force", action="store_true", help="replace videos of the same names")
    return parser


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)[x×](\d+)", text)
    if not found or not int(found[1]) or not int(found[2]):
        raise SettingError(f"--size is {text!r}, and WIDTHxHEIGHT was expected, such as 640x480.")
    return int(found[1]), int(found[2])


def _check(asked: argparse.Namespace) -> None:
    """Options that cannot be, before anything is read."""
    if asked.format not in FORMATS:
        raise SettingError(f"no format {asked.format!r}{nearest(asked.format, FORMATS)}.")
    for name, kinds in ONLY.items():
        if getattr(asked, name) not in (None, "") and asked.format not in kinds:
            option = "--" + name.replace("_", "-")
            raise SettingError(f"{option} is for {', '.join(kinds)}, and this is {asked.format}.")
    if asked.fps is not None and not 0 < asked.fps < float("inf"):
        raise SettingError(f"--fps is {asked.fps:g}; it must be above 0.")
    if asked.first_frame is not None and asked.first_frame < 0:
        raise SettingError(f"--first-frame is {asked.first_frame}; it must be at least 0.")
