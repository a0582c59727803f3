"""The one training loop: a view alone, a student with its teacher, or two peers."""

import io
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from glidn.batch import Batch, Sample, collate
from glidn.config import DistillConfig, TrainConfig
from glidn.distillation import objective
from glidn.errors import RunError
from glidn.files import replacing, write_error, write_text
from glidn.model import Network


@dataclass(frozen=True)
class Teacher:
    """A frozen network's logits for every training sample and variant, computed once.

    Attributes:
        logits: per video (variants, K).
    """

    logits: Mapping[str, Tensor]

    def __call__(self, videos: Sequence[str], variants: Sequence[int]) -> Tensor:
        """(B, K)"""
        pairs = zip(videos, variants, strict=True)
        return torch.stack([self.logits[video][variant] for video, variant in pairs])


@torch.no_grad()
def consult(network: Network, samples: Sequence[Sample], batch: int = 32) -> Teacher:
    """What a frozen teacher, in eval mode, says of the samples that its student will see."""
    network.eval()
    logits: dict[str, list[Tensor]] = {sample.video: [] for sample in samples}
    for variant in range(len(samples[0].variants)):
        for start in range(0, len(samples), batch):
            part = samples[start : start + batch]
            said = network(collate(part, [variant] * len(part))).logits
            for sample, row in zip(part, said, strict=True):
                logits[sample.video].append(row)
    return Teacher({video: torch.stack(rows) for video, rows in logits.items()})


def fit(
    networks: dict[str, Network],
    samples: Sequence[Sample],
    train: TrainConfig,
    distill: DistillConfig | None,
    teacher: Teacher | None,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train in place; the last epoch's weights are the result.

    Every epoch begins from a seed of its own, so a run that was interrupted and goes on from its
    checkpoint ends with the same weights as one that was not.

    Args:
        networks: one; or two, which teach each other (deep mutual learning, table 8).
        samples: the training videos.
        teacher: the frozen teacher of a student.
        folder: for log.jsonl and checkpoint.pt; what an earlier, interrupted call left there is
            taken up.
        progress: called with the epochs done and their number.

    Raises:
        RunError: the checkpoint in `folder` cannot be read, or the loss is no longer finite.
    """
    if train.threads:
        torch.set_num_threads(train.threads)
    fabric = Fabric(accelerator="auto", devices=1, precision=train.precision)
    together = Together(networks).train()
    adam = AdamW(together.parameters(), train.lr, weight_decay=train.weight_decay)
    schedule = LambdaLR(adam, partial(rate, train=train))
    state = {"networks": together, "adam": adam, "schedule": schedule}
    module, optimizer = fabric.setup(together, adam)
    # After the networks have moved to their device, so that Adam's state follows them.
    done = _resume(folder / "checkpoint.pt", state)
    log = _Log(folder / "log.jsonl", keep=done)

    for epoch in range(done, train.epochs):
        torch.manual_seed(_seed(train.seed, epoch))
        sums: dict[str, float] = defaultdict(float)
        for rows, variants in _order(samples, train.batch):
            batch = collate([samples[row] for row in rows], variants).to(fabric.device)
            said = module(batch)
            parts = {}
            for view, logits in said.items():
                taught = _teaching(view, said, teacher, batch.videos, variants)
                parts[view] = objective(
                    logits, batch.labels, taught, distill, train.label_smoothing
                )
                parts[view]["accuracy"] = (logits.argmax(-1) == batch.labels).float().mean()
            loss = torch.stack([part["loss"] for part in parts.values()]).sum()
            if not torch.isfinite(loss):
                raise RunError(
                    f"{folder}: in epoch {epoch + 1} the loss is not a finite number; lower "
                    "train.lr, or look at the data with glidn check."
                )
            optimizer.zero_grad()
            # Peers read each other's logits as constants, so the sum trains each by its own loss.
            fabric.backward(loss)
            optimizer.step()
            for view, part in parts.items():
                for name, value in part.items():
                    sums[f"{view}.{name}"] += value.item() * len(rows) / len(samples)
        log.write({"epoch": epoch + 1, "lr": float(schedule.get_last_lr()[0]), **sums})
        schedule.step()
        if (epoch + 1) % train.checkpoint_every == 0 or epoch + 1 == train.epochs:
            _save(folder / "checkpoint.pt", state, epoch + 1)
        if progress:
            progress(epoch + 1, train.epochs)


def rate(epoch: int, train: TrainConfig) -> float:
    """The share of the learning rate that holds in an epoch, counted from 0 (Table 4: "decay")."""
    if train.schedule == "step":
        return train.decay ** (epoch // train.decay_every)
    rise = min(1.0, (epoch + 1) / max(1, train.epochs // 10))
    return rise * 0.5 * (1 + math.cos(math.pi * epoch / train.epochs))


class Together(nn.Module):
    """The networks that are trained side by side: one, or two peers."""

    def __init__(self, networks: dict[str, Network]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The (B, K) logits of every view."""
        return {view: network(batch).logits for view, network in self.networks.items()}


def seeded(seed: int, name: str) -> None:
    """Seed the making of one network, so that it begins alike with and without a peer."""
    torch.manual_seed(_seed(seed, name))


def _seed(*parts: int | str) -> int:
    return zlib.crc32(repr(parts).encode())


def _order(samples: Sequence[Sample], batch: int) -> Iterator[tuple[list[int], list[int]]]:
    """Rows and variants, batch by batch, drawn from torch's generator as the epoch seeded it."""
    order = torch.randperm(len(samples))
    variants = torch.randint(len(samples[0].variants), (len(samples),))
    for rows in order.split(batch):
        yield rows.tolist(), variants[rows].tolist()


def _teaching(
    view: str,
    said: Mapping[str, Tensor],
    teacher: Teacher | None,
    videos: Sequence[str],
    variants: Sequence[int],
) -> Tensor | None:
    """The logits that `view` learns from: the frozen teacher's, its peer's, or none."""
    if teacher is not None:
        return teacher(videos, variants).to(said[view].device)
    peers = [logits for name, logits in said.items() if name != view]
    return peers[0] if peers else None


def _save(path: Path, state: Mapping[str, Any], epoch: int) -> None:
    content = {name: part.state_dict() for name, part in state.items()}
    # Through memory, because torch reports a full disk as an error of its own kind.
    buffer = io.BytesIO()
    torch.save({"epoch": epoch, **content}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _resume(path: Path, state: Mapping[str, Any]) -> int:
    """Load what an interrupted call left; the number of epochs that are done."""
    if not path.exists():
        return 0
    try:
        content = torch.load(path, weights_only=True, map_location="cpu")
        for name, part in state.items():
            part.load_state_dict(content[name])
        return int(content["epoch"])
    except Exception as error:
        raise RunError(
            f"{path} cannot be resumed from ({type(error).__name__}); remove it to train this "
            "fold from the beginning."
        ) from error


class _Log:
    """log.jsonl: a line per epoch; lines past the checkpoint that is resumed from are dropped."""

    def __init__(self, path: Path, keep: int) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines()[:keep] if path.exists() else []
        write_text(path, "".join(line + "\n" for line in lines))

    def write(self, entry: Mapping[str, float]) -> None:
        line = json.dumps({key: round(value, 8) for key, value in entry.items()})
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise write_error(self.path, error) from error
