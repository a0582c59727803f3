"""The generated videos: what is drawn is what is written, and a rule tells only what it says."""

import filecmp
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glidn.datasets.synthetic import SyntheticConfig, generate, grammar, write_cad120
from glidn.datasets.synthetic.cad120_layout import JOINTS, skeleton_points
from glidn.datasets.synthetic.performance import durations
from glidn.datasets.synthetic.person import pose
from glidn.datasets.synthetic.raycast import (
    Array,
    Camera,
    Kind,
    Light,
    Picture,
    Solid,
    draw,
    frustum_radii,
    unit,
    vector,
    visible_box,
)
from glidn.datasets.synthetic.scene import frames, set_stage
from glidn.datasets.synthetic.world import CATEGORIES, PERSON, SUBJECTS, draw_room
from glidn.errors import DataError, SettingError

WIDTH, HEIGHT = 67, 53
SMALL = SyntheticConfig(
    repetitions=1,
    frames=17,
    width=WIDTH,
    height=HEIGHT,
    subjects=(1, 4),
    activities=("stacking_objects", "having_meal"),
)
SUB_ACTIVITIES = {
    "reaching",
    "moving",
    "pouring",
    "eating",
    "drinking",
    "opening",
    "placing",
    "closing",
    "scrubbing",
    "null",
}
AFFORDANCES = {
    "reachable",
    "movable",
    "pourable",
    "pourto",
    "containable",
    "drinkable",
    "openable",
    "placeable",
    "closeable",
    "scrubbable",
    "scrubber",
    "stationary",
}


# --- the ray-caster -----------------------------------------------------------------------------

CAMERA = Camera.looking_at(vector(0, 0, 0), vector(0, 1, 0), WIDTH, HEIGHT, degrees=50)
LIGHT = Light(unit(vector(0.3, -0.5, 0.8)), vector(1, 1, 1))


def drawn(*solids: Solid) -> Picture:
    """The solids on nothing."""
    picture = Picture(
        np.zeros((HEIGHT, WIDTH, 3), np.float32),
        np.full((HEIGHT, WIDTH), np.inf, np.float32),
        np.zeros((HEIGHT, WIDTH), np.int16),
    )
    draw(picture, CAMERA, CAMERA.rays(), LIGHT, solids)
    return picture


def solid(kind: Kind, centre: Array, half: Array, owner: int = 1, **more: object) -> Solid:
    return Solid(kind, centre, np.eye(3), half, vector(200, 90, 40), owner, **more)


