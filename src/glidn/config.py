"""Frozen settings: a recipe fills them, the command line changes any of them by its dotted name.

Each field's text is the help of its option. Values are checked where they are used.
"""

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Context = Literal["local", "global", "none"]
ProtocolKind = Literal["dataset", "subjects", "split", "random", "auto"]
NodeKind = Literal["geometry", "crop", "small", "region"]
Engine = Literal["plain", "channels-last", "bf16", "compile", "onnx"]


@dataclass(frozen=True)
class DataConfig:
    """Which dataset, and how a video becomes T time steps.

    Attributes:
        root: The dataset's folder.
        kind: How to read it: a name of datasets.READERS, or auto to recognise it.
        samples: What a sample is: a video, with its label or labels; or windows: parts of one
            length all over each video, labelled by what is shown at their middle, to learn timed
            actions of which one is shown at a time.
        window: Seconds that a window sees, half of them before its middle.
        stride: Seconds from the middle of one window to the next.
        smooth: Standard deviation, in seconds, of the Gaussian that smooths the classes' scores
            over time before a timeline is read off them; 0: none.
        steps: T: frames sampled uniformly between a video's first and last box.
        variants: How many looks at each training video, of which every epoch draws one: the video
            itself, its mirror image, then random ones (speed, place, size, other frames).
        protocol: Who is tested: as the dataset says; every subject in turn (subjects); the videos
            whose split is test (split); random parts in turn (random); or the first of split,
            subjects (three at least) and random that the dataset allows (auto).
        parts: Of random: each is tested once by a network that saw the others only.
        parts_seed: Of random: which videos are together; classes are spread evenly.
    """

    root: Path = Path("data")
    kind: str = "auto"
    samples: Literal["video", "windows"] = "video"
    window: float = 3.0
    stride: float = 0.5
    smooth: float = 0.4
    steps: int = 30
    variants: int = 1
    protocol: ProtocolKind = "dataset"
    parts: int = 4
    parts_seed: int = 0


@dataclass(frozen=True)
class NodesConfig:
    """What a node knows of its box; several kinds are concatenated.

    Attributes:
        kinds: crop = a frozen ResNet's features of the box; small = a small network trained
            from scratch on the box; geometry = place, size, motion and category, no pixels;
            region = the box's part of a video network's map (settings backbone and clips).
        crop_size: Side of a crop for the ResNet, pixels.
        small_size: Side of a crop for the small network, pixels.
        small_width: Features per node of the small network.
        region_width: Features per region node, and of the scene.
        weights: The ResNet's: imagenet (downloaded once by torchvision), none (random), or a file.
        cache: Where frozen features are kept; default: a folder in the user's cache.
    """

    kinds: tuple[NodeKind, ...] = ("crop",)
    crop_size: int = 224
    small_size: int = 24
    small_width: int = 32
    region_width: int = 512
    weights: str = "imagenet"
    cache: Path | None = None


@dataclass(frozen=True)
class BackboneConfig:
    """The video network whose last map region nodes are cut from.

    Attributes:
        name: i3d or slowfast, both with a ResNet-50.
        weights: A published checkpoint, or the run folder of a first stage; none: random.
        width: Channels of the stem; published weights have 64.
        blocks: Bottlenecks of res2 to res5; published weights have 3, 4, 6 and 3.
        res5_stride: 2, or 1 for a map of twice the resolution.
        frozen_norm: Keep batch normalisation as it was loaded; without it small batches ruin
            trained weights. Random weights cannot do with it.
        frozen: Do not train the backbone at all.
        dropout: Before the classifier of the backbone alone.
    """

    name: Literal["i3d", "slowfast"] = "i3d"
    weights: Path | None = None
    width: int = 64
    blocks: tuple[int, int, int, int] = (3, 4, 6, 3)
    res5_stride: int = 2
    frozen_norm: bool = True
    frozen: bool = False
    dropout: float = 0.5


