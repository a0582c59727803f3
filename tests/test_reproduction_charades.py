"""Tables 1, 5, 6 and 7: the paper's figures, and the runs behind ours."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import make_clips
from glidn import many_labels, runs
from glidn.average_precision import average_precision, draw_videos, redrawn
from glidn.errors import LeakError
from glidn.recipes import find
from glidn.reproduction import charades, schedule
from glidn.reproduction import reproduce as whole
from glidn.reproduction.charades import Charades
from glidn.reproduction.precisions import DRAWS
from glidn.reproduction.reproduce import Reproduction, configs, reproduce, unread
from glidn.types import Dataset
from make_study import bases, study

# As printed: Tables 1, 5, 6 and 7, from top to bottom.
PAPER = {
    "1": [36.20, 35.9, 37.20, 37.30],
    "5": [38.9, 40.73, 39.95, 39.89, 41.00],
    "6": [34.23, 36.45, 35.39, 36.81, 37.30],
    "7": [18.6, 17.8, 22.4, 25.2, 32.9, 31.8, 36.2, 37.2, 32.81, 37.30, 38.6, 38.9, 41.00],
}
KINDS = ("first", "baseline", "none", "local", "global", "local-by-global", "global-by-local")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make_clips.dataset(train=6, test=8)


@pytest.fixture(scope="module")
def done(tmp_path_factory, data) -> Reproduction:
    """Everything, with two seeds."""
    what = study(tmp_path_factory.mktemp("charades") / "out", 2, charades.TABLES)
    reproduce(data, what, 2, lambda *_: None)
    return what


def entries(what: Reproduction) -> list[dict]:
    return json.loads((what.out / "tables.json").read_text())


def said(what: Reproduction, plan: str, seed: int) -> many_labels.ManyPredictions:
    run = runs.read(what.folder(seed) / plan)
    return many_labels.read(run.fold("test") / f"{run.views[0]}.csv", run.classes)


def test_the_papers_figures_are_those_of_the_paper():
    found = {
        table: [row.paper for row in charades.rows() if row.table == table and row.paper]
        for table in PAPER
    }
    assert found == PAPER


def test_every_row_of_ours_is_filled_and_has_the_paper_beside_it(done):
    found = entries(done)
    for entry in found:
        keys = {"table", "row", "paper", "mean", "std", "low", "high", "seeds", "videos", "note"}
        assert keys <= set(entry)
        if entry["plan"]:
            assert entry["low"] <= entry["high"] and 0 < entry["mean"] <= 100
            assert (entry["seeds"], entry["videos"]) == (2, 8)
            assert 0 < entry["chance"] < 100 and entry["weighted"] and entry["sklearn"]
        else:
            assert entry["mean"] is None and "prior work" in entry["note"]
    ours = [entry for entry in found if entry["plan"]]
    assert {entry["plan"] for entry in ours} == {
        f"{backbone}-{kind}" for backbone in ("i3d", "slowfast") for kind in KINDS
    }
    assert len(ours) == 1 + 7 + 7 + 2
    extra = [entry["row"] for entry in found if entry["paper"] is None]
    assert extra == [
        "SlowFast, first stage only", "Nodes without relations",
        "I3D, first stage only", "Nodes without relations",
    ]  # fmt: skip
    assert "**Chance is " in (done.out / "tables.md").read_text().split("## Table")[0]


def test_rows_point_to_the_run_and_view_that_the_paper_tested():
    plan = {(row.table, row.name): (row.run, row.view) for row in charades.rows()}
    best_i3d, best_slowfast = (
        ("i3d-global-by-local", "global"),
        ("slowfast-local-by-global", "local"),
    )
    assert plan["1", "GLIDN, 15 objects"] == plan["7", "GLIDN, I3D"] == best_i3d
    assert plan["6", "Local-teacher"] == best_i3d
    assert plan["6", "Global-teacher"] == ("i3d-local-by-global", "local")
    assert plan["6", "I3D"] == ("i3d-baseline", "none")
    assert plan["5", "Global-teacher"] == plan["7", "GLIDN, SlowFast 16 x 8"] == best_slowfast
    assert plan["5", "Local-teacher"] == ("slowfast-global-by-local", "global")
    assert plan["5", "Nodes without relations"] == ("slowfast-none", "none")


def test_compared_runs_differ_in_what_their_names_say(tmp_path):
    """Equal epochs, seed, data, clips and first stage; only the head and the teaching change."""
    what = study(tmp_path, tables=charades.TABLES)
    found = {path.name: (needed, config) for path, needed, config in configs(what)}
    for backbone, base in bases().items():
        first = tmp_path / "runs/seed0" / f"{backbone}-first"
        baseline = found[f"{backbone}-baseline"][1]
        for kind in KINDS[1:]:
            needed, config = found[f"{backbone}-{kind}"]
            assert config.train == baseline.train and config.train.epochs == 1
            assert (config.data, config.clips, config.nodes) == (base.data, base.clips, base.nodes)
            assert config.backbone.weights == first
            scene = "only" if kind == "baseline" else "concat"
            view = (config.view.context, config.view.scene)
            assert view == (charades.VIEWS[kind], scene)
            if "-by-" in kind:
                teacher = first.with_name(f"{backbone}-{kind.split('-by-')[1]}")
                assert needed == config.distill.teacher == teacher
                assert {found[teacher.name][1].view.context, view[0]} == {"local", "global"}
            else:
                assert config.distill is None and needed == first
    # As the command line makes it, a first stage is the recipe to the letter.
    recipe = find("charades.i3d")
    plan = charades.Plan("first", "i3d")
    assert plan.config(charades.settings(recipe), None, 0, tmp_path) == recipe


def test_a_table_trains_no_more_than_it_needs(tmp_path):
    names = [plan.name for plan in study(tmp_path, tables=("1",)).plans]
    assert names == ["i3d-first", "i3d-local", "i3d-global-by-local"]


def test_figures_and_differences_are_those_of_the_saved_scores(done):
    """By hand, with scikit-learn: every video has a label and no scores tie, so the rules agree."""

    def mean_ap(plan: str, seed: int, rows: np.ndarray | None = None) -> float:
        kept = said(done, plan, seed)
        rows = np.arange(len(kept.videos)) if rows is None else rows
        truth, scores = kept.truth[rows], kept.scores[rows]
        shown = truth.any(0)
        assert truth.any(1).all() and len(np.unique(kept.scores)) == kept.scores.size
        return 100 * float(
            average_precision_score(truth[:, shown], scores[:, shown], average="macro")
        )

    found = {(entry["table"], entry["row"]): entry for entry in entries(done)}
    for name, plan in (("Local-context (spatial)", "i3d-local"), ("I3D", "i3d-baseline")):
        maps = [mean_ap(plan, seed) for seed in (0, 1)]
        entry = found["6", name]
        assert entry["mean"] == pytest.approx(np.mean(maps), abs=2e-4)
        assert entry["std"] == pytest.approx(np.std(maps, ddof=1), abs=2e-4)
        assert entry["sklearn"] == pytest.approx(entry["mean"], abs=2e-4)

    compared = {row["what"]: row for row in json.loads((done.out / "differences.json").read_text())}
    assert len(compared) == 16
    row = compared["I3D: the local view against the backbone alone"]
    gain = found["6", "Local-context (spatial)"]["mean"] - found["6", "I3D"]["mean"]
    assert row["mean"] == pytest.approx(gain, abs=2e-4)
    assert row["low"] <= row["high"]
    teaching = compared["SlowFast: the local view's teaching of the global one"]
    student, alone = (
        np.mean([mean_ap(f"slowfast-{kind}", seed) for seed in (0, 1)])
        for kind in ("global-by-local", "global")
    )
    assert teaching["mean"] == pytest.approx(student - alone, abs=2e-4)


def test_an_interval_is_that_of_the_official_rule_on_drawn_videos(done):
    counts = draw_videos(8, DRAWS)
    assert (counts.sum(0) == 8).all()
    drawn = []
    for seed in (0, 1):
        kept = said(done, "i3d-local", seed)
        rows = [np.repeat(np.arange(8), column) for column in counts.T]
        drawn.append([average_precision(kept.truth[r], kept.scores[r]).mean for r in rows])
    entry = next(e for e in entries(done) if e["plan"] == "i3d-local" and e["table"] == "6")
    means = 100 * np.mean(drawn, axis=0)
    low, high = np.quantile(means, [0.025, 0.975]) - means.mean() + entry["mean"]
    assert low < entry["mean"] < high
    assert (entry["low"], entry["high"]) == pytest.approx((low, high), abs=2e-4)


def test_draws_are_scored_as_if_sorted_anew():
    """With ties, unlabelled videos, and a class that few videos show."""
    rng = np.random.default_rng(3)
    truth = rng.random((31, 5)) < 0.3
    truth[:, 4] = np.arange(31) == 7
    truth[:3] = False
    scores = rng.integers(0, 6, (31, 5)) / 5
    counts = draw_videos(31, 40)
    expected = []
    for column in counts.T:
        rows = np.repeat(np.arange(31), column)
        expected.append(average_precision(truth[rows], scores[rows]).mean)
    np.testing.assert_allclose(redrawn(truth, scores, counts), expected, rtol=1e-12)


def test_per_class_is_the_mean_over_seeds(done):
    with (done.out / "per_class.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(make_clips.CLASSES)
    for number, row in enumerate(rows):
        precisions = []
        for seed in (0, 1):
            kept = said(done, "slowfast-none", seed)
            precisions.append(average_precision(kept.truth, kept.scores).per_class[number])
            assert int(row["videos"]) == kept.truth[:, number].sum()
        assert float(row["slowfast-none"]) == pytest.approx(100 * np.mean(precisions), abs=0.006)


def test_the_same_seed_gives_the_same_tables_whatever_the_workers(done, data, tmp_path):
    # With a process that decodes, as the full recipes have.
    what = study(tmp_path / "again", loaders=1)
    reproduce(data, what, 1, lambda *_: None)
    for path in what.out.rglob("runs/**/*.csv"):
        assert path.read_bytes() == (done.out / path.relative_to(what.out)).read_bytes()
    first = (what.out / "tables.json").read_bytes()
    kept = {path: path.stat().st_mtime_ns for path in what.out.rglob("*.safetensors")}
    reproduce(data, what, 2, lambda *_: None)
    assert (what.out / "tables.json").read_bytes() == first
    assert {path: path.stat().st_mtime_ns for path in what.out.rglob("*.safetensors")} == kept


@pytest.fixture
def here(monkeypatch):
    """Train in this process, because a new one takes seconds to begin."""

    def train_all(jobs, dataset, workers, progress):
        schedule._dataset[:] = [dataset]
        schedule._running[:] = [multiprocessing.Value("q", 0)]
        schedule._materials.clear()
        for wave in schedule._waves(jobs):
            for job in wave:
                schedule._train([job])

    monkeypatch.setattr(whole, "train_all", train_all)


KILLED = """
import sys
from pathlib import Path
import make_clips, make_study
from glidn.reproduction.reproduce import reproduce
if __name__ == "__main__":
    what = make_study.study(Path(sys.argv[1]), tables=("1",))
    reproduce(make_clips.dataset(train=6, test=8), what, 1, lambda *_: None)
