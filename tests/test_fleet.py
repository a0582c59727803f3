"""Many videos by several processes: nothing lost, nothing twice, whatever dies meanwhile."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

import make_onnx
import make_studio
from glidn import datasets, features, fleet, material
from glidn.cli import main
from glidn.cli.settings import add_settings, parse, to_config
from glidn.cli.train import kinds_of
from glidn.config import RunConfig
from glidn.errors import DataError, SettingError
from glidn.fleet import TRIES, Done, Fleet
from glidn.prediction import result as results
from glidn.prediction.table import TABLE_FILE
from glidn.proposals import parts_folder
from glidn.recipes import find

TWO = Fleet(workers=2)
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: glidn[ray]"
)


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """One start for all calls: it takes seconds."""
    with fleet._started(TWO):
        import ray

        # The processes cannot import this file.
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_studio.run(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four videos, one of them broken, and the boxes of any."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(3):
        make_studio.video(folder / f"v{number}.mp4", frames=24 + 8 * number)
    (folder / "text.mp4").write_text("not a video")
    rows = ["video,frame,track,category,x1,y1,x2,y2"]
    for name in ("v0", "v1", "v2"):
        for frame in range(0, 24, 4):
            rows += [f"{name},{frame},a,person,10,8,44,60"]
            rows += [f"{name},{frame},b,cup,50,{frame},62,{frame + 12}"]
    (tmp_path / "boxes.csv").write_text("\n".join(rows) + "\n")
    return folder


def predict(run: Path, out: str, *more: str) -> list[str]:
    return ["predict", "clips", "--run", str(run), "--boxes", "boxes.csv", "--out", out, *more]


def contents(out: Path) -> dict[str, bytes]:
    """Of all files but the rows, by name."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != TABLE_FILE)
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


@needs_ray
def test_several_processes_say_what_one_says_and_go_on_where_they_stopped(ray, run, clips, capsys):
    from pyarrow import parquet

    assert main(predict(run, "alone")) == 1
    alone = capsys.readouterr()
    assert main(predict(run, "both", "--ray", "--workers", "2")) == 1
    both = capsys.readouterr()
    for said in (alone, both):
        assert "clips/text.mp4 is no video that can be read" in said.err
        assert said.err.endswith("glidn: 1 of 4 videos could not be done.\n")
    lines = alone.out.replace("alone/", "both/").splitlines()
    assert sorted(both.out.splitlines()) == sorted(lines)
    assert contents(Path("both")) == contents(Path("alone"))

    table = parquet.read_table(Path("both", TABLE_FILE))
    rows = table.to_pylist()
    assert [row["video"] for row in rows] == ["text", "v0", "v1", "v2"]
    assert "text.mp4 is no video that can be read" in rows[0]["error"] and rows[0]["label"] is None
    for row in rows[1:]:
        said = results.read(Path(row["folder"], "result.json"))
        assert (row["source"], row["seconds"], row["error"]) == (said.video, said.seconds, None)
        assert (row["label"], row["score"]) == next(iter(said.scores.items()))
        assert [tuple(one.values()) for one in row["actions"]] == [
            (one.label, one.start, one.end, one.score) for one in said.actions
        ]

    (done,) = Path("both").glob("v1/annotated.mp4")
    done.unlink()
    before = {path: path.stat().st_mtime_ns for path in Path("both").glob("*/result.json")}
    assert main(predict(run, "both", "--ray", "--workers", "1")) == 1
    assert capsys.readouterr().out.count("It was there already.") == 2
    after = {path: path.stat().st_mtime_ns for path in Path("both").glob("*/result.json")}
    assert {path.parent.name for path in after if after[path] != before[path]} == {"v1"}
    assert parquet.read_table(Path("both", TABLE_FILE)) == table


@needs_ray
def test_a_killed_process_loses_nothing_and_doubles_nothing(ray, tmp_path):
    """Would catch: items that a dead process was at, left out or answered twice."""
    killed = threading.Event()

    def build() -> Callable[[int], int]:
        return work

    def work(item: int) -> int:
        with (tmp_path / f"{item}.begun").open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(0.3)
        return item * item

    def kill() -> None:
        begun = tmp_path / "2.begun"
        while not (begun.exists() and begun.read_text()):
            time.sleep(0.01)
        os.kill(int(begun.read_text().split()[0]), signal.SIGKILL)
        killed.set()

    thread = threading.Thread(target=kill)
    thread.start()
    done = sorted(fleet.over(build, range(8), TWO, tmp_path / "notes"), key=lambda one: one.at)
    thread.join()
    assert killed.is_set()
    assert done == [Done(at, at * at) for at in range(8)]
    begun = [len((tmp_path / f"{item}.begun").read_text().split()) for item in range(8)]
    assert begun[2] == 2 and sum(begun) == 9  # nothing else is done again
    assert not list((tmp_path / "notes").iterdir())


