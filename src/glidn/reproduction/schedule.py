"""Many trainings over all cores, or on one GPU; what is done is not done again."""

import contextlib
import math
import multiprocessing
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glidn.config import RunConfig
from glidn.errors import GlidnError, SettingError
from glidn.types import Dataset


@dataclass(frozen=True)
class Job:
    """One fold of one run.

    Attributes:
        needs: the run whose fold must be done before.
        config: its data, nodes, backbone and clips say how videos are prepared for it.
    """

    run: Path
    fold: str
    needs: Path | None = None
    config: RunConfig = field(default_factory=RunConfig)

    def is_done(self) -> bool:
        from glidn import runs

        return runs.read(self.run).is_done(self.fold)


def train_all(
    jobs: Sequence[Job],
    dataset: Dataset,
    workers: int | None = None,
    progress: Callable[[float, int], None] | None = None,
) -> None:
    """Train every job, teachers before their students.

    Args:
        progress: called with the jobs done, the parts of running ones included, and their number.
        workers: processes; default: one per core, or one in all where there is a GPU, which they
            would share. Each trains with one thread, so the results do not depend on their
            number.

    Raises:
        GlidnError: as the training raised it; what was done by then is kept.
    """
    if workers is not None and workers < 1:
        raise SettingError(f"--workers is {workers}; at least one is needed.")
    todo = [job for job in jobs if not job.is_done()]
    shown = done = len(jobs) - len(todo)
    if progress:
        progress(shown, len(jobs))
    if not todo:
        return
    workers = min(workers or _usual_workers(), len(todo))
    context = multiprocessing.get_context("spawn")
    running = context.Value("q", 0)  # thousandths of jobs that are done of those that run
    with ProcessPoolExecutor(workers, context, _begin, (dataset, running)) as pool:
        try:
            for wave in _waves(todo):
                pending = {
                    pool.submit(_train, group): len(group) for group in _groups(wave, workers)
                }
                while pending:
                    for future in wait(pending, LOOK, FIRST_COMPLETED).done:
                        future.result()
                        done += pending.pop(future)
                    part = min(max(running.value, 0) / 1000, sum(pending.values()))
                    # A group takes its part back a moment before it is seen to have ended.
                    shown = max(shown, done + part)
                    if progress:
                        progress(shown, len(jobs))
        except KeyboardInterrupt:
            # Waiting for what is running could take an hour; checkpoints are whole at any time.
            for child in multiprocessing.active_children():
                child.terminate()
            raise
        except BrokenProcessPool as error:
            raise GlidnError(
                "a training process was killed, most likely for lack of memory; run the same "
                "command with --workers 1, and it goes on where this one stopped."
            ) from error
        except Exception:
            pool.shutdown(cancel_futures=True)
            raise


def _waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs in waves; a job comes after the wave with the fold that it needs."""
    left, waves = list(jobs), []
    while left:
        waiting = {(job.run, job.fold) for job in left}
        waves.append([job for job in left if (job.needs, job.fold) not in waiting])
        ready = set(waves[-1])
        left = [job for job in left if job not in ready]
    return waves


def _groups(jobs: Sequence[Job], workers: int) -> list[list[Job]]:
    """Jobs that can share their batches and teachers, in groups of few enough for every worker."""
    # With four groups a worker, none waits long for the last.
    few = max(1, min(MOST, len(jobs) // (4 * workers)))
    alike: dict[tuple, list[Job]] = defaultdict(list)
    for job in jobs:
        alike[(job.fold, _prepared_by(job.config), job.config.train)].append(job)
    groups = []
    for found in alike.values():
        most = 1 if found[0].config.clips is not None or _on_gpu() else few
        size = math.ceil(len(found) / math.ceil(len(found) / most))  # of equal groups
        found.sort(key=lambda job: str(job.needs))  # students of one teacher side by side
        groups += [found[start : start + size] for start in range(0, len(found), size)]
    return groups


def _prepared_by(config: RunConfig) -> tuple:
    """The settings that say how videos are prepared.

    Not all of the config, or every seed would read the data again.
    """
    return (config.data, config.nodes, config.clips, config.backbone and config.backbone.name)


def _usual_workers() -> int:
    return 1 if _on_gpu() else os.cpu_count() or 1


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


MOST = 8  # trainings that share their batches
LOOK = 2.0  # seconds from one look at running jobs to the next

# A worker's own copy of the data, and what was prepared of it, by the settings that it depends on.
_dataset: list[Dataset] = []
_materials: dict[tuple, Any] = {}
_running: list[Any] = []


def _begin(dataset: Dataset, running: Any) -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    torch.set_num_threads(1)
    # A spawned process would spawn its own, too; those that decode need the platform's usual way.
    multiprocessing.set_start_method(None, force=True)
    _dataset.append(dataset)
    _running.append(running)


def _train(group: Sequence[Job]) -> None:
    from glidn import experiment, runs
    from glidn.material import prepare

    config, fold = group[0].config, group[0].fold
    settings = _prepared_by(config)
    if settings not in _materials:
        _materials[settings] = prepare(_dataset[0], config, None)
    with _telling(len(group)) as told:
        each = [runs.read(job.run) for job in group]
        experiment.train_together(each, fold, _materials[settings], told)


@contextlib.contextmanager
def _telling(jobs: int) -> Iterator[Callable[[int, int], None]]:
    """Give what tells their steps; when they end, their part is taken back and they count whole."""
    mine = 0

    def told(done: int, of: int) -> None:
        nonlocal mine
        part = 1000 * jobs * done // of
        if part != mine:
            with _running[0].get_lock():
                _running[0].value += part - mine
            mine = part

    try:
        yield told
    finally:
        with _running[0].get_lock():
            _running[0].value -= mine
