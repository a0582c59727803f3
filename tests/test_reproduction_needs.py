"""What the reproduction on Charades asks for before it starts, and what a user types and reads."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import make_clips
from glidn.cli import main, reproduce_charades
from glidn.cli.settings import parse
from glidn.errors import GlidnError
from glidn.recipes import find
from glidn.reproduction import charades, needs
from glidn.reproduction.charades import Charades
from glidn.reproduction.reproduce import Reproduction, configs
from glidn.types import Dataset
from make import dataset as cups
from make_study import bases


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make_clips.dataset(train=6, test=8)


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory, data):
    """What `survey` finds in a folder whose reader gives the painted videos."""
    root = tmp_path_factory.mktemp("root")

    def look(published: bool, dataset: Dataset | None = None, **base: object) -> needs.Survey:
        def read(_: Path, report) -> Dataset:
            return dataset or data

        settings = {name: replace(one, **base) for name, one in bases().items()}
        settings = {
            name: replace(one, data=replace(one.data, root=root, kind="charades"))
            for name, one in settings.items()
        }
        what = Reproduction(root / "out", Charades(settings, 1), 1, charades.TABLES)
        plans = [(path, config) for path, _, config in configs(what)]
        with pytest.MonkeyPatch.context() as patch:
            reader = replace(needs.datasets.READERS["charades"], read=read)
            patch.setitem(needs.datasets.READERS, "charades", reader)
            return needs.survey(settings, plans, root / "out", published)

    return look


def test_miniatures_of_generated_videos_need_nothing(looked_at):
    found = looked_at(False)
    assert not found.missing
    assert found.effort.runs == 14 and found.effort.work > 0
    needs.refuse(found)


def test_what_is_missing_is_listed_before_anything_starts(looked_at, data):
    bare = replace(data, videos=tuple(replace(v, tracks=(), pixels=None) for v in data.videos))
    found = looked_at(True, bare)
    assert found.missing == ["pixels", "boxes", "weights of i3d", "weights of slowfast"]
    printed = needs.text(found, True)
    for words in (
        "14 (6 to train on, 8 to test) of 9,848 (7,985 and 1,863)",
        "glidn boxes",
        "--i3d-weights FILE, I3D_8x8_R50, trained on Kinetics-400 (.pkl)",
        "--slowfast-weights FILE, SLOWFAST_16x8_R50, trained on Charades (.pyth)",
        "AN ESTIMATE, NOT TESTED",
    ):
        assert words in printed
    with pytest.raises(GlidnError, match="nothing was started: pixels, boxes, weights of i3d"):
        needs.refuse(found)


def test_weights_that_know_other_classes_need_a_first_stage(tmp_path, looked_at):
    """SlowFast is tested as it was published; weights of Kinetics would be tested untrained."""
    from glidn.regions import build_backbone

    base = bases()["slowfast"]
    path = tmp_path / "kinetics.pt"
    torch.save(build_backbone(base.backbone, 11).state_dict(), path)
    network = replace(base.backbone, weights=path)
    untrained = replace(base, backbone=network, train=replace(base.train, epochs=0))
    for config, classes, missing in (
        (untrained, 3, "its classifier is not of these 3 classes"),
        (replace(base, backbone=network), 3, ""),
        (untrained, 11, ""),
    ):
        need = needs._weights("slowfast", config, classes, True)
        assert missing in need.missing and bool(missing) == bool(need.missing)
    other = needs._weights("i3d", replace(bases()["i3d"], backbone=replace(
        bases()["i3d"].backbone, weights=path)), 3, True)  # fmt: skip
    assert "they do not fit i3d" in other.missing


def test_other_data_is_no_charades(looked_at):
    assert "has one label per video" in needs.text(looked_at(False, cups()), False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--backbone", "smal"], "--backbone: smal is no size; nearest: small."),
        (["--tables", "1,2"], "there is no table 2"),
        (["--backbone.weights", "x.pyth"], "give --i3d-weights and --slowfast-weights"),
        (["--train.rate", "1"], "no setting 'train.rate'"),
        (["--view.scene", "only"], "view.scene=only is the backbone alone"),
        (["--seeds", "0"], "--seeds is 0"),
        (
            ["--data.root", "nowhere"],
            "nothing was started: data, weights of i3d, weights of slowfast missing",
        ),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_starts(
    words, sentence, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "charades", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_is_missing_and_stops(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["reproduce", "charades", "--data.root", "nowhere", "--tables", "6", "--dry-run"]
    assert main(words) == 1
    printed = capsys.readouterr().out
    assert "MISSING data" in printed and "weights of i3d" in printed
    assert "slowfast" not in printed
    assert list(tmp_path.iterdir()) == []


def test_words_hold_for_both_recipes_and_leave_the_rest_alone():
    words = ["charades", "--train.lr", "0.5", "--clips.boxes", "4", "--slowfast-epochs", "7"]
    words += ["--distill.temperature", "3"]
    found = {}
    for name, recipe in reproduce_charades.RECIPES["full"].items():
        parser = reproduce_charades._parser(charades.settings(find(recipe)), 30)
        found[name] = reproduce_charades._base(name, parse(parser, words))
    for base in found.values():
        assert (base.train.lr, base.clips.boxes, base.distill.temperature) == (0.5, 4, 3)
        assert (base.distill.lambda1, base.distill.lambda2) == (1, 4)
    assert {name: base.clips.frames for name, base in found.items()} == {"i3d": 32, "slowfast": 64}
    assert {name: base.train.epochs for name, base in found.items()} == {"i3d": 60, "slowfast": 7}
