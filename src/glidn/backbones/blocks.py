"""What I3D and SlowFast are made of: 3D bottlenecks, stems, the lateral connection, the head.

Module names are PySlowFast's, so that a state dict of ours has its keys. Pathway 0 is the slow
one (I3D's only one), pathway 1 the fast one; a stage takes and returns one tensor per pathway.

Axes: B videos, C channels, T frames, H and W pixels or cells, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glidn.errors import SettingError

# The preprocessing of all published weights of these networks, RGB in 0..1.
MEAN = 0.45
STD = 0.225

# res2..res5 of ResNet-50: inner width as a multiple of the stem's; the output is 4 times wider.
INNER = {2: 1, 3: 2, 4: 4, 5: 8}
EXPANSION = 4
# Cells of res5 that a frame of 224 pixels has at stride 32.
WINDOW = 7


@dataclass(frozen=True)
class Maps:
    """res5, the last feature maps of a video network.

    Attributes:
        slow: (B, 2048, T/2, H/32, W/32) for I3D, (B, 2048, T/4, H/32, W/32) for SlowFast;
            H/16 and W/16 where res5 keeps its resolution.
        fast: (B, 256, T, H/32, W/32) for SlowFast, nothing for I3D.
    """

    slow: Tensor
    fast: Tensor | None = None

    @property
    def pathways(self) -> list[Tensor]:
        return [self.slow] if self.fast is None else [self.slow, self.fast]


def normalise(video: Tensor) -> Tensor:
    """(B, 3, T, H, W) uint8 RGB -> float32, as the published weights expect it."""
    # In place: the copies cost as much as a convolution of a small network.
    return video.to(torch.float32, copy=True).div_(255 * STD).sub_(MEAN / STD)


class BatchNorm(nn.BatchNorm3d):
    """Batch normalisation that is frozen or not, with the same keys in a state dict.

    Frozen: the running statistics normalise and never move, in train mode too, and scale and
    shift are not trained. Clips of video leave room for few samples in a batch, whose
    statistics ruin the weights; frozen presupposes that trained weights are loaded.
    """

    def __init__(self, channels: int, frozen: bool) -> None:
        super().__init__(channels)
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)

    def train(self, mode: bool = True) -> "BatchNorm":
        super().train(mode and not self.frozen)
        return self


class Branch(nn.Module):
    """1x1 over time, 3x3 over space, 1x1; the stride is on the 3x3."""

    def __init__(
        self,
        before: int,
        inner: int,
        after: int,
        *,
        time_kernel: int,
        stride: int,
        dilation: int,
        frozen: bool,
    ) -> None:
        super().__init__()
        time = (time_kernel // 2, 0, 0)
        space = (0, dilation, dilation)
        self.a = nn.Conv3d(before, inner, (time_kernel, 1, 1), padding=time, bias=False)
        self.a_bn = BatchNorm(inner, frozen)
        self.b = nn.Conv3d(
            inner,
            inner,
            (1, 3, 3),
            stride=(1, stride, stride),
            padding=space,
            dilation=(1, dilation, dilation),
            bias=False,
        )
        self.b_bn = BatchNorm(inner, frozen)
        self.c = nn.Conv3d(inner, after, 1, bias=False)
        self.c_bn = BatchNorm(after, frozen)

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, T, H, W) -> (B, after, T, H/stride, W/stride)."""
        x = F.relu(self.a_bn(self.a(x)), inplace=True)
        x = F.relu(self.b_bn(self.b(x)), inplace=True)
        return self.c_bn(self.c(x))


