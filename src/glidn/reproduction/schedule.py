"""Many small trainings over all cores; what is done is not done again."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glidn.config import RunConfig
from glidn.errors import GlidnError, SettingError
from glidn.types import Dataset


@dataclass(frozen=True)
class Job:
    """One fold of one run; `needs` is the run whose fold must be done before."""

    run: Path
    fold: str
    needs: Path | None = None

    def is_done(self) -> bool:
        from glidn import runs

        return runs.read(self.run).is_done(self.fold)


def train_all(
    jobs: Sequence[Job],
    dataset: Dataset,
    config: RunConfig,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train every job, teachers before their students.

    Args:
        config: data and nodes settings that all jobs share; each worker reads the data once.
        workers: processes; default: one per core. Each trains with one thread, so the results do
            not depend on their number.

    Raises:
        GlidnError: as the training raised it; what was done by then is kept.
    """
    if workers is not None and workers < 1:
        raise SettingError(f"--workers is {workers}; at least one is needed.")
    todo = [job for job in jobs if not job.is_done()]
    done = len(jobs) - len(todo)
    if progress:
        progress(done, len(jobs))
    workers = min(workers or os.cpu_count() or 1, max(len(todo), 1))
    if not todo:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _prepare, (dataset, config)) as pool:
        try:
            for wave in _waves(todo):
                futures = [pool.submit(_train, job) for job in wave]
                for future in as_completed(futures):
                    future.result()
                    done += 1
                    if progress:
                        progress(done, len(jobs))
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


# A worker's own copy of the data, made once by `_prepare`; or why it could not be made, because
# an error there would only look like a killed process.
_material: list[Any] = []


def _prepare(dataset: Dataset, config: RunConfig) -> None:
    # Ctrl-C reaches every process of the terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    from glidn.material import prepare

    torch.set_num_threads(1)
    try:
        _material.append(prepare(dataset, config, None))
    except GlidnError as error:
        _material.append(error)


def _train(job: Job) -> None:
    from glidn import experiment, runs

    if isinstance(_material[0], GlidnError):
        raise _material[0]
    experiment.train_fold(runs.read(job.run), job.fold, _material[0])
