"""The person: joints from where the hand must be, and the solids around them.

The joints are the fifteen of CAD-120 (OpenNI), in the order of its skeleton files.
"""

from dataclasses import dataclass

import numpy as np

from glidn.datasets.synthetic.raycast import Array, Kind, Solid, cross, unit, vector
from glidn.datasets.synthetic.world import HAND, PERSON, Subject

JOINTS = (
    "head",
    "neck",
    "torso",
    "left_shoulder",
    "left_elbow",
    "right_shoulder",
    "right_elbow",
    "left_hip",
    "left_knee",
    "right_hip",
    "right_knee",
    "left_hand",
    "right_hand",
    "left_foot",
    "right_foot",
)
STRETCH = 0.96  # of the arm's full length; a straight elbow flickers
HAND_SIZE = 0.042


@dataclass(frozen=True)
class Pose:
    """One frame of a person.

    Attributes:
        joints: a (3,) world point for each of JOINTS.
        gaze: (3,) unit vector that the face looks along.
    """

    joints: dict[str, Array]
    gaze: Array


def elbow(shoulder: Array, hand: Array, arm: float, side: int) -> Array:
    """The elbow of an arm with two bones of length `arm`: low and outward (law of cosines)."""
    distance = min(float(np.linalg.norm(hand - shoulder)), 2 * arm * STRETCH)
    along = unit(hand - shoulder)
    pole = vector(0.75 * side, 0.25, -1.0)
    outward = unit(pole - (pole @ along) * along)
    return shoulder + along * (distance / 2) + outward * np.sqrt(arm**2 - distance**2 / 4)


def pose(subject: Subject, hand: Array) -> Pose:
    """Sit so that the hand in use is at `hand`: lean as far as the arm is too short."""
    half = vector(subject.breadth / 2, 0, 0)
    middle = subject.shoulders
    shoulder = middle + subject.side * half
    missing = float(np.linalg.norm(hand - shoulder)) - 2 * subject.arm * STRETCH * 0.97
    # Bend always a little towards the work, smoothly more when it is far away.
    bend = 0.5 * (missing + np.sqrt(missing**2 + 0.01)) + 0.01
    middle = middle + bend * unit(hand - shoulder) * vector(1, 1, 0.7)

    neck = middle + vector(0, 0, 0.05)
    gaze = unit(hand - (neck + vector(0, 0, 0.2)))
    gaze = unit(vector(0.6 * gaze[0], -1.0, 0.35 * gaze[2] - 0.08))
    hip = vector(0, subject.shoulders[1] + 0.02, 0.52)
    joints = {
        "neck": neck,
        "head": neck + vector(0.02 * gaze[0], -0.02, 0.165),
        "torso": (neck + hip) / 2 + vector(0, 0, 0.04),
    }
    for name, side in (("left", 1), ("right", -1)):
        end = hand if side == subject.side else subject.rest(side)
        joint = middle + side * half
        wrist = joint + (end - joint) * min(
            1.0, 2 * subject.arm * STRETCH / float(np.linalg.norm(end - joint))
        )
        joints[f"{name}_shoulder"] = joint
        joints[f"{name}_elbow"] = elbow(joint, wrist, subject.arm, side)
        joints[f"{name}_hand"] = wrist
        joints[f"{name}_hip"] = hip + side * vector(0.1, 0, 0)
        joints[f"{name}_knee"] = hip + vector(side * 0.14, -0.4, 0.0)
        joints[f"{name}_foot"] = hip + vector(side * 0.14, -0.38, -0.42)
    return Pose(joints, gaze)


def frame_along(direction: Array) -> Array:
    """(3, 3) rows of a frame whose z runs along a unit vector; x stays as level as it can."""
    across = cross(vector(0, 1, 0), direction)
    if across @ across < 1e-4:
        across = vector(1, 0, 0)
    across = unit(across)
    return np.stack([across, cross(direction, across), direction]).astype(np.float32)


def limb(start: Array, end: Array, radius: float, colour: Array, owner: int = PERSON) -> Solid:
    """A capsule from joint to joint."""
    along = end - start
    length = float(np.linalg.norm(along))
    half = vector(radius, radius, length / 2 + radius)
    return Solid("capsule", (start + end) / 2, frame_along(along / length), half, colour, owner)


