"""What the studio answers: a page, and a few questions about jobs.

GET    /                              the page; /static/NAME its parts
GET    /api/about                     who speaks, limits, examples
GET    /api/jobs                      the browser's own jobs
POST   /api/jobs?name=NAME            a video, as the body
POST   /api/examples/NUMBER           an example
GET    /api/jobs/ID                   all that is drawn of a finished one
GET    /api/jobs/ID/video             what the player plays
GET    /api/jobs/ID/files/FILE        result.json, actions.csv, boxes.csv, graph.graphml, ...
POST   /api/jobs/ID/score             {"changes": {"cup 2": "bottle", "person 3": null}}
POST   /api/jobs/ID/draw              draw annotated.mp4
POST   /api/jobs/ID/cancel            stop what is being done
DELETE /api/jobs/ID                   forget it, and its files

A refusal is {"error": one sentence}.
"""

import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from glidn import __version__
from glidn.errors import GlidnError
from glidn.prediction.sources import Source
from glidn.studio.guard import Guard
from glidn.studio.jobs import Job, Jobs
from glidn.studio.scene import FILES, Scene, Voice, changes_from
from glidn.studio.uploads import RefusedError, open_upload, receive, shown_name, too_large

PARTS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
MOST_JSON = 1_000_000  # bytes of a question


@dataclass(frozen=True)
class Studio:
    """What the page talks to.

    Attributes:
        examples: videos that are offered beside the user's own.
        most: bytes of an upload.
    """

    voice: Voice
    jobs: Jobs
    examples: Sequence[Source]
    most: int

    def about(self) -> dict[str, Any]:
        """Who speaks, and what may be asked."""
        speaker, boxes = self.voice.speaker, self.voice.boxes
        return {
            "version": __version__,
            "run": speaker.name,
            "detector": boxes.name if boxes else "",
            "refusal": self.voice.refusal,
            "classes": len(speaker.classes),
            "most": self.most,
            "examples": [_told_example(source) for source in self.examples],
            "dataset": next((source.dataset for source in self.examples), ""),
        }

    async def upload(self, owner: str, name: str, request: Request) -> Job:
        """A video that comes in, queued.

        Raises:
            RefusedError: it is no video, too large, or there is no room.
        """
        if self.voice.boxes is None:
            raise RefusedError(503, self.voice.refusal)
        if int(request.headers.get("content-length", 0)) > self.most:
            raise too_large(name, self.most)
        job = self.jobs.add(owner, name)
        path = job.folder / "upload"
        try:
            await receive(request.stream(), path, name, self.most)
            video = await run_in_threadpool(open_upload, path, name)
        except BaseException:
            self.jobs.remove(job)
            raise
        video = replace(video, name=Path(name).stem)
        return self.start(job, Source(name, lambda: video), path)

    def start(self, job: Job, source: Source, stored: Path | None = None) -> Job:
        """Queue a video."""
        job.scene = Scene(self.voice, job.name, job.folder, source, stored)
        self.jobs.submit(job, "predict", job.scene.predict)
        return job

    def told(self, job: Job) -> dict[str, Any]:
        """How a job is, for the page."""
        scene, task = job.scene, job.task
        return {
            "id": job.id,
            "name": job.name,
            "ready": scene is not None and scene.result is not None,
            "version": scene.version if scene else 0,
            "task": task
            and {
                "kind": task.kind,
                "state": task.state,
                "step": task.step,
                "share": round(task.share, 4),
                "error": task.error,
                "ahead": self.jobs.ahead(job),
            },
        }


