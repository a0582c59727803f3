"""Crops, and the cache of frozen features: never stale, never trusted when damaged."""

import sqlite3
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import resnet50
from torchvision.transforms import Normalize

from glidn.backbones.resnet import CropResNet
from glidn.config import DataConfig, NodesConfig
from glidn.crops import crops
from glidn.errors import DataError
from glidn.features import FrozenFeatures, prepare, steps_of
from glidn.store import Store
from glidn.types import Boxes, Dataset, Segment
from make import CLASSES, dataset

SIZE = 32
CONFIG = NodesConfig(kinds=("crop",), crop_size=SIZE, weights="none")


@dataclass(frozen=True)
class Noise:
    """Pixels from a file that holds a seed, so that content can change."""

    path: Path
    source: str = "noise"

    def read(self, frames: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(int(self.path.read_text()))
        return rng.integers(0, 256, (len(frames), 400, 320, 3), dtype=np.uint8)

    def files(self, frames: np.ndarray) -> list[Path]:
        return [self.path]


@pytest.fixture
def with_pixels(tmp_path: Path) -> Dataset:
    path = tmp_path / "seed"
    path.write_text("1")
    data = dataset(3)
    return replace(data, videos=tuple(replace(v, pixels=Noise(path)) for v in data.videos))


@pytest.fixture
def frozen(tmp_path: Path) -> FrozenFeatures:
    return FrozenFeatures(replace(CONFIG, cache=tmp_path / "cache"))


def entries(frozen: FrozenFeatures) -> int:
    """How many are kept."""
    rows = sqlite3.connect(frozen.store.folder / "features.sqlite")
    return int(rows.execute("SELECT COUNT(*) FROM tensors").fetchone()[0])


def test_a_crop_is_what_is_in_the_box():
    frame = np.zeros((1, 60, 80, 3), np.uint8)
    frame[0, 8:32, 18:52] = (200, 100, 50)  # the filter reads a pixel or two beyond the box
    xyxy = np.array([[[20, 10, 50, 30], [0, 0, 16, 6], [0, 0, 1, 1]]], np.float32)
    real = np.array([[True, True, False]])
    boxes = Boxes(xyxy, real, np.array([0]), ("a", "b", "c"), ("0", "1", "2"))
    cut = crops(frame, boxes, 8)
    assert cut.shape == (1, 3, 3, 8, 8)
    assert (cut[0, 0] == np.array([200, 100, 50])[:, None, None]).all()
    assert (cut[0, 1:] == 0).all()


def test_features_are_read_back_from_the_cache(with_pixels, frozen, monkeypatch):
    video = with_pixels.videos[0]
    boxes = steps_of(video, 3)
    first = frozen.of(video, boxes)
    assert first.shape == (3, 2, 2048)
    assert (first[~torch.from_numpy(boxes.real)] == 0).all()
    monkeypatch.setattr(frozen, "network", None)  # from here on nothing can be computed
    assert torch.equal(frozen.of(video, boxes), first)


@pytest.mark.parametrize("change", ["pixels", "boxes", "mirror", "size"])
def test_whatever_matters_makes_another_entry(with_pixels, frozen, change):
    video = with_pixels.videos[0]
    boxes = steps_of(video, 3)
    frozen.of(video, boxes)
    if change == "pixels":
        video.pixels.path.write_text("2")
    if change == "boxes":
        boxes = replace(boxes, xyxy=boxes.xyxy + 1)
    if change == "size":
        frozen.size += 8
    frozen.of(video, boxes, mirror=change == "mirror")
    assert entries(frozen) == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "index"])
def test_damaged_entries_are_computed_again_with_a_warning(with_pixels, frozen, damage):
    boxes = [(video, steps_of(video, 3)) for video in with_pixels.videos]
    first = [frozen.of(*pair).clone() for pair in boxes]
    path = frozen.store.folder / ("features.sqlite" if damage == "index" else "features.bin")
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    kept = {"cut": content[:-9], "flipped": content, "empty": b"", "index": b"no database" * 99}
    path.write_bytes(kept[damage])
    opened = FrozenFeatures(replace(CONFIG, cache=frozen.store.folder))
    with pytest.warns(UserWarning, match=r"damaged.* computed again"):
        again = [opened.of(*pair) for pair in boxes]
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(opened.of(*boxes[0]), first[0])


def test_two_processes_fill_one_cache(tmp_path):
    """Each finds what the other has kept, and neither spoils it."""
    code = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from glidn.store import Store\n"
        "store, own = Store(Path(sys.argv[1])), float(sys.argv[2])\n"
        "for number in range(20):\n"
        "    store.put(f'{own} {number}', torch.full((number, 3), own))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen([*command, own]) for own in ("1", "2")]
    assert [process.wait() for process in both] == [0, 0]
    store = Store(tmp_path)
    for own in (1.0, 2.0):
        for number in range(20):
            found = store.get(f"{own} {number}")
            assert found is not None and torch.equal(found, torch.full((number, 3), own))


def test_an_interrupted_write_is_never_found(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.put("whole", torch.ones(5))

    def cut_off(handle: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("os.fsync", cut_off)
        store.put("cut", torch.ones(7))
    with store.path.open("ab") as file:
        file.write(b"123")
    store.put("next", torch.arange(4.0))
    for again in (store, Store(tmp_path)):
        assert again.get("cut") is None
        assert torch.equal(again.get("whole"), torch.ones(5))
        assert torch.equal(again.get("next"), torch.arange(4.0))


def test_pixels_that_are_missing_are_one_sentence():
    with pytest.raises(DataError, match=r"v00 has boxes but no pixels, and small nodes need them"):
        prepare(dataset(1), DataConfig(steps=3), NodesConfig(kinds=("small",)), ("person", "cup"))


def test_several_labels_per_video_become_a_row_of_ones_and_zeros():
    many = replace(dataset(1), task="multi")
    acted = (Segment(CLASSES[2], 0, 1), Segment(CLASSES[0], 0.5, 2), Segment(CLASSES[2], 3, 4))
    many = replace(many, videos=(replace(many.videos[0], label="", segments=acted),))
    (sample,) = prepare(many, DataConfig(steps=3), NodesConfig(kinds=("geometry",)), ("person",))
    assert sample.label.tolist() == [1.0, 0.0, 1.0]


def test_variants_of_crops_are_mirrored_with_their_boxes(with_pixels):
    config = NodesConfig(kinds=("small", "geometry"), small_size=8)
    (sample, *_) = prepare(with_pixels, DataConfig(steps=3, variants=2), config, ("person", "cup"))
    plain, mirrored = sample.variants
    assert torch.equal(mirrored["small"], plain["small"].flip(-1))
    assert torch.allclose(
        (mirrored["geometry"] + plain["geometry"])[sample.real[0]][:, 0], torch.ones(())
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"nodes\.weights: .* does not exist; give a ResNet-50 file, or imagenet, or none"),
        (b"garbage", "is not a file of weights; expected weights of"),
        (b"", "is empty; download it again"),
    ],
)
def test_weights_that_are_none_are_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        FrozenFeatures(replace(CONFIG, weights=str(path)))


def test_a_file_of_weights_is_what_is_used(tmp_path):
    """Whatever its head was trained for; the crop is normalised as torchvision does."""
    torch.manual_seed(1)
    network = resnet50(num_classes=7).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    ours = CropResNet(str(tmp_path / "weights.pth"))
    crop = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    network.fc = torch.nn.Identity()
    preprocess = Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with torch.no_grad():
        torch.testing.assert_close(ours(crop), network(preprocess(crop / 255)))
