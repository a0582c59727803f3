"""The straight line from boxes to classes. One network is one view; a teacher is another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glidn.backbones.blocks import Maps, VideoNetwork, normalise
from glidn.backbones.small import SmallNetwork
from glidn.batch import Batch, Sample
from glidn.config import BackboneConfig, NodesConfig, ViewConfig
from glidn.regions import Regions, Seen, build_backbone
from glidn.views import Relations, build_readout, time_encoding


@dataclass(frozen=True)
class Output:
    """What a network says of a batch.

    Attributes:
        logits: (B, K), before softmax.
        nodes: (B, T, N, D), the related nodes; meaningless in padding.
    """

    logits: Tensor
    nodes: Tensor


class Ready(nn.Module):
    """For nodes that arrive as they shall be: the frozen ResNet's features."""

    def forward(self, features: Tensor, real: Tensor) -> Tensor:
        """(B, T, N, D) float32 -> the same."""
        return features


class Standardised(nn.Module):
    """For geometry: each feature less its mean over the training nodes, in their spread.

    Beyond four spreads a value says no more than "far".
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))

    def measure(self, features: Tensor) -> None:
        """Take mean and spread from (R, D) training nodes; a constant feature keeps its scale."""
        spread = features.std(0)
        self.get_buffer("mean").copy_(features.mean(0))
        self.get_buffer("spread").copy_(torch.where(spread > 1e-3, spread, torch.ones(())))

    def forward(self, features: Tensor, real: Tensor) -> Tensor:
        """(B, T, N, D) float32 -> the same, zero in padding."""
        scaled = features - self.get_buffer("mean")
        # In place: a small network's step is mostly new memory, and nobody learns the inputs.
        return scaled.div_(self.get_buffer("spread")).clamp_(-4, 4).mul_(real[..., None])


class Look(nn.Module):
    """For nodes that arrive as crops: a network looks at the real ones."""

    def __init__(self, network: nn.Module, width: int) -> None:
        super().__init__()
        self.network = network
        self.width = width

    def forward(self, crops: Tensor, real: Tensor) -> Tensor:
        """(B, T, N, 3, S, S) uint8 -> (B, T, N, D), zero in padding; D of an earlier look stay."""
        if crops.dim() == real.dim() + 1:
            return crops
        if torch.compiler.is_exporting():
            return self._look_at_all(crops, real)
        seen = self.network(crops[real])
        return seen.new_zeros(*real.shape, self.width).masked_scatter(real[..., None], seen)

    def _look_at_all(self, crops: Tensor, real: Tensor) -> Tensor:
        # For an exported file, where no shape may hang on how many are real. Rows are taken by
        # their number, because a reshape would exclude some sizes from it.
        b, t, n = (torch.arange(size, device=real.device) for size in real.shape)
        row = (b[:, None, None] * real.shape[1] + t[:, None]) * real.shape[2] + n
        return self.network(crops.flatten(0, 2))[row] * real[..., None]


class Encoder(nn.Module):
    """What is known of each box -> nodes: every kind encoded, then concatenated."""

    def __init__(self, kinds: dict[str, nn.Module]) -> None:
        super().__init__()
        self.kinds = nn.ModuleDict(kinds)

    def forward(self, batch: Batch) -> Tensor:
        """(B, T, N, D), zero in padding."""
        parts = [encode(batch.inputs[kind], batch.real) for kind, encode in self.kinds.items()]
        return torch.cat(parts, -1)


class Fuse(nn.Module):
    """The graph's vector and the scene's: side by side, summed, or the graph's alone."""

    def __init__(self, how: str, dropout: float) -> None:
        super().__init__()
        self.how = how
        self.dropout = nn.Dropout(dropout)

    def forward(self, graph: Tensor, scene: Tensor | None) -> Tensor:
        """(B, D) and (B, C) -> (B, C + D), or (B, D)."""
        if scene is None or self.how == "none":
            return graph
        scene = self.dropout(scene)
        return scene + graph if self.how == "sum" else torch.cat([scene, graph], -1)


