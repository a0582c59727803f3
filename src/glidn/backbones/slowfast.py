"""SlowFast with ResNet-50s (Feichtenhofer et al. 2019), 16 x 8, as in PySlowFast."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glidn.backbones.blocks import (
    EXPANSION,
    INNER,
    WINDOW,
    BatchNorm,
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
from glidn.errors import SettingError

ALPHA = 4  # frames of the fast pathway per frame of the slow one
BETA = 8  # channels of the slow pathway per channel of the fast one
FUSION_KERNEL = 7
FUSION_RATIO = 2  # channels that a lateral connection makes of one of the fast pathway

BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}
# Kernel over time of the first convolution of every block: slow, fast.
TIME_KERNELS = {2: (1, 3), 3: (1, 3), 4: (3, 3), 5: (3, 3)}


class SlowFast(VideoNetwork):
    """Few frames through a wide network, all frames through a narrow one that feeds the first.

    64 frames of 224 x 224 become 2048 x 16 x 7 x 7 (slow) and 256 x 64 x 7 x 7 (fast).
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
        test: Literal["softmax", "sigmoid"] = "sigmoid",
    ) -> None:
        """
        Args:
            classes: K of the head; None builds no head, so that every parameter takes part in
                the features.
            res5_stride: 2, or 1 for maps of twice the resolution (res5 then dilates by 2).
            frozen_norm: batch normalisation by the loaded statistics, see `blocks.BatchNorm`.
            dropout: in the head.
            width: channels of the slow stem, a multiple of 8; published weights have 64.
            blocks: bottlenecks of res2 to res5, at most those of the published weights.
            test: what makes probabilities of logits; sigmoid where a video has many labels.
        """
        super().__init__()
        frozen = frozen_norm
        if width % BETA:
            raise SettingError(
                f"SlowFast of width {width}: its fast pathway has an eighth of it, so the width "
                f"must be a multiple of {BETA}."
            )
        fast = width // BETA
        count = dict(zip(BLOCKS, blocks, strict=True))
        self.s1 = Stem([StemPath(width, 1, frozen), StemPath(fast, 5, frozen)])
        self.s1_fuse = Lateral(fast, frozen)
        self.s2 = _stage(2, count[2], width, (width, fast), 1, 1, frozen)
        self.s2_fuse = Lateral(_after(2, fast), frozen)
        self.s3 = _stage(3, count[3], width, (_after(2, width), _after(2, fast)), 2, 1, frozen)
        self.s3_fuse = Lateral(_after(3, fast), frozen)
        self.s4 = _stage(4, count[4], width, (_after(3, width), _after(3, fast)), 2, 1, frozen)
        self.s4_fuse = Lateral(_after(4, fast), frozen)
        dilation = res5_dilation(res5_stride)
        before = (_after(4, width), _after(4, fast))
        self.s5 = _stage(5, count[5], width, before, res5_stride, dilation, frozen)
        self.channels = sum(_after(5, stem) for stem in (width, fast))
        self.head = None
        if classes is not None:
            out = _after(5, width) + _after(5, fast)
            window = WINDOW * dilation  # as many pixels at either stride
            self.head = Head(out, classes, window=window, dropout=dropout, test=test)
        initialise(self)

    def forward(self, video: Tensor) -> Maps:
        """(B, 3, T, H, W) normalised RGB, T a multiple of 4 -> res5 of both pathways."""
        x = [video.index_select(2, slow_frames(video.shape[2]).to(video.device)), video]
        x = self.s1_fuse(self.s1(x))  # slow (B, 64+16, T/4, H/4, W/4), fast (B, 8, T, H/4, W/4)
        x = self.s2_fuse(self.s2(x))  # slow 256+64, fast 32, H/4
        x = self.s3_fuse(self.s3(x))  # slow 512+128, fast 64, H/8
        x = self.s4_fuse(self.s4(x))  # slow 1024+256, fast 128, H/16
        slow, fast = self.s5(x)  # slow 2048, fast 256, H/32
        return Maps(slow, fast)


class Lateral(nn.Module):
    """Fast to slow: a convolution that strides over time, beside the slow pathway's channels."""

    def __init__(self, fast: int, frozen: bool) -> None:
        super().__init__()
        self.conv_f2s = nn.Conv3d(
            fast,
            FUSION_RATIO * fast,
            (FUSION_KERNEL, 1, 1),
            stride=(ALPHA, 1, 1),
            padding=(FUSION_KERNEL // 2, 0, 0),
            bias=False,
        )
        self.bn = BatchNorm(FUSION_RATIO * fast, frozen)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Slow (B, C, T/4, H, W) and fast (B, c, T, H, W) -> slow (B, C + 2c, ...) and fast."""
        slow, fast = maps
        fused = F.relu(self.bn(self.conv_f2s(fast)), inplace=True)
        return [torch.cat([slow, fused], dim=1), fast]


def slow_frames(frames: int) -> Tensor:
    """(T/4,) int64: which frames the slow pathway takes; of 64: 0, 4, 8, 12, 16, 21, ...

    Both ends belong to it, so it is not every fourth.
    """
    if frames < ALPHA or frames % ALPHA:
        raise SettingError(f"SlowFast takes frames in multiples of {ALPHA}; these are {frames}.")
    return torch.linspace(0, frames - 1, frames // ALPHA).long()


def _after(stage: int, width: int) -> int:
    return EXPANSION * INNER[stage] * width


def _stage(
    number: int,
    count: int,
    width: int,
    before: tuple[int, int],
    stride: int,
    dilation: int,
    frozen: bool,
) -> nn.Module:
    slow, fast = before
    fused = FUSION_RATIO * fast
    inputs = ((slow + fused, width), (fast, width // BETA))
    return Stage(
        [
            bottlenecks(
                channels,
                INNER[number] * stem,
                time_kernels=some(BLOCKS[number] * (kernel,), count),
                stride=stride,
                dilation=dilation,
                frozen=frozen,
            )
            for (channels, stem), kernel in zip(inputs, TIME_KERNELS[number], strict=True)
        ]
    )
