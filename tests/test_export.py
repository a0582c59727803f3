"""Exported files against the network they were made of, at other sizes; and without glidn."""

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import make
import make_clips
from glidn import checkpoint, features, graph, runs
from glidn.cli import main
from glidn.config import ClipsConfig, DataConfig, NodesConfig, RunConfig, ViewConfig
from glidn.export import file
from glidn.export.ports import Port, draw
from glidn.export.whole import Whole, load, rollout
from glidn.model import build
from glidn.protocol import folds
from glidn.runs import Run
from glidn.types import Dataset

DOCS = Path(__file__).parent.parent / "docs" / "export.md"
DATA, PAINTED = make.dataset(), make_clips.dataset()
SIDE = 64


def frames(*kinds: str, **view: object) -> RunConfig:
    """A run of nodes that are made frame by frame."""
    small = {"context": "local", "embed": 12, "width": 12, "layers": 2}
    nodes = NodesConfig(kinds=kinds, small_width=5, small_size=8, weights="none")
    return RunConfig(nodes=nodes, data=DataConfig(steps=6), view=ViewConfig(**{**small, **view}))


def clips(name: str, box_frames: str = "step", **view: object) -> RunConfig:
    """A run of region nodes; both backbones give 2 time steps."""
    config = make_clips.config(**view)
    assert config.backbone is not None
    length = {"i3d": 4, "slowfast": 8}[name]
    cut = ClipsConfig(frames=length, test_size=SIDE, boxes=3, box_frames=box_frames)
    backbone = replace(config.backbone, name=name, frozen_norm=False)
    return replace(config, backbone=backbone, clips=cut)


CASES = {
    "local": frames("geometry", heads=2, norm=True, readout="max", init="glorot"),
    "global": frames(
        *("geometry", "crop", "small"),
        context="global",
        window=2,
        time=True,
        residual=True,
        heads=3,
        readout="attention",
    ),
    "none": frames("small", "geometry", context="none", readout="persons"),
    "i3d": clips("i3d", residual=True, embed=8, time=True),
    "slowfast": clips("slowfast", "all", context="global", window=1, scene="sum", layers=2),
    "slowfast alone": clips("slowfast", context="none", scene="only"),
}


def trained(path: Path, config: RunConfig, every: bool = False) -> Run:
    """A run whose first fold, or every one, has random weights that leave nothing at zero or one.

    It is a fold that is done: its predictions are there, though empty.
    """
    data: Dataset = PAINTED if config.backbone else DATA
    run = runs.create(path, config, data, folds(data))
    widths = features.widths(config.nodes, data.categories)
    for fold in run.folds if every else run.folds[:1]:
        torch.manual_seed(0)
        network = build(config.nodes, config.view, widths, len(data.classes), config.backbone)
        for name, buffer in network.named_buffers():
            if name.endswith("mean"):
                nn.init.uniform_(buffer, -0.5, 0.5)
            elif name.endswith(("var", "spread")):
                nn.init.uniform_(buffer, 0.5, 1.5)
        last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        nn.init.normal_(last.weight)
        checkpoint.save(network, run.fold(fold) / f"{config.view.context}.safetensors")
        (run.fold(fold) / f"{config.view.context}.csv").touch()
    return run


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Callable[[str], tuple[Whole, Path]]:
    """A case's network, and the ONNX file of it, made once."""

    @functools.cache
    def make_file(case: str) -> tuple[Whole, Path]:
        folder = tmp_path_factory.mktemp("exported")
        run = trained(folder / "run", CASES[case])
        written = file.export(run, run.folds[0], "onnx", folder / "model.onnx")
        return load(run, run.folds[0]), written.path

    return make_file


def inputs_like(whole: Whole, seed: int) -> list[dict[str, torch.Tensor]]:
    """Small and large batches; the last one has a video without any box."""
    found = [
        draw(whole.inputs, {"B": b, "T": t, "N": n, "H": h, "W": w}, seed)
        for b, t, n, h, w in ((1, 1, 1, SIDE, SIDE), (3, 11, 7, 70, 130))
    ]
    for name, value in found[-1].items():
        if name != "clips":
            value[0] = 0
    return found


@pytest.mark.parametrize("case", CASES)
def test_an_onnx_file_says_what_the_network_says(exported, case):
    whole, path = exported(case)
    session = onnxruntime.InferenceSession(path)
    for got, port in zip(session.get_inputs(), whole.inputs, strict=True):
        assert (got.name, got.shape) == (port.name, list(port.shape))
    for got, port in zip(session.get_outputs(), whole.outputs, strict=True):
        assert (got.name, got.shape) == (port.name, list(port.shape))
    for inputs in inputs_like(whole, seed=3):
        said = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        with torch.no_grad():
            expected = whole(**inputs)
        assert expected["logits"].abs().max() > 0.05
        for theirs, (name, ours) in zip(said, expected.items(), strict=True):
            torch.testing.assert_close(
                torch.from_numpy(theirs), ours, atol=1e-4, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
            )


