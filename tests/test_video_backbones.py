"""I3D and SlowFast against outputs of the reference implementation, with the same weights.

The weights are made from the names of the tensors (PROTOCOL.md, section 5), so a wrong name,
shape, stride, padding or order of layers shows in the numbers. The reference's outputs lie
outside the project; `golden/video_backbones.npz` holds ours, taken when both agreed.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from glidn.backbones.blocks import Maps, VideoNetwork
from glidn.backbones.i3d import I3D
from glidn.backbones.slowfast import SlowFast, slow_frames
from glidn.errors import SettingError

GOLDEN = Path(__file__).parent / "golden" / "video_backbones.npz"
# name: (network, classes, golden file of the reference, shape of our golden clip)
CASES = {
    "i3d": (I3D, 400, "i3d_8x8_r50", (1, 3, 10, 96, 64)),
    "slowfast": (SlowFast, 157, "slowfast_16x8_r50_charades", (1, 3, 20, 96, 64)),
}
NETWORKS = [I3D, SlowFast]


def made_up(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor that anyone can make from its name."""
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape)
    g = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    if key.endswith("running_var"):
        return 1 + 0.1 * np.abs(g)
    if key.endswith(("running_mean", ".bias")):
        return 0.1 * g
    if len(shape) == 1:
        return 1 + 0.1 * g
    g *= np.sqrt(2 / np.prod(shape[1:]))
    return 0.3 * g if ".c.weight" in key else g


@pytest.fixture(scope="module")
def networks() -> dict[str, VideoNetwork]:
    built = {}
    for name, (network, classes, *_) in CASES.items():
        built[name] = network(classes).eval()
        state = built[name].state_dict()
        for key, value in state.items():
            value.copy_(torch.from_numpy(made_up(key, tuple(value.shape))))
    return built


def clip(shape: tuple[int, ...], seed: int = 7) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype("float32"))


@torch.no_grad()
def outputs(network: VideoNetwork, video: torch.Tensor) -> dict[str, np.ndarray]:
    """What a golden file holds, by its names."""
    stages = {}
    hooks = [
        network.get_submodule(stage).register_forward_hook(
            lambda _, __, after, stage=stage: stages.update({stage: after})
        )
        for stage in ("s4", "s5")
    ]
    maps = network(video)
    for hook in hooks:
        hook.remove()
    for ours, last in zip(maps.pathways, stages["s5"], strict=True):
        assert ours is last
    found = {"logits": network.logits(maps), "probabilities": network.probabilities(maps)}
    for stage, pathways in stages.items():
        for pathway, x in enumerate(pathways):
            found[f"{stage}_pathway{pathway}_shape"] = torch.tensor(x.shape)
            found[f"{stage}_pathway{pathway}_mean_over_channels"] = x.mean(1)
            found[f"{stage}_pathway{pathway}_first8channels"] = x[:, :8]
    return {key: value.numpy() for key, value in found.items()}


def assert_as_golden(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].shape == value.shape, key
        scale = np.abs(value).max()
        np.testing.assert_allclose(found[key], value, atol=1e-4 * scale, rtol=0, err_msg=key)


@pytest.mark.shared
@pytest.mark.parametrize("name", CASES)
def test_outputs_are_the_references(name, networks, shared):
    golden = dict(np.load(shared / "fidelity" / f"{CASES[name][2]}.npz"))
    seed, frames, size = (int(golden.pop(key)) for key in ("input_seed", "frames", "size"))
    video = clip((2, 3, frames, size, size), seed)
    assert_as_golden(outputs(networks[name], video), golden)


@pytest.mark.shared
@pytest.mark.parametrize("name", CASES)
def test_keys_and_shapes_are_the_references(name, networks, shared):
    expected = json.loads((shared / "fidelity" / f"{CASES[name][2]}.keys.json").read_text())
    state = networks[name].state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == expected


def write_golden(networks: dict[str, VideoNetwork]) -> None:
    """Made `golden/video_backbones.npz`; run by hand, and only when the reference's test passes.

    python -c "import test_video_backbones as t; t.write_golden(t.networks.__wrapped__())"
    """
    kept = {}
    for name, (*_, shape) in CASES.items():
        for key, value in outputs(networks[name], clip(shape)).items():
            if key[:3] != "s4_":  # res5 and the head depend on all that comes before
                kept[f"{name}/{key}"] = value
    np.savez_compressed(GOLDEN, **kept)


@pytest.mark.parametrize("name", CASES)
def test_outputs_do_not_change(name, networks):
    """A clip of other height than width, whose frames are no power of two."""
    golden = np.load(GOLDEN)
    expected = {key.split("/")[1]: golden[key] for key in golden if key.startswith(f"{name}/")}
    found = outputs(networks[name], clip(CASES[name][3]))
    assert_as_golden({key: found[key] for key in found if key[:3] != "s4_"}, expected)


