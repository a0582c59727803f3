"""ResNet-50 features of crops, as the paper takes them on CAD-120 (section 4.2)."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

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
                every machine with this torch), or a file with a torchvision ResNet-50 state dict.

        Raises:
            DataError: the file is not such a state dict.
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
            _load_file(network, Path(weights))
        network.fc = nn.Identity()
        self.network = network.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)

    @torch.no_grad()
    def forward(self, crops: Tensor) -> Tensor:
        """(R, 3, S, S) uint8 -> (R, 2048)."""
        x = (crops.float() / 255 - self.get_buffer("mean")) / self.get_buffer("std")
        return self.network(x)


def _load_file(network: nn.Module, path: Path) -> None:
    if not path.exists():
        raise DataError(
            f"nodes.weights: {path} does not exist; give a torchvision ResNet-50 file, or "
            "imagenet, or none."
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DataError(
            f"{path} could not be read as weights ({type(error).__name__}); expected a torchvision "
            "ResNet-50 state dict, as .pth or .safetensors."
        ) from error
    if not isinstance(found, Mapping):
        raise DataError(f"{path} holds a {type(found).__name__}; expected a state dict of tensors.")
    expected = network.state_dict()
    missing = sorted(
        key
        for key, value in expected.items()
        if not key.startswith("fc.")
        and not key.endswith("num_batches_tracked")
        and (key not in found or found[key].shape != value.shape)
    )
    if missing:
        raise DataError(
            f"{path} does not fit ResNet-50: {len(missing)} of {len(expected)} tensors are missing "
            f"or have another shape, first {missing[0]}."
        )
    network.load_state_dict(
        {key: value for key, value in found.items() if key in expected and key[:3] != "fc."},
        strict=False,
    )