def create(studio: Studio, token: str = "", hosts: Collection[str] = (), mark: str = "") -> ASGIApp:
    """The whole application; when it ends, it removes all files.

    Args:
        token, hosts, mark: as of a `Guard`.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=_closing(studio.jobs))
    app.include_router(_page(studio))
    app.include_router(_questions(studio))
    app.include_router(_orders(studio))
    app.add_exception_handler(GlidnError, _sentence)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _gone)
    return Guard(app, token, hosts, mark)


def _closing(jobs: Jobs) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(jobs.close)

    return lifespan


def _page(studio: Studio) -> APIRouter:
    """The page and its parts."""
    router = APIRouter()
    folder = resources.files(__package__).joinpath("static")
    parts = {
        part.name: (part.read_bytes(), PARTS[Path(part.name).suffix]) for part in folder.iterdir()
    }

    @router.get("/")
    def page() -> Response:
        return part("index.html")

    @router.get("/static/{name}")
    def part(name: str) -> Response:
        if name not in parts:
            raise RefusedError(404, "there is no such page.")
        content, kind = parts[name]
        return Response(content, media_type=kind)

    @router.get("/api/about")
    def about() -> dict[str, Any]:
        return studio.about()

    return router


def _questions(studio: Studio) -> APIRouter:
    """What changes nothing."""
    router = APIRouter(prefix="/api/jobs")

    @router.get("")
    def jobs(request: Request) -> list[dict[str, Any]]:
        return [studio.told(job) for job in studio.jobs.of(_owner(request))]

    @router.get("/{word}")
    def scene(request: Request, word: str) -> dict[str, Any]:
        return _scene(studio.jobs.get(_owner(request), word)).as_dict()

    @router.get("/{word}/video")
    def video(request: Request, word: str) -> FileResponse:
        player = _scene(studio.jobs.get(_owner(request), word)).player
        return FileResponse(player or "", media_type="video/mp4")

    @router.get("/{word}/files/{file}")
    def download(request: Request, word: str, file: str) -> FileResponse:
        job = studio.jobs.get(_owner(request), word)
        if file not in FILES:
            raise RefusedError(404, f"there is no such file; there are {', '.join(FILES)}.")
        path = _scene(job).files / file
        if not path.is_file():
            raise RefusedError(404, f"{file} is not drawn yet.")
        return FileResponse(path, media_type=FILES[file], filename=f"{Path(job.name).stem}.{file}")

    return router


def _orders(studio: Studio) -> APIRouter:
    """What changes something."""
    router = APIRouter(prefix="/api")

    @router.post("/jobs", status_code=201)
    async def upload(request: Request, name: str = "") -> dict[str, Any]:
        return studio.told(await studio.upload(_owner(request), shown_name(name), request))

    @router.post("/examples/{number}", status_code=201)
    def example(request: Request, number: str) -> dict[str, Any]:
        if not number.isdecimal() or int(number) >= len(studio.examples):
            raise RefusedError(404, f"there are {len(studio.examples)} examples, counted from 0.")
        source = studio.examples[int(number)]
        return studio.told(studio.start(studio.jobs.add(_owner(request), source.name), source))

    @router.post("/jobs/{word}/score")
    async def score(request: Request, word: str) -> dict[str, Any]:
        job = studio.jobs.get(_owner(request), word)
        asked = await _json(request)
        changes = changes_from(asked.get("changes") if isinstance(asked, dict) else None)
        studio.jobs.submit(job, "score", partial(_scene(job).score, changes))
        return studio.told(job)

    @router.post("/jobs/{word}/draw")
    def draw(request: Request, word: str) -> dict[str, Any]:
        job = studio.jobs.get(_owner(request), word)
        studio.jobs.submit(job, "draw", _scene(job).draw)
        return studio.told(job)

    @router.post("/jobs/{word}/cancel")
    def cancel(request: Request, word: str) -> dict[str, Any]:
        job = studio.jobs.get(_owner(request), word)
        studio.jobs.cancel(job)
        return studio.told(job)

    @router.delete("/jobs/{word}", status_code=204)
    def remove(request: Request, word: str) -> None:
        studio.jobs.remove(studio.jobs.get(_owner(request), word))

    return router


def _told_example(source: Source) -> str:
    """Its name, after what it shows where that is known."""
    # Opening a dataset's video reads nothing.
    label = source.open().label if source.dataset else ""
    return f"{label}: {source.name}" if label else source.name


def _owner(request: Request) -> str:
    return str(request.state.owner)


def _scene(job: Job) -> Scene:
    if job.scene is None or job.scene.result is None:
        raise RefusedError(409, f"{job.name} is not done yet.")
    return job.scene


async def _json(request: Request) -> Any:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_JSON:
            raise RefusedError(413, "that is too much to ask at once.")
    try:
        return json.loads(content)
    except ValueError as error:
        raise RefusedError(400, f"this is no JSON: {error}.") from error


def _sentence(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, RefusedError) else 400
    return JSONResponse({"error": str(error)}, status)


def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": f"{error.detail}."}, error.status_code)


def _gone(_: Request, error: Exception) -> Response:
    """Nobody reads this."""
    return Response(status_code=400)
