"""Checkpoints of other projects: each format round-trips, and no file can run code or mislead."""

import gzip
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from glidn.backbones import foreign, foreign_names
from glidn.backbones.i3d import I3D
from glidn.backbones.slowfast import SlowFast
from glidn.cli import main
from glidn.errors import DataError

NETWORKS = {"i3d": I3D, "slowfast": SlowFast}


def network(name: str, classes: int = 5, seed: int = 0) -> torch.nn.Module:
    """A narrow one: names and numbers of tensors do not depend on the width."""
    torch.manual_seed(seed)
    built = NETWORKS[name](classes, width=8)
    for key, value in built.state_dict().items():
        if "bn." in key and value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5)
    return built


def caffe2_name(key: str) -> str:
    """Our key as Caffe2 spells it; written independently of the reader, from its own rules."""
    key, _, leaf = key.rpartition(".")
    norm = key.endswith("bn")
    suffix = {"weight": "s" if norm else "w", "bias": "b"}.get(leaf)
    suffix = suffix or {"running_mean": "rm", "running_var": "riv"}[leaf]
    if key == "head.projection":
        return f"pred_{suffix}"
    if fuse := re.fullmatch(r"s(\d)_fuse\.(bn|conv_f2s)", key):
        last = {"1": "pool1", "2": "res2_2_branch2c_bn", "3": "res3_3_branch2c_bn"}
        last["4"] = "res4_5_branch2c_bn"
        return f"t_{last[fuse[1]]}_subsample{'_bn' if norm else ''}_{suffix}"
    stage, path, rest = key.split(".", 2)
    fast = "t_" if path.startswith("pathway1") else ""
    if stage == "s1":
        return f"{fast}{'res_conv1_bn' if norm else 'conv1'}_{suffix}"
    block = path.split("_res")[1]
    return f"{fast}res{stage[1]}_{block}_{rest.replace('branch2.', 'branch2')}_{suffix}"


def pytorchvideo_name(key: str, name: str) -> str:
    """Our key as PyTorchVideo spells it."""
    key, _, leaf = key.rpartition(".")
    if key == "head.projection":
        return f"blocks.6.proj.{leaf}"
    stage, rest = key.split(".", 1)
    number = int(stage[1])
    block = number if name == "i3d" and number > 2 else number - 1
    if "fuse" in stage:
        part = {"bn": "norm", "conv_f2s": "conv_fast_to_slow"}[rest]
        return f"blocks.{block}.multipathway_fusion.{part}.{leaf}"
    path, rest = rest.split(".", 1)
    start = f"blocks.{block}."
    if name == "slowfast":
        start += f"multipathway_blocks.{path[7]}."
    if stage == "s1":
        return f"{start}{'norm' if rest == 'bn' else 'conv'}.{leaf}"
    rest = {"branch1": "branch1_conv", "branch1_bn": "branch1_norm"}.get(rest, rest)
    rest = re.sub(r"branch2\.([abc])$", r"branch2.conv_\1", rest)
    rest = re.sub(r"branch2\.([abc])_bn$", r"branch2.norm_\1", rest)
    return f"{start}res_blocks.{path.split('_res')[1]}.{rest}.{leaf}"


def write(path: Path, kind: str, name: str, state: dict[str, torch.Tensor]) -> Path:
    """A file as the project of that kind writes it."""
    if kind.startswith("Caffe2"):
        blobs = {
            caffe2_name(key): value.numpy()
            for key, value in state.items()
            if not key.endswith("num_batches_tracked")
        }
        blobs |= {"conv1_w_momentum": np.ones(3, "f4"), "lr": np.float32(0.1)}
        blobs["model_iter"] = np.array([7], "i8")
        protocol = int(kind[-1])
        path.write_bytes(pickle.dumps({"blobs": blobs}, protocol=protocol))
    elif kind == "PySlowFast":
        optimiser = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": []}
        whole = {"epoch": 3, "model_state": state, "optimizer_state": optimiser, "cfg": "a: 1"}
        torch.save(whole, path)
    elif kind == "PySlowFast, old":
        torch.save({"model_state": state}, path, _use_new_zipfile_serialization=False)
    elif kind == "PyTorchVideo":
        renamed = {pytorchvideo_name(key, name): value for key, value in state.items()}
        assert len(renamed) == len(state)
        torch.save({"model_state": renamed}, path)
    elif kind == "data parallel":
        torch.save({f"module.{key}": value for key, value in state.items()}, path)
    else:
        save_file(state, path)
    return path


