"""A run and an address -> the studio, until it is interrupted."""

import ipaddress
import secrets
import signal
import socket
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from glidn.errors import GlidnError, SettingError
from glidn.prediction import predict, sources, speaker
from glidn.prediction.sources import Source
from glidn.studio.app import Studio, create
from glidn.studio.guard import LOOPBACK
from glidn.studio.jobs import Jobs
from glidn.studio.scene import Voice


@dataclass(frozen=True)
class Address:
    """Where the studio is reached.

    Attributes:
        port: 0 for any that is free.
    """

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def voice(run: Path, detector: str, table: Path | None, needed: bool) -> Voice:
    """The run, and who finds boxes for it.

    Args:
        detector: as for `glidn predict`; "" for its default.
        table: of boxes instead.
        needed: whether the studio is of no use without either.

    Raises:
        GlidnError: the run or the detector is missing or damaged.
    """
    speaks = speaker.load(run)
    if table is not None and not table.is_file():
        raise SettingError(f"--boxes: {table} does not exist.")
    try:
        boxes = predict.boxes_from(detector or "torchvision", table, speaks.person)
    except GlidnError as error:
        if detector or needed:
            raise
        return Voice(speaks, None, f"only the examples can be opened: {error}")
    return Voice(speaks, boxes, table=table)


def examples_in(folder: Path) -> list[Source]:
    """The videos of a folder or dataset that have a picture.

    Raises:
        DataError: there is none.
    """
    found = sources.find([str(folder)], fps=30.0)
    # A dataset's videos are described already; opening one reads nothing.
    shown = [source for source in found if not source.dataset or source.open().pixels is not None]
    if not shown:
        raise SettingError(
            f"--videos: {folder} holds boxes without pictures; give one with videos."
        )
    return shown


def run_studio(speaks: Voice, examples: Sequence[Source], address: Address, most: int) -> None:
    """Answer until interrupted; then no file is left.

    Raises:
        SettingError: the address cannot be had.
    """
    listening = _listen(address)
    port = listening.getsockname()[1]
    token = "" if address.loopback else secrets.token_urlsafe(24)
    hosts = {*LOOPBACK, address.host} if address.loopback else ()
    folder = Path(tempfile.mkdtemp(prefix="glidn-studio-"))
    studio = Studio(speaks, Jobs(folder), examples, most)
    config = uvicorn.Config(
        create(studio, token, hosts, str(port)),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    said = speaks.boxes.name if speaks.boxes else "none"
    print(f"run: {speaks.speaker.name}; detector: {said}")
    print(f"glidn studio: {_url(address.host, port, token)}    (Ctrl+C ends it)", flush=True)
    # A polite kill removes the files as well.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
        studio.jobs.close()
        listening.close()


def _listen(address: Address) -> socket.socket:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, *_, where = found[0]
        return socket.create_server(where[:2], family=family)
    except OSError as error:
        why = (error.strerror or str(error)).split(" (while")[0]
        raise SettingError(
            f"the address {address.host}:{address.port} cannot be had ({why}); give another with "
            "--host and --port."
        ) from error


def _url(host: str, port: int, token: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")
