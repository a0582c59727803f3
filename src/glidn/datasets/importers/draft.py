"""What an annotation file says of one video, before it is known to fit that video."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from glidn.errors import DataError
from glidn.types import PERSON, Video

NAN = float("nan")


class Box(NamedTuple):
    """One box as its file lists it.

    Attributes:
        place: its line, or what the draft's `place` says, from 1; quoted in errors.
        frame: as the file counts.
        track: "" where the file does not tell one object from another.
        x1, y1, x2, y2: pixels; parts of the frame where the draft is `relative`.
        score: NaN for a box that a person drew.
    """

    place: int
    frame: int
    track: str
    category: str
    x1: float
    y1: float
    x2: float
    y2: float
    score: float = NAN


class Action(NamedTuple):
    """A label and its frames, from `first` to before `end`, as the file counts."""

    label: str
    first: int
    end: int


@dataclass(frozen=True)
class Draft:
    """The annotations of one video.

    Attributes:
        name: the video's.
        file: the annotations, named in errors.
        frames, fps, size: None where the file does not tell; a size is (width, height).
        least_frames: how many frames there must be at least, as the file counts them.
        relative: whether boxes are in parts of the frame.
        place: what `Box.place` counts.
    """

    name: str
    file: str
    boxes: Sequence[Box]
    actions: Sequence[Action] = ()
    frames: int | None = None
    least_frames: int = 0
    fps: float | None = None
    size: tuple[int, int] | None = None
    relative: bool = False
    place: str = "line"


@dataclass(frozen=True)
class Asked:
    """What the user says that the annotations do not.

    Attributes:
        video: the video's file or folder of frames, where there is one video.
        videos: the folder of them; each is found by its name.
        name: of the video, where there is one.
        fps, size: of every video that has no file to ask.
        first_frame: the number of a video's first frame; None: as the format has it.
        names: the file with the names of YOLO's and MOT's classes.
        person: the category of people.
        attributes: CVAT's, whose values are actions.
        label, subject: of every video.
        labels: a table of them.
    """

    video: Path | None = None
    videos: Path | None = None
    name: str = ""
    fps: float | None = None
    size: tuple[int, int] | None = None
    first_frame: int | None = None
    names: Path | None = None
    person: str = PERSON
    attributes: tuple[str, ...] = ()
    label: str = ""
    subject: str = ""
    labels: Path | None = None


@dataclass(frozen=True)
class Imported:
    """What an importer found.

    Attributes:
        classes: in the order of the logits, where the format has one; else ().
        notes: what was passed over or looks odd; each a sentence.
    """

    videos: tuple[Video, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def read_bytes(path: Path) -> bytes:
    """A whole annotation file.

    Raises:
        DataError: it is missing, empty or a ZIP archive.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not data.strip():
        raise DataError(f"{path.name} is empty; export the annotations again.")
    if data.startswith(b"PK\x03\x04"):
        raise DataError(f"{path.name} is a ZIP archive; unpack it and give what is in it.")
    return data


def read_lines(path: Path) -> list[tuple[int, str]]:
    """(line, text) of every line of a text file that is not blank; the file may be empty.

    Raises:
        DataError: it is missing or no text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 text; give a text file.") from error
    lines = enumerate(text.splitlines(), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def sources(source: Path, suffix: str, what: str) -> list[Path]:
    """The annotation files of a file or a folder, in the order of their names.

    Raises:
        DataError: there is none.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise DataError(f"{source} does not exist; give {what}, or a folder of them.")
    found = sorted(path for path in source.rglob(f"*{suffix}") if not path.name.startswith("."))
    if not found:
        raise DataError(f"{source} holds no {suffix} file; give {what}, or a folder of them.")
    return found


def number(text: str, name: str, file: str, line: int, whole: bool = False) -> float:
    """A finite number.

    Raises:
        DataError: it is none; the sentence names the place.
    """
    try:
        value = float(text)
    except ValueError:
        value = NAN
    if not abs(value) < float("inf") or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise DataError(f"{file} line {line}: {name} is {text!r}, which is not {kind}.")
    return value
