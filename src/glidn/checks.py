"""Which settings cannot be, alone or together; asked before anything is read or written."""

from collections.abc import Mapping
from typing import get_args

from glidn.config import Engine, RunConfig
from glidn.errors import SettingError, nearest

STRIDE = 32  # pixels from one cell of res5 to the next, or twice that of a finer map


def check_engine_name(name: str) -> None:
    """Refuse an engine that does not exist; `engines.check_engine` asks more.

    Raises:
        SettingError: it is unknown.
    """
    if name not in get_args(Engine):
        raise SettingError(f"no engine '{name}'{nearest(name, get_args(Engine))}.")


def check(config: RunConfig) -> None:
    """Refuse settings that cannot be.

    Raises:
        SettingError: which setting, and what it may be.
    """
    data, nodes, view, train = config.data, config.nodes, config.view, config.train
    counts = {
        "data.steps": data.steps,
        "data.variants": data.variants,
        "nodes.crop_size": nodes.crop_size,
        "nodes.small_size": nodes.small_size,
        "nodes.small_width": nodes.small_width,
        "nodes.region_width": nodes.region_width,
        "view.width": view.width,
        "view.layers": view.layers,
        "view.heads": view.heads,
        "train.batch": train.batch,
        "train.accumulate": train.accumulate,
        "train.decay_every": train.decay_every,
        "train.checkpoint_every": train.checkpoint_every,
    }
    _at_least(1, counts)
    for name, value in (("data.window", data.window), ("data.stride", data.stride)):
        if not value > 0:
            raise SettingError(f"{name} is {value:g}; it must be above 0 seconds.")
    if data.samples == "windows" and data.stride > data.window:
        raise SettingError(
            f"data.stride is {data.stride:g} and data.window {data.window:g} seconds; the stride "
            "may be as long as the window at most, or no window would see what lies between."
        )
    _at_least(2, {"data.parts": data.parts})
    least = {
        "data.smooth": data.smooth,
        "train.epochs": train.epochs,
        "train.weight_decay": train.weight_decay,
        "train.class_weights": train.class_weights,
        "train.patience": train.patience,
    }
    _at_least(0, least)
    _share("train.validation", train.validation)
    if train.patience and not train.validation:
        raise SettingError(
            f"train.patience is {train.patience}, and no videos are held back to be patient with; "
            "set train.validation, such as 0.15."
        )
    if not nodes.kinds:
        raise SettingError(
            "nodes.kinds is empty; name at least one of crop, small, geometry, region."
        )
    if view.width % view.heads:
        raise SettingError(
            f"view.width is {view.width}, which {view.heads} heads (view.heads) cannot share "
            "evenly."
        )
    _share("view.dropout", view.dropout)
    if train.lr <= 0:
        raise SettingError(f"train.lr is {train.lr}; it must be above 0.")
    if config.distill is not None and config.distill.temperature <= 0:
        raise SettingError(
            f"distill.temperature is {config.distill.temperature}; it must be above 0."
        )
    _check_regions(config)


