"""One process or several, as torchrun starts them: who is who, and how they work together."""

import functools
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import nn

from glidn.config import TrainConfig

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def count() -> int:
    """Processes that train together, on all machines."""
    return int(os.environ.get("WORLD_SIZE", 1))


def number() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK", 0))


def is_first() -> bool:
    """Whether this process is the one that writes and speaks for all."""
    return number() == 0


def device() -> torch.device:
    """Where this process computes: its own accelerator, where there is one."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device("cpu")


def wait() -> None:
    """Go on when every process has come here; files that one has written are then there for all."""
    if count() > 1:
        _join()
        torch.distributed.barrier()


def share(network: nn.Module) -> None:
    """Give every process the first one's weights and statistics."""
    if count() > 1:
        for value in network.state_dict().values():
            torch.distributed.broadcast(value, 0)


def fabric(train: TrainConfig) -> "Fabric":
    """The engine: one device, or data-parallel processes under torchrun on one machine or many."""
    # Takes three seconds, which those who do not train need not wait for.
    from lightning.fabric import Fabric

    if count() == 1:
        return Fabric(accelerator="auto", devices=1, precision=train.precision)
    _join()
    here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    made = Fabric(
        accelerator="auto",
        devices=here,
        num_nodes=count() // here,
        strategy="ddp",
        precision=train.precision,
    )
    made.launch()
    return made


@functools.cache
def _join() -> None:
    """Once per process."""
    if torch.cuda.is_available():
        torch.cuda.set_device(device())
    # Long, because all wait for the slowest at the end of a test of hours.
    torch.distributed.init_process_group(
        "nccl" if torch.cuda.is_available() else "gloo", timeout=timedelta(hours=12)
    )