def part(
    centre: Array, size: tuple[float, float, float], colour: Array, axes: Array | None = None
) -> Solid:
    """An ellipsoid with the given half sizes."""
    kind: Kind = "ellipsoid"
    own = np.eye(3, dtype=np.float32) if axes is None else axes
    return Solid(kind, centre, own, vector(*size), colour, PERSON)


def head(subject: Subject, figure: Pose) -> list[Solid]:
    """Skull, hair, face."""
    skin, hair = vector(*subject.skin), vector(*subject.hair)
    centre, gaze = figure.joints["head"], figure.gaze
    right = unit(cross(gaze, vector(0, 0, 1)))
    axes = np.stack([right, gaze, cross(right, gaze)]).astype(np.float32)

    def at(x: float, y: float, z: float) -> Array:
        return centre + vector(x, y, z) @ axes

    solids = [
        part(at(0, 0, 0), (0.082, 0.095, 0.115), skin, axes),
        part(at(0, -0.022, 0.032), (0.09, 0.098, 0.1), hair, axes),
        part(at(0, 0.096, -0.012), (0.012, 0.017, 0.02), skin * 0.94, axes),
        part(at(0, 0.086, -0.055), (0.026, 0.012, 0.007), skin * vector(0.8, 0.5, 0.5), axes),
    ]
    for side in (-1, 1):
        solids.append(part(at(side * 0.034, 0.082, 0.016), (0.011, 0.008, 0.006), WHITES, axes))
        solids.append(part(at(side * 0.034, 0.087, 0.016), (0.007, 0.006, 0.007), PUPILS, axes))
        solids.append(part(at(side * 0.083, -0.005, -0.005), (0.014, 0.022, 0.03), skin, axes))
        if subject.long_hair:
            lock = at(side * 0.078, -0.03, -0.05)
            solids.append(part(lock, (0.028, 0.05, 0.115), hair, axes))
    return solids


WHITES, PUPILS = vector(240, 240, 238), vector(40, 30, 26)


def body(subject: Subject, figure: Pose, show_hand: bool) -> list[Solid]:
    """The person above the table.

    Args:
        show_hand: give the hand in use an owner of its own.
    """
    skin, shirt = vector(*subject.skin), vector(*subject.shirt)
    joints = figure.joints
    neck, half = joints["neck"], subject.breadth / 2
    hip = (joints["left_hip"] + joints["right_hip"]) / 2
    spine = unit(neck - hip)
    axes = np.stack([np.array((1, 0, 0)), cross(spine, vector(1, 0, 0)), spine]).astype(np.float32)
    chest = neck - 0.17 * spine
    solids = [
        limb(neck - 0.03 * spine, neck + 0.09 * spine, 0.045, skin * 0.95),
        part(chest, (half * 0.98, 0.105, 0.2), shirt, axes),
        part((chest + hip) / 2, (half * 0.86, 0.1, 0.26), shirt, axes),
        limb(neck, joints["left_shoulder"] - vector(0.02, 0, 0.01), 0.05, shirt),
        limb(neck, joints["right_shoulder"] - vector(-0.02, 0, 0.01), 0.05, shirt),
        *head(subject, figure),
    ]
    for name, side in (("left", 1), ("right", -1)):
        shoulder, wrist = joints[f"{name}_shoulder"], joints[f"{name}_hand"]
        bend = joints[f"{name}_elbow"]
        owner = HAND if show_hand and side == subject.side else PERSON
        along = unit(wrist - bend)
        solids += [
            limb(shoulder, bend, 0.047, shirt),
            limb(bend, bend + 0.35 * (wrist - bend), 0.042, shirt),
            limb(bend + 0.3 * (wrist - bend), wrist - 0.02 * along, 0.033, skin),
            limb(wrist - 0.02 * along, wrist + 0.03 * along, HAND_SIZE, skin, owner),
            limb(wrist, wrist + vector(-side * 0.045, -0.015, 0.01), 0.017, skin, owner),
        ]
    return solids


def legs(subject: Subject, figure: Pose) -> list[Solid]:
    """What is seen under the table; it never moves."""
    trousers, joints = vector(*subject.trousers), figure.joints
    return [
        limb(joints[f"{side}_{upper}"], joints[f"{side}_{lower}"], radius, trousers)
        for side in ("left", "right")
        for upper, lower, radius in (("hip", "knee", 0.075), ("knee", "foot", 0.055))
    ]
