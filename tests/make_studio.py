"""A studio for tests: a run trained in a second, and a detector that knows two colours."""

import asyncio
import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import uvicorn

from glidn import datasets, experiment, protocol, runs
from glidn.config import DataConfig, NodesConfig, RunConfig, TrainConfig, ViewConfig
from glidn.detectors import Detections
from glidn.material import prepare
from glidn.prediction import speaker
from glidn.prediction.predict import Boxes
from glidn.prediction.sources import Source
from glidn.studio.app import Studio, create
from glidn.studio.guard import LOOPBACK
from glidn.studio.jobs import Jobs
from glidn.studio.scene import Voice
from glidn.video import write_video

WIDTH, HEIGHT, FRAMES, FPS = 96, 64, 24, 8.0
PERSON, CUP = (200, 60, 40), (40, 90, 220)


def run(folder: Path) -> Path:
    """A person and a cup, held low or high; the smallest network that tells which."""
    root = folder / "data"
    root.mkdir(parents=True)
    videos = ["video,file,subject,split,label,frames,fps,width,height"]
    boxes = ["video,frame,track,category,x1,y1,x2,y2,score"]
    for number in range(8):
        high = number % 2
        label = ("pouring", "drinking")[high]
        videos.append(f"v{number},,s{number // 4},,{label},{FRAMES},{FPS},{WIDTH},{HEIGHT}")
        top = 10 if high else 40
        for frame in range(0, FRAMES, 4):
            boxes.append(f"v{number},{frame},a,person,{10 + frame // 4},8,44,60,")
            boxes.append(f"v{number},{frame},b,cup,50,{top},62,{top + 12},")
    (root / "videos.csv").write_text("\n".join(videos) + "\n", encoding="utf-8")
    (root / "boxes.csv").write_text("\n".join(boxes) + "\n", encoding="utf-8")
    config = RunConfig(
        data=DataConfig(root=root, steps=4),
        nodes=NodesConfig(kinds=("geometry",)),
        view=ViewConfig(context="local", embed=8, width=8, layers=1),
        train=TrainConfig(epochs=12, lr=3e-2),
    )
    dataset = datasets.load(root)
    folds = protocol.folds(dataset)
    made = runs.create(folder / "run", config, dataset, folds)
    material = prepare(dataset, config, None)
    for fold in folds:
        experiment.train_fold(made, fold.name, material)
    return made.path


def video(path: Path, cup: tuple[int, int] = (50, 12), frames: int = FRAMES) -> Path:
    """A red person, and a blue cup beside them."""
    write_video(path, (_picture(cup, frame) for frame in range(frames)), FPS)
    return path


def _picture(cup: tuple[int, int], frame: int) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), 225, np.uint8)
    image[8:60, 10 + frame // 4 : 44] = PERSON
    x, y = cup
    image[y : y + 12, x : x + 12] = CUP
    return image


class Colours:
    """A detector; `slow` seconds a frame."""

    def __init__(self, slow: float = 0.0) -> None:
        self.slow = slow

    def __call__(self, images: np.ndarray) -> list[Detections]:
        time.sleep(self.slow * len(images))
        return [self._one(image.astype(int)) for image in images]

    def _one(self, image: np.ndarray) -> Detections:
        boxes, names = [], []
        for name, colour in (("person", PERSON), ("cup", CUP)):
            rows, columns = np.nonzero(np.abs(image - colour).sum(-1) < 60)
            if len(rows) > 20:
                boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
                names.append(name)
        xyxy = np.array(boxes, np.float32).reshape(-1, 4)
        return Detections(xyxy, np.full(len(boxes), 0.9, np.float32), tuple(names))


def studio(
    trained: Path,
    folder: Path,
    slow: float = 0.0,
    most: int = 2_000_000,
    examples: tuple[Source, ...] = (),
) -> Studio:
    voice = Voice(speaker.load(trained), Boxes("two colours", Colours(slow)))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return Studio(voice, Jobs(folder), examples, most)


@contextlib.contextmanager
def served(made: Studio, token: str = "") -> Iterator[str]:
    """The address of a studio that answers on a free port of this machine."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    config = uvicorn.Config(
        create(made, token, LOOPBACK, str(port)), log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True
    )
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
    listening.close()


def until_done(client: httpx.Client, job: str, seconds: float = 30.0) -> dict:
    """The job when nothing is being done for it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        (found,) = [it for it in client.get("/api/jobs").json() if it["id"] == job]
        if found["task"]["state"] not in ("waiting", "working"):
            return found
        time.sleep(0.02)
    raise AssertionError(f"not done after {seconds} s: {found}")


def wait(what: Callable[[], bool], seconds: float = 10.0) -> None:
    """Until it is so."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)
