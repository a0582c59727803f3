"""The best epoch of a training, by videos that are held back."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class Best:
    """The weights of the epoch that said most of the videos held back; saved with the others."""

    def __init__(self, networks: nn.Module) -> None:
        self._networks = networks
        self._loss = math.inf
        self._epoch = 0
        self._weights: dict[str, Tensor] = {}

    def compare(self, loss: float, epoch: int) -> None:
        """Keep the networks' weights if they are the best so far."""
        if loss < self._loss or not self._weights:
            self._loss, self._epoch = loss, epoch
            now = self._networks.state_dict()
            self._weights = {name: value.detach().clone() for name, value in now.items()}

    def stays(self, epochs: int, patience: int) -> bool:
        """Whether, after so many epochs, there is no hope for a better one."""
        return patience > 0 and epochs - self._epoch >= patience

    def restore(self) -> None:
        if self._weights:
            self._networks.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {"loss": self._loss, "epoch": self._epoch, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._loss, self._epoch = float(state["loss"]), int(state["epoch"])
        self._weights = dict(state["weights"])