@dataclass(frozen=True)
class ClipsConfig:
    """How clips are cut from videos for a video network, in training and in the test.

    Attributes:
        frames: F of a clip: 32 for I3D, 64 for SlowFast.
        rate: Every so many frames of `fps`.
        fps: Frames a second that `rate` counts in, whatever the video's own.
        size: Side of the random crop in training, pixels.
        short: The frame's short side in training is drawn between these, pixels.
        mirror: Mirror half of the training clips.
        variants: How many looks each training video has in all; 0: a new one every epoch.
        boxes: N, the best-scored boxes of a time step.
        box_frames: Boxes at each time step of the map, or at every frame of the clip.
        gap: A step without boxes takes those of the nearest frame that is at most so many
            seconds away.
        test_clips: Clips per test video, spread evenly, ends included.
        test_crops: Crops per test clip: 3 along the long side, or 1 in the middle.
        test_size: The short side in the test, and the side of its crops, pixels.
        fuse: How the scores of a video's views become one.
        views_per_batch: Views that go through the network at once in the test.
        workers: Processes that decode for one training process; 0: none but itself.
        memory: GiB of decoded training videos that each of them keeps for each kind of clips, so
            as to decode short videos once and not every epoch.
    """

    frames: int = 32
    rate: int = 2
    fps: float = 24.0
    size: int = 224
    short: tuple[int, int] = (256, 320)
    mirror: bool = True
    variants: int = 0
    boxes: int = 15
    box_frames: Literal["step", "all"] = "step"
    gap: float = 0.5
    test_clips: int = 10
    test_crops: int = 3
    test_size: int = 224
    fuse: Literal["max", "mean"] = "max"
    views_per_batch: int = 3
    workers: int = 0
    memory: float = 0.0


@dataclass(frozen=True)
class ViewConfig:
    """One network from nodes to logits.

    Attributes:
        context: Which nodes a node relates to: those of its frame (local), of the whole video
            (global), or none: the baseline without relations.
        embed: Width of a linear embedding before the first layer; 0 feeds the nodes in as they are.
        width: Features per node after each graph attention layer.
        layers: Graph attention layers (Table 4: 3 on CAD-120, 1 on Charades).
        heads: Attention heads per layer; each has width / heads features.
        init: How attention is first drawn: as nn.Linear draws its weights, or by Glorot's wider
            rule, as in PyTorch Geometric.
        slope: Negative slope of the LeakyReLU in eq. 1.
        residual: Add each layer's input to its output.
        norm: Layer normalisation before each layer.
        dropout: Share of node features dropped before each layer and the classifier.
        window: In the global view, relate only nodes at most this many steps apart; 0: all.
        readout: How the nodes become one vector: mean, max or attention over nodes, or, for the
            baseline without relations, persons: the mean person and the mean object, side by side.
        time: Add a sinusoidal encoding of the step to each node, so that order can be seen.
        scene: With region nodes, the whole map's mean beside the nodes: concat, sum, none, or
            only: the backbone alone, with its own classifier and without nodes.
        scene_dropout: Share of the scene's features dropped.
    """

    context: Context = "local"
    embed: int = 0
    width: int = 512
    layers: int = 3
    heads: int = 1
    init: Literal["linear", "glorot"] = "linear"
    slope: float = 0.2
    residual: bool = False
    norm: bool = False
    dropout: float = 0.0
    window: int = 0
    readout: Literal["mean", "max", "attention", "persons"] = "mean"
    time: bool = False
    scene: Literal["none", "concat", "sum", "only"] = "none"
    scene_dropout: float = 0.0


@dataclass(frozen=True)
class DistillConfig:
    """How a student learns from its teacher (eq. 4), or two peers from each other.

    Attributes:
        teacher: The teacher's run folder; with mutual, nothing.
        mutual: Deep mutual learning: the other view is trained along and is the teacher.
        loss: Between the softened predictions: kl of softmax (section 3.3, CAD-120), l2 of
            sigmoid (eq. 3, Charades), l1 or bce of sigmoid; auto: kl for one label per video,
            l2 for several.
        temperature: T, which softens both distributions.
        lambda1: Weight of the cross-entropy with the labels.
        lambda2: Weight of the distillation loss.
        squared_temperature: Multiply the distillation loss by T², which keeps its gradient's size.
    """

    teacher: Path | None = None
    mutual: bool = False
    loss: Literal["auto", "kl", "l2", "l1", "bce"] = "auto"
    temperature: float = 10.0
    lambda1: float = 0.3
    lambda2: float = 0.7
    squared_temperature: bool = False


