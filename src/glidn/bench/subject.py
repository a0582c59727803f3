"""What is measured: a network that looks at pixels, with what it is shown and what follows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glidn import processes
from glidn.backbones.blocks import normalise
from glidn.backbones.resnet import WIDTH, CropResNet
from glidn.config import BackboneConfig, NodesConfig, ViewConfig
from glidn.errors import RunError, SettingError, nearest
from glidn.export.file import choose_fold
from glidn.export.ports import draw
from glidn.export.whole import Whole, load
from glidn.model import BackboneAlone, build, pixel_networks
from glidn.regions import build_backbone
from glidn.runs import Run
from glidn.types import Video

CLASSES = 400
CROPS = 8
STEPS, BOXES = 16, 15  # of the graph where no run says it: the paper's on Charades
FRAMES = {"i3d": 32, "slowfast": 64}
SIDES = {"i3d": 224, "slowfast": 224, "resnet50": 224, "fasterrcnn": 800}


@dataclass(frozen=True)
class Subject:
    """A network that looks at pixels, ready to be measured.

    Attributes:
        name: of the network and of what it is shown, for a reader.
        network: in evaluation mode.
        x: what it is shown.
        frames: that it looks at in one pass; crops, where `unit` says so.
        judge: (B, K) probabilities of what follows, asking `network`; None where nothing does.
        graph: one pass from nodes to classes; None where there is no graph.
        steps: time steps in it, whose N nodes each are one frame's.
    """

    name: str
    network: nn.Module
    x: Tensor
    frames: int
    unit: str
    judge: Callable[[], Tensor] | None
    graph: Callable[[], object] | None = None
    steps: int = STEPS


def of_name(name: str, video: Video | None, side: int | None, frames: int | None) -> Subject:
    """A network by its name, with random weights.

    Args:
        video: whose frames it is shown; None: blurred noise.
        side: of the crops, clips or frames, pixels; None: as it is used.
        frames: of a clip; None: as it was published.

    Raises:
        SettingError: there is no network of that name, or not for so many frames.
        DataError: the video cannot be decoded.
    """
    if name not in SIDES:
        raise SettingError(f"no network '{name}'{nearest(name, SIDES)}.")
    torch.manual_seed(0)
    side, device = side or SIDES[name], processes.device()
    if name == "resnet50":
        resnet = CropResNet("none").eval().to(device)
        crops = pixels(video, CROPS, side).to(device)
        weights = torch.randn(WIDTH, CLASSES).to(device) / WIDTH**0.5
        return Subject(
            f"ResNet-50, {CROPS} crops of {side}x{side}, random weights",
            resnet,
            crops,
            CROPS,
            "crops",
            lambda: (resnet(crops) @ weights).softmax(-1),
            *_graph(),
        )
    if name == "fasterrcnn":
        from glidn.detectors.faster_rcnn import untrained

        pyramid = untrained(side).backbone
        images = pixels(video, 1, side).to(device) / 255
        return Subject(
            f"Faster R-CNN's ResNet-50 and pyramid, a frame of {side}x{side}, random weights",
            pyramid,
            images,
            1,
            "frames",
            None,
            *_graph(),
        )
    frames = frames or FRAMES[name]
    config = BackboneConfig(name=name)  # type: ignore[arg-type]  # it is one of SIDES
    network = build_backbone(config, CLASSES).eval().to(device)
    clip = normalise(pixels(video, frames, side).transpose(0, 1)[None].to(device))
    return Subject(
        f"{type(network).__name__}, clips of {frames} frames of {side}x{side}, random weights",
        network,
        clip,
        frames,
        "frames",
        lambda: network.probabilities(network(clip)),
        *_graph(),
    )


def of_run(run: Run, video: Video | None) -> Subject:
    """The network of a run's first trained fold that looks at pixels, and what follows from it.

    Raises:
        RunError: no fold is trained, or it does not fit this glidn; or its nodes need no pixels.
        DataError: the video cannot be decoded.
    """
    if run.config.backbone is None and not {"crop", "small"} & set(run.config.nodes.kinds):
        raise RunError(
            f"{run.path} has geometry nodes alone: none of its networks looks at pixels, so there "
            "is no engine to choose."
        )
    fold = next((name for name in run.folds if run.is_done(name)), None)
    whole = load(run, choose_fold(run, fold)).to(processes.device())
    clips, nodes = run.config.clips, run.config.nodes
    side = clips.test_size if clips else 0
    sizes = {"B": 1, "T": run.config.data.steps, "N": 5, "H": side, "W": side}
    inputs = {name: x.to(processes.device()) for name, x in draw(whole.inputs, sizes).items()}
    graph = _graph_of(whole, inputs)
    who = f"{run.path.resolve().name}'s"
    if clips is not None:
        (network,) = pixel_networks(whole.network)
        shown = pixels(video, clips.frames, side).transpose(0, 1)[None]
        inputs["clips"] = shown.to(processes.device())
        return Subject(
            f"{who} {type(network).__name__}, clips of {clips.frames} frames of {side}x{side}",
            network,
            normalise(inputs["clips"]),
            clips.frames,
            "frames",
            lambda: whole(**inputs)["probabilities"],
            graph,
            inputs["real"].shape[1] if "real" in inputs else STEPS,
        )
    real, steps = inputs["real"], inputs["real"].shape[1]
    if "crop" in nodes.kinds:
        resnet = CropResNet(nodes.weights).eval().to(real.device)
        shown = pixels(video, CROPS, nodes.crop_size).to(real.device)

        def judge() -> Tensor:
            every = torch.arange(real.numel(), device=real.device) % CROPS
            seen = resnet(shown)[every].reshape(*real.shape, -1) * real[..., None]
            return whole(**{**inputs, "crop": seen})["probabilities"]

        name = f"{who} ResNet-50, {CROPS} crops of {nodes.crop_size}x{nodes.crop_size}"
        return Subject(name, resnet, shown, CROPS, "crops", judge, graph, steps)
    (network,) = pixel_networks(whole.network)
    count = int(real.sum())
    shown = pixels(video, count, nodes.small_size).to(real.device)
    inputs["small"] = inputs["small"].clone()
    inputs["small"][real] = shown
    name = f"{who} small network, {count} crops of {nodes.small_size}x{nodes.small_size}"
    judge = lambda: whole(**inputs)["probabilities"]  # noqa: E731
    return Subject(name, network, shown, count, "crops", judge, graph, steps)


def pixels(video: Video | None, count: int, side: int) -> Tensor:
    """(count, 3, side, side) uint8: frames spread over a video, squeezed; or blurred noise."""
    if video is None or video.pixels is None:
        coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        made = F.interpolate(coarse, (side, side), mode="bilinear")
    else:
        frames = np.linspace(0, video.frames - 1, count).round().astype(int)
        shown = torch.from_numpy(video.pixels.read(frames)).permute(0, 3, 1, 2)
        made = F.interpolate(shown.float() / 255, (side, side), mode="bilinear", antialias=True)
    return (made.clamp(0, 1) * 255).to(torch.uint8)


def _graph() -> tuple[Callable[[], object], int]:
    """The local view over the paper's number of steps and boxes."""
    network = build(NodesConfig(kinds=("crop",)), ViewConfig(), {"crop": WIDTH}, CLASSES)
    whole = _head(network.eval().to(processes.device()))
    return whole, STEPS


def _head(network: nn.Module) -> Callable[[], object]:
    from glidn.batch import Batch

    device = processes.device()
    features = torch.randn(1, STEPS, BOXES, WIDTH, device=device)
    real = torch.ones(1, STEPS, BOXES, dtype=torch.bool, device=device)
    batch = Batch(("",), {"crop": features}, real, real.new_zeros(1, dtype=torch.int64))
    return lambda: network(batch)


def _graph_of(whole: Whole, inputs: dict[str, Tensor]) -> Callable[[], object] | None:
    """From what has been seen of the nodes to the classes."""
    from glidn.batch import Batch

    network = whole.network
    if isinstance(network, BackboneAlone):
        return None
    kinds = {
        "region" if name == "boxes" else name: x
        for name, x in inputs.items()
        if name not in ("clips", "real")
    }
    real = inputs["real"]
    with torch.no_grad():
        seen = network.see(Batch((), kinds, real, real.new_zeros(0), inputs.get("clips")))
    return lambda: network.judge(seen, real)
