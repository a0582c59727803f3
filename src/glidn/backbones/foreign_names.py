"""Other projects' names of tensors, as ours. Ours are PySlowFast's and torchvision's.

Each function takes one foreign key and returns our key: None for what is no weight, and the same
key where no rule knows it, because a weight without a place means another network.
"""

import re

# Caffe2's suffixes of a batch normalisation, and of a convolution.
_CAFFE2_NORM = {"s": "weight", "b": "bias", "rm": "running_mean", "riv": "running_var"}
_CAFFE2_CONV = {"w": "weight", "b": "bias"}
# Training state, not weights.
_CAFFE2_STATE = re.compile(r"_momentum$|^lr$|^model_iter$")
_CAFFE2_RULES = [
    (r"conv1", "s1.pathway{p}_stem.conv"),
    (r"res_conv1_bn", "s1.pathway{p}_stem.bn"),
    (r"pool1_subsample", "s1_fuse.conv_f2s"),
    (r"pool1_subsample_bn", "s1_fuse.bn"),
    (r"res(\d)_\d+_branch2c_bn_subsample", "s{0}_fuse.conv_f2s"),
    (r"res(\d)_\d+_branch2c_bn_subsample_bn", "s{0}_fuse.bn"),
    (r"res(\d)_(\d+)_branch1", "s{0}.pathway{p}_res{1}.branch1"),
    (r"res(\d)_(\d+)_branch1_bn", "s{0}.pathway{p}_res{1}.branch1_bn"),
    (r"res(\d)_(\d+)_branch2([abc])", "s{0}.pathway{p}_res{1}.branch2.{2}"),
    (r"res(\d)_(\d+)_branch2([abc])_bn", "s{0}.pathway{p}_res{1}.branch2.{2}_bn"),
    (r"pred", "head.projection"),
]


def from_caffe2(key: str) -> str | None:
    """t_res2_0_branch2a_bn_rm -> s2.pathway1_res0.branch2.a_bn.running_mean."""
    if _CAFFE2_STATE.search(key):
        return None
    name, _, suffix = key.rpartition("_")
    pathway = int(name.startswith("t_"))
    name = name.removeprefix("t_")
    endings = _CAFFE2_NORM if name.endswith("_bn") else _CAFFE2_CONV
    if suffix not in endings:
        return key
    for pattern, ours in _CAFFE2_RULES:
        if found := re.fullmatch(pattern, name):
            return f"{ours.format(*found.groups(), p=pathway)}.{endings[suffix]}"
    return key


_VIDEO_PARTS = {
    "conv": "conv",
    "norm": "bn",
    "branch1_conv": "branch1",
    "branch1_norm": "branch1_bn",
    **{f"branch2.conv_{part}": f"branch2.{part}" for part in "abc"},
    **{f"branch2.norm_{part}": f"branch2.{part}_bn" for part in "abc"},
    "conv_fast_to_slow": "conv_f2s",
}
_VIDEO_KEY = re.compile(
    r"blocks\.(?P<block>\d+)\."
    r"(?:multipathway_blocks\.(?P<pathway>\d)\.|(?P<fuse>multipathway_fusion)\.)?"
    r"(?:res_blocks\.(?P<res>\d+)\.)?"
    r"(?P<part>[a-z0-9_.]+?)\.(?P<leaf>weight|bias|running_mean|running_var|num_batches_tracked)"
)


def from_pytorchvideo(key: str, *, pooled: bool) -> str:
    """blocks.1.res_blocks.0.branch2.norm_a.bias -> s2.pathway0_res0.branch2.a_bn.bias.

    Args:
        pooled: blocks.2 is the max-pool over time, as in I3D, so later stages are one further.
    """
    found = _VIDEO_KEY.fullmatch(key)
    if found is None:
        return key
    block, part, leaf = int(found["block"]), found["part"], found["leaf"]
    if part == "proj":
        return f"head.projection.{leaf}"
    if part not in _VIDEO_PARTS:
        return key
    stage = block if pooled and block > 2 else block + 1
    part = _VIDEO_PARTS[part]
    if found["fuse"]:
        return f"s{stage}_fuse.{part}.{leaf}"
    pathway = found["pathway"] or "0"
    place = "stem" if found["res"] is None else f"res{found['res']}"
    return f"s{stage}.pathway{pathway}_{place}.{part}.{leaf}"


def from_faster_rcnn(key: str) -> str:
    """torchvision's published files spell two convolutions as they were before version 0.13."""
    key = re.sub(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d)\.(weight|bias)$", r"\1.0.\2", key)
    return re.sub(r"^rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1", key)