KINDS = [
    *(f"Caffe2, protocol {number}" for number in (0, 2, 4, 5)),
    "PySlowFast",
    "PySlowFast, old",
    "PyTorchVideo",
    "data parallel",
    "safetensors",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_format_gives_back_the_same_tensors(name, kind, tmp_path):
    state = network(name, seed=1).state_dict()
    # The wrong suffix throughout: only the content may tell.
    found = foreign.read(write(tmp_path / "weights.txt", kind, name, state))
    assert found.network == name
    assert found.classes == 5
    other = network(name, seed=2)
    fit = foreign.fit(found, other)
    assert (fit.missing, fit.unexpected, fit.other_shape) == ((), (), {})
    for key, value in other.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)
    expected = {"Caffe2": ("conv1_w_momentum", "lr", "model_iter")}
    expected["PySlowFast"] = ("epoch", "optimizer_state", "cfg") if kind == "PySlowFast" else ()
    assert found.skipped == expected.get(kind.split(",")[0], ())


def test_the_names_of_the_caffe2_files():
    """The examples of PROTOCOL.md, section 4."""
    for theirs, ours in {
        "conv1_w": "s1.pathway0_stem.conv.weight",
        "res_conv1_bn_s": "s1.pathway0_stem.bn.weight",
        "res2_0_branch2a_w": "s2.pathway0_res0.branch2.a.weight",
        "res2_0_branch2a_bn_s": "s2.pathway0_res0.branch2.a_bn.weight",
        "res2_0_branch1_w": "s2.pathway0_res0.branch1.weight",
        "t_res3_1_branch2b_bn_riv": "s3.pathway1_res1.branch2.b_bn.running_var",
        "t_pool1_subsample_w": "s1_fuse.conv_f2s.weight",
        "t_res2_2_branch2c_bn_subsample_bn_s": "s2_fuse.bn.weight",
        "pred_w": "head.projection.weight",
        "pred_w_momentum": None,
        "lr": None,
    }.items():
        assert foreign_names.from_caffe2(theirs) == ours


def test_torchvision_files_are_known_by_their_names(tmp_path):
    from torchvision.models import resnet50
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    with torch.device("meta"):
        detector = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None)
        classifier = resnet50()
    for name, module in {"fasterrcnn": detector, "resnet50": classifier}.items():
        # The published detectors spell these two as before torchvision 0.13.
        state = {
            re.sub(r"(_blocks\.\d)\.0\.", r"\1.", key).replace("head.conv.0.0", "head.conv"): (
                torch.zeros((), dtype=value.dtype).expand(value.shape)
            )
            for key, value in module.state_dict().items()
        }
        if name == "fasterrcnn":
            assert "rpn.head.conv.weight" in state
        torch.save(state, tmp_path / name)
        found = foreign.read(tmp_path / name)
        assert (found.kind, found.network) == ("torchvision", name)
        fit = foreign.compare(found, module)
        assert set(fit.loaded) == module.state_dict().keys()
        assert not fit.unexpected


def test_other_classes_are_named_and_load_without_the_head(tmp_path):
    file = write(tmp_path / "x", "PySlowFast", "i3d", network("i3d", 7, seed=1).state_dict())
    found = foreign.read(file)
    ours = network("i3d", 5, seed=2)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    with pytest.raises(DataError, match=r"7 classes in its head and this I3D 5; .*without"):
        foreign.fit(found, ours)
    assert all(value.equal(before[key]) for key, value in ours.state_dict().items())
    fit = foreign.fit(found, ours, without_head=True)
    assert fit.other_shape["head.projection.bias"] == ((7,), (5,))
    for key, value in ours.state_dict().items():
        assert value.equal(before[key] if key.startswith("head.") else found.tensors[key]), key


