"""Run folders: what was trained on what, how it went, and what it predicted.

run.json                     format, versions, machine, commit, command, dataset
config.yaml                  every setting
metrics.json                 scores, once every fold is tested
folds/<fold>/fold.json       the videos it trained on and those it tested
folds/<fold>/log.jsonl       a line per epoch
folds/<fold>/checkpoint.pt   to resume from; gone when the fold is done
folds/<fold>/<view>.safetensors, <view>.csv   a network's weights and its predictions
folds/<fold>/<view>.timeline.csv   predicted and true timelines, where labels are timed
folds/<fold>/<view>.test/    scores so far of a long test, by the weights that gave them; gone
                             when the fold is done
folds/<fold>/unread.json     test videos that could not be read, and why; if there are any
"""

import dataclasses
import functools
import hashlib
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

import glidn
from glidn.config import Context, RunConfig, as_dict, from_dict
from glidn.errors import RunError, SettingError
from glidn.files import replacing_folder, write_text
from glidn.protocol import Fold
from glidn.types import Dataset, LeftOut

FORMAT = 1
# Where data and cache lie, who decodes, and in which parts a step is computed, changes no result
# (but for the order of sums); what the data are is compared.
WITHOUT_EFFECT = (
    "data.root",
    "nodes.cache",
    "clips.workers",
    "clips.memory",
    "clips.views_per_batch",
    "train.accumulate",
    "train.checkpoint_every",
)


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        about: what run.json holds.
    """

    path: Path
    config: RunConfig
    about: dict[str, Any]

    def fold(self, name: str) -> Path:
        """The folder of one fold; it may not exist yet."""
        return self.path / "folds" / name

    @property
    def folds(self) -> tuple[str, ...]:
        """The folds that this run is made of."""
        return tuple(self.about["folds"])

    @property
    def views(self) -> tuple[Context, ...]:
        """The networks that it trains, the one that is reported first."""
        return views(self.config)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.about["dataset"]["classes"])

    @property
    def task(self) -> str:
        """single: a label per video; multi: many; timed: one at a time."""
        return str(self.about.get("task", "single"))

    @property
    def seconds(self) -> float | None:
        """How long the videos are that it was trained on, the median; None in older runs."""
        return self.about.get("seconds")

    @property
    def generated(self) -> bool:
        """Whether it was trained on generated videos."""
        return str(self.about["dataset"]["name"]).startswith("generated")

    def is_done(self, fold: str) -> bool:
        return all((self.fold(fold) / f"{view}.csv").exists() for view in self.views)


def views(config: RunConfig) -> tuple[Context, ...]:
    """The views that a run trains, the one that is reported first."""
    context = config.view.context
    if config.distill is not None and config.distill.mutual:
        return (context, other(context))
    return (context,)


def other(context: Context) -> Context:
    """The opposite view: what teaches, or learns along."""
    if context == "none":
        raise SettingError(
            "distill.mutual trains the local and the global view together; set view.context to "
            "the one that is reported."
        )
    return "local" if context == "global" else "global"


def create(path: Path, config: RunConfig, dataset: Dataset, folds: tuple[Fold, ...]) -> Run:
    """Start a run folder, or find the one that an earlier, interrupted call started.

    Raises:
        RunError: the folder holds something else, or a run with other settings or other data.
    """
    about = {
        "format": FORMAT,
        "task": dataset.task,
        "folds": [fold.name for fold in folds],
        "seconds": statistics.median(video.seconds for video in dataset.videos),
        "dataset": {
            "name": dataset.name,
            "videos": len(dataset.videos),
            "subjects": list(dataset.subjects),
            "classes": list(dataset.classes),
            "categories": list(dataset.categories),
            "person": dataset.person,
            "digest": digest(dataset),
            "left_out": [dataclasses.asdict(one) for one in dataset.left_out],
        },
    }
    if (path / "run.json").exists():
        run = read(path)
        changed = [
            one
            for one in _differences(as_dict(run.config), as_dict(config))
            if not one.startswith(tuple(f"{name}:" for name in WITHOUT_EFFECT))
        ]
        if changed:
            raise RunError(
                f"{path} holds a run with other settings ({changed[0]}); give another --out, or "
                "remove that folder."
            )
        if (run.about["dataset"], run.about["folds"]) != (about["dataset"], about["folds"]):
            raise RunError(
                f"{path} was trained on other data ({run.about['dataset']['name']}, "
                f"{run.about['dataset']['videos']} videos) than {dataset.root} holds now "
                f"({len(dataset.videos)} videos, or other labels, boxes or subjects); give another "
                "--out."
            )
        return run
    if path.exists() and any(path.iterdir()):
        raise RunError(f"{path} exists and is not a run folder; give another --out.")
    about |= environment()
    with replacing_folder(path) as temporary:
        for fold in folds:
            text = json.dumps(dataclasses.asdict(fold), indent=1)
            write_text(temporary / "folds" / fold.name / "fold.json", text + "\n")
        write_text(temporary / "config.yaml", yaml.safe_dump(as_dict(config), sort_keys=False))
        write_text(temporary / "run.json", json.dumps(about, indent=1) + "\n")
    return Run(path, config, about)


def digest(dataset: Dataset) -> str:
    """Changes with any video's name, subject, label, time or boxes; not with its pixels."""
    found = hashlib.sha256()
    for video in dataset.videos:
        known = (video.name, video.subject, video.split, video.label, video.frames, video.fps)
        found.update(repr(known).encode())
        for track in video.tracks:
            found.update(repr((track.name, track.category)).encode())
            found.update(track.frames.tobytes() + track.xyxy.tobytes())
        if dataset.task != "single":
            found.update(repr((video.segments, video.width, video.height)).encode())
            for track in video.tracks:
                found.update(b"" if track.scores is None else track.scores.tobytes())
    return found.hexdigest()[:16]


