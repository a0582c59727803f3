"""Own labels: parts by chance, class weights, the best epoch, and what is too little."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glidn import experiment, losses, runs
from glidn.batch import collate
from glidn.cli import main
from glidn.cli.train import kinds_of
from glidn.config import NodesConfig, TrainConfig, ViewConfig
from glidn.datasets.table import write_table
from glidn.distillation import objective
from glidn.enough import notes
from glidn.errors import DataError, SettingError
from glidn.learner import Lesson
from glidn.model import Network, build
from glidn.protocol import choose, folds, hold_back, strata
from glidn.sources import InMemory
from glidn.training import fit, seeded
from glidn.types import Segment
from glidn.windows import timed
from make import CLASSES, dataset, samples

TRAIN = TrainConfig(epochs=7, batch=4, lr=0.03, decay_every=99, threads=1, class_weights=3.0)
TRAINED, HELD = samples(11), samples(5, seed=1)
STEPS = 3  # of 4 videos each, in an epoch
WEIGHTS = torch.tensor([1.0, 0.5, 2.0])


def network() -> Network:
    seeded(0, "local")
    view = ViewConfig(context="local", embed=8, width=8, layers=2, dropout=0.2)
    return build(NodesConfig(kinds=("geometry",)), view, {"geometry": 7}, len(CLASSES))


def weights(net: Network) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def trained(folder: Path, train: TrainConfig, judged: bool = True, progress=None) -> Network:
    net = network()
    judge = InMemory(HELD) if judged else None
    fit([Lesson({"local": net}, folder)], InMemory(TRAINED), train, progress, judge, WEIGHTS)
    return net


def held_loss(net: Network) -> float:
    batch = collate(HELD)
    with torch.no_grad():
        said = net.eval()(batch).logits
    return float(objective(said, batch.labels, None, None, 0.0, WEIGHTS)["loss"])


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


class Killed(Exception):  # noqa: N818
    """Stands for a kill in the middle of an epoch."""


def test_class_weights_are_the_inverse_of_how_often_and_bounded():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    # 4/4, 4/2 and 4/1, of which the last is cut to 3; then the mean over the videos is 1.
    expected = torch.tensor([1.0, 2.0, 3.0]) * 7 / (4 * 1 + 2 * 2 + 1 * 3)
    torch.testing.assert_close(losses.class_weights(labels, 3, 3.0), expected)
    many = torch.tensor([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    expected = torch.tensor([1.0, 4.0, 4.0, 4.5])  # never shown: 5, cut to the most
    torch.testing.assert_close(losses.class_weights(many, 4, 4.5), expected)


def test_weighted_losses_against_a_plain_loop():
    logits, labels = torch.randn(7, 3, generator=torch.Generator().manual_seed(0)), [0, 2, 1] * 2
    labels = torch.tensor([*labels, 2])
    each = [
        -float(WEIGHTS[label]) * float(row.softmax(-1)[label].log())
        for row, label in zip(logits, labels.tolist(), strict=True)
    ]
    found = losses.cross_entropy(logits, labels, 0.0, WEIGHTS)
    assert float(found) == pytest.approx(sum(each) / 7)
    # A step is the mean of its parts, however it is cut: torch's own weights would not be.
    first, rest = (losses.cross_entropy(logits[s], labels[s], 0.0, WEIGHTS)
                   for s in (slice(2), slice(2, 7)))  # fmt: skip
    torch.testing.assert_close(found, (2 * first + 5 * rest) / 7)
    many = (logits > 0).float()
    p = logits.sigmoid()
    plain = -(WEIGHTS * many * p.log() + (1 - many) * (1 - p).log()).mean()
    torch.testing.assert_close(losses.binary_cross_entropy(logits, many, 0.0, WEIGHTS), plain)


def test_parts_test_every_video_once_and_spread_the_classes():
    data = dataset(23)
    made = folds(data, (), "random", 4, 0)
    assert [fold.name for fold in made] == ["part1", "part2", "part3", "part4"]
    tested = [name for fold in made for name in fold.test]
    assert sorted(tested) == [video.name for video in data.videos]
    label = {video.name: video.label for video in data.videos}
    for fold in made:
        assert set(fold.train) == set(label) - set(fold.test)
        assert set(Counter(label[name] for name in fold.test).values()) <= {1, 2}
    turned = replace(data, videos=data.videos[::-1])
    assert [set(fold.test) for fold in folds(turned, (), "random", 4, 0)] == [
        set(fold.test) for fold in made
    ]
    assert folds(data, (), "random", 4, 1) != made
    with pytest.raises(SettingError, match=r"data\.parts is 24, and .* has 23 videos"):
        folds(data, (), "random", 24, 0)


def test_auto_takes_the_split_then_the_subjects_then_chance():
    data = dataset(12)
    assert choose(data, "dataset") == "subjects" and choose(data, "auto") == "subjects"
    two = tuple(replace(v, subject="ab"[n % 2]) for n, v in enumerate(data.videos))
    assert choose(replace(data, videos=two), "auto") == "random"
    unknown = (replace(data.videos[0], subject=""), *data.videos[1:])
    assert choose(replace(data, videos=unknown), "auto") == "random"
    split = tuple(replace(v, split=("train", "test")[n % 2]) for n, v in enumerate(data.videos))
    assert choose(replace(data, videos=split), "auto") == "split"


def test_what_is_held_back_is_a_fair_sample_of_the_training_videos():
    names = [f"v{n:02}" for n in range(21)]
    kinds = ["a"] * 10 + ["b"] * 10 + ["rare"]
    kept, held = hold_back(names, kinds, 0.2, 0)
    assert sorted(kept + held) == names and len(held) == 4
    kind = dict(zip(names, kinds, strict=True))
    assert Counter(kind[name] for name in held) == {"a": 2, "b": 2}
    assert hold_back(names, kinds, 0.2, 1) != (kept, held) == hold_back(names, kinds, 0.2, 0)
    # Every class keeps a video to be learnt from, whatever the share.
    kept, _ = hold_back(names[:4], ["a", "a", "b", "b"], 0.9, 0)
    assert Counter(["aabb"[int(name[1:])] for name in kept]) == {"a": 1, "b": 1}
    with pytest.raises(DataError, match="of 2 training videos none can be held back"):
        hold_back(names[:2], ["a", "b"], 0.2, 0)


def test_videos_are_spread_by_the_rarest_that_they_show():
    assert strata([{"a", "b"}, {"a"}, {"b", "a"}, {"c", "a"}, ()]) == ["b", "a", "b", "c", ""]


def test_the_best_epoch_is_kept_and_judging_changes_no_epoch(tmp_path: Path):
    """Against trainings that end after 1, 2, ... epochs and are judged from outside."""
    ended = [
        trained(tmp_path / f"{n}", replace(TRAIN, epochs=n), judged=False) for n in range(1, 8)
    ]
    judged = [held_loss(net) for net in ended]
    best = min(range(7), key=lambda n: judged[n])
    assert best < 6, "the last epoch is the best: this case shows nothing"
    net = trained(tmp_path / "judged", TRAIN)
    assert torch.equal(weights(net), weights(ended[best]))
    lines = log(tmp_path / "judged")
    assert [line["local.held_back"] for line in lines] == pytest.approx(judged, abs=1e-6)
    plain = log(tmp_path / "7")
    assert [line["local.loss"] for line in lines] == [line["local.loss"] for line in plain]
    assert "local.held_back" not in plain[0]


def test_without_a_better_epoch_training_ends_and_resumes_to_the_same(tmp_path: Path):
    train = replace(TRAIN, epochs=40, patience=2, checkpoint_every=2)
    whole = trained(tmp_path / "whole", train)
    lines = log(tmp_path / "whole")
    held = [line["local.held_back"] for line in lines]
    assert len(held) < 40 and min(held) == held[-3]

    for stop in (STEPS + 2, (len(held) - 1) * STEPS + 1):

        def progress(done: int, total: int, stop: int = stop) -> None:
            if done == stop:
                raise Killed

        with pytest.raises(Killed):
            trained(tmp_path / "cut", train, progress=progress)
    resumed = trained(tmp_path / "cut", train)
    assert torch.equal(weights(whole), weights(resumed))
    assert log(tmp_path / "cut") == lines
    # What has ended stays so.
    assert torch.equal(weights(trained(tmp_path / "cut", train)), weights(whole))


def own(root: Path, run: Path, *words: str) -> int:
    quick = ["--train.epochs", "4", "--data.variants", "2", "--data.steps", "8"]
    return main(["train", "own", "--data.root", str(root), "--out", str(run), *quick, *words])


def imported(root: Path, labels: str, count: int = 24, classes: str = "aab") -> None:
    """A csv of boxes and a table of labels; how high the box is tells the label."""
    rows, told = ["video,frame,category,x1,y1,x2,y2"], [labels]
    for number in range(count):
        high = 10 + 50 * (classes[number % len(classes)] == "a")
        rows += [f"v{number:02},{f},person,{f},{high},{f + 20},{high + 30}" for f in range(10)]
        times = ",0.1,0.5" if "start" in labels else ""
        told.append(f"v{number:02},{classes[number % len(classes)]}{times}")
    (root / "boxes.csv").write_text("\n".join(rows))
    (root / "labels.csv").write_text("\n".join(told))
    words = ["--to", str(root / "data"), "--fps", "10", "--size", "100x100"]
    main(["import", "csv", str(root / "boxes.csv"), *words, "--labels", str(root / "labels.csv")])


def test_own_labels_from_csv_to_scores(tmp_path: Path, capsys):
    imported(tmp_path, "video,label")
    capsys.readouterr()
    assert own(tmp_path / "data", tmp_path / "run") == 0
    said = capsys.readouterr().out
    assert "accuracy" in said and "over 24 videos" in said and "note" not in said
    run = runs.read(tmp_path / "run")
    assert run.folds == ("part1", "part2", "part3", "part4")
    tested = [name for fold in run.folds for name in runs.read_fold(run, fold).test]
    assert sorted(tested) == [f"v{number:02}" for number in range(24)]
    assert "local.held_back" in log(run.fold("part1"))[0]
    first = {path: path.read_bytes() for path in run.path.rglob("*.csv")}
    for path in first:
        path.unlink()
    assert own(tmp_path / "data", tmp_path / "run") == 0
    assert {path: path.read_bytes() for path in first} == first


def test_what_is_held_back_is_neither_trained_on_nor_tested(tmp_path: Path, monkeypatch):
    imported(tmp_path, "video,label", count=25, classes="aaaab")
    seen = []

    def spy(lessons, source, train, progress, judge, weights):
        seen.append((set(source.videos), set(judge.videos), weights.tolist()))

    monkeypatch.setattr(experiment, "fit", spy)
    assert own(tmp_path / "data", tmp_path / "run") == 0
    run = runs.read(tmp_path / "run")
    for name, (kept, held, weight) in zip(run.folds, seen, strict=True):
        fold = runs.read_fold(run, name)
        assert kept | held == set(fold.train) and not kept & held
        assert not (kept | held) & set(fold.test)
        assert len(held) == 3  # 0.15 of 18 or 19
        # Of the videos that are trained on, not of those held back.
        rare = sum(int(video[1:]) % 5 == 4 for video in kept)
        assert weight[1] / weight[0] == pytest.approx(min(5, (len(kept) - rare) / rare))


def test_many_own_labels(tmp_path: Path, capsys):
    imported(tmp_path, "video,label,start,end")
    assert own(tmp_path / "data", tmp_path / "run", "--folds", "[part2]", "--data.parts", "3") == 0
    assert "mAP" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "run" / "folds").iterdir()] == ["part2"]


def test_too_little_is_said(tmp_path: Path, capsys):
    imported(tmp_path, "video,label", count=9, classes="aaaaaaaab")
    capsys.readouterr()
    assert own(tmp_path / "data", tmp_path / "run") == 0
    said = capsys.readouterr().out
    assert "note: there are 9 videos; with fewer than 20 a score is mostly chance" in said
    assert "fewer than 3 training videos: b (0 in fold part" in said
    assert "fewer than 5 videos are tested in part1 (3), part2 (2), part3 (2) and 1 more" in said
    assert not notes(dataset(60), folds(dataset(60)))


def test_too_little_of_timed_labels_counts_these_and_not_the_videos_own():
    made = dataset(60)
    parts = [("rest" if n else "rare", 0.0, 1.0) for n in range(60)]
    videos = tuple(
        replace(video, segments=(Segment(*part),))
        for video, part in zip(made.videos, parts, strict=True)
    )
    learnt = timed(replace(made, videos=videos))
    (note,) = notes(learnt, folds(learnt))
    assert "fewer than 3 training videos: rare (0 in fold anna);" in note


def test_one_class_is_nothing_to_learn(tmp_path: Path, capsys):
    imported(tmp_path, "video,label", classes="a")
    capsys.readouterr()
    assert own(tmp_path / "data", tmp_path / "run") == 2
    assert "every video is a; at least two classes are needed" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--train.validation", "0"], "train.patience is 30, and no videos are held back"),
        (["--train.validation", "1"], "train.validation is 1; it must be at least 0 and below 1"),
        (["--data.parts", "1"], "data.parts is 1; it must be at least 2."),
        (["--train.class_weights", "-1"], "train.class_weights is -1; it must be at least 0."),
        (["--data.protocol", "split"], "the split has 0 training and 0 test videos"),
        (["--data.protocol", "luck"], "data.protocol"),
        (["--nodes", "small,geometry"], "has boxes but no pixels, and small nodes need them"),
    ],
)
def test_settings_that_cannot_be(words, sentence, tmp_path, capsys):
    write_table(dataset(24), tmp_path / "data")
    capsys.readouterr()
    assert own(tmp_path / "data", tmp_path / "run", *words) == 2
    assert sentence in capsys.readouterr().err


def test_the_papers_tables_keep_their_protocol(tmp_path, capsys):
    write_table(dataset(12), tmp_path / "data")
    words = ["reproduce", "cad120", "--nodes", "geometry", "--data.root", str(tmp_path / "data")]
    assert main([*words, "--data.protocol", "random", "--out", str(tmp_path / "out")]) == 2
    assert "data.protocol is random, and the paper's tables have" in capsys.readouterr().err


def test_a_short_word_for_nodes():
    assert kinds_of(["--nodes", "small,geometry", "--out", "x"]) == [
        *("--nodes.kinds", "[small,geometry]", "--out", "x")
    ]
    assert kinds_of(["--nodes=crop"]) == ["--nodes.kinds", "[crop]"]
    assert kinds_of(["--nodes.kinds", "[crop]"]) == ["--nodes.kinds", "[crop]"]