"""


def test_it_goes_on_after_a_kill(done, data, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, str(script), str(out)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    finished = out / "runs/seed0/i3d-first/folds/test/none.csv"
    until = time.monotonic() + 240
    while not finished.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert finished.exists()
    what = study(out, tables=("1",))
    reproduce(data, what, 1, lambda *_: None)
    for path in out.rglob("runs/**/*.csv"):
        assert path.read_bytes() == (done.out / path.relative_to(out)).read_bytes()


def test_a_first_stage_that_saw_test_videos_is_refused(done, data, tmp_path, here):
    """Somebody trained on the whole of the data and calls it published weights."""
    swapped = {"train": "test", "test": "train"}
    videos = tuple(replace(video, split=swapped[video.split]) for video in data.videos)
    found = bases()
    network = replace(found["i3d"].backbone, weights=done.folder(0) / "i3d-first")
    found["i3d"] = replace(found["i3d"], backbone=network)
    what = Reproduction(tmp_path / "out", Charades(found, 1), 1, ("1",))
    with pytest.raises(LeakError, match="was trained on 6 of the test videos"):
        reproduce(replace(data, videos=videos), what, 1, lambda *_: None)


def test_unread_test_videos_are_counted_and_named(tmp_path, here):
    what = study(tmp_path / "out", tables=("1",))
    reproduce(make_clips.dataset(train=6, test=8, broken=(9,)), what, 1, lambda *_: None)
    assert list(unread(what)) == ["v09"]
    assert "1 test videos could not be read" in (what.out / "tables.md").read_text()