def read(path: Path) -> Run:
    """Open a run folder.

    Raises:
        RunError: there is none, it is damaged, or another version wrote it.
    """
    if not path.exists():
        raise RunError(f"{path} does not exist. Train a run with: glidn train RECIPE --out {path}")
    if not (path / "run.json").exists():
        raise RunError(f"{path} is not a run folder: it holds no run.json.")
    try:
        about = json.loads((path / "run.json").read_text(encoding="utf-8"))
        settings = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
        version = about["format"]
    except (ValueError, KeyError, TypeError, OSError, yaml.YAMLError) as error:
        raise RunError(
            f"{path}: run.json or config.yaml is missing or damaged ({type(error).__name__}); "
            "train the run again in another folder."
        ) from error
    if version != FORMAT:
        raise RunError(
            f"{path} is a run of format {version}, written by glidn {about.get('glidn', '?')}; "
            f"this glidn ({glidn.__version__}) reads format {FORMAT}. Use that version, or train "
            "the run again."
        )
    try:
        config = from_dict(RunConfig, settings)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RunError(f"{path}: config.yaml does not fit this glidn: {error}.") from error
    return Run(path, config, about)


def read_fold(run: Run, name: str) -> Fold:
    """The videos that a fold trained on and tested.

    Raises:
        RunError: the run has no such fold.
    """
    path = run.fold(name) / "fold.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Fold(found["name"], tuple(found["train"]), tuple(found["test"]))
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{run.path} has no fold {name}; it has {', '.join(run.folds)}.") from error


def write_unread(run: Run, fold: str, unread: Sequence[LeftOut]) -> None:
    """Note the test videos that could not be read; no file where there are none."""
    path = run.fold(fold) / "unread.json"
    if unread:
        rows = [dataclasses.asdict(one) for one in unread]
        write_text(path, json.dumps(rows, indent=1) + "\n")
    else:
        path.unlink(missing_ok=True)


def read_unread(run: Run, fold: str) -> dict[str, str]:
    """The test videos of a fold that could not be read: name, and why."""
    path = run.fold(fold) / "unread.json"
    if not path.exists():
        return {}
    try:
        return {row["video"]: row["reason"] for row in json.loads(path.read_text("utf-8"))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}); remove it.") from error


def damaged(predictions: Path, error: Exception) -> RunError:
    """The one sentence about predictions that cannot be read."""
    return RunError(
        f"{predictions} is missing or damaged ({type(error).__name__}); remove {predictions} and "
        "run the command that trained it again: it makes what is missing."
    )


def environment() -> dict[str, Any]:
    """What a number may depend on besides settings and data, for run.json."""
    import torch

    return {
        "glidn": glidn.__version__,
        "commit": _commit(),
        "command": shlex.join(["glidn", *sys.argv[1:]]),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
    }


@functools.cache
def _commit() -> str:
    """The commit of the checkout that glidn runs from; "" where it was installed without one."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return found.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _differences(there: dict[str, Any], here: dict[str, Any], prefix: str = "") -> list[str]:
    """Settings that differ: "train.lr: 0.1 there, 0.2 here"."""
    found = []
    for name in sorted(set(there) | set(here)):
        a, b = there.get(name), here.get(name)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, f"{prefix}{name}.")
        elif a != b:
            found.append(f"{prefix}{name}: {a} there, {b} here")
    return found
