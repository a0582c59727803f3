"""CVAT's "CVAT for video 1.1": tracks of boxes; an attribute of them may name an action.

    <annotations>
      <meta><task>
        <name/><size/><source/><original_size><width/><height/></original_size>
      </task></meta>
      <track id="0" label="person">
        <box frame="3" outside="0" xtl="1" ytl="2" xbr="11" ybr="12">
          <attribute name="action">drinking</attribute>
        </box>
      </track>
    </annotations>

The export lists every frame in which an object is seen. A box that is `outside` says that it is
not: it ends the track there, and what comes after is a track of its own ("0.2"), so that nobody
fills the gap. A project's export holds several tasks, each a video.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from glidn.datasets.importers.actions import runs
from glidn.datasets.importers.complete import complete
from glidn.datasets.importers.draft import (
    Action,
    Asked,
    Box,
    Draft,
    Imported,
    number,
    read_bytes,
    sources,
)
from glidn.datasets.importers.names import video_name
from glidn.errors import DataError, nearest

DEFAULT_ATTRIBUTE = "action"
SHAPES = ("polygon", "polyline", "points", "cuboid", "mask", "ellipse", "skeleton")
SIDES = ("xtl", "ytl", "xbr", "ybr")


def read(source: Path, asked: Asked) -> Imported:
    """A file or a folder of them.

    Raises:
        DataError: it is no XML, of CVAT for images, or a value cannot be.
    """
    drafts: list[Draft] = []
    passed_over: Counter[str] = Counter()
    attributes: set[str] = set()
    for path in sources(source, ".xml", "an export in the format CVAT for video 1.1"):
        found = _parse(path)
        drafts += _drafts(path, found, asked.attributes or (DEFAULT_ATTRIBUTE,))
        passed_over.update(found.passed_over)
        attributes |= found.attributes
    for name in asked.attributes:
        if name not in attributes:
            hint = nearest(name, attributes) if attributes else "; there is no attribute at all"
            raise DataError(f"--action-attribute: no box has the attribute {name!r}{hint}.")
    notes = [f"{count:,} {shape} passed over: only boxes are read"
             for shape, count in sorted(passed_over.items())]  # fmt: skip
    return complete(drafts, asked, 0, notes)


@dataclass
class _Shown:
    """A <box>."""

    line: int
    frame: int
    outside: bool
    xyxy: tuple[float, ...]
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class _Track:
    name: str
    label: str
    task: str
    boxes: list[_Shown] = field(default_factory=list)


@dataclass
class _Parsed:
    """A file: its tracks, and what <meta> says of each task ("" where there is only one)."""

    tracks: list[_Track] = field(default_factory=list)
    tasks: dict[str, dict[str, str]] = field(default_factory=dict)
    passed_over: Counter[str] = field(default_factory=Counter)
    attributes: set[str] = field(default_factory=set)


def _parse(path: Path) -> _Parsed:
    """Read the file with expat, which fetches nothing; a DTD, where entities hide, is refused."""
    data, name = read_bytes(path), path.name
    reader = _Reader(name)
    parser = expat.ParserCreate()
    reader.parser = parser
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(data, True)
    except (LookupError, ValueError) as error:
        raise DataError(f"{name}: {error}; save the file as UTF-8.") from error
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        raise DataError(
            f"{name} line {error.lineno}: this is not XML ({what}); give an export in the format "
            "CVAT for video 1.1."
        ) from error
    return reader.found


class _Reader:
    """Expat's calls, one an element -> a `_Parsed`."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found = _Parsed()
        self.parser: Any = None
        self._open: list[str] = []
        self._words = ""
        self._task: dict[str, str] = {}
        self._attribute = ""

    def doctype(self, *_: object) -> None:
        raise DataError(
            f"{self.file} line {self._line}: it declares a document type, which no export of CVAT "
            "does and which can blow up a reader; remove the DOCTYPE."
        )

    @property
    def _line(self) -> int:
        return self.parser.CurrentLineNumber

    def start(self, element: str, values: dict[str, str]) -> None:
        if not self._open and element != "annotations":
            raise DataError(
                f"{self.file} begins with <{element}>, and an export of CVAT for video with "
                "<annotations>."
            )
        inside = self._open[-1] if self._open else ""
        self._open.append(element)
        self._words = ""
        if element == "image":
            raise DataError(
                f"{self.file} line {self._line}: this is CVAT for images, whose boxes have no "
                "tracks; export the task again in the format CVAT for video 1.1."
            )
        if element in ("task", "job") and "meta" in self._open:
            self._task = {}
        elif element == "track":
            label = self._value(values, element, "label")
            task = values.get("task_id", "")
            self.found.tracks.append(_Track(self._value(values, element, "id"), label, task))
        elif element == "box" and inside == "track":
            self._box(values)
        elif element == "attribute":
            self._attribute = values.get("name", "")
        elif element in SHAPES and inside == "track":
            self.found.passed_over[element] += 1

    def end(self, element: str) -> None:
        self._open.pop()
        words = self._words.strip()
        if "meta" in self._open:
            self._task.setdefault(element, words)
        if element in ("task", "job"):
            self.found.tasks[self._task.get("id", "")] = self._task
        elif element == "attribute" and self._open[-2:] == ["track", "box"]:
            self.found.attributes.add(self._attribute)
            self.found.tracks[-1].boxes[-1].attributes[self._attribute] = words
        self._words = ""

    def text(self, words: str) -> None:
        self._words += words

    def _value(self, values: dict[str, str], element: str, name: str) -> str:
        if name not in values:
            raise DataError(f"{self.file} line {self._line}: this <{element}> has no {name!r}.")
        return values[name]

    def _box(self, values: dict[str, str]) -> None:
        def read(name: str, whole: bool = False) -> float:
            text = self._value(values, "box", name)
            return number(text, name, self.file, self._line, whole)

        frame, xyxy = int(read("frame", whole=True)), tuple(read(side) for side in SIDES)
        outside = values.get("outside", "0") == "1"
        self.found.tracks[-1].boxes.append(_Shown(self._line, frame, outside, xyxy))