def test_a_sphere_is_seen_where_the_tangent_rays_say() -> None:
    distance, radius = 3.0, 0.7
    picture = drawn(solid("ellipsoid", vector(0, distance, 0), vector(radius, radius, radius)))
    edge = CAMERA.focal * radius / np.sqrt(distance**2 - radius**2)
    expected = (
        np.round(WIDTH / 2 - edge),
        np.round(HEIGHT / 2 - edge),
        np.round(WIDTH / 2 + edge),
        np.round(HEIGHT / 2 + edge),
    )
    assert visible_box(picture.owner, 1) == expected
    assert picture.depth[HEIGHT // 2, WIDTH // 2] == pytest.approx(distance - radius, abs=1e-3)


def inside(body: Solid, points: Array) -> np.ndarray:
    """Whether world points (*, 3) are in the solid, straight from what the kinds mean."""
    x, y, z = np.moveaxis((points - body.centre) @ body.axes.T, -1, 0)
    a, b, c = body.half
    if body.kind == "box":
        return (abs(x) <= a) & (abs(y) <= b) & (abs(z) <= c)
    if body.kind == "ellipsoid":
        return (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1
    if body.kind == "capsule":
        beyond = np.maximum(abs(z) - (c - a), 0)
        return x**2 + y**2 + beyond**2 <= a**2
    middle, slope = frustum_radii(body)
    return (np.hypot(x, y) <= middle + slope * z) & (abs(z) <= c)


@pytest.mark.parametrize(
    ("kind", "taper"),
    [("box", 1), ("ellipsoid", 1), ("capsule", 1), ("frustum", 0.4), ("frustum", 1.7)],
)
def test_a_ray_stops_where_it_first_enters_the_solid(kind: Kind, taper: float) -> None:
    rng = np.random.default_rng(3)
    for _ in range(2):
        axes, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        half = vector(0.31, 0.31, 0.53)
        body = Solid(kind, vector(0.1, 2.3, -0.1), axes, half, vector(9, 9, 9), 1, taper)
        depth = drawn(body).depth

        # A march of tiny steps along every ray, as an independent reference.
        marks = np.linspace(1.5, 3.1, 401)
        rays = np.moveaxis(CAMERA.rays(), 0, -1)
        within = inside(body, marks[:, None, None, None] * rays)  # (steps, H, W)
        first = np.where(within.any(0), marks[within.argmax(0)], np.inf)
        both = np.isfinite(first) & np.isfinite(depth)
        # A grazing ray may hit for less than a step.
        assert (np.isfinite(first) != np.isfinite(depth)).mean() < 0.004
        assert both.sum() > 50
        assert np.abs(depth[both] - first[both]).max() < 0.0041


def test_what_is_nearer_hides_what_is_farther_in_any_order() -> None:
    far = solid("box", vector(0, 4, 0), vector(1.5, 0.1, 0.5), owner=1)
    near = solid("box", vector(-0.5, 2, 0), vector(0.5, 0.1, 1), owner=2)
    one, other = drawn(far, near), drawn(near, far)
    assert np.array_equal(one.owner, other.owner)
    box = visible_box(one.owner, 1)
    assert box is not None
    # The near box covers the left half of the view, up to the middle.
    assert box[0] == pytest.approx(WIDTH / 2, abs=1)
    assert visible_box(drawn(far).owner, 1)[0] < WIDTH / 4  # type: ignore[index]


def test_a_sliver_is_not_a_sighting() -> None:
    owner = np.zeros((7, 11), np.int16)
    owner[2, 3:8] = 5
    assert visible_box(owner, 5) is None
    owner[4, 9] = 5
    assert visible_box(owner, 5) == (3, 2, 10, 5)


# --- the files ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic")
    write_cad120(root, SMALL, workers=1)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_two_workers_write_the_same_bytes_as_one(written: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_cad120(tmp_path, SMALL, workers=2, progress=lambda *state: seen.append(state))
    assert contents(tmp_path) == contents(written)
    assert seen == [(k, 4) for k in (1, 2, 3, 4)]


def test_another_seed_writes_other_videos(written: Path, tmp_path: Path) -> None:
    one = replace(SMALL, seed=1, subjects=(1,), activities=("having_meal",))
    write_cad120(tmp_path, one, workers=1)
    name = "Subject1_rgbd_images/having_meal/1201090000/RGB_1.png"
    assert not filecmp.cmp(tmp_path / name, written / name, shallow=False)


def test_an_interrupted_generation_leaves_no_half_video_and_goes_on(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = generate.frames

    def fails_half_way(stage):  # type: ignore[no-untyped-def]
        for number, frame in enumerate(original(stage)):
            if stage.subject is SUBJECTS[4] and number == 5:
                raise KeyboardInterrupt
            yield frame

    monkeypatch.setattr(generate, "frames", fails_half_way)
    with pytest.raises(KeyboardInterrupt):
        write_cad120(tmp_path, SMALL, workers=1)
    assert len(list(tmp_path.rglob("RGB_1.png"))) == 2  # subject 1's; nothing of subject 4's

    monkeypatch.setattr(generate, "frames", original)
    done = tmp_path / "Subject1_rgbd_images/having_meal/1201090000/RGB_1.png"
    before = done.stat().st_mtime_ns
    write_cad120(tmp_path, SMALL, workers=1)
    assert contents(tmp_path) == contents(written)
    assert done.stat().st_mtime_ns == before


def test_a_folder_of_other_settings_is_refused(written: Path) -> None:
    with pytest.raises(DataError, match="other settings"):
        write_cad120(written, replace(SMALL, seed=1), workers=1)


def test_the_official_files_are_there_and_agree(written: Path) -> None:
    for subject in SMALL.subjects:
        for activity in SMALL.activities or ():
            folder = written / f"Subject{subject}_annotations" / activity
            images = written / f"Subject{subject}_rgbd_images" / activity
            (line,) = (folder / "activityLabel.txt").read_text().splitlines()
            video, named, _, *objects, end = line.split(",")
            assert (named, end) == (activity, "")
            assert [item.split(":")[0] for item in objects] == list("12345")
            assert {item.split(":")[1] for item in objects} <= set(CATEGORIES)
            names = {f"RGB_{n}.png" for n in range(1, SMALL.frames + 1)}
            assert {path.name for path in (images / video).iterdir()} == names
            with Image.open(images / video / "RGB_1.png") as picture:
                assert picture.size == (WIDTH, HEIGHT)

            spans = [line.split(",") for line in (folder / "labeling.txt").read_text().splitlines()]
            assert [int(spans[0][1]), int(spans[-1][2])] == [1, SMALL.frames]
            assert all(int(b[1]) == int(a[2]) + 1 for a, b in pairwise(spans))
            assert {span[3] for span in spans} <= SUB_ACTIVITIES
            assert {name for span in spans for name in span[4:]} <= AFFORDANCES
            assert {len(span) for span in spans} == {4 + len(objects)}

            skeleton = (folder / f"{video}.txt").read_text().splitlines()
            assert skeleton[-1] == "END"
            assert {len(row.rstrip(",").split(",")) for row in skeleton[:-1]} == {
                1 + 11 * 14 + 4 * 4
            }


def test_the_written_boxes_hold_exactly_the_pixels_of_their_object(written: Path) -> None:
    video = generate.Video(4, "stacking_objects", 0)
    rng = generate.generator(SMALL, video)
    room = draw_room(rng)
    performance = generate.perform(SMALL, video, rng)
    stage = set_stage(SUBJECTS[4], performance, room, WIDTH, HEIGHT, rng)
    folder = written / "Subject4_annotations/stacking_objects"
    files = [
        np.loadtxt(folder / f"{video.name}_obj{k}.txt", delimiter=",", dtype=int)
        for k in range(1, 6)
    ]
    seen = 0
    for step, frame in enumerate(frames(stage)):
        for number, rows in enumerate(files, start=1):
            assert list(rows[step][:2]) == [step + 1, number]
            points = np.argwhere(frame.owner == number)
            box = np.zeros(4, int)
            if len(points) >= 6:
                (y1, x1), (y2, x2) = points.min(0), points.max(0) + 1
                box = np.array([x1, y1, x2, y2])
                seen += 1
            assert np.array_equal(rows[step][2:6], box)
    assert seen > 4 * SMALL.frames


def test_the_published_projection_of_the_skeleton_surrounds_the_person() -> None:
    width, height = 160, 120
    upper = [k for k, name in enumerate(JOINTS) if not name.endswith(("hip", "knee", "foot"))]
    held, filled = [], []
    for subject, activity in ((1, "making_cereal"), (4, "microwaving_food")):
        rng = np.random.default_rng(subject)
        room = draw_room(rng)
        performance = grammar.perform(activity, SUBJECTS[subject], 40, rng)
        stage = set_stage(SUBJECTS[subject], performance, room, width, height, rng)
        edge = stage.camera.project(vector(0, 0.27, 0.74))[0][1]
        for frame in list(frames(stage))[::5]:
            joints = np.stack([frame.pose.joints[name] for name in JOINTS])
            x, y, z = skeleton_points(stage.camera, joints)[upper].T
            u, v = 640 * x / (1.1147 * z) + 320, -480 * y / (0.8336 * z) + 240
            points = np.stack([u * width / 640, v * height / 480], axis=-1)
            # Our own camera, from its definition: across and up over depth, times the focal length.
            seen = (joints[upper] - stage.camera.eye) @ stage.camera.basis.T
            expected = stage.camera.focal * seen[:, :2] / seen[:, 2:] * (1, -1)
            expected += (width / 2, height / 2)
            np.testing.assert_allclose(points, expected, atol=1e-2)

            middle = (points.min(0) + points.max(0)) / 2
            low, high = (middle + 1.2 * (end - middle) for end in (points.min(0), points.max(0)))
            rows, columns = np.nonzero(frame.owner == PERSON)
            pixels = np.stack([columns, rows], axis=-1)[rows < edge]  # without the legs
            held.append(((pixels >= low - 0.5) & (pixels <= high + 0.5)).all(1).mean())
            filled.append(np.prod(np.ptp(pixels, axis=0)) / np.prod(high - low))
    # The hull has no hips, so a person who leans far aside shows some belly outside of the box.
    assert np.median(held) > 0.93
    assert min(held) > 0.8
    assert np.median(filled) > 0.75  # the box is not much larger than the person


# --- the grammar --------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [1, 3, 4, 5])
def test_the_hand_gets_where_the_script_wants_it(subject: int) -> None:
    person = SUBJECTS[subject]
    name = "right_hand" if person.right_handed else "left_hand"
    for number, activity in enumerate(grammar.ACTIVITIES):
        performance = grammar.perform(activity, person, 60, np.random.default_rng(number))
        assert len(performance.hand) == 60
        for hand in performance.hand[::4]:
            assert np.linalg.norm(pose(person, hand).joints[name] - hand) < 0.02


def test_every_category_lies_about_in_activities_that_do_not_touch_it() -> None:
    idle: dict[str, set[str]] = {name: set() for name in CATEGORIES}
    for activity in grammar.ACTIVITIES:
        for seed in range(15):
            performance = grammar.perform(
                activity, SUBJECTS[1], 60, np.random.default_rng((seed, 5))
            )
            roles = zip(*(span.affordances for span in performance.intervals), strict=True)
            for category, role in zip(performance.objects, roles, strict=True):
                if set(role) == {"stationary"}:
                    idle[category].add(activity)
    for category, activities in idle.items():
        assert len(activities) >= 7, category


def test_steps_get_a_frame_each_and_all_frames_in_all() -> None:
    counts = durations(np.array([5.0, 0.01, 2.0]), 11, "having_meal")
    assert counts.sum() == 11
    assert counts.min() >= 1
    with pytest.raises(SettingError, match="frames is 2, but having_meal has 3 steps"):
        durations(np.ones(3), 2, "having_meal")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rule": "relatoin"}, "nearest: relation"),
        ({"subjects": (2,)}, "no subject 2"),
        ({"activities": ("making_cereals",)}, "nearest: making_cereal"),
        ({"rule": "order", "activities": ("having_meal",)}, "rule 'order' has no activity"),
        ({"frames": 0}, "frames is 0"),
    ],
)
def test_wrong_settings_are_named(wrong: dict, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        SyntheticConfig(**wrong)


# --- the label rules ----------------------------------------------------------------------------