def test_every_key_is_accounted_for(tmp_path):
    state = network("i3d").state_dict()
    del state["s2.pathway0_res0.branch1.weight"]
    state["s3.pathway0_nonlocal1.conv_g.weight"] = torch.zeros(3)
    state["s1.pathway0_stem.bn.bias"] = torch.zeros(13)
    found = foreign.read(write(tmp_path / "x", "PySlowFast", "i3d", state))
    ours = network("i3d")
    fit = foreign.compare(found, ours)
    assert fit.missing == ("s2.pathway0_res0.branch1.weight",)
    assert fit.unexpected == ("s3.pathway0_nonlocal1.conv_g.weight",)
    assert fit.other_shape == {"s1.pathway0_stem.bn.bias": ((13,), (8,))}
    assert len(fit.loaded) == len(ours.state_dict()) - 2
    with pytest.raises(DataError, match=r"3 tensors are .* has shape \(13,\), expected \(8,\)"):
        foreign.fit(found, ours, without_head=True)


@pytest.mark.parametrize("kind", ["Caffe2, protocol 2", "PyTorchVideo", "PySlowFast"])
def test_a_network_with_one_layer_more_is_another_network(kind, tmp_path):
    """Non-local I3D has all tensors of I3D; to load only these would give other features."""
    file = write(tmp_path / "x", kind, "i3d", network("i3d").state_dict())
    if kind == "Caffe2, protocol 2":
        layer = "nonlocal_conv3_1_theta_w"
        content = pickle.loads(file.read_bytes())
        content["blobs"][layer] = np.ones(3, "f4")
        file.write_bytes(pickle.dumps(content, protocol=2))
    else:
        layer = "s3.pathway0_nonlocal1.conv_theta.weight"
        content = torch.load(file, weights_only=True)
        content["model_state"][layer] = torch.ones(3)
        torch.save(content, file)
    with pytest.raises(DataError, match=rf"1 tensors are .*{layer} has no place in it"):
        foreign.fit(foreign.read(file), network("i3d"), without_head=True)


