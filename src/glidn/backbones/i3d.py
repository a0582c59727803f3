"""I3D with a ResNet-50 (Carreira and Zisserman 2017; Wang and Gupta 2018), as in PySlowFast."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glidn.backbones.blocks import (
    EXPANSION,
    INNER,
    WINDOW,
    Head,
    Maps,
    Stage,
    Stem,
    StemPath,
    VideoNetwork,
    bottlenecks,
    initialise,
    res5_dilation,
    some,
)

# Kernel over time of the first convolution of every block; elsewhere it is 1, in the stem 5.
TIME_KERNELS = {2: (3, 3, 3), 3: (3, 1, 3, 1), 4: (3, 1, 3, 1, 3, 1), 5: (1, 3, 1)}


class I3D(VideoNetwork):
    """A ResNet-50 inflated in time, which halves time once, after res2.

    32 frames of 224 x 224 become 2048 x 16 x 7 x 7.
    """

    def __init__(
        self,
        classes: int | None = 400,
        *,
        res5_stride: int = 2,
        frozen_norm: bool = True,
        dropout: float = 0.5,
        width: int = 64,
        blocks: Sequence[int] = (3, 4, 6, 3),
        test: Literal["softmax", "sigmoid"] = "softmax",
    ) -> None:
        """
        Args:
            classes: K of the head; None builds no head, so that every parameter takes part in
                the features.
            res5_stride: 2, or 1 for maps of twice the resolution (res5 then dilates by 2).
            frozen_norm: batch normalisation by the loaded statistics, see `blocks.BatchNorm`.
            dropout: in the head.
            width: channels of the stem; published weights have 64.
            blocks: bottlenecks of res2 to res5, at most those of the published weights.
            test: what makes probabilities of logits; sigmoid where a video has many labels.
        """
        super().__init__()
        frozen = frozen_norm
        self.s1 = Stem([StemPath(width, 5, frozen)])
        count = dict(zip(TIME_KERNELS, blocks, strict=True))
        self.s2 = _stage(2, count[2], width, width, 1, 1, frozen)
        self.s3 = _stage(3, count[3], width, _after(2, width), 2, 1, frozen)
        self.s4 = _stage(4, count[4], width, _after(3, width), 2, 1, frozen)
        dilation = res5_dilation(res5_stride)
        self.s5 = _stage(5, count[5], width, _after(4, width), res5_stride, dilation, frozen)
        self.channels = _after(5, width)
        self.head = None
        if classes is not None:
            window = WINDOW * dilation  # as many pixels at either stride
            self.head = Head(_after(5, width), classes, window=window, dropout=dropout, test=test)
        initialise(self)

    def forward(self, video: Tensor) -> Maps:
        """(B, 3, T, H, W) normalised RGB -> res5."""
        if video.device.type == "cpu":
            # Channels last: a forward pass in 0.7 of the time. A GPU's library chooses for itself.
            video = video.contiguous(memory_format=torch.channels_last_3d)
        x = self.s1([video])  # (B, 64, T, H/4, W/4)
        x = self.s2(x)  # (B, 256, T, H/4, W/4)
        x = [F.max_pool3d(x[0], (2, 1, 1))]  # (B, 256, T/2, H/4, W/4)
        x = self.s3(x)  # (B, 512, T/2, H/8, W/8)
        x = self.s4(x)  # (B, 1024, T/2, H/16, W/16)
        x = self.s5(x)  # (B, 2048, T/2, H/32, W/32)
        return Maps(slow=x[0])


def _after(stage: int, width: int) -> int:
    return EXPANSION * INNER[stage] * width


def _stage(
    number: int, count: int, width: int, before: int, stride: int, dilation: int, frozen: bool
) -> nn.Module:
    return Stage(
        [
            bottlenecks(
                before,
                INNER[number] * width,
                time_kernels=some(TIME_KERNELS[number], count),
                stride=stride,
                dilation=dilation,
                frozen=frozen,
            )
        ]
    )
