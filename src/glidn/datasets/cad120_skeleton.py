"""The skeletons of CAD-120 -> the box of the person in every frame.

A skeleton file has one line a frame, then END: the frame from 1; 11 joints of 9 orientation
values, a confidence, x, y, z in millimetres and a confidence; 4 joints of x, y, z and a
confidence. x points to the right of the image, y up, z away from the camera.

The box is the hull of the projected upper-body joints, enlarged by 1.2, because joints lie inside
the body. Legs are left out: behind a table the tracker guesses them. A joint with confidence 0,
or not in front of the camera, does not count.
"""

import operator
import re

import numpy as np

from glidn import boxes
from glidn.datasets.cad120_files import COPY_AGAIN
from glidn.datasets.problems import Problem, Report, numbers

JOINTS_WITH_ORIENTATION = (
    *("head", "neck", "torso", "left_shoulder", "left_elbow", "right_shoulder", "right_elbow"),
    *("left_hip", "left_knee", "right_hip", "right_knee"),
)
JOINTS_WITHOUT = ("left_hand", "right_hand", "left_foot", "right_foot")
JOINTS = JOINTS_WITH_ORIENTATION + JOINTS_WITHOUT
LOWER_BODY = ("hip", "knee", "foot")
UPPER_BODY = [at for at, joint in enumerate(JOINTS) if not joint.endswith(LOWER_BODY)]

# 1 for the frame, then 9 + 1 + 3 + 1 for each of 11 joints, then 3 + 1 for each of 4.
VALUES = 1 + 14 * len(JOINTS_WITH_ORIENTATION) + 4 * len(JOINTS_WITHOUT)
# Where each joint's x, y, z and confidence begin.
STARTS = [1 + 14 * k + 10 for k in range(11)] + [1 + 14 * 11 + 4 * k for k in range(4)]

# The frame, then x, y, z and confidence of every joint.
USED = (0, *(start + offset for start in STARTS for offset in range(4)))
pick_used = operator.itemgetter(*USED)
NO_NUMBER = re.compile(r"[^0-9eE+\-., \t]")
BLANK = ", \t"  # what may stand around the values of a line

# The published projection (PROTOCOL.md section 1): u = 640 X / (1.1147 Z) + 320 and
# v = -480 Y / (0.8336 Z) + 240. 1.1147 and 0.8336 are the width and the height, in metres, of
# what the camera sees at a distance of one metre.
WIDTH, HEIGHT = 640, 480
SPAN_X, SPAN_Y = 1.1147, 0.8336
ENLARGE = 1.2


def read_skeleton(text: str, file: str, report: Report) -> np.ndarray | None:
    """(F, 15, 4) float64 x, y, z, confidence of every joint; None where the file has a problem."""
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    good, ended = True, False
    for line, content in enumerate(text.splitlines(), start=1):
        content = content.strip(BLANK)
        if content == "END":
            ended = True
            break
        if not content:
            continue
        values = content.split(",")
        if len(values) != VALUES:
            what = f"there are {len(values)} values; a line of a skeleton has {VALUES}"
            report(Problem(file, line, what, COPY_AGAIN))
            good = False
            continue
        # Two in three values are orientations, which nobody needs: they are looked at only where
        # the line holds something that is no number. This makes reading CAD-120 twice as fast.
        if NO_NUMBER.search(content):
            parsed = numbers(file, [line] * VALUES, "a value", values, report)
            good &= not np.isnan(parsed).any()
        rows.append(pick_used(values))
        lines.append(line)
    if not ended:
        what = "the last line is not END, so the file was cut off"
        report(Problem(file, lines[-1] if lines else 1, what, COPY_AGAIN))
    if not ended or not good:
        return None
    flat = [value for row in rows for value in row]
    where = [line for line in lines for _ in USED]
    table = numbers(file, where, "a value", flat, report).reshape(-1, len(USED))
    if np.isnan(table).any():
        return None
    counted = table[:, 0] == np.arange(1, len(table) + 1)
    if not counted.all():
        at = int(np.argmin(counted))
        what = f"the frame is {table[at, 0]:g}, and {at + 1} was expected"
        report(Problem(file, lines[at], what, "Frames count 1, 2, 3, ...; copy the file again"))
        return None
    return table[:, 1:].reshape(-1, len(JOINTS), 4)


def person_boxes(joints: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The person's box in every frame.

    Args:
        joints: (F, 15, 4) x, y, z in millimetres, confidence.
        width, height: of the frames in pixels; the projection is for 640x480 and is scaled.

    Returns:
        (F, 4) float32, clipped to the frame; and (F,) bool: the frames in which there is one.
    """
    upper = joints[:, UPPER_BODY]
    seen = (upper[..., 3] > 0) & (upper[..., 2] > 0)
    points = project(upper[..., :3]) * (width / WIDTH, height / HEIGHT)
    low = np.where(seen[..., None], points, np.inf).min(axis=1)
    high = np.where(seen[..., None], points, -np.inf).max(axis=1)
    some = np.asarray(seen.any(axis=1))
    hull = np.where(some[:, None], np.concatenate([low, high], axis=1), 0)
    xyxy = boxes.clip(boxes.enlarge(hull, ENLARGE), width, height).astype(np.float32)
    return xyxy, some & (xyxy[:, 0] < xyxy[:, 2]) & (xyxy[:, 1] < xyxy[:, 3])


def project(points: np.ndarray) -> np.ndarray:
    """(*, 3) x, y, z in millimetres -> (*, 2) pixels of a frame of 640x480."""
    x, y, z = np.moveaxis(points, -1, 0)
    z = np.where(z > 0, z, 1)  # joints that are not in front of the camera are passed over later
    u = WIDTH * x / (SPAN_X * z) + WIDTH / 2
    v = -HEIGHT * y / (SPAN_Y * z) + HEIGHT / 2
    return np.stack([u, v], axis=-1)
