"""Samples of single videos -> one padded batch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

# What each kind of node is made from, by the kind's name.
Inputs = dict[str, Tensor]


@dataclass(frozen=True)
class Sample:
    """One video, ready for a network, in one or several variants.

    A variant is the same video looked at differently: mirrored, or at other frames. Training
    draws one per epoch; a test uses the first.

    Attributes:
        video: its name.
        subject: who acts.
        label: the class, as an index into Dataset.classes; in a dataset with many labels (K,)
            float32, 1 for every class that is shown.
        variants: what each kind of node is made from, (T, N, ...) each, with zeros in padding.
        real: (T, N) bool per variant; False marks padding.
        clip: (3, F, S, S) uint8, RGB; for region nodes, whose one variant belongs to it.
    """

    video: str
    subject: str
    label: int | Tensor
    variants: tuple[Inputs, ...]
    real: tuple[Tensor, ...]
    clip: Tensor | None = None


@dataclass
class Batch:
    """B videos, padded to the N of the fullest.

    Not frozen, because Lightning fills a copy of it when it trains in bfloat16.

    Attributes:
        videos: their names, for logs and predictions.
        inputs: per kind of node (B, T, N, ...), zeros in padding: `geometry` (…, G) float32,
            `crop` (…, 2048) float32, `small` (…, 3, S, S) uint8, `region` (…, 4) float32: boxes
            in pixels of the clip.
        real: (B, T, N) bool.
        labels: (B,) int64, or (B, K) float32 in a dataset with many labels.
        clips: (B, 3, F, S, S) uint8, RGB; for region nodes.
        variants: which look at each video this is.
    """

    videos: tuple[str, ...]
    inputs: Inputs
    real: Tensor
    labels: Tensor
    clips: Tensor | None = None
    variants: tuple[int, ...] = ()

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return replace(
            self,
            inputs={kind: value.to(device) for kind, value in self.inputs.items()},
            real=self.real.to(device),
            labels=self.labels.to(device),
            clips=None if self.clips is None else self.clips.to(device, non_blocking=True),
        )


def collate(samples: Sequence[Sample], variants: Sequence[int] | None = None) -> Batch:
    """Pad `samples` to one batch; of each, take the variant of that number (default the first)."""
    chosen = [0] * len(samples) if variants is None else variants
    pairs = list(zip(samples, chosen, strict=True))
    slots = max(sample.real[variant].shape[1] for sample, variant in pairs)
    clips = [sample.clip for sample in samples if sample.clip is not None]
    return Batch(
        videos=tuple(sample.video for sample in samples),
        inputs={
            kind: torch.stack([_pad(s.variants[v][kind], slots) for s, v in pairs])
            for kind in samples[0].variants[0]
        },
        real=torch.stack([_pad(s.real[v], slots) for s, v in pairs]),
        labels=torch.stack([torch.as_tensor(sample.label) for sample in samples]),
        clips=torch.stack(clips) if clips else None,
        variants=tuple(chosen),
    )


def _pad(x: Tensor, slots: int) -> Tensor:
    """(T, n, ...) -> (T, slots, ...), filled up with zeros."""
    missing = slots - x.shape[1]
    if not missing:
        return x
    return torch.cat([x, x.new_zeros(x.shape[0], missing, *x.shape[2:])], 1)
