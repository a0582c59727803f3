"""The HTML page of runs with many labels per video: its figures, and what it draws of a view."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import make_clips
from glidn import datasets, evaluation, experiment, graph, protocol, runs
from glidn.config import DataConfig, DistillConfig, NodesConfig, RunConfig, ViewConfig
from glidn.material import Films, prepare
from glidn.report import cases, precision, sources, view
from glidn.report.page import write_report
from glidn.report.sources import Arm
from glidn.runs import Run
from glidn.types import Dataset

DATA = make_clips.dataset(broken=(14,))


def train(path: Path, config: RunConfig, data: Dataset = DATA) -> Run:
    folds = protocol.folds(data)
    run = runs.create(path, config, data, folds)
    material = prepare(data, config, None)
    for fold in folds:
        experiment.train_fold(run, fold.name, material)
    evaluation.evaluate(run)
    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A local teacher, its global student and their page; the data are where they were."""
    place = tmp_path_factory.mktemp("many")
    teacher = train(place / "local", make_clips.config())
    taught = make_clips.config(context="global")
    distill = DistillConfig(teacher=teacher.path, temperature=2, lambda1=1, lambda2=4)
    student = train(place / "global", replace(taught, distill=distill))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load", lambda root, kind: DATA)
        page = write_report(student.path).read_text(encoding="utf-8")
        yield SimpleNamespace(place=place, teacher=teacher, student=student, page=page)


