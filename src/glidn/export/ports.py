"""What an exported file takes, described for whoever feeds it, and random examples of it.

Sizes that are left open are letters: B, T and N as in `types`; H and W are a clip's sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from glidn import features
from glidn.config import RunConfig
from glidn.material import cutter_of
from glidn.runs import Run

Kind = Literal["float32", "uint8", "bool"]
# Of a shorter side the map has one cell only, which an exporter would take for granted.
LEAST_SIDE = 33
OPEN = {
    "B": "videos",
    "T": "time steps",
    "N": "boxes per time step, padding included",
    "H": f"height of the clips, {LEAST_SIDE} pixels or more",
    "W": f"width of the clips, {LEAST_SIDE} pixels or more",
}


@dataclass(frozen=True)
class Port:
    """One input or output of the file.

    Attributes:
        shape: a number, or the letter of a size that is left open.
        kind: of its numbers, as NumPy calls it.
        what: one line for whoever feeds or reads it.
    """

    name: str
    shape: tuple[int | str, ...]
    kind: Kind
    what: str

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(map(str, self.shape))}) {self.kind}: {self.what}"

    @property
    def open(self) -> dict[int, str]:
        """The letters of the sizes that are left open, by axis."""
        return {axis: size for axis, size in enumerate(self.shape) if isinstance(size, str)}

    def sizes(self, chosen: Mapping[str, int]) -> list[int]:
        """Its shape with a number for every letter."""
        return [chosen[size] if isinstance(size, str) else size for size in self.shape]


def inputs_of(run: Run) -> tuple[Port, ...]:
    """What a file of this run takes; last which nodes are real, where there are nodes."""
    config = run.config
    if config.backbone is not None:
        return _of_clips(config)
    widths = features.widths(config.nodes, run.about["dataset"]["categories"])
    side = config.nodes.small_size
    every: dict[str, tuple[tuple[int, ...], Kind, str]] = {
        "geometry": (
            (widths.get("geometry", 0),),
            "float32",
            "place, size, motion and category of the box, made by glidn",
        ),
        "crop": ((widths.get("crop", 0),), "float32", "a frozen ResNet-50's features of the box"),
        "small": ((3, side, side), "uint8", "the box cut out and scaled, RGB"),
    }
    nodes = []
    for name in config.nodes.kinds:
        axes, kind, what = every[name]
        nodes.append(Port(name, ("B", "T", "N", *axes), kind, f"{what}; zeros in padding"))
    return (*nodes, _real("T"))


def _of_clips(config: RunConfig) -> tuple[Port, ...]:
    assert config.backbone is not None and config.clips is not None
    clips = config.clips
    alone = config.view.scene == "only"
    side = clips.test_size
    # A backbone's own head pools windows of a size that is fixed by the size of the map.
    sides = (side, side) if alone or side < LEAST_SIDE else ("H", "W")
    what = f"RGB; of {clips.fps:g} frames a second every {clips.rate}."
    pixels = Port("clips", ("B", 3, clips.frames, *sides), "uint8", what)
    if alone:
        return (pixels,)
    steps = len(cutter_of(config.backbone, clips, (), False).steps)
    what = "x1, y1, x2, y2 in pixels of the clip; zeros in padding"
    return (pixels, Port("boxes", ("B", steps, "N", 4), "float32", what), _real(steps))


def _real(steps: int | str) -> Port:
    return Port("real", ("B", steps, "N"), "bool", "where there is a box; False is padding")


def draw(ports: Sequence[Port], sizes: Mapping[str, int], seed: int = 0) -> dict[str, Tensor]:
    """Random inputs of these sizes; about a third of the nodes is padding."""
    g = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for port in ports:
        shape = port.sizes(sizes)
        if port.kind == "bool":
            made[port.name] = torch.rand(shape, generator=g) < 0.7
        elif port.kind == "uint8":
            made[port.name] = torch.randint(0, 256, shape, generator=g, dtype=torch.uint8)
        elif port.name == "boxes":
            high, wide = made["clips"].shape[-2:]
            ends = torch.rand(2, *shape[:-1], 2, generator=g) * torch.tensor([wide, high])
            made[port.name] = torch.cat([ends.amin(0), ends.amax(0)], -1)
        else:
            made[port.name] = torch.randn(shape, generator=g)
    for name, value in made.items():
        if name not in ("clips", "real"):
            made[name] = value * made["real"].reshape(*value.shape[:3], *(1,) * (value.dim() - 3))
    return made
