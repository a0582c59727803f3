"""The test on many views of each video: 10 clips by 3 crops, fused (section 4.2).

A video is decoded once for all its views. Several processes share the videos out, each video once.
What is scored is noted at once, so that an interrupted test goes on where it stopped.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from glidn import processes
from glidn.errors import GlidnError, RunError
from glidn.files import write_error
from glidn.model import AnyNetwork
from glidn.sources import Cutter, Prepared, loaders
from glidn.types import LeftOut, Video

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Said:
    """What a network said of test videos.

    Attributes:
        scores: per video (K,) float32 in 0..1, fused over its views.
        unread: the videos that could not be read, and why.
    """

    scores: dict[str, Tensor]
    unread: tuple[LeftOut, ...]


@torch.no_grad()
def score(network: AnyNetwork, video: Prepared, cutter: Cutter) -> Tensor:
    """(V, K) float32 in 0..1: the scores of every view of a video."""
    device = next(network.parameters()).device
    label = torch.zeros(len(cutter.classes)) if cutter.many else torch.zeros((), dtype=torch.int64)
    every = range(len(video.looks))
    size = cutter.config.views_per_batch
    parts = [
        network.probabilities(video.batch(every[start : start + size], label).to(device))
        for start in range(0, len(every), size)
    ]
    return torch.cat(parts).float().cpu()


def fuse(scores: Tensor, how: str) -> Tensor:
    """(V, K) -> (K,)."""
    return scores.amax(0) if how == "max" else scores.mean(0)


def test(
    network: AnyNetwork,
    videos: Sequence[Video],
    cutter: Cutter,
    notes: Path,
    progress: Progress | None = None,
) -> Said:
    """Score test videos; every process returns the scores of all.

    Args:
        notes: a folder for what is scored so far; the caller removes it when the scores are kept
            elsewhere.
    """
    network.eval()
    # A video that could not be read may have been mended.
    found = {name: note for name, note in _read_notes(notes).items() if "scores" in note}
    if progress:
        progress(len(found), len(videos))
    todo = [video for video in videos if video.name not in found]
    # Before any process writes, so that all share out the same rest.
    processes.wait()
    mine = todo[processes.number() :: processes.count()]
    _end_last_line(notes / f"{processes.number()}.jsonl")
    for done, (name, prepared) in enumerate(_prepared(mine, cutter), start=1):
        note: dict[str, Any]
        if isinstance(prepared, GlidnError):
            note = {"video": name, "error": str(prepared)}
        else:
            fused = fuse(score(network, prepared, cutter), cutter.config.fuse)
            note = {"video": name, "scores": [float(f"{x:.9g}") for x in fused.tolist()]}
        _note(notes / f"{processes.number()}.jsonl", note)
        if progress:
            progress(min(len(found) + done * processes.count(), len(videos)), len(videos))
    processes.wait()
    found = _read_notes(notes)
    # Before the caller of any process takes the notes away.
    processes.wait()
    missing = [video.name for video in videos if video.name not in found]
    if missing:
        raise RunError(
            f"{notes} lacks the scores of {len(missing):,} videos, first {missing[0]}, which "
            "another process noted; give the same command again."
        )
    return Said(
        {video.name: torch.tensor(found[video.name].get("scores", [])) for video in videos},
        tuple(
            LeftOut(video.name, found[video.name]["error"])
            for video in videos
            if "error" in found[video.name]
        ),
    )


def _prepared(
    videos: Sequence[Video], cutter: Cutter
) -> Iterator[tuple[str, Prepared | GlidnError]]:
    """Decoded test videos in order, a few ahead of the network where other processes decode."""
    loader: DataLoader = DataLoader(
        _Tests(videos, cutter),
        batch_size=None,
        num_workers=loaders(cutter.config),
        # All frames of a video lie in shared memory until its turn comes.
        prefetch_factor=1 if loaders(cutter.config) else None,
        generator=torch.Generator().manual_seed(0),
    )
    yield from loader


class _Tests(Dataset):
    def __init__(self, videos: Sequence[Video], cutter: Cutter) -> None:
        self.videos = videos
        self.cutter = cutter

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, row: int) -> tuple[str, Prepared | GlidnError]:
        video = self.videos[row]
        try:
            return video.name, self.cutter.test(video)
        except GlidnError as error:
            return video.name, error


def _note(path: Path, note: dict) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(note) + "\n")
    except OSError as error:
        raise write_error(path, error) from error


def _end_last_line(path: Path) -> None:
    """A process that was killed may have left half a line; what follows must not join it."""
    if path.exists() and not path.read_bytes().endswith(b"\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")


def _read_notes(folder: Path) -> dict[str, dict]:
    """What all processes of all calls have noted; a last line that was cut off does not count."""
    found = {}
    for path in sorted(folder.glob("*.jsonl")):
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except OSError as error:
            raise RunError(f"{path} cannot be read ({error}); remove {folder}.") from error
        for line in lines:
            try:
                note = json.loads(line)
            except ValueError:
                continue
            if "scores" in note or note["video"] not in found:
                found[note["video"]] = note
    return found