@pytest.mark.parametrize("case", ["global", "none", "slowfast"])
def test_a_torch_file_says_the_same_without_glidn(tmp_path, case):
    run = trained(tmp_path / "run", CASES[case])
    written = file.export(run, run.folds[0], "torch", tmp_path / "model.pt2")
    whole = written.whole
    inputs = inputs_like(whole, seed=5)
    with torch.no_grad():
        torch.save((inputs, [whole(**one) for one in inputs]), tmp_path / "expected.pt")
    code = (
        "import sys; sys.modules['glidn'] = None\n"
        "import torch\n"
        "module = torch.export.load('model.pt2').module()\n"
        "for inputs, expected in zip(*torch.load('expected.pt')):\n"
        "    for name, value in module(**inputs).items():\n"
        "        torch.testing.assert_close(value.detach(), expected[name], atol=1e-4, rtol=0)\n"
        "print('equal')"
    )
    assert run_python(code, tmp_path).strip() == "equal"
    extra = {file.ABOUT: ""}
    torch.export.load(written.path, extra_files=extra)
    assert json.loads(json.loads(extra[file.ABOUT])["classes"]) == list(run.classes)


def run_python(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_of_the_docs_runs_without_glidn(exported):
    """It prints the classes as the network ranks them."""
    _, path = exported("local")
    (block,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.S)
    assert sum(map(bool, block.splitlines())) <= 10
    printed = run_python("import sys; sys.modules['glidn'] = None\n" + block, path.parent)
    named = [line.split()[-1] for line in printed.splitlines()]
    assert sorted(named) == sorted(DATA.classes)
    odds = [float(line.split()[0]) for line in printed.splitlines()]
    assert odds == sorted(odds, reverse=True)
    assert sum(odds) == pytest.approx(1, abs=0.01)


def test_a_file_says_what_it_is_and_not_where_it_was_made(exported):
    _, path = exported("i3d")
    known = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    assert json.loads(known["classes"]) == list(PAINTED.classes)
    assert json.loads(known["categories"]) == list(PAINTED.categories)
    assert json.loads(known["nodes"]) == ["region"]
    assert json.loads(known["clips"])["frames"] == 4
    assert list(json.loads(known["dynamic"])) == ["B", "N", "H", "W"]
    assert [Port(**one).name for one in json.loads(known["inputs"])] == ["clips", "boxes", "real"]
    assert (known["view"], known["run"], known["warning"]) == ("local", "run", "")
    content = path.read_bytes()
    assert str(Path(file.__file__).parents[1]).encode() not in content
    assert str(path.parent).encode() not in content
    assert b"site-packages" not in content


def test_more_padding_changes_nothing_in_a_file(exported):
    whole, path = exported("none")
    session = onnxruntime.InferenceSession(path)
    few = draw(whole.inputs, {"B": 2, "T": 3, "N": 4})
    many = {
        name: torch.cat([value, value.new_zeros(2, 3, 3, *value.shape[3:])], 2)
        for name, value in few.items()
    }
    said = [
        session.run(["logits"], {name: value.numpy() for name, value in inputs.items()})[0]
        for inputs in (few, many)
    ]
    np.testing.assert_allclose(*said, atol=1e-5)


@pytest.mark.parametrize("residual", [False, True])
def test_attention_is_rolled_out_as_it_is_drawn(residual):
    g = torch.Generator().manual_seed(0)
    layers = [torch.rand(2, 5, 3, 7, 7, generator=g).softmax(-1) for _ in range(3)]
    total = rollout(layers, residual)
    for b in range(2):
        expected = graph.rollout([layer[b].movedim(1, 0).numpy() for layer in layers], residual)
        torch.testing.assert_close(total[b], torch.from_numpy(expected), check_dtype=False)


# --- the command --------------------------------------------------------------------------------


def test_the_command_writes_a_checked_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = trained(tmp_path / "cups", CASES["local"])
    assert main(["export", "cups", "--to", "torch"]) == 0
    said = capsys.readouterr().out
    assert f"Written: cups.{run.folds[0]}.pt2" in said
    assert "real (B, T, N) bool: where there is a box" in said
    assert float(re.search(r"at most (\S+) from", said)[1]) < 1e-4


def test_a_file_that_says_something_else_is_not_kept(tmp_path, monkeypatch, capsys):
    trained(tmp_path / "run", CASES["local"])
    monkeypatch.setattr(file, "MOST", -1.0)
    words = ["export", str(tmp_path / "run"), "--to", "torch", "--out", str(tmp_path / "model.pt2")]
    assert main(words) == 2
    assert "model.pt2 was not kept: it says something else" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "nowhere does not exist. Train a run with"),
        (["run", "--to", "onx"], "--to onx is unknown; nearest: onnx."),
        (["run", "--out", "model.pt2"], "--out model.pt2: give a name that ends in .onnx."),
        (["run", "--to", "torch", "--out", "a.onnx"], "give a name that ends in .pt2."),
        (["run"], "run has 3 trained folds, each with a network of its own (anna, ben, carl)"),
        (["run", "--fold", "bem"], "run has no fold bem; nearest: ben."),
        (["fresh"], "fresh has not finished any fold; give the command that trained it again"),
        (["fresh", "--fold", "ben"], "fresh has not finished fold ben"),
    ],
)
def test_a_mistake_is_one_sentence(words, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "run", CASES["local"], every=True)
    runs.create(tmp_path / "fresh", CASES["local"], DATA, folds(DATA))
    assert main(["export", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "run"]


def test_a_missing_package_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "--to onnx needs onnxscript; install it with: pip install glidn[onnx]." in said
