"""How tests start processes that work together, as torchrun does."""

import os
import socket
import sys
from pathlib import Path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def command(*words: str) -> list[str]:
    """torchrun with these options, then the script and its arguments."""
    return [sys.executable, "-m", "torch.distributed.run", *words]


def environment() -> dict[str, str]:
    """For workers that import the tests' helpers, one thread each."""
    here = str(Path(__file__).parent)
    return {**os.environ, "PYTHONPATH": here, "OMP_NUM_THREADS": "1"}