class Hostile:
    """Runs a command when an ordinary unpickler opens it."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


def as_pickle(value: object, protocol: int) -> bytes:
    return pickle.dumps({"blobs": {"conv1_w": value}}, protocol=protocol)


@pytest.mark.parametrize("way", ["0", "1", "2", "3", "4", "5", "bare", "torch", "old torch"])
def test_code_in_a_file_never_runs(way, tmp_path):
    trace, file = tmp_path / "trace", tmp_path / "model.pkl"
    if "torch" in way:
        zipped = way == "torch"
        torch.save({"a": Hostile(trace)}, file, _use_new_zipfile_serialization=zipped)
    elif way == "bare":
        file.write_bytes(pickle.dumps(Hostile(trace), protocol=4))
    else:
        file.write_bytes(as_pickle(Hostile(trace), int(way)))
    with pytest.raises(DataError, match=r"holds more than tensors \((posix|nt)\.system\)"):
        foreign.read(file)
    assert not trace.exists()
    # The trap is real: an ordinary unpickler falls into it.
    if way not in ("torch", "old torch"):
        pickle.loads(file.read_bytes())
        assert trace.exists()


@pytest.mark.parametrize(
    "opcodes",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x01x\x85R.",
        b"\x80\x02ccopyreg\n_reconstructor\n.",
        b"\x80\x02cnumpy\nload\n.",
        b"\x80\x02cnumpy\ndtype.__class__\n.",
        b"(dcos\nsystem\n.",
        b"\x80\x02X\x01\x00\x00\x00aQ.",
    ],
)
def test_no_name_outside_the_list_is_resolved(opcodes, tmp_path):
    (tmp_path / "x").write_bytes(opcodes)
    with pytest.raises(DataError, match=r"holds more than tensors|is not a file of weights"):
        foreign.read(tmp_path / "x")


def test_a_list_that_holds_itself_many_times_over_takes_no_time(tmp_path):
    bomb: object = []
    for _ in range(100):
        bomb = [bomb, bomb]
    (tmp_path / "x").write_bytes(as_pickle(bomb, 2))
    with pytest.raises(DataError, match="holds no tensors"):
        foreign.read(tmp_path / "x")


def test_an_array_that_lies_about_its_size_is_damaged(tmp_path):
    whole = as_pickle(np.arange(251, dtype="f4"), 2)
    assert whole.count(b"K\xfb") == 1  # the length 251
    (tmp_path / "x").write_bytes(whole.replace(b"K\xfb", b"K\xfc"))
    with pytest.raises(DataError, match="damaged"):
        foreign.read(tmp_path / "x")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_one_sentence(kind, tmp_path):
    state = {"s1.pathway0_stem.conv.weight": torch.rand(2, 3, 5, 7, 7)}
    file = write(tmp_path / "x", kind, "i3d", state)
    whole = file.read_bytes()
    for keep in [1, 2, 9, 40, 100, len(whole) // 2, len(whole) - 100, len(whole) - 1]:
        file.write_bytes(whole[:keep])
        with pytest.raises(DataError) as caught:
            foreign.read(file)
        assert "\n" not in str(caught.value)
        assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"These are not the weights.\n", "is not a file of weights"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (gzip.compress(pickle.dumps({"blobs": {}}), mtime=0), "gunzip"),
        (pickle.dumps([1, 2]), "holds no tensors"),
        (pickle.dumps({"blobs": {}}), "holds no tensors"),
        (b"PK\x03\x04" + bytes(60), "is damaged"),
        (b"\x10" + bytes(7) + b"{" + b"x" * 15, "is damaged"),
    ],
)
def test_what_is_no_checkpoint_says_what_it_is(content, sentence, tmp_path):
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        foreign.read(tmp_path / "x.pkl")


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        foreign.read(tmp_path / "x")
    with pytest.raises(DataError, match="is a folder"):
        foreign.read(tmp_path)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """An I3D of full width whose equal numbers share memory, so that the file is small."""
    with torch.device("meta"):
        state = I3D(11).state_dict()
    state = {
        key: torch.full((), 0.5).to(value.dtype).expand(value.shape) for key, value in state.items()
    }
    return write(tmp_path_factory.mktemp("published") / "i3d.pyth", "PySlowFast", "i3d", state)


def test_the_command_tells_and_converts(published, tmp_path, capsys):
    out = tmp_path / "new" / "i3d.safetensors"
    assert main(["weights", str(published), "--to", str(out)]) == 0
    said = capsys.readouterr().out
    assert "PySlowFast; network: i3d" in said
    assert "11 classes" in said
    assert "320 of 320 tensors of i3d fit" in said
    assert "optimizer_state" in said
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    tensors = load_file(out)
    with torch.device("meta"):
        expected = I3D(11).state_dict()
    assert {k: v.shape for k, v in tensors.items()} == {k: v.shape for k, v in expected.items()}
    assert tensors["head.projection.weight"].eq(0.5).all()
    assert foreign.read(out).kind == "PySlowFast, as safetensors"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--network", "slowfast"], "does not fit slowfast: "),
        (["--network", "i3"], "--network i3 is unknown; nearest: i3d."),
        (["--to", "x.pth"], "ends in .safetensors"),
    ],
)
def test_the_command_refuses_with_one_sentence(words, sentence, published, tmp_path, capsys):
    out = tmp_path / "x.safetensors"
    assert main(["weights", str(published), "--to", str(out), *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("glidn: ")
    assert sentence in said
    assert said.count("\n") == 1
    assert not out.exists()
