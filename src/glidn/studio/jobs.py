"""Jobs of several browsers, done one after the other by one thread.

Browsers take turns, whoever has put in how much. A task is cancelled between two of its reports.
"""

import secrets
import shutil
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from glidn.errors import GlidnError
from glidn.studio.scene import Report, Scene
from glidn.studio.uploads import RefusedError

Kind = Literal["predict", "score", "draw"]
State = Literal["waiting", "working", "done", "failed", "cancelled"]

MOST_JOBS = 12  # of one browser
MOST_OWNERS = 64  # with jobs, at a time
KEPT = 2 * 3600.0  # seconds without a question about it until a job is removed
SWEEP = 30.0  # seconds between two looks for such jobs


class CancelledError(Exception):
    """Whoever wanted it does not any more."""


@dataclass(eq=False)
class Task:
    """Something to do for a job.

    Attributes:
        share: of it that is done, 0..1.
        error: a sentence, where it failed.
    """

    kind: Kind
    call: Callable[[Report], None]
    state: State = "waiting"
    step: str = ""
    share: float = 0.0
    error: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def open(self) -> bool:
        return self.state in ("waiting", "working")


@dataclass(eq=False)
class Job:
    """One video of one browser.

    Attributes:
        owner: the browser's session.
        name: as the file was called.
        folder: its files; removed with it.
        scene: None while it is being uploaded.
        task: the latest.
    """

    id: str
    owner: str
    name: str
    folder: Path
    scene: Scene | None = None
    task: Task | None = None
    touched: float = field(default_factory=time.monotonic)
    gone: bool = False