def test_the_sizes_of_the_paper():
    """PROTOCOL.md, section 2; on the meta device, so that 224 x 224 costs nothing."""
    with torch.device("meta"):
        i3d = I3D(None)(torch.empty(2, 3, 32, 224, 224))
        slowfast = SlowFast(None)(torch.empty(2, 3, 64, 224, 224))
    assert i3d.slow.shape == (2, 2048, 16, 7, 7)
    assert i3d.fast is None
    assert slowfast.slow.shape == (2, 2048, 16, 7, 7)
    assert slowfast.fast.shape == (2, 256, 64, 7, 7)


def test_the_slow_pathway_takes_both_ends():
    taken = slow_frames(64).tolist()
    assert taken[:6] == [0, 4, 8, 12, 16, 21]
    assert (taken[-1], len(taken)) == (63, 16)


def test_the_slow_pathway_sees_only_its_frames():
    network = SlowFast(5, width=8).eval()
    video = clip((1, 3, 16, 32, 32))
    seen = []
    network.s1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(video)
    [(slow, fast)] = seen
    torch.testing.assert_close(slow, video[:, :, [0, 5, 10, 15]], rtol=0, atol=0)
    assert fast is video


@pytest.mark.parametrize("network", NETWORKS)
@torch.no_grad()
def test_without_stride_res5_has_twice_the_resolution_and_the_same_weights(network):
    """Every block dilates by 2, so cells of one parity see only each other.

    Hence res5 without stride is an ordinary res5 on each of the four parities of res4.
    """
    torch.manual_seed(0)
    coarse = network(5, width=8).eval()
    fine = network(5, width=8, res5_stride=1).eval()
    fine.load_state_dict(coarse.state_dict())
    before = []
    fine.s5.register_forward_pre_hook(lambda _, inputs: before.append(inputs[0]))
    video = clip((1, 3, 8, 128, 96))
    found, shapes = fine(video).pathways, [x.shape for x in coarse(video).pathways]
    for x, shape in zip(found, shapes, strict=True):
        assert x.shape == (*shape[:3], 2 * shape[3], 2 * shape[4])
    for module in coarse.s5.modules():
        if isinstance(module, torch.nn.Conv3d):
            module.stride = (1, 1, 1)
    for top in range(2):
        for left in range(2):
            parity = (..., slice(top, None, 2), slice(left, None, 2))
            expected = coarse.s5([x[parity] for x in before[0]])
            for x, y in zip(found, expected, strict=True):
                # The random network's numbers grow to hundreds, and cancel.
                torch.testing.assert_close(x[parity], y, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_frozen_normalisation_does_not_move_in_train_mode(network):
    torch.manual_seed(0)
    model = network(5, width=8, dropout=0.0).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.logits(model(clip((2, 3, 8, 32, 32)))).square().sum().backward()
    optimiser.step()
    moved = {key for key, value in model.state_dict().items() if not value.equal(before[key])}
    norms = {key for key in before if "bn." in key}
    assert not moved & norms
    assert moved == before.keys() - norms  # everything else learns


def test_unfrozen_normalisation_moves():
    model = I3D(5, width=8, frozen_norm=False).train()
    model(clip((2, 3, 8, 32, 32)))
    assert model.s5.get_submodule("pathway0_res2.branch2.c_bn").running_mean.abs().sum() > 0
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(("network", "act"), [(I3D, "softmax"), (SlowFast, "sigmoid")])
def test_a_larger_frame_has_several_places_whose_probabilities_are_averaged(network, act):
    """8 x 9 cells are 2 x 3 windows of 7 x 7; a plain loop over them."""
    torch.manual_seed(0)
    model = network(5, width=8).eval()
    wide = model.head.projection.in_features
    fast = wide // 9 if network is SlowFast else 0
    maps = Maps(
        torch.randn(2, wide - fast, 3, 8, 9) * 30,
        torch.randn(2, fast, 12, 8, 9) * 30 if fast else None,
    )
    places = [
        torch.cat(
            [x[..., top : top + 7, left : left + 7].mean((2, 3, 4)) for x in maps.pathways], 1
        )
        for top in range(2)
        for left in range(3)
    ]
    logits = torch.stack([model.head.projection(place) for place in places])
    each = logits.softmax(-1) if act == "softmax" else logits.sigmoid()
    torch.testing.assert_close(model.logits(maps), logits.mean(0))
    torch.testing.assert_close(model.probabilities(maps), each.mean(0))


def test_impossible_settings_are_named():
    with pytest.raises(SettingError, match="stride of res5 is 3; expected 1 or 2"):
        I3D(5, width=8, res5_stride=3)
    with pytest.raises(SettingError, match="multiples of 4; these are 30"):
        SlowFast(5, width=8)(torch.zeros(1, 3, 30, 32, 32))
    with pytest.raises(SettingError, match="without classes"):
        I3D(None, width=8).logits(Maps(torch.zeros(1, 256, 2, 1, 1)))
