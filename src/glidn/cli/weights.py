"""glidn weights: what a checkpoint file is, what fits, and its conversion to safetensors."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from glidn.errors import DataError, SettingError, nearest
from glidn.files import replacing

if TYPE_CHECKING:
    from torch import nn

    from glidn.backbones.foreign import Checkpoint, Fit

NETWORKS = ("i3d", "slowfast", "resnet50", "fasterrcnn")
MOST = 5  # keys of one kind that are printed


def main(arguments: list[str]) -> int:
    """Print what a file is and what fits; convert it where asked.

    Returns:
        0; the file is known and, where asked, converted.

    Raises:
        DataError: the file is no checkpoint, or does not fit; nothing is written then.
        SettingError: an option that cannot be.
    """
    parser = argparse.ArgumentParser(
        prog="glidn weights",
        description="Say what a file of weights is (Caffe2, PySlowFast, PyTorchVideo, "
        "torchvision, safetensors; by its content) and what of it fits which network, and "
        "convert it to safetensors under glidn's names. No code in the file runs. Exit code 0 "
        "if it fits, 2 if it does not or is no file of weights.",
    )
    parser.add_argument("file", type=Path, help="the file of weights")
    parser.add_argument("--to", type=Path, metavar="OUT.safetensors", help="write it converted")
    parser.add_argument(
        "--network", help=f"{', '.join(NETWORKS)}; default: the one that the file is of"
    )
    asked = parser.parse_args(arguments)
    if asked.network is not None and asked.network not in NETWORKS:
        raise SettingError(
            f"--network {asked.network} is unknown{nearest(asked.network, NETWORKS)}."
        )
    if asked.to is not None and asked.to.suffix != ".safetensors":
        raise SettingError(f"--to {asked.to}: give a name that ends in .safetensors.")

    # After parsing, so that `--help` answers at once.
    from glidn.backbones import foreign

    checkpoint = foreign.read(asked.file)
    numbers = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    print(f"{asked.file}: {checkpoint.kind}; network: {checkpoint.network}.")
    print(f"  {len(checkpoint.tensors):,} tensors, {numbers:,} numbers{_classes(checkpoint)}.")
    _print_keys("no weights, left out", checkpoint.skipped)
    network = asked.network or checkpoint.network
    if network not in NETWORKS:
        raise DataError(
            f"{asked.file} is of no network that glidn has (first tensor: "
            f"{next(iter(checkpoint.tensors))}); --network NAME shows what would fit one."
        )
    fit = foreign.compare(checkpoint, _build(network, checkpoint.classes))
    _print_fit(network, fit)
    if wrong := fit.misfits(without_head=checkpoint.classes is None):
        raise DataError(
            f"{asked.file} does not fit {network}: {len(wrong)} tensors are missing, unexpected or "
            f"of another shape, first {wrong[0]}{'; nothing was written' if asked.to else ''}."
        )
    if asked.to is not None:
        _write(checkpoint, fit, asked.to)
        print(f"Written: {asked.to}, {len(fit.loaded):,} tensors.")
    return 0


def _build(network: str, classes: int | None) -> nn.Module:
    """The network, for as many classes as the file has."""
    if network == "i3d":
        from glidn.backbones.i3d import I3D

        return I3D(classes)
    if network == "slowfast":
        from glidn.backbones.slowfast import SlowFast

        return SlowFast(classes)
    if network == "resnet50":
        from torchvision.models import resnet50

        return resnet50(num_classes=classes or 1000)
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    return fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=classes or 91)


def _write(checkpoint: Checkpoint, fit: Fit, path: Path) -> None:
    from safetensors.torch import save_file

    # Copies, because tensors of one file may share memory, which safetensors does not.
    tensors = {key: checkpoint.tensors[key].contiguous().clone() for key in fit.loaded}
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt", "from": checkpoint.kind})


def _classes(checkpoint: Checkpoint) -> str:
    return "" if checkpoint.classes is None else f", {checkpoint.classes} classes in the head"


def _print_fit(network: str, fit: Fit) -> None:
    total = len(fit.loaded) + len(fit.missing) + len(fit.other_shape)
    print(f"  {len(fit.loaded):,} of {total:,} tensors of {network} fit.")
    _print_keys("missing", fit.missing)
    _print_keys("unexpected", fit.unexpected)
    _print_keys(
        "other shape",
        tuple(
            f"{key} {theirs}, expected {ours}" for key, (theirs, ours) in fit.other_shape.items()
        ),
    )


def _print_keys(what: str, keys: tuple[str, ...]) -> None:
    if keys:
        more = f", and {len(keys) - MOST:,} more" if len(keys) > MOST else ""
        print(f"  {what} ({len(keys):,}): {', '.join(keys[:MOST])}{more}")
