"""Region nodes: boxes cut from the last map of a video network, and the whole map as the scene.

As in Wang and Gupta (2018), whom section 4.2 follows: a 1x1x1 convolution narrows the map, RoIAlign
cuts 7x7 of it per box and time step, and a maximum over places makes a vector of it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from glidn.backbones.blocks import Maps, VideoNetwork, normalise
from glidn.backbones.i3d import I3D
from glidn.backbones.slowfast import ALPHA, SlowFast, slow_frames
from glidn.config import BackboneConfig

PLACES = 7
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

    Args:
        x: (B, C, t, h, w) map.
        boxes: (B, T, N, 4) pixels; T is a multiple of t.
        real: (B, T, N) bool.
        scale: cells per pixel.

    Returns:
        (B, T, N, C), zero in padding.
    """
    steps = x.shape[2]
    frames = x.transpose(1, 2).flatten(0, 1)  # (B t, C, h, w)
    video, step, _ = real.nonzero(as_tuple=True)
    at = video * steps + torch.div(step * steps, real.shape[1], rounding_mode="floor")
    rois = torch.cat([at[:, None].to(boxes.dtype), boxes[real]], 1)  # (R, 5)
    with torch.autocast(x.device.type, enabled=False):  # its kernel knows no bfloat16
        cut = roi_align(
            frames.float(),
            rois.float(),
            PLACES,
            spatial_scale=scale,
            sampling_ratio=2,
            aligned=True,
        )
    found = cut.amax((-2, -1)).to(x.dtype)  # (R, C)
    return x.new_zeros(*real.shape, x.shape[1]).masked_scatter(real[..., None], found)