class Bottleneck(nn.Module):
    """relu(shortcut(x) + branch(x)); the shortcut is a convolution where the shape changes."""

    def __init__(
        self,
        before: int,
        inner: int,
        after: int,
        *,
        time_kernel: int,
        stride: int,
        dilation: int,
        frozen: bool,
    ) -> None:
        super().__init__()
        self.changes = before != after or stride != 1
        if self.changes:
            self.branch1 = nn.Conv3d(before, after, 1, stride=(1, stride, stride), bias=False)
            self.branch1_bn = BatchNorm(after, frozen)
        self.branch2 = Branch(
            before,
            inner,
            after,
            time_kernel=time_kernel,
            stride=stride,
            dilation=dilation,
            frozen=frozen,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, T, H, W) -> (B, after, T, H/stride, W/stride)."""
        shortcut = self.branch1_bn(self.branch1(x)) if self.changes else x
        return F.relu(shortcut + self.branch2(x), inplace=True)


def bottlenecks(
    before: int,
    inner: int,
    *,
    time_kernels: Sequence[int],
    stride: int,
    dilation: int = 1,
    frozen: bool,
) -> list[Bottleneck]:
    """One pathway of one stage: the first block strides, all of them dilate."""
    after = EXPANSION * inner
    return [
        Bottleneck(
            before if number == 0 else after,
            inner,
            after,
            time_kernel=time_kernel,
            stride=stride if number == 0 else 1,
            dilation=dilation,
            frozen=frozen,
        )
        for number, time_kernel in enumerate(time_kernels)
    ]


class Stage(nn.Module):
    """res2, res3, res4 or res5, over all pathways; blocks are named pathway0_res0 and so on."""

    def __init__(self, pathways: Sequence[Sequence[Bottleneck]]) -> None:
        super().__init__()
        self.names: list[list[str]] = []
        for pathway, blocks in enumerate(pathways):
            names = [f"pathway{pathway}_res{number}" for number in range(len(blocks))]
            for name, block in zip(names, blocks, strict=True):
                self.add_module(name, block)
            self.names.append(names)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """A (B, C, T, H, W) per pathway -> the same with other C, H and W."""
        after = []
        for x, names in zip(maps, self.names, strict=True):
            for name in names:
                x = self.get_submodule(name)(x)
            after.append(x)
        return after


class StemPath(nn.Module):
    """7x7 with stride 2 and a max-pool with stride 2; time keeps its length."""

    def __init__(self, width: int, time_kernel: int, frozen: bool) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            3,
            width,
            (time_kernel, 7, 7),
            stride=(1, 2, 2),
            padding=(time_kernel // 2, 3, 3),
            bias=False,
        )
        self.bn = BatchNorm(width, frozen)

    def forward(self, video: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, width, T, H/4, W/4)."""
        x = F.relu(self.bn(self.conv(video)), inplace=True)
        return F.max_pool3d(x, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))


class Stem(nn.Module):
    """The stems of all pathways, named pathway0_stem and so on."""

    def __init__(self, paths: Sequence[StemPath]) -> None:
        super().__init__()
        self.names = [f"pathway{pathway}_stem" for pathway in range(len(paths))]
        for name, path in zip(self.names, paths, strict=True):
            self.add_module(name, path)

    def forward(self, videos: list[Tensor]) -> list[Tensor]:
        """A (B, 3, T, H, W) per pathway -> (B, width, T, H/4, W/4) each."""
        return [
            self.get_submodule(name)(video) for name, video in zip(self.names, videos, strict=True)
        ]


class Head(nn.Module):
    """The reference's classifier: pool every pathway, concatenate, drop out, project.

    It is fully convolutional, as in the reference: it pools all of time but only windows of the
    size that it was trained on, so that a larger frame (256 pixels: 8 x 8 cells, 2 x 2 windows
    of 7 x 7) has several places, each with logits and probabilities of its own, and the mean
    over places is taken last. A map smaller than the window is one place.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        *,
        window: int,
        dropout: float,
        test: Literal["softmax", "sigmoid"],
    ) -> None:
        super().__init__()
        self.window = window
        self.test = test
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(width, classes)

    def forward(self, maps: Maps) -> Tensor:
        """res5 -> (B, places, K) logits."""
        pooled = []
        for x in maps.pathways:
            time, height, width = x.shape[-3:]
            window = (time, min(self.window, height), min(self.window, width))
            pooled.append(F.avg_pool3d(x, window, stride=1))  # (B, C, 1, h, w)
        places = torch.cat(pooled, dim=1).flatten(2).mT  # (B, places, C)
        return self.projection(self.dropout(places))

    def logits(self, maps: Maps) -> Tensor:
        """res5 -> (B, K), for a loss."""
        return self(maps).mean(1)

    def probabilities(self, maps: Maps) -> Tensor:
        """res5 -> (B, K): the mean of the probabilities of the places, not of their logits."""
        places = self(maps)
        return (places.softmax(-1) if self.test == "softmax" else places.sigmoid()).mean(1)


class VideoNetwork(nn.Module):
    """What both networks share: the use of a head that may not be there.

    Attributes:
        channels: of res5, all pathways together.
    """

    head: Head | None
    channels: int

    def logits(self, maps: Maps) -> Tensor:
        """res5 -> (B, K), for a loss."""
        return self._head().logits(maps)

    def probabilities(self, maps: Maps) -> Tensor:
        """res5 -> (B, K), for a test."""
        return self._head().probabilities(maps)

    def _head(self) -> Head:
        if self.head is None:
            raise SettingError("this video network was built without classes, so it has no head.")
        return self.head


def initialise(network: nn.Module) -> None:
    """Random weights as in the reference (He et al. 2015, fan out; 0.01 in the head)."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)


def some(kernels: Sequence[int], count: int) -> Sequence[int]:
    """The time kernels of a stage's first `count` bottlenecks; a ResNet-50 has no more."""
    if not 1 <= count <= len(kernels):
        raise SettingError(
            f"a stage has {count} bottlenecks; expected 1 to {len(kernels)} (a ResNet-50's)."
        )
    return kernels[:count]


def res5_dilation(stride: int) -> int:
    """Dilation that keeps what res5 sees where it does not stride."""
    if stride not in (1, 2):
        raise SettingError(f"the stride of res5 is {stride}; expected 1 or 2.")
    return 2 // stride
