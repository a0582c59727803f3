"""One training under way: its networks, its steps, and what it leaves on disk."""

import io
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from glidn.teachers import Present, Teacher

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class Lesson:
    """What is to be trained, who teaches it, and where that is written down.

    Attributes:
        networks: one; or two, which teach each other (deep mutual learning, table 8).
        folder: for log.jsonl and checkpoint.pt; what an earlier, interrupted call left there is
            taken up.
        teacher: the frozen teacher of a student.
    """

    networks: Mapping[str, AnyNetwork]
    folder: Path
    distill: DistillConfig | None = None
    teacher: Teacher | None = None


@dataclass(frozen=True)
class Share:
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


class Learner:
    """A lesson under way.

    Args:
        weights: (K,) of classes, in the loss.
        judge: videos that are not trained on; the epoch with the least loss on them is kept.

    Raises:
        RunError: the checkpoint in the lesson's folder cannot be read.
    """

    def __init__(
        self,
        lesson: Lesson,
        train: TrainConfig,
        fabric: "Fabric",
        weights: Tensor | None,
        judge: Source | None,
    ) -> None:
        self._lesson, self._train, self._fabric = lesson, train, fabric
        self._weights = None if weights is None else weights.to(fabric.device)
        self._judge = judge
        self._together = Together(lesson.networks).train()
        optimizer = make_optimizer(self._together, train)
        self._schedule = LambdaLR(optimizer, partial(rate, train=train))
        self._best = Best(self._together)
        self._state = {
            "networks": self._together,
            "optimizer": optimizer,
            "schedule": self._schedule,
        } | ({"best": self._best} if judge is not None else {})
        self._module, self._engine = fabric.setup(self._together, optimizer)
        # After the networks have moved to their device, so that the optimiser's state follows them.
        self.done = _resume(lesson.folder / "checkpoint.pt", self._state)
        self._log = _Log(lesson.folder / "log.jsonl", keep=self.done)
        if isinstance(lesson.teacher, Present):
            lesson.teacher.network.to(fabric.device).eval()

    def learns_in(self, epoch: int) -> bool:
        """Whether an epoch, counted from 0, is still to be learnt, and may bring a better one."""
        hopeless = self._judge is not None and self._best.stays(epoch, self._train.patience)
        return epoch >= self.done and not hopeless

    def begin(self, epoch: int) -> None:
        """An epoch, counted from 0, for which torch's generator has been seeded."""
        self._epoch = epoch
        self._sums: dict[str, float] = defaultdict(float)
        self._chance = torch.get_rng_state()

    def learn(self, batch: Batch, share: Share) -> None:
        """A part of a step, with the dropout that there would be without other learners.

        Raises:
            RunError: the loss is no longer finite.
        """
        torch.set_rng_state(self._chance)
        with self._fabric.no_backward_sync(self._module, enabled=not share.ends_step):
            parts = self._objectives(self._module(batch), batch)
            loss = torch.stack([part["loss"] for part in parts.values()]).sum()
            if not torch.isfinite(loss):
                raise RunError(
                    f"{self._lesson.folder}: in epoch {self._epoch + 1} the loss is not a finite "
                    "number; lower train.lr, or look at the data with glidn check."
                )
            # Peers read each other's logits as constants, so the sum trains each by its own.
            # Gradients are averaged over processes; shares may differ in size.
            self._fabric.backward(loss * (share.of_step * processes.count()))
        for view, part in parts.items():
            for name, value in part.items():
                self._sums[f"{view}.{name}"] += value.item() * share.of_epoch
        if share.ends_step:
            self._engine.step()
            self._engine.zero_grad()
        self._chance = torch.get_rng_state()

    def end(self) -> None:
        """Log the epoch, compare it with the best, and keep a checkpoint where one is due."""
        done, train = self._epoch + 1, self._train
        means = _summed(self._sums, self._fabric)
        if self._judge is not None:
            means |= self._judged(self._judge)
            losses = [value for name, value in means.items() if name.endswith(".held_back")]
            self._best.compare(sum(losses), done)
        learning_rate = float(self._schedule.get_last_lr()[0])
        self._log.write({"epoch": done, "lr": learning_rate, **means})
        self._schedule.step()
        if done % train.checkpoint_every == 0 or done == train.epochs:
            _save(self._lesson.folder / "checkpoint.pt", self._state, done)

    def finish(self) -> None:
        """Leave the weights of the epoch that judged best, where there is a judge."""
        if self._judge is not None:
            self._best.restore()

    def _objectives(
        self, said: Mapping[str, Tensor], batch: Batch, taught: bool = True
    ) -> dict[str, dict[str, Tensor]]:
        """The loss of every view and its parts."""
        distill, smoothing = self._lesson.distill, self._train.label_smoothing
        parts = {}
        for view, logits in said.items():
            heard = self._teaching(view, said, batch) if taught else None
            parts[view] = objective(logits, batch.labels, heard, distill, smoothing, self._weights)
            if batch.labels.dim() == 1:
                parts[view]["accuracy"] = (logits.argmax(-1) == batch.labels).float().mean()
        return parts

    def _teaching(self, view: str, said: Mapping[str, Tensor], batch: Batch) -> Tensor | None:
        """The logits that `view` learns from: the frozen teacher's, its peer's, or none."""
        if self._lesson.teacher is not None:
            return self._lesson.teacher(batch).to(said[view].device)
        peers = [logits for name, logits in said.items() if name != view]
        return peers[0] if peers else None

    @torch.no_grad()
    def _judged(self, judge: Source) -> dict[str, float]:
        """Every view's loss on the videos held back, in eval mode, and its accuracy."""
        self._together.eval()
        rows, size = [(row, 0) for row in range(len(judge.videos))], self._train.batch
        asked = [rows[start : start + size] for start in range(0, len(rows), size)]
        means: dict[str, float] = defaultdict(float)
        for part_of, batch in zip(asked, judge.batches(asked), strict=True):
            batch = batch.to(self._fabric.device)
            with self._fabric.autocast():
                said = self._together(batch)
            for view, part in self._objectives(said, batch, taught=False).items():
                for name in sorted(part.keys() & {"loss", "accuracy"}):
                    key = f"{view}.held_back" + "_accuracy" * (name == "accuracy")
                    means[key] += part[name].item() * len(part_of) / len(rows)
        self._together.train()
        # All processes must stop together.
        return self._fabric.broadcast(dict(means))


class Together(nn.Module):
    """The networks that are trained side by side: one, or two peers."""

    def __init__(self, networks: Mapping[str, AnyNetwork]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(dict(networks))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The (B, K) logits of every view."""
        return {view: network(batch).logits for view, network in self.networks.items()}


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
