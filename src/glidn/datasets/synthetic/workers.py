"""Writing many videos: the settings they belong to, and several processes that write them."""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from glidn.datasets.manifest import GENERATED
from glidn.errors import DataError, SettingError
from glidn.files import write_text

Progress = Callable[[int, int], None]
Item = TypeVar("Item")


def check_workers(workers: int | None) -> None:
    """
    Raises:
        SettingError: there are too few for anything.
    """
    if workers is not None and workers < 1:
        raise SettingError(f"workers is {workers}; it must be 1 or more.")


def check_settings(root: Path, config: Any) -> None:
    """Note the settings (a dataclass) in the folder, or compare with those noted there.

    Raises:
        DataError: the folder holds videos of other settings.
    """
    path, text = root / GENERATED, json.dumps(asdict(config), indent=2) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise DataError(
            f"{root} holds videos generated with other settings ({path.name}); "
            "choose another folder, or delete this one."
        )
    write_text(path, text)


def write_each(
    write: Callable[[Item], None],
    videos: Sequence[Item],
    workers: int | None,
    progress: Progress | None = None,
) -> None:
    """Write the videos, in any order.

    Args:
        write: writes one of them; it and the videos can be pickled.
        workers: processes; None: one for each processor core.
        progress: called with (videos done, videos in all).
    """
    workers = min(workers or os.cpu_count() or 1, len(videos))
    report = progress or (lambda done, of: None)
    if workers == 1:
        for done, video in enumerate(videos, start=1):
            write(video)
            report(done, len(videos))
        return
    # Spawned, not forked: the parent may already run threads (torch's, for one).
    with multiprocessing.get_context("spawn").Pool(workers, _end_tidily) as pool:
        for done, _ in enumerate(pool.imap_unordered(write, videos), start=1):
            report(done, len(videos))
        # Else they would be ended by a signal while they are leaving, and complain.
        pool.close()
        pool.join()


def _end_tidily() -> None:
    """For a worker: leave Ctrl-C to the parent, and remove a half video when it ends us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
