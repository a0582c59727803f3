"""A network's weights in and out of a run folder, as safetensors."""

import hashlib
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from glidn.backbones.foreign import Checkpoint
from glidn.errors import RunError
from glidn.files import replacing
from glidn.model import AnyNetwork


def save(network: AnyNetwork, path: Path) -> None:
    """Write the weights, whole or not at all."""
    # Through memory, because safetensors reports a full disk as an error of its own kind.
    content = to_bytes({key: value.contiguous() for key, value in network.state_dict().items()})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def load(network: AnyNetwork, path: Path) -> AnyNetwork:
    """Read weights into a network that was built from the same settings, and set it to eval mode.

    Raises:
        RunError: they are missing, damaged, or of a network with other settings.
    """
    if not path.exists():
        raise RunError(f"{path} does not exist: that fold is not trained yet.")
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise RunError(f"{path} does not hold the weights of this network: {reason}") from error
    return network.eval()


def digest(network: AnyNetwork) -> str:
    """Changes with any weight."""
    found = hashlib.sha256()
    for value in network.state_dict().values():
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def read_backbone(folder: Path, view: str) -> Checkpoint:
    """The video network of a fold of a first stage, or of any run with region nodes.

    Raises:
        RunError: there is none.
    """
    path = folder / f"{view}.safetensors"
    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{path} is missing or damaged; train that run again.") from error
    prefixes = ("backbone.", "encode.backbone.")
    inside = {
        key.removeprefix(prefix): value
        for prefix in prefixes
        for key, value in found.items()
        if key.startswith(prefix)
    }
    if not inside:
        raise RunError(f"{path} holds no video network; backbone.weights needs one.")
    return Checkpoint(path, "glidn", "unknown", inside, ())
