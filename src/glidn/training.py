"""The one training loop: a view alone, a student with its teacher, two peers, or many of them."""

import math
import zlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from glidn import processes
from glidn.config import TrainConfig
from glidn.learner import Learner, Lesson, Share
from glidn.sources import Ask, Source


def fit(
    lessons: Sequence[Lesson],
    source: Source,
    train: TrainConfig,
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
        lessons: one; or, on a CPU, several that learn from the same batches in the same order.
            Each ends with the bits that it would end with alone, and batches are made once.
        source: the training videos.
        progress: called with the steps done and their number.
        judge: videos that are not trained on; the epoch with the least loss on them is kept, and
            without a better one for `train.patience` epochs a training ends.
        weights: (K,) of classes, in the loss.

    Raises:
        RunError: a lesson's checkpoint cannot be read, or its loss is no longer finite.
    """
    if train.threads:
        torch.set_num_threads(train.threads)
    fabric = processes.fabric(train)
    learners = [Learner(lesson, train, fabric, weights, judge) for lesson in lessons]
    steps = math.ceil(len(source.videos) / train.batch)
    for epoch in range(min(learner.done for learner in learners), train.epochs):
        here = [learner for learner in learners if learner.learns_in(epoch)]
        if not here:
            continue
        torch.manual_seed(_seed(train.seed, epoch))
        shares = _shares(_order(source, epoch), train)
        for learner in here:
            learner.begin(epoch)
        batches = source.batches([share.asked for share in shares])
        for share, batch in zip(shares, batches, strict=True):
            batch = batch.to(fabric.device)
            for learner in here:
                learner.learn(batch, share)
            if share.ends_step and progress:
                progress(epoch * steps + share.step + 1, train.epochs * steps)
        for learner in here:
            learner.end()
    for learner in learners:
        learner.finish()
    if progress and judge is not None:  # they may have ended early
        progress(train.epochs * steps, train.epochs * steps)


def seeded(seed: int, name: str) -> None:
    """Seed the making of one network, so that it begins alike with and without a peer."""
    torch.manual_seed(_seed(seed, name))


def _seed(*parts: int | str) -> int:
    return zlib.crc32(repr(parts).encode())


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


def _shares(order: Sequence[Ask], train: TrainConfig) -> list[Share]:
    """This process's parts of every step of an epoch."""
    here, of = processes.number(), processes.count()
    shares = []
    for step, start in enumerate(range(0, len(order), train.batch)):
        rows = order[start : start + train.batch]
        mine = rows[here::of]
        for part in range(train.accumulate):
            asked = mine[part :: train.accumulate]
            shares.append(
                Share(
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