@dataclass(frozen=True)
class TrainConfig:
    """How long and how fast.

    Attributes:
        epochs: Passes over the training videos; the last one is tested, unless some videos are
            held back to choose it (validation). 0 tests the weights
            that were loaded.
        batch: Videos per step, over all processes.
        lr: Initial, or with a cosine highest, learning rate.
        accumulate: Parts in which each process computes its share of a step, to save memory.
        optimizer: adam (AdamW), or sgd with Nesterov momentum.
        momentum: Of sgd.
        schedule: step multiplies the rate by `decay` each `decay_every` epochs; cosine lets it
            rise over the first tenth of the epochs and fall to zero.
        decay_every: See schedule.
        decay: See schedule.
        weight_decay: Decoupled weight decay (AdamW); 0 is plain Adam. With sgd, L2.
        label_smoothing: Share of the label spread evenly over all classes.
        prior: A new classifier begins by saying how often each class is shown in the training
            videos; from zero, it takes many labels hundreds of steps to learn that.
        class_weights: How much more a rare class may weigh than a common one, as the inverse of how
            often the training videos show it; 0: all weigh alike.
        validation: Share of the training videos that is held back; the epoch whose weights say
            most of them is tested. 0: none, and the last epoch is tested.
        patience: Stop after so many epochs that say no more of them; 0: never.
        seed: Of the initial weights, the order of videos, dropout and augmentation.
        checkpoint_every: Epochs between checkpoints.
        precision: Of Lightning Fabric: 32-true or bf16-mixed.
        threads: Processor threads for one training; 0 leaves torch's choice.
    """

    epochs: int = 100
    batch: int = 8
    lr: float = 2e-5
    accumulate: int = 1
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: float = 0.9
    schedule: Literal["step", "cosine"] = "step"
    decay_every: int = 50
    decay: float = 0.1
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    prior: bool = False
    class_weights: float = 0.0
    validation: float = 0.0
    patience: int = 0
    seed: int = 0
    checkpoint_every: int = 1
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    threads: int = 0


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run is made of.

    Attributes:
        backbone, clips: for region nodes only.
        folds: Subjects to leave out, each in turn; empty: every fold of the dataset's protocol.
    """

    data: DataConfig = field(default_factory=DataConfig)
    nodes: NodesConfig = field(default_factory=NodesConfig)
    backbone: BackboneConfig | None = None
    clips: ClipsConfig | None = None
    view: ViewConfig = field(default_factory=ViewConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    distill: DistillConfig | None = None
    folds: tuple[str, ...] = ()


def as_dict(config: Any) -> dict[str, Any]:
    """Settings as plain YAML values."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, tuple):
            return [plain(inner) for inner in value]
        return str(value) if isinstance(value, Path) else value

    return plain(dataclasses.asdict(config))


def from_dict(kind: type, settings: dict[str, Any]) -> Any:
    """`as_dict` backwards: settings of the dataclass `kind`.

    Raises:
        ValueError: a setting is unknown.
    """
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(settings) - set(hints))
    if unknown:
        raise ValueError(f"{kind.__name__} has no setting {unknown[0]}")
    return kind(**{name: _read(hints[name], value) for name, value in settings.items()})


def _read(hint: Any, value: Any) -> Any:
    options = [part for part in typing.get_args(hint) if part is not type(None)]
    if isinstance(hint, types.UnionType):
        return None if value is None else _read(options[0], value)
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast(type, hint), value)
    if typing.get_origin(hint) is tuple:
        return tuple(value)
    return Path(value) if hint is Path else value
