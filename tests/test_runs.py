"""Run folders: what was trained on what can be read back, and nothing else is taken for one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from glidn import checkpoint, runs
from glidn.config import (
    DistillConfig,
    NodesConfig,
    RunConfig,
    TrainConfig,
    ViewConfig,
    as_dict,
    from_dict,
)
from glidn.errors import GlidnError, RunError, SettingError
from glidn.files import replacing, write_text
from glidn.learner import _save
from glidn.model import build
from glidn.protocol import folds
from glidn.recipes import RECIPES
from make import dataset

DATA = dataset()


def made(path: Path, config: RunConfig | None = None) -> runs.Run:
    return runs.create(path, config or RunConfig(), DATA, folds(DATA))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_survives_a_run_folder(tmp_path, name):
    config = RECIPES[name]()
    run = made(tmp_path / "run", config)
    again = runs.read(tmp_path / "run")
    assert again.config == config
    assert again.about == run.about
    assert [runs.read_fold(again, fold) for fold in again.folds] == list(folds(DATA))


def test_settings_that_do_not_exist_are_refused():
    settings = as_dict(RunConfig())
    settings["train"]["forbearance"] = 9
    with pytest.raises(ValueError, match="TrainConfig has no setting forbearance"):
        from_dict(RunConfig, settings)


def test_other_settings_are_not_mixed_into_a_run(tmp_path):
    made(tmp_path / "run")
    other = RunConfig(train=TrainConfig(lr=0.5))
    with pytest.raises(RunError, match=r"train\.lr: 2e-05 there, 0\.5 here"):
        made(tmp_path / "run", other)


def test_other_data_is_not_mixed_into_a_run(tmp_path):
    made(tmp_path / "run")
    fewer = replace(DATA, videos=DATA.videos[:-1])
    with pytest.raises(RunError, match=r"12 videos\) than made-up holds now \(11 videos, or"):
        runs.create(tmp_path / "run", RunConfig(), fewer, folds(fewer))


@pytest.mark.parametrize("change", ["name", "subject", "label", "boxes"])
def test_a_dataset_that_changed_is_other_data(tmp_path, change):
    """The folds of the run would be stale, or mix two versions of the labels."""
    made(tmp_path / "run")
    first = DATA.videos[0]
    other = {
        "name": replace(first, name="v99"),
        "subject": replace(first, subject="ben"),
        "label": replace(first, label=DATA.classes[1]),
        "boxes": replace(first, tracks=first.tracks[:1]),
    }[change]
    data = replace(DATA, videos=(other, *DATA.videos[1:]))
    with pytest.raises(RunError, match="was trained on other data"):
        runs.create(tmp_path / "run", RunConfig(), data, folds(data))


def test_data_that_moved_are_the_same_data(tmp_path):
    made(tmp_path / "run")
    moved = RunConfig(data=replace(RunConfig().data, root=tmp_path / "elsewhere"))
    assert made(tmp_path / "run", moved).about["dataset"]["videos"] == 12


def test_an_interrupted_start_leaves_no_folder(tmp_path, monkeypatch):
    """Half a run folder would be refused as no run folder by the next call."""
    monkeypatch.setattr(runs, "as_dict", lambda config: exec("raise KeyboardInterrupt"))
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with pytest.raises(RunError, match="exists and is not a run folder"):
        made(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "chapter 1"


def test_what_is_no_run_is_one_sentence(tmp_path):
    with pytest.raises(RunError, match=r"does not exist. Train a run with: glidn train"):
        runs.read(tmp_path / "x")
    with pytest.raises(RunError, match=r"it holds no run.json"):
        runs.read(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="is missing or damaged"):
        runs.read(tmp_path)


def test_a_run_of_another_version_says_which(tmp_path):
    run = made(tmp_path / "run")
    about = {**run.about, "format": 7, "glidn": "3.0"}
    (run.path / "run.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match=r"a run of format 7, written by glidn 3\.0; this glidn"):
        runs.read(run.path)


def test_mutual_learning_needs_a_view_to_report():
    config = RunConfig(distill=DistillConfig(mutual=True))
    assert runs.views(config) == ("local", "global")
    alone = replace(config, view=replace(config.view, context="none"))
    with pytest.raises(SettingError, match=r"distill\.mutual trains the local and the global view"):
        runs.views(alone)


def test_a_full_disk_leaves_the_old_file_and_no_half_written_one(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_text(path, "old")

    def full(self: Path, *arguments: object, **settings: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(GlidnError, match=r"the disk is full: .*metrics\.json could not be written"):
        write_text(path, "new")
    network = build(NodesConfig(kinds=("geometry",)), ViewConfig(), {"geometry": 3}, 2)
    with pytest.raises(GlidnError, match=r"the disk is full: .*local\.safetensors could not"):
        checkpoint.save(network, tmp_path / "local.safetensors")
    with pytest.raises(GlidnError, match=r"the disk is full: .*checkpoint\.pt could not"):
        _save(tmp_path / "checkpoint.pt", {"networks": network}, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]
    assert path.read_bytes() == b"old"


def test_an_interrupted_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