def _check_regions(config: RunConfig) -> None:
    """Region nodes need a backbone and clips; no other nodes know what to do with them."""
    nodes, view, backbone, clips = config.nodes, config.view, config.backbone, config.clips
    if "region" not in nodes.kinds:
        if backbone is not None or clips is not None:
            raise SettingError(
                f"the settings backbone and clips are for region nodes, and nodes.kinds is "
                f"{', '.join(nodes.kinds)}; choose a recipe with region nodes (charades.i3d), or "
                "leave them out."
            )
        if view.scene != "none":
            raise SettingError(f"view.scene is {view.scene}, which needs nodes.kinds=[region].")
        return
    if config.data.samples != "video":
        raise SettingError(
            f"data.samples is {config.data.samples}; region nodes cut clips from whole videos, set "
            "data.samples=video."
        )
    if nodes.kinds != ("region",):
        raise SettingError(
            f"nodes.kinds is {', '.join(nodes.kinds)}; region nodes cannot be joined with others."
        )
    if backbone is None or clips is None:
        raise SettingError(
            "region nodes need the settings backbone and clips; begin with the recipe charades.i3d."
        )
    counts = {
        "clips.frames": clips.frames,
        "clips.size": clips.size,
        "clips.test_size": clips.test_size,
        "clips.rate": clips.rate,
        "clips.boxes": clips.boxes,
        "clips.test_clips": clips.test_clips,
        "clips.views_per_batch": clips.views_per_batch,
        "backbone.width": backbone.width,
    }
    _at_least(1, counts)
    least = {
        "clips.variants": clips.variants,
        "clips.workers": clips.workers,
        "clips.memory": clips.memory,
        "clips.gap": clips.gap,
    }
    _at_least(0, least)
    if clips.fps <= 0:
        raise SettingError(f"clips.fps is {clips.fps:g}; it must be above 0.")
    _share("backbone.dropout", backbone.dropout)
    _share("view.scene_dropout", view.scene_dropout)
    for name, side in (("clips.size", clips.size), ("clips.test_size", clips.test_size)):
        if side % STRIDE:
            raise SettingError(
                f"{name} is {side}; it must be a multiple of {STRIDE}, or the network's cells "
                "would not lie evenly on the frame."
            )
    if backbone.res5_stride not in (1, 2):
        raise SettingError(f"backbone.res5_stride is {backbone.res5_stride}; it must be 1 or 2.")
    if backbone.frozen and view.scene == "only":
        raise SettingError(
            "backbone.frozen=true with view.scene=only leaves nothing to train; set one of them "
            "otherwise. To test weights as they are: train.epochs=0."
        )
    if view.readout == "persons":
        raise SettingError(
            "view.readout=persons takes a video's first box for its person, and region nodes are "
            "ordered by score; choose mean, max or attention."
        )
    if not clips.size <= clips.short[0] <= clips.short[1]:
        low, high = clips.short
        raise SettingError(
            f"clips.short is {low} to {high} and clips.size {clips.size}; the short side must rise "
            "and hold the crop."
        )
    if clips.test_crops not in (1, 3):
        raise SettingError(f"clips.test_crops is {clips.test_crops}; it must be 1 or 3.")
    multiple = 4 if backbone.name == "slowfast" else 2
    if clips.frames % multiple:
        raise SettingError(
            f"clips.frames is {clips.frames}; {backbone.name} takes multiples of {multiple}."
        )
    if view.scene == "only" and view.context != "none":
        raise SettingError(
            f"view.scene=only is the backbone alone, and view.context is {view.context}; "
            "set view.context=none."
        )
    graph = view.width if view.context != "none" else view.embed or nodes.region_width
    if view.scene == "sum" and graph != nodes.region_width:
        raise SettingError(
            f"view.scene=sum adds the scene's {nodes.region_width} features (nodes.region_width) "
            f"to the graph's {graph} (view.width or view.embed); make them equal."
        )


def check_weights(config: RunConfig) -> None:
    """Refuse to train a video network that has nothing to begin from.

    Raises:
        SettingError: its batch normalisation is frozen and no weights are named.
    """
    backbone = config.backbone
    if backbone is not None and backbone.weights is None and backbone.frozen_norm:
        raise SettingError(
            "backbone.weights names no weights, and frozen batch normalisation needs trained ones: "
            "give a published checkpoint (see: glidn weights FILE) or the run folder of a first "
            "stage, or set backbone.frozen_norm=false to train from random weights."
        )


def _at_least(least: int, settings: Mapping[str, float]) -> None:
    for name, value in settings.items():
        if not value >= least:  # not a number is none either
            raise SettingError(f"{name} is {value:g}; it must be at least {least}.")


def _share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise SettingError(f"{name} is {value:g}; it must be at least 0 and below 1.")