class Jobs:
    """All jobs, and the thread that does them.

    Args:
        folder: for the jobs' files; it is removed in the end.
        kept: seconds that a job stays when nobody asks about it.
    """

    def __init__(self, folder: Path, kept: float = KEPT) -> None:
        self.folder = folder
        self.kept = kept
        self._jobs: dict[str, Job] = {}
        self._waiting: dict[str, deque[tuple[Job, Task]]] = {}  # by owner, whose turn is first
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="glidn-studio", daemon=True)
        self._thread.start()

    def add(self, owner: str, name: str) -> Job:
        """A job without a task, and its folder.

        Raises:
            RefusedError: there are too many.
        """
        with self._wake:
            if sum(job.owner == owner for job in self._jobs.values()) >= MOST_JOBS:
                raise RefusedError(
                    429, f"there are {MOST_JOBS} videos here already; remove one first."
                )
            owners = {job.owner for job in self._jobs.values()}
            if owner not in owners and len(owners) >= MOST_OWNERS:
                raise RefusedError(503, "too many browsers use this studio; try again later.")
            word = secrets.token_urlsafe(12)
            job = Job(word, owner, name, self.folder / secrets.token_hex(12))
            job.folder.mkdir(parents=True)
            self._jobs[word] = job
            return job

    def of(self, owner: str) -> list[Job]:
        """Its jobs, the oldest first."""
        with self._wake:
            mine = [job for job in self._jobs.values() if job.owner == owner]
            for job in mine:
                job.touched = time.monotonic()
            return mine

    def get(self, owner: str, word: str) -> Job:
        """Raises RefusedError where this owner has no such job."""
        with self._wake:
            job = self._jobs.get(word)
            if job is None or job.owner != owner:
                raise RefusedError(404, "this video is not here any more; drop it again.")
            job.touched = time.monotonic()
            return job

    def submit(self, job: Job, kind: Kind, call: Callable[[Report], None]) -> Task:
        """Queue something to do; only the latest thing can be asked about.

        Raises:
            RefusedError: the job waits for another already.
        """
        with self._wake:
            if job.task is not None and job.task.open:
                raise RefusedError(409, f"{job.name} is being worked on; wait, or cancel that.")
            task = job.task = Task(kind, call)
            self._waiting.setdefault(job.owner, deque()).append((job, task))
            self._wake.notify()
            return task

    def ahead(self, job: Job) -> int:
        """How many tasks are done before this job's: one browser's at a time."""
        with self._wake:
            mine = [waiting for waiting, _ in self._waiting.get(job.owner, ())]
            if job not in mine:
                return 0
            place, owners = mine.index(job), list(self._waiting)
            turn = owners.index(job.owner)
            before = sum(
                min(len(tasks), place + (number < turn))
                for number, (owner, tasks) in enumerate(self._waiting.items())
                if owner != job.owner
            )
            working = any(other.task and other.task.state == "working" for other in self._all())
            return place + before + working

    def cancel(self, job: Job) -> None:
        """Stop its task; one that waits is done with at once."""
        with self._wake:
            waited = job.task is not None and job.task.state == "waiting"
            self._cancel(job)
        if waited:
            _clear(job)

    def remove(self, job: Job) -> None:
        """Forget a job and its files; one that is being worked on goes when it has stopped."""
        with self._wake:
            self._jobs.pop(job.id, None)
            # In this order: the worker ends a task first, and then looks whether its job is gone.
            job.gone = True
            working = job.task is not None and job.task.state == "working"
            self._cancel(job)
        if not working:
            shutil.rmtree(job.folder, ignore_errors=True)

    def close(self) -> None:
        """End the thread, and remove all files."""
        with self._wake:
            self._closed = True
            for job in self._all():
                self._cancel(job)
            self._wake.notify()
        self._thread.join(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _all(self) -> list[Job]:
        return list(self._jobs.values())

    def _cancel(self, job: Job) -> None:
        if job.task is None or not job.task.open:
            return
        job.task.stop.set()
        if job.task.state == "waiting":
            job.task.state = "cancelled"
            self._forget(job)

    def _forget(self, job: Job) -> None:
        tasks = [pair for pair in self._waiting.get(job.owner, ()) if pair[0] is not job]
        self._waiting.pop(job.owner, None)
        if tasks:
            self._waiting[job.owner] = deque(tasks)

    def _work(self) -> None:
        while (pair := self._next()) is not None:
            job, task = pair
            self._do(job, task)
            if job.gone:
                shutil.rmtree(job.folder, ignore_errors=True)
            self._sweep()

    def _next(self) -> tuple[Job, Task] | None:
        """The next task, waiting for one; None at the end."""
        while True:
            with self._wake:
                if not self._waiting and not self._closed:
                    self._wake.wait(SWEEP)
                if self._closed:
                    return None
                if self._waiting:
                    owner = next(iter(self._waiting))
                    tasks = self._waiting.pop(owner)
                    job, task = tasks.popleft()
                    if tasks:  # to the end of the queue of owners
                        self._waiting[owner] = tasks
                    task.state = "working"
                    return job, task
            self._sweep()

    def _sweep(self) -> None:
        late = time.monotonic() - self.kept
        for job in self._all():
            if job.touched < late:
                self.remove(job)

    def _do(self, job: Job, task: Task) -> None:
        def report(step: str, share: float) -> None:
            if task.stop.is_set():
                raise CancelledError
            task.step, task.share = step, min(max(share, task.share), 1.0)

        try:
            report("", 0.0)
            task.call(report)
            task.share, task.state = 1.0, "done"
        except CancelledError:
            task.state = "cancelled"
        except GlidnError as error:
            task.error, task.state = str(error), "failed"
        except Exception:
            # A bug of ours: it costs this task, not the studio.
            traceback.print_exc()
            task.error = f"glidn failed at {job.name}; its terminal says where."
            task.state = "failed"
        _clear(job)


def _clear(job: Job) -> None:
    """What was cancelled or failed before there was anything to see needs no files."""
    task = job.task
    if task is not None and task.kind == "predict" and task.state in ("cancelled", "failed"):
        shutil.rmtree(job.folder, ignore_errors=True)
