"""ResNet-50 features of crops, as the paper takes them on CAD-120 (section 4.2)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from glidn.backbones import foreign
from glidn.errors import DataError

# torchvision's preprocessing for its ImageNet weights, RGB in 0..1.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
WIDTH = 2048


class CropResNet(nn.Module):
    """ResNet-50 without its classifier: (R, 3, S, S) uint8 -> (R, 2048), in eval mode."""

    def __init__(self, weights: str) -> None:
        """
        Args:
            weights: "imagenet" (downloaded once by torchvision), "none" (random, but the same on
                every machine with this torch), or a file that `glidn weights` knows.

        Raises:
            DataError: the file holds no ResNet-50, or the download failed.
        """
        super().__init__()
        from torchvision.models import ResNet50_Weights, resnet50

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                network = resnet50(
                    weights=ResNet50_Weights.IMAGENET1K_V2 if weights == "imagenet" else None
                )
            except OSError as error:  # URLError among others
                raise DataError(
                    f"torchvision's ImageNet weights could not be downloaded ({error}); give a "
                    "file with --nodes.weights FILE, or --nodes.weights none for random ones."
                ) from error
        if weights not in ("imagenet", "none"):
            path = Path(weights)
            if not path.exists():
                raise DataError(
                    f"nodes.weights: {path} does not exist; give a ResNet-50 file, or imagenet, or "
                    "none."
                )
            foreign.fit(foreign.read(path), network, without_head=True)
        network.fc = nn.Identity()
        self.network = network.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    @torch.no_grad()
    def forward(self, crops: Tensor) -> Tensor:
        """(R, 3, S, S) uint8 -> (R, 2048)."""
        x = (crops.float() / 255 - self.get_buffer("mean")) / self.get_buffer("std")
        return self.network(x)
