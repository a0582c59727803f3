"""The one training loop: a view alone, a student with its teacher, or two peers."""

import io
import json
import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from glidn import processes
from glidn.batch import Batch
from glidn.best import Best
from glidn.config import DistillConfig, TrainConfig
from glidn.distillation import objective
from glidn.errors import RunError
from glidn.files import replacing, write_error, write_text
from glidn.model import AnyNetwork
from glidn.sources import Ask, Source

if TYPE_CHECKING:
    from lightning.fabric import Fabric


class Teacher(Protocol):
    """A frozen network's (B, K) logits for a batch."""

    def __call__(self, batch: Batch) -> Tensor: ...


@dataclass(frozen=True)
class Remembered:
    """What a teacher says of every video and variant, asked once.

    Attributes:
        logits: (V, variants, K).
        rows: where each video is in them.
    """

    logits: Tensor
    rows: Mapping[str, int]

    def __call__(self, batch: Batch) -> Tensor:
        return self.logits[[self.rows[video] for video in batch.videos], list(batch.variants)]


@dataclass(frozen=True)
class Present:
    """A teacher that looks at each batch itself, for looks that never come again."""

    network: AnyNetwork

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Tensor:
        return self.network(batch).logits


@torch.no_grad()
def consult(network: AnyNetwork, source: Source, batch: int = 32) -> Remembered:
    """What a frozen teacher, in eval mode, says of all that its student will see."""
    network.eval()
    device = next(network.parameters()).device
    rows = range(len(source.videos))
    asked = [
        [(row, variant) for row in rows[start : start + batch]]
        for variant in range(source.variants)
        for start in range(0, len(rows), batch)
    ]
    said = torch.cat([network(found.to(device)).logits for found in source.batches(asked)])
    logits = said.unflatten(0, (source.variants, len(rows))).transpose(0, 1)
    return Remembered(logits, {video: row for row, video in enumerate(source.videos)})


def fit(
    networks: Mapping[str, AnyNetwork],
    source: Source,
    train: TrainConfig,
    distill: DistillConfig | None,
    teacher: Teacher | None,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    judge: Source | None = None,
    weights: Tensor | None = None,
) -> None:
    """Train in place; the last epoch's weights are the result, or those that judge best.

    Every epoch begins from a seed of its own, so a run that was interrupted and goes on from its
    checkpoint ends with the same weights as one that was not. Several processes (torchrun) share
    out each step's videos and end with the weights of one, up to the order of sums, as long as
    nothing depends on who shares a batch with whom: frozen batch normalisation, no dropout.

    Args:
        networks: one; or two, which teach each other (deep mutual learning, table 8).
        source: the training videos.
        teacher: the frozen teacher of a student.
        folder: for log.jsonl and checkpoint.pt; what an earlier, interrupted call left there is
            taken up.
        progress: called with the steps done and their number.
        judge: videos that are not trained on; the epoch with the least loss on them is kept, and
            without a better one for `train.patience` epochs the training ends.
        weights: (K,) of classes, in the loss.

    Raises:
        RunError: the checkpoint in `folder` cannot be read, or the loss is no longer finite.
    """
    if train.threads:
        torch.set_num_threads(train.threads)
    fabric = processes.fabric(train)
    together = Together(networks).train()
    optimizer = make_optimizer(together, train)
    schedule = LambdaLR(optimizer, partial(rate, train=train))
    best = Best(together)
    state = {"networks": together, "optimizer": optimizer, "schedule": schedule}
    if judge is not None:
        state["best"] = best
    module, engine = fabric.setup(together, optimizer)
    # After the networks have moved to their device, so that the optimiser's state follows them.
    done = _resume(folder / "checkpoint.pt", state)
    log = _Log(folder / "log.jsonl", keep=done)
    if isinstance(teacher, Present):
        teacher.network.to(fabric.device).eval()
    steps = math.ceil(len(source.videos) / train.batch)
    if weights is not None:
        weights = weights.to(fabric.device)
    for epoch in range(done, train.epochs):
        if judge is not None and best.stays(epoch, train.patience):
            break
        torch.manual_seed(_seed(train.seed, epoch))
        shares = _shares(_order(source, epoch), train)
        sums: dict[str, float] = defaultdict(float)
        batches = source.batches([share.asked for share in shares])
        for share, batch in zip(shares, batches, strict=True):
            batch = batch.to(fabric.device)
            with fabric.no_backward_sync(module, enabled=not share.ends_step):
                parts = _objectives(module(batch), batch, teacher, distill, train, weights)
                loss = torch.stack([part["loss"] for part in parts.values()]).sum()
                if not torch.isfinite(loss):
                    raise RunError(
                        f"{folder}: in epoch {epoch + 1} the loss is not a finite number; lower "
                        "train.lr, or look at the data with glidn check."
                    )
                # Peers read each other's logits as constants, so the sum trains each by its own.
                # Gradients are averaged over processes; shares may differ in size.
                fabric.backward(loss * (share.of_step * processes.count()))
            for view, part in parts.items():
                for name, value in part.items():
                    sums[f"{view}.{name}"] += value.item() * share.of_epoch
            if share.ends_step:
                engine.step()
                engine.zero_grad()
                if progress:
                    progress(epoch * steps + share.step + 1, train.epochs * steps)
        means = _summed(sums, fabric)
        if judge is not None:
            means |= _judged(together, judge, train, weights, fabric)
            losses = [value for name, value in means.items() if name.endswith(".held_back")]
            best.compare(sum(losses), epoch + 1)
        log.write({"epoch": epoch + 1, "lr": float(schedule.get_last_lr()[0]), **means})
        schedule.step()
        if (epoch + 1) % train.checkpoint_every == 0 or epoch + 1 == train.epochs:
            _save(folder / "checkpoint.pt", state, epoch + 1)
    if judge is not None:
        best.restore()
        if progress:  # the training may have ended early
            progress(train.epochs * steps, train.epochs * steps)


