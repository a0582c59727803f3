"""Models of one shape trained as one stack (torch.func), against one after another.

    python benchmarks/stacked_models.py [--data demo/data]

A step of `cad120.tracks` on all videos, on one thread: a model alone, and 2, 5 and 10 models whose
parameters are stacked, with the forward pass mapped over them (vmap). Every model draws its own
variants of the videos, as its own training would. The first gradients of the largest stack are
compared with those of its models alone.
"""

import argparse
import copy
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from complete_graph import median_seconds
from glidn import datasets, memory
from glidn.batch import Batch
from glidn.config import Context, RunConfig
from glidn.distillation import objective
from glidn.learner import make_optimizer
from glidn.material import prepare
from glidn.model import build
from glidn.recipes import cad120, variants
from glidn.sources import Source
from glidn.training import seeded
from glidn.types import Dataset

MODELS = (2, 5, 10)
CONTEXTS: tuple[Context, ...] = ("local", "global")
# Trains, and gives the gradients that it went by.
Step = Callable[[], list[Tensor]]


def draw(source: Source, seed: int) -> Batch:
    """All videos, in variants of a model's own."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randint(source.variants, (len(source.videos),), generator=generator)
    return next(iter(source.batches([list(enumerate(chosen.tolist()))])))


def alone(network: nn.Module, config: RunConfig, source: Source, seed: int) -> Step:
    optimizer = make_optimizer(network, config.train)

    def step() -> list[Tensor]:
        batch = draw(source, seed)
        logits = network(batch).logits
        optimizer.zero_grad()
        objective(logits, batch.labels, None, None, config.train.label_smoothing)["loss"].backward()
        optimizer.step()
        return [p.grad for p in network.parameters() if p.grad is not None]

    return step


def stacked(networks: list[nn.Module], config: RunConfig, source: Source) -> Step:
    stacks, buffers = stack_module_state(networks)
    parameters = {name: nn.Parameter(stack.detach()) for name, stack in stacks.items()}
    optimizer = make_optimizer(nn.ParameterList(parameters.values()), config.train)
    shape = copy.deepcopy(networks[0]).to("meta")

    def one(
        parameters: dict[str, Tensor], buffers: dict[str, Tensor], geometry: Tensor, real: Tensor
    ) -> Tensor:
        batch = Batch((), {"geometry": geometry}, real, torch.empty(0))
        logits: Tensor = functional_call(shape, (parameters, buffers), (batch,)).logits
        return logits

    def step() -> list[Tensor]:
        batches = [draw(source, seed) for seed in range(len(networks))]
        geometry = torch.stack([batch.inputs["geometry"] for batch in batches])
        real = torch.stack([batch.real for batch in batches])
        logits = vmap(one)(parameters, buffers, geometry, real)
        labels = torch.cat([batch.labels for batch in batches])
        # A mean over all models' videos; each is to have the gradient of its own mean.
        mean = objective(logits.flatten(0, 1), labels, None, None, config.train.label_smoothing)
        optimizer.zero_grad()
        (mean["loss"] * len(networks)).backward()
        optimizer.step()
        return [p.grad for p in parameters.values() if p.grad is not None]

    return step


def difference(single: list[list[Tensor]], stack: list[Tensor]) -> float:
    """Of gradients, as a part of their norm; the largest over models and parameters."""
    return max(
        float((ours[model] - own).norm() / own.norm().clamp_min(1e-12))
        for model, gradients in enumerate(single)
        for own, ours in zip(gradients, stack, strict=True)
    )


def measure(data: Dataset, context: Context, runs: int) -> None:
    config = variants.alone(cad120.tracks(), context)
    material = prepare(data, config, None)
    names = [video.name for video in data.videos]
    source = material.source(names, 0)

    def network(seed: int) -> nn.Module:
        seeded(seed, context)
        made = build(config.nodes, config.view, material.widths, len(data.classes), None)
        material.measure([made], names)
        return made.train()

    several = [[network(seed) for seed in range(count)] for count in MODELS]
    ways = [alone(network(0), config, source, 0)]
    ways += [stacked(networks, config, source) for networks in several]
    first = [alone(network(seed), config, source, seed)() for seed in range(MODELS[-1])]
    apart = difference(first, stacked(several[-1], config, source)())
    single, *found = median_seconds(ways, runs)
    ratios = " | ".join(f"{s / n / single:.2f}" for n, s in zip(MODELS, found, strict=True))
    print(f"| {context} | {1000 * single:.1f} | {ratios} | {apart:.0e} |", flush=True)


def main() -> None:
    memory.keep()  # as the command line does
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("demo/data"))
    parser.add_argument("--runs", type=int, default=15)
    asked = parser.parse_args()
    data = datasets.load(asked.data)
    sizes = " | ".join(f"{count} stacked" for count in MODELS)
    print(f"{len(data.videos)} videos a step, 1 thread, medians of {asked.runs} runs.\n")
    print(
        f"| view | alone, ms | {sizes} | gradients apart |\n|---|---|{'---|' * (len(MODELS) + 1)}"
    )
    for context in CONTEXTS:
        measure(data, context, asked.runs)


if __name__ == "__main__":
    main()