class Nesting(HTMLParser):
    """Fails where an element is not closed in the order in which it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag not in ("meta", "img", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing_from_outside(trained):
    nesting = Nesting()
    nesting.feed(trained.page)
    nesting.close()
    assert nesting.open == []
    addresses = re.findall(r'(?:src|href|poster|action|data)="([^"]*)"', trained.page)
    assert [a for a in addresses if not a.startswith(("data:", "#"))] == []
    assert not re.search(r"url\(|@import|<link|<iframe|fetch\(|XMLHttpRequest", trained.page)
    sections = re.findall(r'<section id="(\w+)">', trained.page)
    assert sections == ["why", "classes", "training"]
    links = re.findall(r'<a href="#(\w+)"', trained.page)
    assert links == sections
    assert "accuracy" not in trained.page.lower() and "confusion matrix" not in trained.page.lower()


def test_figures_are_those_of_the_runs(trained):
    table = trained.page.split("Average precision by class")[-1].split("</table>")[0]
    for run, name in ((trained.teacher, "local"), (trained.student, "global")):
        scores = json.loads((run.path / "metrics.json").read_text())[name]
        tile = trained.page.split(f'class="tile {name}"')[1].split("</div>")[0]
        assert f'class="figure">{100 * scores["mean"]:.1f}<' in tile
        for key in ("weighted", "sklearn", "chance"):
            assert f" {100 * scores[key]:.1f}" in tile
        assert f'x1="{100 * scores["chance"]:.1f}%"' in tile
        for cls, ap in scores["per_class"].items():
            row = re.search(rf'<th scope="row"[^>]*>{cls}<.*?</tr>', table)
            assert row and f">{scores['positives'][cls]} video" in row[0]
            assert f'class="number {name}" role="cell">{100 * ap:.1f}<' in row[0]
    means = [
        np.mean([float(value) for value in re.findall(r'class="number[^>]*>([\d.]+)<', row)])
        for row in re.findall(r"<tr.*?</tr>", table)[1:]
    ]
    assert len(means) == 3 and means == sorted(means, reverse=True)


def test_how_it_was_measured_and_made_is_said(trained):
    page = unescape(re.sub(r"<[^>]+>", "", trained.page))
    assert "9 views (3 clips × 3 crops); its score for a class is the largest of theirs" in page
    assert "over 3 classes that 5 test videos show" in page
    assert "I3D, width 8, blocks 1-1-1-1; it began with random weights" in page
    assert "4 frames, every third at 24 frames a second (0.4 s)" in page
    assert "crops of 32 × 32 from a short side of 32 to 40" in page
    assert "SGD, Nesterov momentum 0.9" in page
    # The facts are the student's, though its teacher stands first.
    assert f"teacher {trained.teacher.path}; T = 2" in page
    assert "Global view taught by the local view, on painted" in page


def test_a_video_that_could_not_be_read_is_named_and_not_drawn(trained):
    assert "1 test video could not be read" in trained.page
    assert re.search(r"<li><b>v14</b>: v14: frame \d+ cannot be decoded", trained.page)
    assert "<h3>v14" not in trained.page and "<h3>v13" in trained.page


def test_the_teachers_part_is_drawn_for_the_one_who_is_taught(trained):
    training = trained.page.split('id="training"')[1]
    log = (trained.student.fold("test") / "log.jsonl").read_text().splitlines()
    last = json.loads(log[-1])
    for title, key in (("Distillation loss", "teacher"), ("Teacher’s gradient", "heard")):
        spoken = re.search(rf'aria-label="({title}[^"]*)"', training)
        assert spoken
        assert spoken[1].endswith(f"Global view ends at {last[f'global.{key}']:.4f}.")
    assert training.count("<figure>") == 3


def test_bars_mark_what_is_true_and_what_was_missed(trained):
    first = trained.page.split("<h3>v13")[1].split("</article>")[0]
    truth = {segment.label for segment in DATA.videos[13].segments}
    for panel in first.split('class="panel ')[1:]:
        bars = panel.split('class="bars many"')[1].split("</ul>")[0]
        items = re.findall(r'class="class">(\w+)<.*?(?=</li>)', bars)
        marked = re.findall(r'class="class">(\w+)</span><span class="true">true<', bars)
        assert set(items) == set(make_clips.CLASSES)
        assert set(marked) == truth


def test_what_is_missed_is_added_and_counted(trained):
    from glidn.report.cases import Opinion
    from glidn.report.why import MISSED, TOP_MANY, _bars

    (arm,) = sources.read(trained.teacher.path).arms
    names = tuple(f"c{number:03} Holding {number}" for number in range(20))
    about = {**arm.runs[0].about, "dataset": {**arm.runs[0].about["dataset"], "classes": names}}
    arm = Arm(arm.view, "", (replace(arm.runs[0], about=about),))
    # The likeliest class is true, and six that come after those that are shown.
    opinion = Opinion(arm, "test", (0, *range(12, 18)), np.linspace(0.9, 0.1, 20))
    bars = _bars(opinion)
    assert re.findall(r'class="class">Holding (\d+)<', bars) == [
        str(number) for number in (*range(TOP_MANY), *range(12, 12 + MISSED))
    ]
    assert bars.count(">true<") == 1 and bars.count(">missed<") == MISSED
    assert "and 2 more missed" in bars


def test_attention_is_the_networks_and_boxes_lie_where_it_saw_them(trained):
    found = sources.read(trained.student.path)
    (chosen,) = (case for case in cases.gather(found.related) if case.video == "v15")
    (look,) = cases.look(found.looked_at, [chosen])
    config = trained.student.config
    films = prepare(DATA, config, None)
    assert isinstance(films, Films) and look.view is not None
    prepared = films.cutter.test(films.videos["v15"])
    batch = prepared.batch([look.view.number], torch.zeros(3))
    real = batch.real[0].numpy()
    steps, nodes = real.shape
    # Both tracks have no scores, so the nodes of a step are its tracks in their order.
    tracks = look.film.steps.tracks
    np.testing.assert_array_equal(look.film.steps.xyxy[real], batch.inputs["region"][0][real])
    for arm, weights in zip(found.related, look.attention, strict=True):
        network = experiment.trained(arm.runs[0], "test", arm.view, films.widths)
        (layer,) = network.attention(batch)
        expected = layer[0].mean(1).numpy()  # one layer, mean over heads
        assert weights is not None and tracks == ("1", "2") and nodes == 2
        np.testing.assert_allclose(weights, expected[0] if arm.view == "global" else expected)
        edges = (
            graph.across(weights, look.film.steps.real, 0)
            if arm.view == "global"
            else graph.in_frame(weights[0], look.film.steps.real, 0)
        )
        for edge in edges:
            (t, i), (u, j) = edge.listener, edge.target
            there = expected[0][t * 2 + i, u * 2 + j] if arm.view == "global" else expected[t][i, j]
            assert edge.weight == pytest.approx(float(there))
    # The square is where its box is, in the picture that is drawn.
    assert look.film.images is not None
    for step in range(steps):
        x1, y1, x2, y2 = look.film.shown.xyxy[step, 0].astype(int)
        inside = look.film.images[step, y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].max(-1)
        assert inside.size == 0 or inside.mean() > 200


def test_nodes_are_put_in_the_order_of_their_tracks():
    slots = np.array([[2, 0], [1, -1]])
    local = np.array([[[0.9, 0.1], [0.3, 0.7]], [[1.0, 0.0], [0.0, 0.0]]])
    found = view.by_track(local, slots, 3)
    assert found[0, 2, 2] == 0.9 and found[0, 2, 0] == 0.1 and found[0, 0, 2] == 0.3
    assert found[1, 1, 1] == 1.0 and found.sum() == pytest.approx(3.0)
    whole = np.arange(16.0).reshape(4, 4)  # the last node is padding
    found = view.by_track(whole, slots, 3)
    places = [2, 0, 4]  # slot 2 of step 0, slot 0 of step 0, slot 1 of step 1
    np.testing.assert_array_equal(found[np.ix_(places, places)], whole[:3, :3])
    assert found.sum() == whole[:3, :3].sum()


def test_tracks_are_found_again_where_scores_reorder_them():
    data = make_clips.dataset(1, 1)
    first, second = data.videos[1].tracks
    scores = np.full(len(second.frames), 0.9, np.float32)
    low = np.full(len(first.frames), 0.1, np.float32)
    scored = (replace(first, scores=low), replace(second, scores=scores))
    video = replace(data.videos[1], tracks=scored)
    films = prepare(replace(data, videos=(data.videos[0], video)), make_clips.config(), None)
    assert isinstance(films, Films)
    found = view.read(video, films.cutter)
    both = (found.slots >= 0).all(1)
    assert both.any() and (found.slots[both] == [1, 0]).all()  # the second track scores higher
    assert found.boxes.tracks == ("1", "2")
    node = found.prepared.boxes[found.number].numpy()[both]
    np.testing.assert_array_equal(found.boxes.xyxy[both][:, [1, 0]], node)


def test_the_drawn_clip_shows_most_classes():
    config = make_clips.config()
    films = prepare(DATA, config, None)
    assert isinstance(films, Films)
    both = replace(
        DATA.videos[15],
        segments=(
            *DATA.videos[15].segments[:1],
            replace(DATA.videos[15].segments[1], label="red", start=2.2, end=2.5),
            replace(DATA.videos[15].segments[1], label="blue", start=2.2, end=2.5),
        ),
    )
    assert view.choose(both, films.cutter) == 2 * 3 + 1  # the last of three clips, middle crop
    alike = replace(both, segments=(replace(both.segments[0], start=0, end=2.5),))
    assert view.choose(alike, films.cutter) == 1 * 3 + 1


def test_geometry_nodes_with_many_labels(tmp_path, monkeypatch):
    config = RunConfig(
        data=DataConfig(steps=5),
        nodes=NodesConfig(kinds=("geometry",)),
        view=ViewConfig(context="local", embed=8, width=8, layers=2),
        train=replace(make_clips.config().train, epochs=1),
    )
    data = make_clips.dataset()
    monkeypatch.setattr(datasets, "load", lambda root, kind: data)
    run = train(tmp_path / "run", config, data)
    page = write_report(run.path).read_text(encoding="utf-8")
    scores = json.loads((run.path / "metrics.json").read_text())["local"]
    assert f'class="figure">{100 * scores["mean"]:.1f}<' in page
    assert "<video " in page and "The videos are left out" not in page
    assert " views (" not in page and "Backbone" not in page


def test_a_backbone_alone_that_was_not_trained(trained, tmp_path):
    config = make_clips.config(context="none", scene="only")
    run = train(tmp_path / "run", replace(config, train=replace(config.train, epochs=0)))
    page = write_report(run.path).read_text(encoding="utf-8")
    assert "Backbone alone on painted" in page and "with the weights that it began with" in page
    assert "this network sees no boxes" in page and 'class="map"' not in page
    assert 'id="training"' not in page


def test_a_reproduction_of_charades(trained, tmp_path):
    for plan, run in (("i3d-local", trained.teacher), ("i3d-global", trained.student)):
        shutil.copytree(run.path, tmp_path / "runs" / "seed0" / plan)
        shutil.copytree(run.path, tmp_path / "runs" / "seed1" / plan)
    shutil.copytree(trained.teacher.path, tmp_path / "runs" / "seed0" / "slowfast-local")
    rows = [
        {"table": "6", "row": "Local", "paper": 34.5, "mean": 21.04, "std": 0.5, "low": 20.0,
         "high": 23.0, "seeds": 2, "videos": 5, "note": ""},
        {"table": "6", "row": "Global", "paper": None, "mean": 22.0, "std": None, "low": None,
         "high": None, "seeds": 1, "videos": 5},
    ]  # fmt: skip
    (tmp_path / "tables.json").write_text(json.dumps(rows))
    same = [{"what": "teaching", "mean": 0.0, "low": 0.0, "high": 0.0}]
    (tmp_path / "differences.json").write_text(json.dumps(same))
    page = unescape(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "Mean average precision (mAP) in percent." in page and "Points of mAP" in page
    assert "± 0.0 over 2 seeds" in page and "interval +0.0" not in page
    assert "runs i3d-…; those of slowfast are in the tables" in page
    assert "right and wrong" not in page
    assert "ours 22.0" in page and "mean over 2 seeds" in page


def test_chance_of_a_class_is_the_mean_over_all_rankings():
    def average(hits: tuple[int, ...]) -> float:
        ranks = np.flatnonzero(hits) + 1
        return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))

    for positives in range(1, 6):
        every = set(permutations([1] * positives + [0] * (5 - positives)))
        expected = np.mean([average(hits) for hits in every])
        assert precision.chance(positives, 5) == pytest.approx(expected)
    assert precision.chance(1, 1) == 1
    assert precision.chance(200, 20_000) == pytest.approx(0.01, abs=1e-3)