@needs_ray
def test_what_kills_every_process_costs_itself(ray, tmp_path):
    """Would catch: a file that crashes its decoder, tried for ever; mistakes that end the call."""

    def build() -> Callable[[int], int]:
        return work

    def work(item: int) -> int:
        if item == 1:
            os._exit(1)
        if item == 2:
            raise DataError("it is empty.")
        return 6 // item

    done = sorted(
        fleet.over(build, [0, 1, 2, 3], Fleet(workers=1), tmp_path), key=lambda one: one.at
    )
    assert done[0].error.startswith("a bug in glidn: ZeroDivisionError")
    assert done[1] == Done(1, error=f"{TRIES} processes died while they were at it.")
    assert done[2:] == [Done(2, error="it is empty."), Done(3, 2)]


@needs_ray
def test_boxes_are_the_same_by_several_processes(ray, tmp_path, capsys):
    """After an unfinished call in which a video was broken."""
    root, names = tmp_path / "d", ("v1", "v2", "v3")
    root.mkdir()
    for seed, name in enumerate(names):
        make_studio.video(root / f"{name}.mp4", cup=(50 + seed, 12))
    rows = "".join(f"{name},{name}.mp4,24,8,96,64\n" for name in names)
    (root / "videos.csv").write_text("video,file,frames,fps,width,height\n" + rows)
    detector = make_onnx.red(tmp_path / "red.onnx")
    command = ["boxes", str(root), "--detector", str(detector), "--short-side", "64", "--out"]
    alone, both = tmp_path / "alone" / "boxes.csv", tmp_path / "both" / "boxes.csv"
    good = (root / "v3.mp4").read_bytes()
    (root / "v3.mp4").write_bytes(good[:99])
    assert main([*command, str(both), "--ray", "--workers", "2"]) == 1
    said = capsys.readouterr()
    assert "boxes in 2 videos." in said.out
    assert "1 of 3 videos could not be read and have no boxes:\n  v3: " in said.err
    assert len(list(parts_folder(both).glob("*.npz"))) == 2
    (root / "v3.mp4").write_bytes(good)
    assert main([*command, str(alone)]) == 0
    assert main([*command, str(both), "--force", "--ray", "--workers", "1"]) == 0
    assert alone.read_text().count("\n") > 30
    assert both.read_bytes() == alone.read_bytes()
    assert sorted(path.name for path in both.parent.iterdir()) == ["boxes.csv"]


@pytest.mark.parametrize("ways", [(), pytest.param(("--ray", "--workers", "2"), marks=needs_ray)])
def test_training_finds_the_features_that_were_computed_before(
    ways, request, clips, tmp_path, capsys, monkeypatch
):
    """Would catch: another key than that of training, so that all is computed again."""
    if ways:
        request.getfixturevalue("ray")
    names = ("v0", "v1", "v2")
    rows = [f"{name},clips/{name}.mp4,{name},sit,24,8,96,64\n" for name in names]
    (tmp_path / "videos.csv").write_text(
        "video,file,subject,label,frames,fps,width,height\n" + "".join(rows)
    )
    settings = "--nodes crop --nodes.weights none --nodes.crop_size 32 --nodes.cache kept"
    shape = "--data.root . --data.steps 3 --data.variants 2 --train.epochs 1"
    assert main(["features", "own", *settings.split(), *shape.split(), *ways]) == 0
    assert "kept: 6 looks at 3 videos." in capsys.readouterr().out
    monkeypatch.setattr(features.FrozenFeatures, "_compute", None)
    found = parse_settings([*settings.split(), *shape.split()])
    assert len(material.prepare(datasets.load(tmp_path), found, None).samples) == 3


def parse_settings(words: list[str]) -> RunConfig:
    parser = ArgumentParser()
    add_settings(parser, find("own"))
    return to_config(parse(parser, kinds_of(words)))


@needs_ray
def test_what_no_process_can_begin_is_one_sentence(ray, clips, capsys):
    assert main(predict(Path("none"), "out", "--ray", "--workers", "1")) == 2
    said = capsys.readouterr().err
    assert "none" in said and "does not exist" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--ray", "--workers", "0"], "--workers is 0; it must be 1 or more."),
        (["--ray", "kitchen.mp4"], "--ray kitchen.mp4: that is no address of a cluster; give"),
    ],
)
def test_settings_that_cannot_be(run, clips, capsys, monkeypatch, words, sentence):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert main(predict(run, "out", *words)) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_without_ray_the_way_to_it_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"pip install glidn\[ray\]"):
        fleet.check(Fleet())


@needs_ray
def test_a_cluster_that_is_not_there_is_one_sentence(run, clips):
    """Would catch: minutes of waiting for nobody. In a process that has no Ray yet."""
    words = predict(run, "out", "--ray", "127.0.0.1:1")
    called = subprocess.run(
        [sys.executable, "-m", "glidn", *words], capture_output=True, text=True, timeout=100
    )
    assert called.returncode == 2 and called.stderr.count("\n") == 1
    assert "no Ray cluster answers at 127.0.0.1:1: " in called.stderr
