"""COCO JSON of videos: images with a video and a frame, annotations with a track.

    {"videos": [{"id": 1, "name": "film", "fps": 30, "width": 640, "height": 480, "length": 90}],
     "images": [{"id": 7, "video_id": 1, "frame_id": 0, "width": 640, "height": 480}],
     "annotations": [{"image_id": 7, "track_id": 3, "category_id": 1, "bbox": [1, 2, 10, 10]}],
     "categories": [{"id": 1, "name": "person"}]}

`frame_index` and `instance_id` are read as well; without `videos`, an image's `file_name` names its
video and frame: film/000017.jpg. Annotations in the manner of YouTube-VIS hold all `bboxes` of a
track, one a frame, null where it is not seen.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from glidn.datasets.importers.actions import runs
from glidn.datasets.importers.complete import complete
from glidn.datasets.importers.draft import NAN, Action, Asked, Box, Draft, Imported, read_bytes
from glidn.datasets.importers.draft import sources as annotation_files
from glidn.datasets.importers.names import video_name
from glidn.errors import DataError, nearest
from glidn.video import frame_number

FRAME = ("frame_id", "frame_index", "frame_number")
TRACK = ("track_id", "instance_id")
LENGTH = ("length", "num_frames")
RATE = ("fps", "frame_rate")
NUMBER = (int, float)


def read(source: Path, asked: Asked) -> Imported:
    """A file or a folder of them.

    Raises:
        DataError: it is no JSON, something is missing, or a number has nothing that it names.
    """
    drafts = []
    for path in annotation_files(source, ".json", "a COCO JSON file"):
        drafts += _File(path, asked).drafts()
    return complete(drafts, asked, 0)


@dataclass
class _Film:
    """What the file says of one video."""

    name: str
    frames: int | None = None
    fps: float | None = None
    size: tuple[int, int] | None = None
    least: int = 0
    boxes: list[Box] = field(default_factory=list)
    # (frame, value) by track and attribute.
    values: dict[tuple[str, str], list[tuple[int, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )


class _File:
    """One JSON file; every look into it says where it is when something is wrong."""

    def __init__(self, path: Path, asked: Asked) -> None:
        self.path, self.file, self.asked = path, path.name, asked
        data = read_bytes(path)
        try:
            self.top = json.loads(data.decode("utf-8-sig"))
        except json.JSONDecodeError as error:
            raise DataError(
                f"{self.file} line {error.lineno}: this is not JSON ({error.msg}); give a COCO "
                "JSON file."
            ) from error
        except (UnicodeDecodeError, RecursionError, ValueError) as error:
            raise DataError(f"{self.file}: this is not JSON; give a COCO JSON file.") from error
        if not isinstance(self.top, dict):
            raise DataError(f"{self.file}: this is JSON, but not COCO's; it must be an object.")

    def drafts(self) -> list[Draft]:
        names = {
            self._get(entry, ("id",), (int,), where): self._get(entry, ("name",), (str,), where)
            for where, entry in self._entries("categories")
        }
        films = {
            self._get(entry, ("id",), (int, str), where): self._film(entry, where)
            for where, entry in self._entries("videos", needed=False)
        }
        places = self._images(films)
        for at, (where, entry) in enumerate(self._entries("annotations"), start=1):
            kind = self._get(entry, ("category_id",), (int,), where)
            if kind not in names:
                known = ", ".join(f"{number} {name}" for number, name in list(names.items())[:12])
                raise DataError(
                    f"{self.file}: {where}: category_id is {kind}, which is not in categories; "
                    f"known: {known}."
                )
            if "bboxes" in entry:
                self._add_track(films, entry, names[kind], at, where)
            else:
                image = self._get(entry, ("image_id",), (int, str), where)
                if image not in places:
                    raise DataError(f"{self.file}: {where}: there is no image with id {image!r}.")
                self._add_box(*places[image], entry, entry.get("bbox"), names[kind], at, where)
        return [
            Draft(
                name=film.name,
                file=self.file,
                boxes=film.boxes,
                actions=_actions(film),
                frames=film.frames,
                least_frames=film.least,
                fps=film.fps,
                size=film.size,
                place="annotation",
            )
            for film in films.values()
        ]

    def _film(self, entry: dict[str, Any], where: str) -> _Film:
        name = self._get(entry, ("name", "file_name"), (str, list), where, None)
        if name is None and isinstance(entry.get("file_names"), list) and entry["file_names"]:
            name = str(PurePosixPath(str(entry["file_names"][0])).parent.name)
        if not isinstance(name, str) or not name:
            raise DataError(f"{self.file}: {where} has no 'name'.")
        rate = self._get(entry, RATE, NUMBER, where, None)
        return _Film(
            name=video_name(name),
            frames=self._get(entry, LENGTH, (int,), where, None),
            fps=float(rate) if rate else None,
            size=self._size(entry, where),
        )

    def _images(self, films: dict[Any, _Film]) -> dict[Any, tuple[_Film, int]]:
        """(video, frame) of every image; videos that nobody listed are added to `films`."""
        listed = bool(films)
        places = {}
        for where, entry in self._entries("images", needed=not listed):
            name = PurePosixPath(self._get(entry, ("file_name",), (str,), where, ""))
            frame = self._get(entry, FRAME, (int,), where, None)
            if frame is None:
                frame = frame_number(name.name)
            if frame < 0:
                raise DataError(
                    f"{self.file}: {where} tells no frame: neither {', '.join(FRAME)} nor a number "
                    "in its file_name."
                )
            video = self._get(entry, ("video_id",), (int, str), where, None)
            if video is None and not listed:
                video = _video_name(name) or self.path.stem
            if listed and video not in films:
                raise DataError(f"{self.file}: {where}: there is no video with id {video!r}.")
            film = films.setdefault(video, _Film(str(video)))
            size = self._size(entry, where)
            if film.size and size and film.size != size:
                raise DataError(
                    f"{self.file}: {where} is {size[0]}x{size[1]}, and its video {film.name} "
                    f"{film.size[0]}x{film.size[1]}; the frames of one video must have one size."
                )
            film.size = film.size or size
            film.least = max(film.least, frame + 1)
            places[self._get(entry, ("id",), (int, str), where)] = (film, frame)
        return places

    def _add_track(
        self, films: dict[Any, _Film], entry: dict[str, Any], category: str, at: int, where: str
    ) -> None:
        video = self._get(entry, ("video_id",), (int, str), where)
        if video not in films:
            raise DataError(f"{self.file}: {where}: there is no video with id {video!r}.")
        boxes = self._get(entry, ("bboxes",), (list,), where)
        first = self.asked.first_frame or 0
        whole = {**entry, "track_id": self._get(entry, (*TRACK, "id"), (int, str), where, at)}
        for frame, bbox in enumerate(boxes, start=first):
            if bbox:
                self._add_box(films[video], frame, whole, bbox, category, at, where)

    def _add_box(
        self,
        film: _Film,
        frame: int,
        entry: dict[str, Any],
        bbox: Any,
        category: str,
        at: int,
        where: str,
    ) -> None:
        numbers = isinstance(bbox, list) and len(bbox) == 4
        if not numbers or not all(_is_number(value) for value in bbox):
            raise DataError(
                f"{self.file}: {where}: bbox is {json.dumps(bbox)[:60]}, and four numbers x, y, "
                "width, height were expected."
            )
        attributes = entry.get("attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        track = self._get({**attributes, **entry}, TRACK, (int, str), where, "")
        score = self._get(entry, ("score",), NUMBER, where, NAN)
        x, y, width, height = bbox
        corners = (x, y, x + width, y + height)
        film.boxes.append(Box(at, frame, str(track), category, *corners, score))
        for name in self.asked.attributes or ("action",):
            if track != "" and name in attributes:
                film.values[str(track), name].append((frame, str(attributes[name])))

    def _entries(self, name: str, needed: bool = True) -> Iterator[tuple[str, dict[str, Any]]]:
        entries = self.top.get(name)
        if entries is None and not needed:
            return
        if not isinstance(entries, list):
            hint = "" if name in self.top else nearest(name, map(str, self.top))
            raise DataError(f"{self.file}: there is no list {name!r}{hint}; is it COCO's?")
        for at, entry in enumerate(entries):
            if not isinstance(entry, dict):
                raise DataError(f"{self.file}: {name}[{at}] is not an object.")
            yield f"{name}[{at}]", entry

    def _get(
        self,
        entry: dict[str, Any],
        keys: tuple[str, ...],
        kinds: tuple[type, ...],
        where: str,
        default: Any = ...,
    ) -> Any:
        """The value of the first of `keys` that is there; `default`, or an error, without any."""
        for key in keys:
            value = entry.get(key)
            if value is None:
                continue
            if not isinstance(value, kinds) or isinstance(value, bool):
                text = json.dumps(value)[:60]
                raise DataError(f"{self.file}: {where}: {key} is {text}, which it cannot be.")
            return value
        if default is ...:
            raise DataError(f"{self.file}: {where} has no {keys[0]!r}.")
        return default

    def _size(self, entry: dict[str, Any], where: str) -> tuple[int, int] | None:
        width = self._get(entry, ("width",), (int,), where, None)
        height = self._get(entry, ("height",), (int,), where, None)
        return (width, height) if width and height else None


def _video_name(file: PurePosixPath) -> str:
    """film/000017.jpg -> film; film_000017.jpg -> film; 000017.jpg -> nothing."""
    return file.parent.name or re.sub(r"[-_. ]*\d+$", "", file.stem)


def _is_number(value: Any) -> bool:
    return isinstance(value, NUMBER) and not isinstance(value, bool) and abs(value) < float("inf")


def _actions(film: _Film) -> list[Action]:
    return [
        action for (_, name), values in film.values.items() for action in runs(name, sorted(values))
    ]