def make_optimizer(networks: nn.Module, train: TrainConfig) -> Optimizer:
    """Of the parameters that are trained at all."""
    trained = [p for p in networks.parameters() if p.requires_grad]
    if train.optimizer == "adam":
        # Fused: of a small network's step the plain loop over parameters takes a tenth.
        return AdamW(trained, train.lr, weight_decay=train.weight_decay, fused=True)
    return SGD(
        trained,
        train.lr,
        momentum=train.momentum,
        weight_decay=train.weight_decay,
        nesterov=train.momentum > 0,
    )


def rate(epoch: int, train: TrainConfig) -> float:
    """The share of the learning rate that holds in an epoch, counted from 0 (Table 4: "decay")."""
    if train.schedule == "step":
        return train.decay ** (epoch // train.decay_every)
    rise = min(1.0, (epoch + 1) / max(1, train.epochs // 10))
    return rise * 0.5 * (1 + math.cos(math.pi * epoch / train.epochs))


class Together(nn.Module):
    """The networks that are trained side by side: one, or two peers."""

    def __init__(self, networks: Mapping[str, AnyNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(dict(networks))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The (B, K) logits of every view."""
        return {view: network(batch).logits for view, network in self.networks.items()}


@torch.no_grad()
def _judged(
    together: Together,
    judge: Source,
    train: TrainConfig,
    weights: Tensor | None,
    fabric: "Fabric",
) -> dict[str, float]:
    """Every view's loss on the videos held back, in eval mode, and its accuracy."""
    together.eval()
    rows = [(row, 0) for row in range(len(judge.videos))]
    asked = [rows[start : start + train.batch] for start in range(0, len(rows), train.batch)]
    means: dict[str, float] = defaultdict(float)
    for share, batch in zip(asked, judge.batches(asked), strict=True):
        batch = batch.to(fabric.device)
        with fabric.autocast():
            said = together(batch)
        parts = _objectives(said, batch, None, None, train, weights)
        for view, part in parts.items():
            for name in sorted(part.keys() & {"loss", "accuracy"}):
                key = f"{view}.held_back" + "_accuracy" * (name == "accuracy")
                means[key] += part[name].item() * len(share) / len(rows)
    together.train()
    # All processes must stop together.
    return fabric.broadcast(dict(means))


def seeded(seed: int, name: str) -> None:
    """Seed the making of one network, so that it begins alike with and without a peer."""
    torch.manual_seed(_seed(seed, name))


def _seed(*parts: int | str) -> int:
    return zlib.crc32(repr(parts).encode())


@dataclass(frozen=True)
class _Share:
    """What one process computes at a time: a part of a step.

    Attributes:
        step: the step in its epoch, from 0.
        ends_step: the optimiser moves after this part.
        of_step, of_epoch: share of the step's and of the epoch's videos.
    """

    asked: list[Ask]
    step: int
    ends_step: bool
    of_step: float
    of_epoch: float


def _order(source: Source, epoch: int) -> list[Ask]:
    """(row, variant) of an epoch, drawn from torch's generator as the epoch seeded it."""
    videos = len(source.videos)
    order = torch.randperm(videos)
    variants = (
        torch.randint(source.variants, (videos,))
        if source.variants
        else torch.full((videos,), epoch)
    )
    looks = variants.tolist()
    return [(row, looks[row]) for row in order.tolist()]


def _shares(order: Sequence[Ask], train: TrainConfig) -> list[_Share]:
    """This process's parts of every step of an epoch."""
    here, of = processes.number(), processes.count()
    shares = []
    for step, start in enumerate(range(0, len(order), train.batch)):
        rows = order[start : start + train.batch]
        mine = rows[here::of]
        for part in range(train.accumulate):
            asked = mine[part :: train.accumulate]
            shares.append(
                _Share(
                    # A process with nothing left computes something all the same, weighing
                    # nothing: the others wait for its gradients.
                    asked=list(asked or rows[:1]),
                    step=step,
                    ends_step=part == train.accumulate - 1,
                    of_step=len(asked) / len(rows),
                    of_epoch=len(asked) / len(order),
                )
            )
    return shares


def _objectives(
    said: Mapping[str, Tensor],
    batch: Batch,
    teacher: Teacher | None,
    distill: DistillConfig | None,
    train: TrainConfig,
    weights: Tensor | None,
) -> dict[str, dict[str, Tensor]]:
    """The loss of every view and its parts."""
    parts = {}
    for view, logits in said.items():
        taught = _teaching(view, said, teacher, batch)
        smoothing = train.label_smoothing
        parts[view] = objective(logits, batch.labels, taught, distill, smoothing, weights)
        if batch.labels.dim() == 1:
            parts[view]["accuracy"] = (logits.argmax(-1) == batch.labels).float().mean()
    return parts


def _teaching(
    view: str, said: Mapping[str, Tensor], teacher: Teacher | None, batch: Batch
) -> Tensor | None:
    """The logits that `view` learns from: the frozen teacher's, its peer's, or none."""
    if teacher is not None:
        return teacher(batch).to(said[view].device)
    peers = [logits for name, logits in said.items() if name != view]
    return peers[0] if peers else None


def _summed(sums: Mapping[str, float], fabric: "Fabric") -> dict[str, float]:
    """The same over all processes."""
    if processes.count() == 1:
        return dict(sums)
    values = torch.tensor(list(sums.values()), dtype=torch.float32, device=fabric.device)
    torch.distributed.all_reduce(values)
    return dict(zip(sums, values.tolist(), strict=True))


def _save(path: Path, state: Mapping[str, Any], epoch: int) -> None:
    if not processes.is_first():
        return
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
        if not processes.is_first():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines()[:keep] if path.exists() else []
        write_text(path, "".join(line + "\n" for line in lines))

    def write(self, entry: Mapping[str, float]) -> None:
        if not processes.is_first():
            return
        line = json.dumps({key: round(value, 8) for key, value in entry.items()})
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise write_error(self.path, error) from error
