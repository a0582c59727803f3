"""CAD-120's official files: names, folders, and the text of each kind of line.

<root>/Subject1_rgbd_images/<activity>/<video>/RGB_<n>.png            n from 1
<root>/Subject1_annotations/<activity>/activityLabel.txt, labeling.txt
<root>/Subject1_annotations/<activity>/<video>.txt                    skeleton
<root>/Subject1_annotations/<activity>/<video>_obj<k>.txt             boxes of object k, from 1
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glidn.datasets.synthetic.performance import Interval
from glidn.datasets.synthetic.person import JOINTS, Pose
from glidn.datasets.synthetic.raycast import Array, Camera

Box = tuple[int, int, int, int]

# The published projection of CAD-120's skeletons: u = 640 X / (1.1147 Z) + 320,
# v = 240 - 480 Y / (0.8336 Z), for frames of 640 x 480.
WIDTH, HEIGHT = 640, 480
X_PER_DEPTH, Y_PER_DEPTH = 1.1147, 0.8336
ORIENTED_JOINTS = 11  # the first joints of a skeleton line also have an orientation
TRANSFORM = "0,0,0,0,0,0"  # official box lines go on with a 2 x 3 matrix; nothing reads ours
LEVEL = "1,0,0,0,1,0,0,0,1"


def images_folder(root: Path, subject: int, activity: str) -> Path:
    return root / f"Subject{subject}_rgbd_images" / activity


def annotations_folder(root: Path, subject: int, activity: str) -> Path:
    return root / f"Subject{subject}_annotations" / activity


def activity_line(video: str, activity: str, subject: int, objects: Sequence[str]) -> str:
    """One line of activityLabel.txt."""
    numbered = [f"{k}:{name}" for k, name in enumerate(objects, start=1)]
    return ",".join([video, activity, f"Subject{subject}", *numbered]) + ",\n"


def labeling_line(video: str, interval: Interval) -> str:
    """One line of labeling.txt; frames count from 1 and the last one is included."""
    fields = [video, str(interval.first + 1), str(interval.last + 1), interval.sub_activity]
    return ",".join([*fields, *interval.affordances]) + "\n"


def box_lines(number: int, boxes: Sequence[Box | None]) -> str:
    """The file of object `number`: its box in each frame, zeros where it is not seen."""
    return "".join(
        f"{frame},{number},{','.join(map(str, box or (0, 0, 0, 0)))},{TRANSFORM}\n"
        for frame, box in enumerate(boxes, start=1)
    )


def skeleton_points(camera: Camera, joints: Array) -> Array:
    """(J, 3) world joints -> (J, 3) millimetres which the published projection puts in place.

    The projection belongs to 640 x 480 frames of one sensor. Ours have another size and another
    lens, so X and Y are chosen such that the projected pixel, scaled by (width / 640,
    height / 480), is the pixel where our camera shows the joint.
    """
    pixels, depth = camera.project(joints)
    u = pixels[:, 0] * WIDTH / camera.width
    v = pixels[:, 1] * HEIGHT / camera.height
    x = (u - WIDTH / 2) * X_PER_DEPTH * depth / WIDTH
    y = (HEIGHT / 2 - v) * Y_PER_DEPTH * depth / HEIGHT
    return 1000 * np.stack([x, y, depth], axis=-1)


def skeleton_lines(camera: Camera, poses: Sequence[Pose]) -> str:
    """A skeleton file: a line for each frame, then END.

    Orientations are not modelled: every joint has the identity, with confidence 0.
    """
    lines = []
    for frame, pose in enumerate(poses, start=1):
        points = skeleton_points(camera, np.stack([pose.joints[name] for name in JOINTS]))
        fields = [str(frame)]
        for joint, (x, y, z) in enumerate(points):
            if joint < ORIENTED_JOINTS:
                fields += [LEVEL, "0"]
            fields += [f"{x:.3f}", f"{y:.3f}", f"{z:.3f}", "1"]
        lines.append(",".join(fields) + ",\n")
    return "".join([*lines, "END\n"])
