"""A network as an exported file has it: named tensors in, named tensors out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glidn import experiment, features
from glidn.backbones.blocks import normalise
from glidn.batch import Batch
from glidn.export.ports import Port, inputs_of
from glidn.model import AnyNetwork, BackboneAlone
from glidn.runs import Run


class Whole(nn.Module):
    """From what `inputs` names to what `outputs` names.

    Args:
        classes: K.
        many: whether several classes may be shown at once.
    """

    def __init__(
        self, network: AnyNetwork, inputs: tuple[Port, ...], classes: int, many: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.inputs = inputs
        self.many = many
        said = "in 0..1" if many else "in 0..1, sums to 1"
        self.outputs = (
            Port("logits", ("B", classes), "float32", "before the sigmoid or softmax"),
            Port("probabilities", ("B", classes), "float32", f"of each class, {said}"),
            *_attention(network, inputs[-1]),
        )

    def forward(
        self,
        geometry: Tensor | None = None,
        crop: Tensor | None = None,
        small: Tensor | None = None,
        clips: Tensor | None = None,
        boxes: Tensor | None = None,
        real: Tensor | None = None,
    ) -> dict[str, Tensor]:
        if isinstance(self.network, BackboneAlone):
            assert clips is not None
            backbone = self.network.backbone
            maps = backbone(normalise(clips))
            return {"logits": backbone.logits(maps), "probabilities": backbone.probabilities(maps)}
        assert real is not None
        every = {"geometry": geometry, "crop": crop, "small": small, "region": boxes}
        known = {kind: value for kind, value in every.items() if value is not None}
        nobody = real.new_zeros(0)  # labels, which no network looks at
        seen = self.network.see(Batch((), known, real, nobody, clips))
        logits = self.network.judge(seen, real).logits
        odds = logits.sigmoid() if self.many else logits.softmax(-1)
        said = {"logits": logits, "probabilities": odds}
        if self.network.relate is not None:
            layers = self.network.listen(seen, real)
            total = rollout(layers, self.network.relate.config.residual)
            said["attention"] = total if self._local else total[:, 0]
        return said

    @property
    def _local(self) -> bool:
        return len(self.outputs[-1].shape) == 4


def _attention(network: AnyNetwork, real: Port) -> tuple[Port, ...]:
    if isinstance(network, BackboneAlone) or network.relate is None:
        return ()
    _, steps, slots = real.shape
    graph: tuple[int | str, ...] = (steps, slots, slots)
    if network.relate.config.context == "global":
        graph = (f"{steps}*{slots}",) * 2
    what = "the share that row's node has from column's, all layers together"
    return (Port("attention", ("B", *graph), "float32", what),)


def rollout(layers: Sequence[Tensor], residual: bool) -> Tensor:
    """`graph.rollout` of a batch.

    Args:
        layers: (B, G, A, M, M) each, as `Relations.attention` gives them.

    Returns:
        (B, G, M, M).
    """
    total: Tensor | None = None
    for layer in layers:
        step = layer.mean(-3)
        if residual:
            number = torch.arange(step.shape[-1], device=step.device)
            step = (step + (number == number[:, None])) / 2
        total = step if total is None else step @ total
    assert total is not None, "a network with relations has at least one layer"
    return total


def load(run: Run, fold: str) -> Whole:
    """The network that a fold ended with, of the view that the run reports.

    Raises:
        RunError: the fold is not trained, or does not fit this glidn.
    """
    widths = features.widths(run.config.nodes, run.about["dataset"]["categories"])
    network = experiment.trained(run, fold, run.views[0], widths).cpu()
    return Whole(network, inputs_of(run), len(run.classes), run.task == "multi")
