"""Weights that other projects published, read by what a file holds and never by its extension.

Known: Caffe2 pickles, PySlowFast, PyTorchVideo, torchvision's ResNet-50 and Faster R-CNN, and
safetensors with any of these names. No code in a file ever runs.
"""

import math
import pickle
import re
import struct
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from glidn.backbones import foreign_names, foreign_pickle
from glidn.errors import DataError

EXPECTED = (
    "expected weights of I3D, SlowFast, ResNet-50 or Faster R-CNN by Caffe2, PySlowFast, "
    "PyTorchVideo or torchvision, or as safetensors"
)
# Layers that depend on the number of classes.
HEADS = ("head.", "fc.", "roi_heads.box_predictor.")
# What training state dicts are wrapped in, and PyTorch's counter of batches, which no result
# depends on: files may have it or not.
_WRAPPERS = ("model_state", "state_dict", "model", "blobs")
_COUNTER = "num_batches_tracked"

_SAFETENSORS_MAX_HEADER = 100_000_000
_OLD_TORCH = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
# First bytes of files that people mistake for weights: what they are, and the mend.
_MISTAKEN = {
    b"\x1f\x8b": "is compressed by gzip; unpack it first: gunzip",
    b"BZh": "is compressed by bzip2; unpack it first: bunzip2",
    b"\xfd7zXZ": "is compressed by xz; unpack it first: unxz",
    b"<": "is a web page, so the download went wrong; download it again",
    b"version https://git-lfs": "is a pointer of Git LFS, not the file; run: git lfs pull",
}


@dataclass(frozen=True)
class Checkpoint:
    """A file's tensors under our names.

    Attributes:
        path: where it was read from, quoted in errors.
        kind: whose format it is, as one would say it.
        network: i3d, slowfast, resnet50, fasterrcnn, or unknown.
        tensors: our key: tensor.
        skipped: entries of the file that are no weights, such as optimiser state, by their
            names there.
    """

    path: Path
    kind: str
    network: str
    tensors: dict[str, Tensor]
    skipped: tuple[str, ...]

    @property
    def classes(self) -> int | None:
        """K of the head, where there is one."""
        for key in ("head.projection.bias", "fc.bias", "roi_heads.box_predictor.cls_score.bias"):
            if key in self.tensors:
                return self.tensors[key].numel()
        return None


@dataclass(frozen=True)
class Fit:
    """How a checkpoint's tensors and a network's compare; every key is in exactly one list.

    Attributes:
        loaded: in both, with equal shapes.
        missing: in the network only.
        unexpected: in the checkpoint only.
        other_shape: key: (shape in the checkpoint, shape in the network).
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    other_shape: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    def misfits(self, *, without_head: bool = False) -> list[str]:
        """Keys for which the two are not the same network.

        An unexpected tensor is one of them: with the same names and one layer more (a non-local
        block, say) a network computes something else. A head that is not asked for is none.
        """
        extra = [key for key in self.unexpected if not key.startswith(HEADS)]
        extra = [key for key in extra if not key.endswith(_COUNTER)]
        lacking = [
            key
            for key in (*self.missing, *self.other_shape)
            if not (without_head and key.startswith(HEADS))
        ]
        return sorted(lacking) + sorted(extra)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint of any known format.

    Raises:
        DataError: it is none, or is damaged, or holds code.
    """
    container, content = _open(path)
    entries, aside = _state(content)
    tensors: dict[str, Tensor] = {}
    skipped = list(aside)
    kind, rename = _recognise(set(entries), container)
    for key, value in entries.items():
        ours = rename(key)
        if not isinstance(value, Tensor) or ours is None or ours in tensors:
            skipped.append(key)
        else:
            tensors[ours] = value.detach()
    if not tensors:
        raise DataError(f"{path} holds no tensors; {EXPECTED}.")
    return Checkpoint(path, kind, _network(tensors), tensors, tuple(skipped))


def compare(checkpoint: Checkpoint, module: nn.Module) -> Fit:
    """Which tensors would fit; the module is left as it is and may be on the meta device."""
    ours = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    theirs = {key: tuple(value.shape) for key, value in checkpoint.tensors.items()}
    both = [key for key in ours if key in theirs]
    return Fit(
        loaded=tuple(key for key in both if ours[key] == theirs[key]),
        missing=tuple(key for key in ours if key not in theirs and not key.endswith(_COUNTER)),
        unexpected=tuple(key for key in theirs if key not in ours),
        other_shape={key: (theirs[key], ours[key]) for key in both if ours[key] != theirs[key]},
    )


def fit(checkpoint: Checkpoint, module: nn.Module, *, without_head: bool = False) -> Fit:
    """Load a checkpoint into a network: all of it, or an error and nothing.

    Args:
        without_head: leave the module's head as it is where the checkpoint's does not fit,
            because it was trained on other classes.

    Raises:
        DataError: tensors are missing, have another shape, or belong to another network.
    """
    found = compare(checkpoint, module)
    if wrong := found.misfits(without_head=without_head):
        raise DataError(_sentence(checkpoint, module, found, wrong))
    module.load_state_dict({key: checkpoint.tensors[key] for key in found.loaded}, strict=False)
    return found


