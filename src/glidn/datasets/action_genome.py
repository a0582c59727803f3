"""Action Genome (Ji et al. 2020): people and objects in frames of Charades -> a table of boxes.

    object_bbox_and_relationship.pkl   {"<id>.mp4/000089.png": [{class, bbox, visible, ...}, ...]}
    person_bbox.pkl                    {"<id>.mp4/000089.png": {bbox, bbox_score, bbox_size, ...}}

- An object's bbox is x, y, width, height, and None where it is not visible; a person's are
  (n, 4) x1, y1, x2, y2, found by a detector, in a frame of bbox_size (width, height). Where the
  video has another size, all of its boxes are scaled.
- 000089.png is the 89th frame of the file, counted from 1, at the file's own rate: ffmpeg wrote
  them so. It becomes the nearest in time of our 24 frames a second. Where two of them have the same
  one (of files with more than 24 a second), the nearer counts.
- Pickles are programs. These are read by the unpickler of foreign weights, which runs none.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glidn import boxes
from glidn.backbones import foreign_pickle
from glidn.datasets.box_rows import BoxRows
from glidn.datasets.charades_pixels import VideoAt24
from glidn.errors import DataError
from glidn.types import LeftOut, Video

OBJECTS, PEOPLE = "object_bbox_and_relationship.pkl", "person_bbox.pkl"
KEY = re.compile(r"(\w+)\.mp4/(\d+)\.png")
SHORTEST_SIDE = 1.0  # pixels, as for boxes that are detected


@dataclass(frozen=True)
class ActionGenome:
    """The annotations by video.

    Attributes:
        frames: video -> (number of the frame in its file, from 1; key of the annotations).
    """

    folder: Path
    frames: Mapping[str, Sequence[tuple[int, str]]]
    objects: Mapping[str, Any]
    people: Mapping[str, Any]


def read_action_genome(folder: Path) -> ActionGenome:
    """Read both files; what stands in a frame is looked at by `video_rows`.

    Raises:
        DataError: one is missing, damaged, of another layout, or holds code.
    """
    objects, people = _unpickled(folder / OBJECTS), _unpickled(folder / PEOPLE)
    frames: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for key in sorted(objects.keys() | people.keys(), key=str):
        found = KEY.fullmatch(key) if isinstance(key, str) else None
        if found is None:
            raise DataError(f"{folder}: the key {key!r} is not like '001YG.mp4/000089.png'.")
        frames[found[1]].append((int(found[2]), key))
    return ActionGenome(folder, frames, objects, people)


def video_rows(annotations: ActionGenome, video: Video, person: str) -> BoxRows:
    """One video's boxes on its own 24 frames a second; possibly none.

    Raises:
        DataError: the video cannot be read, or its annotations are of another layout.
    """
    if not isinstance(video.pixels, VideoAt24):
        raise DataError(
            f"{video.source}: Action Genome counts the frames of {video.name}.mp4, at the file's "
            "own rate, and there is no such file; put Charades_v1_480 beside the csv files."
        )
    video.pixels.own(np.zeros(1, np.int64))  # is the file of this video, by its length?
    times = video.pixels.file.times
    nearest: dict[int, tuple[float, str]] = {}  # our frame: (seconds away, key)
    for number, key in annotations.frames.get(video.name, ()):
        if not 1 <= number <= len(times):
            raise DataError(
                f"{key}: the file {video.pixels.source} has {len(times)} frames, so it is another "
                "copy of the video."
            )
        at = times[number - 1]
        frame = min(round(at * video.fps), video.frames - 1)
        nearest[frame] = min(nearest.get(frame, (np.inf, "")), (abs(at - frame / video.fps), key))
    found = [
        (frame, *box)
        for frame, (_, key) in sorted(nearest.items())
        for box in _frame(annotations, key, video, person)
    ]
    xyxy = np.array([box for _, _, box, _ in found], np.float64).reshape(-1, 4)
    xyxy = boxes.clip(xyxy, video.width, video.height).round(2).astype(np.float32)
    wide = (xyxy[:, 2:] - xyxy[:, :2] >= SHORTEST_SIDE).all(axis=1)
    return BoxRows(
        video.name,
        np.array([frame for frame, *_ in found], np.int64)[wide],
        np.array([category for _, category, *_ in found], np.str_)[wide],
        xyxy[wide],
        np.array([score for *_, score in found], np.float32).round(4)[wide],
    )


def all_rows(
    annotations: ActionGenome, videos: Sequence[Video], person: str, left_out: list[LeftOut]
) -> Iterator[BoxRows]:
    """`video_rows` of every video; those that fail are appended to `left_out`.

    Raises:
        DataError: all of them fail.
    """
    for video in videos:
        try:
            yield video_rows(annotations, video, person)
        except DataError as error:
            left_out.append(LeftOut(video.name, str(error)))
    if len(left_out) == len(videos):
        raise DataError(f"not one of {len(videos)} videos could be read: {left_out[0].reason}")


def _frame(
    annotations: ActionGenome, key: str, video: Video, person: str
) -> Iterator[tuple[str, list[float], float]]:
    """(category, xyxy, score or NaN) of everything visible in one annotated frame."""
    try:
        people = annotations.people.get(key)
        scale = np.ones(4)
        if people is not None:
            size = np.array(_plain(people["bbox_size"]), np.float64)
            scale = np.tile(np.array([video.width, video.height]) / size, 2)
            xyxy = foreign_pickle.as_array(people["bbox"]).astype(np.float64).reshape(-1, 4)
            scores = np.broadcast_to(_plain(people.get("bbox_score", np.nan)), len(xyxy))
            for box, score in zip(xyxy * scale, scores.astype(np.float64).tolist(), strict=True):
                yield person, box.tolist(), score
        for thing in annotations.objects.get(key, ()):
            if thing["visible"] and thing["bbox"] is not None:
                xywh = np.array(_plain(thing["bbox"]), np.float64).reshape(4)
                yield str(thing["class"]), (boxes.from_xywh(xywh) * scale).tolist(), np.nan
    except (KeyError, ValueError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise DataError(
            f"{annotations.folder}: the annotations of {key} are not as Action Genome's are "
            f"({type(error).__name__}: {error})."
        ) from error


def _plain(value: Any) -> np.ndarray:
    if isinstance(value, foreign_pickle.ArrayState):
        return foreign_pickle.as_array(value)
    return np.asarray(value, np.float64)


def _unpickled(path: Path) -> dict[Any, Any]:
    try:
        with path.open("rb") as file:
            content = foreign_pickle.load_plain(file)
    except FileNotFoundError as error:
        raise DataError(
            f"{path} is missing; Action Genome's annotations are {OBJECTS} and {PEOPLE}."
        ) from error
    except foreign_pickle.RefusedError as error:
        raise DataError(
            f"{path} holds more than boxes and words ({error}), so it was not opened: it could "
            "run code on this machine."
        ) from error
    # Damaged and hostile pickles raise a dozen types of exception; all mean the same here.
    except Exception as error:
        raise DataError(
            f"{path} is damaged or cut off ({type(error).__name__}: {error}); copy it again."
        ) from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}, and not frames by their names.")
    return content
