"""Region nodes: boxes cut from the last map of a video network, and the whole map as the scene.

As in Wang and Gupta (2018), whom section 4.2 follows: a 1x1x1 convolution narrows the map, RoIAlign
cuts 7x7 of it per box and time step, and a maximum over places makes a vector of it.
"""

import contextlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glidn.backbones.blocks import Maps, VideoNetwork, normalise
from glidn.backbones.i3d import I3D
from glidn.backbones.slowfast import ALPHA, SlowFast, slow_frames
from glidn.config import BackboneConfig

PLACES = 7
SAMPLES = 2  # along each side of a place
NETWORKS = {"i3d": I3D, "slowfast": SlowFast}


@dataclass(frozen=True)
class Seen:
    """What a network sees of a batch before it relates anything.

    Attributes:
        nodes: (B, T, N, D), zero in padding.
        scene: (B, C); None where there is no more than the nodes.
    """

    nodes: Tensor
    scene: Tensor | None = None


def build_backbone(config: BackboneConfig, classes: int | None) -> VideoNetwork:
    """A video network with random weights; without a classifier where `classes` is None."""
    network = NETWORKS[config.name](
        classes,
        res5_stride=config.res5_stride,
        frozen_norm=config.frozen_norm or config.frozen,
        dropout=config.dropout,
        width=config.width,
        blocks=config.blocks,
        test="sigmoid",
    )
    if config.frozen:
        network.requires_grad_(False)
    return network


def step_frames(name: str, frames: int) -> Tensor:
    """(T,) int64: the frame of a clip of `frames` that each time step of the map stands for."""
    return slow_frames(frames) if name == "slowfast" else torch.arange(0, frames, 2)


class Regions(nn.Module):
    """Clips and boxes -> region nodes and the scene.

    SlowFast's fast map is pooled over time to the slow one's steps and stands beside it, 2304
    channels in all, before they are narrowed.

    Args:
        width: features per node, and of the scene.
    """

    def __init__(self, backbone: VideoNetwork, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.narrow = nn.Conv3d(backbone.channels, width, 1)

    def forward(self, clips: Tensor, boxes: Tensor, real: Tensor) -> Seen:
        """
        Args:
            clips: (B, 3, F, H, W) uint8, RGB.
            boxes: (B, T, N, 4), pixels of the clips; T is the map's steps, or a multiple of them.
            real: (B, T, N) bool.
        """
        maps = self.backbone(normalise(clips))
        x = self.narrow(one_map(maps))  # (B, width, t, h, w)
        scene = x.mean((-3, -2, -1))  # (B, width)
        nodes = cut_regions(x, boxes, real, x.shape[-1] / clips.shape[-1])  # (B, T, N, width)
        return Seen(nodes, scene)


def one_map(maps: Maps) -> Tensor:
    """Both pathways as one map at the slow one's steps: (B, C, T, H, W)."""
    if maps.fast is None:
        return maps.slow
    fast = nn.functional.avg_pool3d(maps.fast, (ALPHA, 1, 1))
    return torch.cat([maps.slow, fast], 1)


def cut_regions(x: Tensor, boxes: Tensor, real: Tensor, scale: float) -> Tensor:
    """The maximum over 7x7 places of each box.

    RoIAlign (He et al. 2017; torchvision's `roi_align` with `aligned=True`), as two matrix
    products: a bilinear weight is one of its row times one of its column. That needs no atomic
    sums, which make gradients on a GPU differ from run to run, and is faster.

    Args:
        x: (B, C, t, h, w) map.
        boxes: (B, T, N, 4) pixels; T is a multiple of t.
        real: (B, T, N) bool.
        scale: cells per pixel.

    Returns:
        (B, T, N, C), zero in padding.
    """
    (channels, steps, high, wide), (times, several) = x.shape[1:], real.shape[1:]
    with _exactly(x):
        cells = boxes.float() * scale - 0.5
        down = _bilinear(cells[..., 1], cells[..., 3], high)  # (B, T, N, 7, h)
        across = _bilinear(cells[..., 0], cells[..., 2], wide)  # (B, T, N, 7, w)
        frames = x.float().permute(0, 2, 3, 1, 4).flatten(3)  # (B, t, h, C w)
        if times != steps:
            # As repeat_interleave, which is exported wrongly where T is left open.
            frames = frames[:, :, None].expand(-1, -1, times // steps, -1, -1).flatten(1, 2)
        rows = down.flatten(2, 3) @ frames  # (B, T, N 7, C w)
        rows = rows.unflatten(-1, (channels, wide)).unflatten(2, (several, PLACES))
        cut = rows.flatten(3, 4) @ across.transpose(-1, -2)  # (B, T, N, 7 C, 7)
        found = cut.unflatten(3, (PLACES, channels)).amax((3, 5))
    return (found * real[..., None]).to(x.dtype)


def _exactly(x: Tensor) -> contextlib.AbstractContextManager:
    # Places are finer than bfloat16. An exported file has no autocast to switch off.
    if torch.compiler.is_exporting():
        return contextlib.nullcontext()
    return torch.autocast(x.device.type, enabled=False)


def _bilinear(start: Tensor, end: Tensor, cells: int) -> Tensor:
    """How much of each cell of a line goes into each of 7 equal parts of a stretch of it.

    A part is the mean of what lies at `SAMPLES` points of it. Points up to one cell outside the
    line see its end; those further out see nothing.

    Args:
        start, end: (*), in cells; 0 is the middle of the first.

    Returns:
        (*, 7, cells).
    """
    points = (torch.arange(PLACES * SAMPLES, device=start.device) + 0.5) / (PLACES * SAMPLES)
    at = start[..., None] + points * (end - start)[..., None]  # (*, 7 SAMPLES)
    seen = (at >= -1) & (at <= cells)
    apart = at.clamp(0, cells - 1)[..., None] - torch.arange(cells, device=at.device)
    weights = (1 - apart.abs()).clamp(min=0) * seen[..., None]
    return weights.unflatten(-2, (PLACES, SAMPLES)).mean(-2)