def _sentence(checkpoint: Checkpoint, module: nn.Module, found: Fit, wrong: list[str]) -> str:
    name = type(module).__name__
    first = wrong[0]
    if not found.misfits(without_head=True) and first in found.other_shape:
        classes, expected = (math.prod(shape[:1]) for shape in found.other_shape[first])
        return (
            f"{checkpoint.path} has {classes} classes in its head and this {name} {expected}; "
            "everything else fits: load it without the head."
        )
    detail = "is missing" if first in found.missing else "has no place in it"
    if first in found.other_shape:
        theirs, ours = found.other_shape[first]
        detail = f"has shape {theirs}, expected {ours}"
    return (
        f"{checkpoint.path} ({checkpoint.kind}, {checkpoint.network}) does not fit {name}: "
        f"{len(wrong)} tensors are missing, unexpected or of another shape, and "
        f"{len(found.loaded)} fit; {first} {detail}."
    )


def _open(path: Path) -> tuple[str, Any]:
    """The container's name and its content, as the first bytes tell."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {what}; give a file of weights.")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror or error}.") from error
    if not start:
        raise DataError(f"{path} is empty; download it again.")
    # First, because these begin with a length, which may be any byte.
    safetensors = _is_safetensors(start, size)
    for magic, sentence in _MISTAKEN.items():
        if start.startswith(magic) and not safetensors:
            raise DataError(f"{path} {sentence}.")
    # Damaged and hostile files raise a dozen types of exception; all mean the same here.
    try:
        if safetensors:
            from safetensors.torch import load_file

            return "safetensors", load_file(path)
        if start.startswith((b"PK\x03\x04", _OLD_TORCH)):
            return "torch", _torch(path)
        # 0x80 opens a pickle of protocol 2 and later, the others a dict of protocols 0 and 1.
        if start.startswith((b"\x80", b"(d", b"}")):
            with path.open("rb") as file:
                return "pickle", foreign_pickle.load(file)
    except foreign_pickle.RefusedError as error:
        raise DataError(
            f"{path} holds more than tensors ({_first_line(error)}), so it was not opened: "
            "it could run code on this machine."
        ) from error
    except Exception as error:
        raise DataError(
            f"{path} is damaged or cut off ({type(error).__name__}: {_first_line(error)}); "
            f"{EXPECTED}."
        ) from error
    raise DataError(f"{path} is not a file of weights; {EXPECTED}.")


def _torch(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about TorchScript archives, which it then refuses
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            # The one type that PyTorch raises for what it refuses and for what is damaged.
            if found := re.search(r"GLOBAL (\S+)|Unsupported (operand|class) .*", str(error)):
                raise foreign_pickle.RefusedError(found[1] or found[0]) from error
            raise


def _is_safetensors(start: bytes, size: int) -> bool:
    if len(start) < 9 or start[8:9] != b"{":
        return False
    (header,) = struct.unpack("<Q", start[:8])
    # A header longer than the file is a file cut off in its header.
    return header <= max(size, _SAFETENSORS_MAX_HEADER)


def _first_line(error: Exception) -> str:
    """What went wrong, short enough to stand in a sentence."""
    lines = str(error).splitlines() or ["no reason given"]
    return lines[0].strip().rstrip(".")[:160]


def _state(content: Any) -> tuple[dict[str, Any], list[str]]:
    """The state dict inside its wrapper, and the names of what lies beside it."""
    if not isinstance(content, Mapping):
        return {}, []
    for wrapper in _WRAPPERS:
        if isinstance(inside := content.get(wrapper), Mapping):
            # Data-parallel training prefixes every key.
            state = {str(key).removeprefix("module."): value for key, value in inside.items()}
            return state, [str(key) for key in content if key != wrapper]
    return {str(key).removeprefix("module."): value for key, value in content.items()}, []


def _recognise(keys: set[str], container: str) -> tuple[str, Callable[[str], str | None]]:
    """Whose names these are, and how they become ours."""
    if "conv1_w" in keys:
        kind, rename = "Caffe2", foreign_names.from_caffe2
    elif any(key.startswith("blocks.0.") for key in keys):
        pooled = not any(key.startswith("blocks.2.") for key in keys)
        kind = "PyTorchVideo"

        def rename(key: str) -> str | None:
            return foreign_names.from_pytorchvideo(key, pooled=pooled)

    elif any(key.startswith("backbone.body.") for key in keys):
        kind, rename = "torchvision", foreign_names.from_faster_rcnn
    elif {"conv1.weight", "layer1.0.conv1.weight"} <= keys:
        kind, rename = "torchvision", _same
    elif any(key.startswith("s1.pathway0_stem.") for key in keys):
        kind, rename = "PySlowFast", _same
    else:
        kind, rename = "unknown names", _same
    return f"{kind}, as safetensors" if container == "safetensors" else kind, rename


def _same(key: str) -> str | None:
    return key


def _network(tensors: Mapping[str, Tensor]) -> str:
    """By the keys and shapes that only one network has."""
    if "s1_fuse.conv_f2s.weight" in tensors:
        return "slowfast"
    if any(key.startswith("backbone.body.") for key in tensors):
        return "fasterrcnn"
    # ResNet-50 has 6 bottlenecks (3 convolutions) in layer3; ResNet-34 has basic blocks.
    if "layer3.5.conv3.weight" in tensors and "layer3.6.conv3.weight" not in tensors:
        return "resnet50"
    # Relatives of I3D that do not inflate (Slow, C2D) look at one frame in the stem.
    stem = tensors.get("s1.pathway0_stem.conv.weight")
    deeper = "s4.pathway0_res6.branch2.a.weight" in tensors
    if stem is not None and stem.dim() == 5 and stem.shape[2] == 5 and not deeper:
        return "i3d"
    return "unknown"
