"""The tables: every row of the paper, equal budgets, and figures that are those of the runs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from glidn import evaluation, runs
from glidn.config import DistillConfig, NodesConfig
from glidn.errors import DataError, SettingError
from glidn.experiment import check_teacher
from glidn.protocol import folds
from glidn.recipes import find
from glidn.reproduction import cad120
from glidn.reproduction.cad120 import Cad120
from glidn.reproduction.forest import features
from glidn.reproduction.reproduce import Reproduction, reproduce
from glidn.reproduction.schedule import Job, _waves
from make import dataset

BASE = find("cad120.tracks")


def small(out: Path) -> Reproduction:
    train = replace(BASE.train, epochs=2)
    data = replace(BASE.data, variants=2, steps=5)
    return Reproduction(out, Cad120(replace(BASE, train=train, data=data)), 2, tables=("3",))


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Reproduction:
    what = small(tmp_path_factory.mktemp("reproduction") / "out")
    told = []
    reproduce(dataset(), what, 2, lambda task, done, of: told.append((task, done, of)))
    jobs = 2 * len(what.plans) * 3
    training = [done for task, done, of in told if task == "training" and of == jobs]
    assert (training[0], training[-1]) == (0, jobs)
    assert training == sorted(training)
    return what


def test_the_papers_tables_are_complete():
    """Against the text of the paper: how many rows, and the figures that it stresses."""
    rows = cad120.rows()
    papers = {name: [r.paper for r in rows if r.table == name and r.paper] for name in "2389"}
    assert {name: len(figures) for name, figures in papers.items()} == {
        "2": 6, "3": 5, "8": 4, "9": 20,
    }  # fmt: skip
    assert max(papers["9"]) == max(papers["3"]) == 88.54
    assert min(papers["9"]) == 81.89


def test_every_row_has_its_run_and_every_student_its_teacher():
    plans = {plan.name: plan for plan in cad120.plans()}
    assert len(plans) == len(cad120.plans())
    for row in cad120.rows():
        if row.run:
            config = plans[row.run].config(BASE, 0, Path("x"))
            assert row.view in runs.views(config)
    for plan in plans.values():
        if plan.teacher:
            assert {plan.context, plans[plan.teacher].context} == {"local", "global"}


def test_compared_variants_differ_in_what_their_names_say_and_in_nothing_else():
    """Equal epochs, rates, seeds, nodes; only the view and the teaching change."""
    for plan in cad120.plans():
        config = plan.config(BASE, 3, Path("x"))
        assert config.train == replace(BASE.train, seed=3)
        assert (config.data, config.nodes) == (BASE.data, BASE.nodes)
        view = replace(config.view, context="local", readout="mean")
        assert view == replace(BASE.view, context="local")
        if plan.distill and plan.teacher:
            taught = config.distill
            assert taught.teacher == Path("x") / plan.teacher
            if taught.lambda2 <= 1:
                assert taught.lambda1 + taught.lambda2 == pytest.approx(1)


def test_figures_are_those_of_the_runs(done):
    found = {entry["row"]: entry for entry in json.loads((done.out / "tables.json").read_text())}
    local = found["Local-context (spatial)"]
    scores = [
        evaluation.evaluate(runs.read(done.folder(seed) / "local"))["local"] for seed in (0, 1)
    ]
    assert local["mean"] == pytest.approx(50 * sum(s.pooled for s in scores), abs=1e-3)
    assert local["paper"] == 84.97
    assert (local["seeds"], local["videos"]) == (2, 12)
    assert local["low"] <= local["mean"] <= local["high"]
    assert found["600 extremely randomised trees on hand-made track features"]["mean"] > 60
    assert (done.out / "figure5.svg").read_text().lstrip().startswith("<?xml")
    assert "Local-context" in (done.out / "tables.md").read_text()


def test_what_is_done_is_not_done_again(done):
    before = {path: path.stat().st_mtime_ns for path in done.out.rglob("*.safetensors")}
    reproduce(dataset(), done, 1, lambda *_: None)
    assert {path: path.stat().st_mtime_ns for path in done.out.rglob("*.safetensors")} == before


def test_the_number_of_workers_changes_nothing(done, tmp_path):
    what = replace(small(tmp_path / "one"), seeds=1)
    reproduce(dataset(), what, 1, lambda *_: None)
    for path in what.out.rglob("*.csv"):
        assert path.read_bytes() == (done.out / path.relative_to(what.out)).read_bytes()


def test_students_wait_for_their_teachers():
    teacher, student = Path("teacher"), Path("student")
    jobs = [Job(student, "a", teacher), Job(teacher, "a"), Job(student, "b", teacher)]
    assert _waves(jobs) == [[jobs[1], jobs[2]], [jobs[0]]]


def test_an_error_in_a_worker_is_the_users_sentence(tmp_path):
    """An error while a worker reads the data must not be told as a lack of memory."""
    small_nodes = replace(BASE, nodes=NodesConfig(kinds=("small",)))
    what = Reproduction(tmp_path / "out", Cad120(small_nodes), 1, tables=("3",))
    with pytest.raises(DataError, match="boxes but no pixels, and small nodes need them"):
        reproduce(dataset(), what, 1, lambda *_: None)


def test_a_teacher_of_the_same_view_is_no_teacher(done):
    config = cad120.plans()[2].config(BASE, 0, Path("x"))
    itself = DistillConfig(teacher=done.folder(0) / "local")
    same = replace(config, data=done.paper.base.data, distill=itself)
    with pytest.raises(SettingError, match="holds the local view, which is the student's own"):
        check_teacher(same, dataset().classes, folds(dataset())[0])


def test_the_forest_takes_the_object_that_moves_most():
    data = dataset()
    video = data.videos[0]
    person, cup = video.tracks
    bowl = replace(cup, name="2", category="bowl", xyxy=cup.xyxy * 0 + cup.xyxy[:1])
    both = replace(video, tracks=(person, bowl, cup))
    assert (features(both, data.categories) == features(video, data.categories)).all()
