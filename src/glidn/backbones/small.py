"""A small network for small crops, trained from scratch along with the view."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class SmallNetwork(nn.Module):
    """Three strided convolutions and a mean over places: (R, 3, S, S) uint8 -> (R, width).

    It has no batch normalisation, so padded and other boxes of a batch cannot change a box.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = (3, 12, 24, width)
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, crops: Tensor) -> Tensor:
        """(R, 3, S, S) uint8 -> (R, width)."""
        x = crops.to(torch.get_default_dtype()) / 127.5 - 1
        return self.layers(x).mean((-2, -1))
