"""ONNX detectors: decoding by plain loops, where painted squares are found, names, bad files."""

import builtins
import math

import numpy as np
import pytest

import make_onnx
from glidn.detectors import faster_rcnn, onnx_file
from glidn.detectors.choose import load_detector
from glidn.errors import DataError, GlidnError, SettingError
from glidn.tracking import Tracker
from glidn.video import VideoFile
from make_onnx import constant, red, write

HEIGHT, WIDTH, CLASSES = 64, 96, 3
CELLS = 8 * 12 + 4 * 6 + 2 * 3
TOP, OVERLAP, SCORE = 101, 0.3, 0.2
WINDOW = (53, 79)  # height, width of the frames: both sides are scaled, differently after rounding


def raw_cells(seed: int = 0, classes: int = CLASSES) -> np.ndarray:
    rng = np.random.default_rng(seed)
    boxes = np.concatenate([rng.normal(0.5, 0.4, (CELLS, 2)), rng.normal(1, 0.5, (CELLS, 2))], 1)
    return np.concatenate([boxes, rng.uniform(0, 1, (CELLS, 1 + classes))], 1).astype("f4")


def decode(cells: np.ndarray) -> np.ndarray:
    """The same with centres and sizes in pixels of the input, one cell at a time."""
    out, at = cells.astype(np.float64), 0
    for stride in (8, 16, 32):
        for row in range(HEIGHT // stride):
            for column in range(WIDTH // stride):
                x, y, w, h = out[at, :4]
                out[at, 0] = (x + column) * stride
                out[at, 1] = (y + row) * stride
                out[at, 2] = math.exp(w) * stride
                out[at, 3] = math.exp(h) * stride
                at += 1
    assert at == CELLS
    return out


def reference(decoded: np.ndarray, high: int, wide: int) -> list[tuple[float, int, list[float]]]:
    """(score, class, box in the frame) of what stays, the surest first, one box at a time."""
    ratio = min(HEIGHT / high, WIDTH / wide)
    across, down = int(wide * ratio) / wide, int(high * ratio) / high
    boxes = []
    for x, y, w, h, objectness, *classes in decoded:
        label = max(range(len(classes)), key=lambda k: classes[k])
        left, right = ((x + side * w / 2) / across for side in (-1, 1))
        above, below = ((y + side * h / 2) / down for side in (-1, 1))
        left, right = (min(max(value, 0), wide) for value in (left, right))
        above, below = (min(max(value, 0), high) for value in (above, below))
        score = objectness * classes[label]
        if score >= SCORE and right - left >= 1 and below - above >= 1:
            boxes.append((score, label, [left, above, right, below]))
    kept: list[tuple[float, int, list[float]]] = []
    for score, label, box in sorted(boxes, reverse=True):
        if all(label != other or shared(box, one) <= OVERLAP for _, other, one in kept):
            kept.append((score, label, box))
    return kept[:TOP]


def shared(a: list[float], b: list[float]) -> float:
    wide, high = (max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return wide * high / (sum(areas) - wide * high)


def black(count: int = 1, size: tuple[int, int] = WINDOW) -> np.ndarray:
    return np.zeros((count, *size, 3), np.uint8)


@pytest.mark.parametrize("decoded", [False, True])
@pytest.mark.parametrize("half", [False, True])
def test_boxes_are_those_of_plain_loops(tmp_path, decoded, half):
    """Would catch: rows for columns, a stride's cells elsewhere, one scale for both sides."""
    raw = raw_cells()
    if half:
        raw = raw.astype("f2")
    given = decode(raw).astype(raw.dtype) if decoded else raw
    path = constant(tmp_path / "d.onnx", given, HEIGHT, WIDTH)
    model = onnx_file.build(path)
    assert model.decoded == decoded and model.batch == 1
    found = onnx_file.detections(model, TOP, OVERLAP, SCORE)(black(2))
    expected = reference(given.astype("f8") if decoded else decode(raw), *WINDOW)
    assert len(found) == 2 and 10 < len(expected) < TOP
    for one in found:
        assert one.xyxy.dtype == one.scores.dtype == np.float32
        assert one.categories == tuple(f"object {label}" for _, label, _ in expected)
        np.testing.assert_allclose(one.scores, [score for score, *_ in expected], atol=1e-6)
        np.testing.assert_allclose(one.xyxy, [box for *_, box in expected], atol=1e-3)


def test_the_surest_stay_and_odd_numbers_are_left_out(tmp_path):
    """Would catch: boxes that are not numbers, a limit that is taken before suppression."""
    raw = raw_cells(1)
    raw[:30, 2] = 99.0  # exp(99) is no float32
    raw[30:40, 0] = np.nan
    model = onnx_file.build(constant(tmp_path / "d.onnx", raw, HEIGHT, WIDTH))
    (every,) = onnx_file.detections(model, 1000, OVERLAP, 0.0)(black())
    (few,) = onnx_file.detections(model, 5, OVERLAP, 0.0)(black())
    assert np.isfinite(every.xyxy).all() and len(few.scores) == 5 < len(every.scores)
    np.testing.assert_array_equal(few.xyxy, every.xyxy[:5])


@pytest.mark.parametrize(
    ("high", "wide", "square"),
    [
        (128, 192, (64, 32, 80, 48)),
        (100, 192, (176, 80, 192, 96)),  # the lower part of the input is padding
        (192, 100, (32, 160, 48, 176)),  # the right part
        (64, 96, (32, 16, 40, 24)),  # as large as the input
        (24, 48, (40, 16, 44, 20)),  # smaller
    ],
)
def test_a_painted_square_is_found_where_it_is(tmp_path, high, wide, square):
    """Would catch: red and blue swapped, padding on the other side, boxes of the input."""
    detect, _ = load_detector(str(red(tmp_path / "red.onnx")), 0.8, side=96)
    frames = black(3, (high, wide))
    x1, y1, x2, y2 = square  # one cell of stride 8 in the input of 96x96
    frames[1, y1:y2, x1:x2, 0] = 255
    frames[2, y1:y2, x1:x2, 2] = 255
    nothing, one, blue = detect(frames)
    assert nothing.xyxy.shape == (0, 4) and nothing.categories == () and not len(blue.scores)
    np.testing.assert_allclose(one.xyxy, [square], atol=0.01)


def test_frames_are_scaled_as_yolox_does_and_grey_is_around_them():
    """Would catch: the corners of pixels aligned instead of their areas, a forgotten border."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 67, 117, 3), np.uint8)
    images, scale = onnx_file.letterbox(frames, 64, 96)
    assert images.shape == (2, 3, 64, 96)
    np.testing.assert_allclose(scale, [96 / 117, 54 / 67] * 2)
    assert (images[:, :, 54:] == 114).all()
    for row, column in [(0, 0), (53, 95), (20, 31), (7, 80)]:
        y = min(max((row + 0.5) * 67 / 54 - 0.5, 0), 66)
        x = min(max((column + 0.5) * 117 / 96 - 0.5, 0), 116)
        low, left = int(y), int(x)
        below, right = min(low + 1, 66), min(left + 1, 116)
        pixel = (
            frames[1, low, left] * (1 - y + low) * (1 - x + left)
            + frames[1, low, right] * (1 - y + low) * (x - left)
            + frames[1, below, left] * (y - low) * (1 - x + left)
            + frames[1, below, right] * (y - low) * (x - left)
        )
        np.testing.assert_allclose(images[1, ::-1, row, column], pixel, atol=1)


def test_names_come_from_beside_the_file_then_from_within(tmp_path):
    """Would catch: a general list that beats the file's own, names of other classes."""

    def names(name: str, **metadata: str) -> tuple[str, ...]:
        return onnx_file.build(
            constant(tmp_path / name, raw_cells(), HEIGHT, WIDTH, **metadata)
        ).names

    assert names("a.onnx") == ("object 0", "object 1", "object 2")
    assert names("a.onnx", names="{0: 'cup', 1: 'dish', 2: 'box'}") == ("cup", "dish", "box")
    assert names("a.onnx", names='["cup", "dish", "box"]') == ("cup", "dish", "box")
    for odd in ("{0: 'cup'}", "{'a': 1}", "__import__('os')", "(" * 999, "7"):
        assert names("a.onnx", names=odd) == ("object 0", "object 1", "object 2")
    (tmp_path / "coco_classes.txt").write_text("one\ntwo\n")
    assert names("a.onnx", names='["cup", "dish", "box"]') == ("cup", "dish", "box")
    (tmp_path / "coco_classes.txt").write_text("one\ntwo \nthree\n\n")
    assert names("a.onnx", names='["cup", "dish", "box"]') == ("one", "two", "three")
    (tmp_path / "a.txt").write_text("person\ncat\ndog\n")
    assert names("a.onnx") == ("person", "cat", "dog")
    detect, who = load_detector(str(tmp_path / "a.onnx"), SCORE, TOP, OVERLAP, person="actor")
    (found,) = detect(black())
    assert set(found.categories) == {"actor", "cat", "dog"}
    assert who.startswith("a.onnx (sha256 ") and len(who) == len("a.onnx (sha256 01234567)")
    (tmp_path / "a.txt").write_text("person\ncat\n")
    with pytest.raises(DataError, match=r"a\.txt names 2 classes, one a line, and a\.onnx has 3\."):
        names("a.onnx")
    path = constant(tmp_path / "b.onnx", raw_cells(classes=80), HEIGHT, WIDTH)
    coco = onnx_file.build(path).names
    assert (coco[0], coco[39], coco[79]) == ("person", "bottle", "toothbrush")


def sentence(path) -> str:
    with pytest.raises(DataError) as caught:
        onnx_file.build(path)
    said = str(caught.value)
    assert str(path) in said and "\n" not in said and said.endswith(".")
    return said


def test_bad_files_are_one_sentence(tmp_path, monkeypatch):
    path = tmp_path / "d.onnx"
    assert "cannot be read (No such file" in sentence(path)
    constant(path, raw_cells(), HEIGHT, WIDTH)
    whole = path.read_bytes()
    for content in (b"", b"<!DOCTYPE html>", whole[: len(whole) // 2], whole[:-3]):
        path.write_bytes(content)
        assert "can load: empty, cut off, or of another kind (" in sentence(path)
    # In the folder in which onnxruntime would find the weights.
    monkeypatch.chdir(tmp_path)
    constant(path, raw_cells(), HEIGHT, WIDTH)
    model = make_onnx.onnx.load(path)
    make_onnx.onnx.save(model, path, save_as_external_data=True, location="w", size_threshold=0)
    assert "keeps its weights in another file; write both into one" in sentence(path)
    constant(path, raw_cells()[:-1], HEIGHT, WIDTH)
    assert "an input of 96x64 gives an output of the shape (1, 125, 8)" in sentence(path)
    constant(path, raw_cells() + 1, HEIGHT, WIDTH)
    assert "scores are not within 0 and 1 (export it with its sigmoids)" in sentence(path)
    constant(path, raw_cells(), 60, WIDTH)
    assert "its input has the shape (1, 3, 60, 96)" in sentence(path)
    node = make_onnx.onnx.helper.make_node("Identity", ["images"], ["output"])
    write(path, [node], [1, 3], [1, 3])
    assert "its input is a tensor(float) of the shape (1, 3); expected one input" in sentence(path)
    write(path, [node], [1, 3, 64, 64], [1, 3, 64, 64])
    assert "gives an output of the shape (1, 3, 64, 64)" in sentence(path)


def test_a_graph_that_fails_is_one_sentence(tmp_path, capfd):
    """It says that it takes any size, and does not."""
    node = make_onnx.onnx.helper.make_node("Add", ["images", "fixed"], ["output"])
    fixed = ("fixed", np.zeros((1, 3, 63, 63), np.float32))
    path = write(tmp_path / "d.onnx", [node], ["n", 3, "h", "w"], ["n", "cells", 8], [fixed])
    with pytest.raises(GlidnError, match=r"d\.onnx failed on 1 pictures of 96x96 \(") as caught:
        onnx_file.build(path, 96)
    assert "\n" not in str(caught.value) and capfd.readouterr().err == ""


def test_without_onnxruntime_it_says_what_to_install(tmp_path, monkeypatch):
    path = constant(tmp_path / "d.onnx", raw_cells(), HEIGHT, WIDTH)
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingError, match=r'install it with: pip install "glidn\[onnx\]"\.'):
        onnx_file.build(path)
    with pytest.raises(SettingError, match=r"input is 100; it must be a multiple of 32"):
        onnx_file.build(path, 100)


@pytest.mark.shared
def test_bottles_are_found_where_we_see_them(shared):
    """Corners read off the frames by eye. Would catch: a wrong order of colours, other names."""
    detect, who = load_detector(str(shared / "weights" / "yolox_nano.onnx"), 0.25)
    assert who == "yolox_nano.onnx (sha256 695e750a)"
    left, middle, right = (60, 107, 121, 313), (289, 108, 343, 314), (510, 106, 569, 316)
    pixels = VideoFile(shared / "videos" / "bottles.mp4")
    for frame, expected in ((0, [left, middle, right]), (300, [middle, right])):
        (found,) = detect(pixels.read(np.array([frame])))
        assert found.categories == ("bottle",) * len(expected) and found.scores.min() > 0.8
        order = np.argsort(found.xyxy[:, 0])
        np.testing.assert_allclose(found.xyxy[order], expected, atol=15)


@pytest.mark.shared
def test_bottles_and_a_hand_are_followed(shared):
    """A hand reaches in from the left, its category "person", and takes the left bottle away."""
    detect, _ = load_detector(str(shared / "weights" / "yolox_nano.onnx"), 0.1)
    pixels = VideoFile(shared / "videos" / "bottles.mp4")
    tracker, seen = Tracker(pixels.fps), {}
    frames = np.arange(165, 240, 5)
    for frame, image in zip(frames.tolist(), pixels.each(frames), strict=True):
        for one in tracker.update(frame, detect(image[None])[0]):
            seen.setdefault((one.track, one.category), []).append(one.frame)
    hand = (4, "person")
    assert set(seen) == {(1, "bottle"), (2, "bottle"), (3, "bottle"), hand}
    assert sorted(seen[track][-1] for track in seen if track != hand) == [205, 235, 235]
    assert 170 <= seen[hand][0] <= 180 and 200 <= seen[hand][-1] <= 210


def test_a_name_is_a_file_of_weights_or_torchvisions(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(faster_rcnn, "build", lambda *given: seen.append(given))
    monkeypatch.setattr(faster_rcnn, "detections", lambda *given: given)
    (tmp_path / "w.pth").write_bytes(b"weights")
    detect, who = load_detector(str(tmp_path / "w.pth"), 0.3, engine="bf16")
    assert seen == [(str(tmp_path / "w.pth"), 800, "bf16")]
    assert detect == (None, 100, 0.5, 0.3, "person")
    assert who == "Faster R-CNN w.pth (sha256 9a129038)"
    assert load_detector("torchvision", 0.3, side=96)[1] == "torchvision's Faster R-CNN (COCO)"
    assert seen[1] == ("torchvision", 96, "plain")
