"""Who a student learns from: what a frozen network says, looked up or asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from glidn.batch import Batch
from glidn.model import AnyNetwork
from glidn.sources import Source


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