def _drafts(path: Path, found: _Parsed, attributes: tuple[str, ...]) -> list[Draft]:
    """One for every task that has tracks."""
    of_task: dict[str, list[_Track]] = defaultdict(list)
    for track in found.tracks:
        of_task[track.task].append(track)
    drafts = []
    for task, tracks in of_task.items() or [("", [])]:
        about = found.tasks.get(task) or next(iter(found.tasks.values()), {})
        drafts.append(
            Draft(
                name=video_name(about.get("source", "")) or about.get("name") or path.stem,
                file=path.name,
                boxes=[box for track in tracks for box in _boxes(track)],
                actions=[one for track in tracks for one in _actions(track, attributes)],
                frames=_frames(about),
                size=_size(about, path.name),
            )
        )
    return drafts


def _frames(about: dict[str, str]) -> int | None:
    """The video's frames, where the task is the whole of it and not every n-th frame."""
    part = about.get("start_frame", "0") not in ("", "0") or about.get("frame_filter")
    size = about.get("size", "")
    return int(size) if size.isdigit() and int(size) and not part else None


def _size(about: dict[str, str], file: str) -> tuple[int, int] | None:
    if "width" not in about or "height" not in about:
        return None
    width, height = (number(about[n], n, file, 1, whole=True) for n in ("width", "height"))
    return int(width), int(height)


def _parts(track: _Track) -> list[list[_Shown]]:
    """The boxes of a track, cut where it was outside."""
    parts: list[list[_Shown]] = [[]]
    for box in sorted(track.boxes, key=lambda box: box.frame):
        if not box.outside:
            parts[-1].append(box)
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _boxes(track: _Track) -> list[Box]:
    return [
        Box(box.line, box.frame, name, track.label, *box.xyxy)
        for at, part in enumerate(_parts(track), start=1)
        for name in [track.name if at == 1 else f"{track.name}.{at}"]
        for box in part
    ]


def _actions(track: _Track, attributes: tuple[str, ...]) -> list[Action]:
    return [
        action
        for name in attributes
        for part in _parts(track)
        for action in runs(name, ((box.frame, box.attributes.get(name, "")) for box in part))
    ]
