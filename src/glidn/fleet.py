"""One piece of work over many items, by processes on this machine or on a cluster: Ray Data.

A process that dies takes nothing along: what it was at is given to another. An item at which
several died in a row is given up, so that a file that kills its reader costs one item too.
"""

import contextlib
import importlib.util
import logging
import os
import pickle
import re
import secrets
import shutil
import socket
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from glidn.errors import GlidnError, SettingError
from glidn.files import write_error

Item = TypeVar("Item")
Out = TypeVar("Out")

TRIES = 3  # processes that may die at an item
# Items and answers are small; Ray's own choice is a third of the machine's memory.
OBJECT_STORE = 256 << 20


@dataclass(frozen=True)
class Fleet:
    """Who works.

    Attributes:
        address: of a Ray cluster, as `ray.init` takes it; "": this machine alone.
        workers: processes; 0: one for each accelerator or, where there is none, for each core.
    """

    address: str = ""
    workers: int = 0


@dataclass(frozen=True)
class Done(Generic[Out]):
    """What came of an item.

    Attributes:
        at: the item's number in what was given.
        value: None where there is an error.
        error: why it could not be done, a sentence; "" where it was.
    """

    at: int
    value: Out | None = None
    error: str = ""


def check(fleet: Fleet) -> None:
    """Refuse what cannot be, before anything is loaded.

    Raises:
        SettingError: Ray is not installed, or the address or the number of workers cannot be.
    """
    if importlib.util.find_spec("ray") is None:
        raise SettingError("--ray needs Ray, which is not installed: pip install glidn[ray].")
    if fleet.workers < 0:
        raise SettingError(f"--workers is {fleet.workers}; it must be 1 or more.")
    # A video behind --ray would be taken for an address.
    if not re.fullmatch(r"|auto|(ray://)?[^/\s]+:\d+", fleet.address):
        raise SettingError(
            f"--ray {fleet.address}: that is no address of a cluster; give HOST:PORT, or auto, or "
            "--ray as the last word for this machine alone."
        )


def over(
    build: Callable[[], Callable[[Item], Out]],
    items: Sequence[Item],
    fleet: Fleet | None,
    folder: Path,
) -> Iterator[Done[Out]]:
    """Do something with every item; what came of each, once, in the order of their ends.

    An item may be begun again where its process died, so doing it twice must do no harm.

    Args:
        build: called once in every process, for what is then called with the items.
        items: these, `build` and what is made of them can be pickled.
        fleet: None: this process does all of it, with all its threads and unpickled.
        folder: for notes while this runs; on storage that all machines share.

    Raises:
        GlidnError: Ray or the cluster cannot be used, or `build` raised it.
    """
    if fleet is None:
        yield from _here(build, items)
        return
    check(fleet)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        notes = Path(tempfile.mkdtemp(dir=folder, prefix=".ray."))
    except OSError as error:
        raise write_error(folder, error) from error
    try:
        with _started(fleet):
            yield from _over(build, items, fleet, notes.absolute())
    finally:
        shutil.rmtree(notes, ignore_errors=True)


def _here(build: Callable[[], Callable[[Item], Out]], items: Sequence[Item]) -> Iterator[Done[Out]]:
    do = build()
    for at, item in enumerate(items):
        try:
            yield Done(at, do(item))
        except GlidnError as error:
            yield Done(at, error=str(error))


def _over(
    build: Callable[[], Callable[[Item], Out]], items: Sequence[Item], fleet: Fleet, notes: Path
) -> Iterator[Done[Out]]:
    import ray
    from ray import data

    there = ray.cluster_resources()
    accelerators = int(there.get("GPU", 0))
    workers = min(fleet.workers or accelerators or int(there.get("CPU", 1)), len(items))
    # Two processes or more may share an accelerator, but none may be shared by parts.
    share = 1 / -(-workers // accelerators) if accelerators else 0.0
    packed = partial(ray.cloudpickle.dumps, protocol=pickle.HIGHEST_PROTOCOL)
    # A block each, so that the death of a process begins no other item again.
    rows = data.from_items(
        [{"at": at, "item": packed(item)} for at, item in enumerate(items)],
        override_num_blocks=len(items),
    )
    done = rows.map(
        cast(Any, _Worker),  # a class whose objects are called
        fn_constructor_args=(packed(build), str(Path.cwd()), str(notes)),
        compute=data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
        num_cpus=1,
        num_gpus=share or None,
    )
    for row in done.iter_rows():
        answer = pickle.loads(row["done"])
        if isinstance(answer, GlidnError):
            raise answer
        yield answer


@contextlib.contextmanager
def _started(fleet: Fleet) -> Iterator[None]:
    """Ray, connected; left as it was where this process is connected already."""
    # Before the import, which reads them; nobody is told of this call.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if not fleet.address:
        # Its ports are open to the network, and whoever may use them may run anything.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray
    from ray import data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    data.DataContext.get_current().enable_progress_bars = False
    data.DataContext.get_current().print_on_execution_start = False
    if ray.is_initialized():
        yield
        return
    try:
        _reach(fleet.address)
        with _silent():
            ray.init(**_options(fleet), log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        where = (
            f"no Ray cluster answers at {fleet.address}" if fleet.address else "Ray cannot start"
        )
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise GlidnError(f"{where}: {reason}") from error
    # It prints a paragraph for every process that dies, into the command's own output.
    ray._private.worker._worker_logs_enabled = False
    try:
        yield
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raise an OSError where nobody listens, for which Ray itself would wait minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without the standard error of this process, into which Ray says that it says little."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _options(fleet: Fleet) -> dict[str, Any]:
    if fleet.address:
        return {"address": fleet.address}
    return {
        "address": "local",
        # More processes than cores are what was asked for.
        "num_cpus": max(fleet.workers, os.cpu_count() or 1),
        "object_store_memory": OBJECT_STORE,
        "include_dashboard": False,
    }


class _Worker:
    """One process: what Ray Data calls with one row after the other."""

    def __init__(self, build: bytes, here: str, notes: str) -> None:
        # Before torch is loaded, with `build`: the processes are as many as there are cores.
        os.environ["OMP_NUM_THREADS"] = "1"
        self.notes = Path(notes)
        self.broken: GlidnError | None = None
        try:
            # Paths may be relative to where the call was started.
            for path in (here, notes):
                if not Path(path).is_dir():
                    raise GlidnError(
                        f"{path} is not there; it must be on storage that all machines share."
                    )
            os.chdir(here)
            with _alone():
                self.do: Callable[[Any], Any] = pickle.loads(build)()
        except GlidnError as error:
            self.broken = type(error)(f"{socket.gethostname()}: {error}")

    def __call__(self, row: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.broken or self._done(int(row["at"]), row["item"])
        return {"done": pickle.dumps(answer)}

    def _done(self, at: int, item: bytes) -> Done:
        """A byte in a note for every time that the item was begun."""
        note = self.notes / str(at)
        with note.open("ab") as file:
            file.write(b".")
        if note.stat().st_size > TRIES:
            return Done(at, error=f"{TRIES} processes died while they were at it.")
        try:
            return Done(at, self.do(pickle.loads(item)))
        except GlidnError as error:
            return Done(at, error=str(error))
        except Exception as error:
            # A mistake of ours in one of ten thousand must not stop the others, nor be hidden.
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            return Done(at, error=f"a bug in glidn: {type(error).__name__}: {error} ({where})")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One process of this machine at a time, so that what one downloads the next one finds."""
    import fcntl

    path = Path(tempfile.gettempdir()) / f"glidn-{os.getuid()}.lock"
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