class Network(nn.Module):
    """One view, from nodes to logits (figure 2).

    Attributes:
        time: add the step's encoding to every node.
    """

    def __init__(
        self,
        encode: Encoder | Regions,
        embed: nn.Module,
        relate: Relations | None,
        readout: nn.Module,
        fuse: Fuse,
        classify: nn.Module,
        time: bool = False,
    ) -> None:
        super().__init__()
        self.encode = encode
        self.embed = embed
        self.relate = relate
        self.readout = readout
        self.fuse = fuse
        self.classify = classify
        self.time = time

    def forward(self, batch: Batch) -> Output:
        return self.judge(self.see(batch), batch.real)

    def judge(self, seen: Seen, real: Tensor) -> Output:
        """From what each box is to the classes: seen once, it can be judged without some boxes."""
        nodes = seen.nodes  # (B, T, N, D)  what each box is
        if self.relate is not None:
            nodes = self.relate(nodes, real)  # (B, T, N, D)  local or global relations
        pooled = self.readout(nodes, real)  # (B, D)
        pooled = self.fuse(pooled, seen.scene)  # (B, C + D)  with the scene around it
        return Output(self.classify(pooled), nodes)  # (B, K)

    def probabilities(self, batch: Batch) -> Tensor:
        """(B, K) in 0..1: how likely each class is shown, of several or of one."""
        logits = self(batch).logits
        return logits.sigmoid() if batch.labels.dim() == 2 else logits.softmax(-1)

    def see(self, batch: Batch) -> Seen:
        """The nodes before they are related, and the scene."""
        if isinstance(self.encode, Regions):
            assert batch.clips is not None
            seen = self.encode(batch.clips, batch.inputs["region"], batch.real)
        else:
            seen = Seen(self.encode(batch))
        nodes = self.embed(seen.nodes)
        if self.time:
            steps, width = nodes.shape[1], nodes.shape[-1]
            nodes = nodes + time_encoding(steps, width, nodes.device)[:, None]
        return Seen(nodes, seen.scene)

    @torch.no_grad()
    def expect(self, logits: Tensor) -> None:
        """Let an untrained classifier begin at (K,) logits."""
        self.get_parameter("classify.1.bias").copy_(logits)

    @torch.no_grad()
    def attention(self, batch: Batch) -> list[Tensor]:
        """Who listens to whom, per layer (`Relations.attention`); empty without relations."""
        return [] if self.relate is None else self.listen(self.see(batch), batch.real)

    def listen(self, seen: Seen, real: Tensor) -> list[Tensor]:
        """The same of what has been seen already; there must be relations."""
        assert self.relate is not None
        return self.relate.attention(seen.nodes, real)


class BackboneAlone(nn.Module):
    """A video network with its own classifier and without nodes: the first stage, the baseline."""

    def __init__(self, backbone: VideoNetwork) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, batch: Batch) -> Output:
        maps = self._maps(batch)
        return Output(self.backbone.logits(maps), maps.slow.new_zeros(*batch.real.shape, 0))

    def probabilities(self, batch: Batch) -> Tensor:
        """(B, K) in 0..1: the mean over the places of a frame larger than in training."""
        return self.backbone.probabilities(self._maps(batch))

    @torch.no_grad()
    def expect(self, logits: Tensor) -> None:
        """Let an untrained classifier begin at (K,) logits."""
        assert self.backbone.head is not None
        self.backbone.head.projection.bias.copy_(logits)

    def attention(self, batch: Batch) -> list[Tensor]:
        """Nothing is related."""
        return []

    def _maps(self, batch: Batch) -> Maps:
        assert batch.clips is not None
        return self.backbone(normalise(batch.clips))


AnyNetwork = Network | BackboneAlone


def measure(networks: Sequence[AnyNetwork], samples: Sequence[Sample]) -> None:
    """Standardise geometry by the training samples, all their variants; before training."""
    found: dict[str, list[Standardised]] = {}
    for network in networks:
        if isinstance(network, Network) and isinstance(network.encode, Encoder):
            for kind, encode in network.encode.kinds.items():
                if isinstance(encode, Standardised):
                    found.setdefault(kind, []).append(encode)
    for kind, (first, *others) in found.items():
        rows = [
            inputs[kind][real]
            for sample in samples
            for inputs, real in zip(sample.variants, sample.real, strict=True)
        ]
        first.measure(torch.cat(rows))
        for other in others:
            other.load_state_dict(first.state_dict())


def pixel_networks(network: AnyNetwork) -> list[nn.Module]:
    """The parts that look at pixels, which cost nearly all the time; each takes one tensor."""
    if isinstance(network, BackboneAlone):
        return [network.backbone]
    if isinstance(network.encode, Regions):
        return [network.encode.backbone]
    return [kind.network for kind in network.encode.kinds.values() if isinstance(kind, Look)]


def build(
    nodes: NodesConfig,
    view: ViewConfig,
    widths: Mapping[str, int],
    classes: int,
    backbone: BackboneConfig | None = None,
) -> AnyNetwork:
    """The network of one view.

    Args:
        widths: features per node of each kind that arrives as features.
        classes: K.
        backbone: for region nodes.
    """
    if backbone is not None and view.scene == "only":
        return BackboneAlone(build_backbone(backbone, classes))
    encode: Encoder | Regions
    if backbone is not None:
        encode, width = (
            Regions(build_backbone(backbone, None), nodes.region_width),
            nodes.region_width,
        )
    else:
        encode, width = _encoder(nodes, widths)
    embed: nn.Module = nn.Linear(width, view.embed) if view.embed else nn.Identity()
    width = view.embed or width
    relate = None
    if view.context != "none":
        relate = Relations(width, view)
        width = view.width
    readout, width = build_readout(view, width)
    if view.scene == "concat":
        width += nodes.region_width
    classify = nn.Sequential(nn.Dropout(view.dropout), nn.Linear(width, classes))
    fuse = Fuse(view.scene, view.scene_dropout)
    return Network(encode, embed, relate, readout, fuse, classify, view.time)


def _encoder(nodes: NodesConfig, widths: Mapping[str, int]) -> tuple[Encoder, int]:
    """Every kind of node encoded, and how wide they are together."""
    kinds: dict[str, nn.Module] = {}
    width = 0
    for kind in nodes.kinds:
        if kind == "small":
            kinds[kind] = Look(SmallNetwork(nodes.small_width), nodes.small_width)
            width += nodes.small_width
        else:
            kinds[kind] = Standardised(widths[kind]) if kind == "geometry" else Ready()
            width += widths[kind]
    return Encoder(kinds), width
