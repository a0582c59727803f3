"""glidn bench [--run RUN | --backbone NAME] [--detector NAME] [--video FILE]"""

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from glidn.checks import check_engine_name
from glidn.cli.progress import progress_bar
from glidn.config import Engine
from glidn.errors import SettingError
from glidn.files import write_text

if TYPE_CHECKING:
    from glidn.bench.engines import Row
    from glidn.bench.parts import Part
    from glidn.bench.subject import Subject

ENGINES: tuple[Engine, ...] = get_args(Engine)


def main(arguments: list[str]) -> int:
    """Measure the engines of a network and the parts of a prediction on this machine."""
    parser = argparse.ArgumentParser(
        prog="glidn bench",
        description="Measure on this machine what computes a network fastest, compare what it says "
        "with float32, and recommend one for: glidn predict --engine NAME. Then frames a second "
        "of each part of a prediction.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", type=Path, help="a trained run, whose network is measured")
    what.add_argument(
        "--backbone",
        default="resnet50",
        metavar="NAME",
        help="a network with random weights: i3d, slowfast, resnet50 (of crops), fasterrcnn; "
        "default: resnet50",
    )
    parser.add_argument("--side", type=int, help="of what that network is shown, pixels")
    parser.add_argument("--frames", type=int, help="of a clip of i3d or slowfast")
    parser.add_argument(
        "--detector", help="torchvision, or FILE.onnx; default: Faster R-CNN with random weights"
    )
    parser.add_argument("--video", type=Path, help="whose frames are used; default: made ones")
    parser.add_argument(
        "--engines", nargs="+", default=ENGINES, metavar="NAME", help=f"of {', '.join(ENGINES)}"
    )
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="for each engine and part, at least"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    asked = parser.parse_args(arguments)
    _check(asked)
    return _measure(asked)


def _check(asked: argparse.Namespace) -> None:
    for name in asked.engines:
        check_engine_name(name)
    if not asked.seconds > 0:
        raise SettingError(f"--seconds is {asked.seconds:g}; it must be above 0.")
    for name, least in (("side", 32), ("frames", 4)):
        value = getattr(asked, name)
        if value is not None and (value < least or asked.run):
            why = "a run has its own" if asked.run else f"it must be {least} or more"
            raise SettingError(f"--{name} is {value}; {why}.")


def _measure(asked: argparse.Namespace) -> int:
    # After what can be told at once, because torch takes seconds.
    from glidn import runs
    from glidn.bench import engines, parts
    from glidn.bench.subject import of_name, of_run

    with progress_bar() as report, parts.some_video(asked.video) as video:
        shown = video if asked.video else None
        if asked.run:
            subject = of_run(runs.read(asked.run), shown)
        else:
            subject = of_name(asked.backbone, shown, asked.side, asked.frames)
        rows = engines.measure(subject, asked.engines, asked.seconds, report)
        best = engines.recommended(rows)
        every = parts.measure(subject, best, video, asked.detector, asked.seconds, report)
    _say(subject, rows, best, every)
    if asked.json:
        figures = {
            "machine": machine(),
            "network": subject.name,
            "unit": f"{subject.unit} a second",
            "engines": [asdict(row) for row in rows],
            "recommended": best.engine,
            "parts": [asdict(part) for part in every],
        }
        write_text(asked.json, json.dumps(figures, indent=2) + "\n")
        print(f"Written: {asked.json}")
    return 0


def machine() -> dict[str, str | int]:
    """What figures depend on."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "device": gpu or platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _say(subject: "Subject", rows: Sequence["Row"], best: "Row", parts: Sequence["Part"]) -> None:
    print(subject.name)
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print()
    title = (
        "engine",
        f"{subject.unit}/s",
        "x plain",
        "from float32",
        "top class",
        "ready after",
        "",
    )
    _print_table([title, *map(_cells, rows)])
    print()
    print(
        f"Recommended here: --engine {best.engine}"
        + (f", {best.ratio:.2f} times as fast as plain." if best.engine != "plain" else ".")
    )
    print()
    heads = ("part", "a second", "what")
    _print_table([heads, *((p.name, f"{p.rate:,.1f} {p.unit}", p.what) for p in parts)])


def _cells(row: "Row") -> tuple[str, ...]:
    if not row.rate:
        return (row.engine, "-", "-", "-", "-", "-", row.why)
    same = {None: "-", True: "same", False: "another"}[row.same]
    return (
        row.engine,
        f"{row.rate:,.1f}",
        f"{row.ratio:.2f}",
        f"{row.apart:.1e}",
        same,
        f"{row.first:.1f} s",
        row.why or "holds",
    )


def _print_table(lines: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    widths[-1] = 0  # the last column may be long
    for line in lines:
        cells = zip(line, widths, strict=True)
        print("  " + "  ".join(f"{cell:{width}}" for cell, width in cells).rstrip())
