"""A trained run that is asked about a window of any video: what is done, and because of what.

A run with several folds speaks with the mean of all their networks; for a video of its own
dataset, with the one network that was not trained on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glidn import experiment, features, graph, processes, runs
from glidn.batch import Batch, Sample, collate
from glidn.clips import frames_of, tracks_of
from glidn.config import Context, Engine
from glidn.engines import check_engine, engage, install
from glidn.errors import RunError
from glidn.material import cutter_of
from glidn.model import AnyNetwork, Network, pixel_networks
from glidn.multiview import fuse
from glidn.runs import Run
from glidn.transforms import Variation
from glidn.types import Video

# Copies of a window that are judged at once.
COPIES = 64


@dataclass(frozen=True)
class Said:
    """What a run says of one window of R tracks.

    Attributes:
        scores: (K,) in 0..1; they sum to 1 where a video has one label.
        effects: (R, K): the scores less those without that track; what the track contributes.
        heard: (R, R): the share that row's track takes from column's, the mean of its nodes, of
            all layers together; rows sum to 1 where the track has a node.
        strength: (R, R): how far that is above an even share, 0..1.
    """

    scores: np.ndarray
    effects: np.ndarray
    heard: np.ndarray
    strength: np.ndarray


@dataclass(frozen=True)
class _Window:
    """A window as a network takes it: V views of it, and whose boxes the nodes are.

    Attributes:
        tracks: (V, T, N) int64, the number of each node's track; -1 is padding.
    """

    batch: Batch
    tracks: Tensor


@dataclass(frozen=True)
class Speaker:
    """The networks of a run, ready.

    Attributes:
        networks: by fold.
        frozen: the ResNet behind crop nodes.
        engine: what computes the networks that look at pixels.
    """

    run: Run
    networks: Mapping[str, AnyNetwork]
    frozen: features.FrozenFeatures | None = None
    engine: Engine = "plain"

    @property
    def view(self) -> Context:
        """Which view speaks."""
        return self.run.views[0]

    @property
    def classes(self) -> tuple[str, ...]:
        return self.run.classes

    @property
    def person(self) -> str:
        """The category of the people's boxes."""
        return str(self.run.about["dataset"]["person"])

    @property
    def categories(self) -> tuple[str, ...]:
        """Those that it was trained on."""
        return tuple(self.run.about["dataset"]["categories"])

    @property
    def many(self) -> bool:
        """Whether several classes may be shown at once."""
        return self.run.task == "multi"

    @property
    def needs_pixels(self) -> bool:
        return any(kind != "geometry" for kind in self.run.config.nodes.kinds)

    @property
    def relates(self) -> bool:
        """Whether its networks relate nodes, so that there is something to explain by."""
        return self.view != "none"

    @property
    def timed(self) -> bool:
        """Whether it was trained on windows, to say what is shown at their middles."""
        return self.run.task == "timed"

    @property
    def window(self) -> float:
        """Seconds that a window has unless a setting says otherwise: what it was trained on."""
        if self.timed:
            return self.run.config.data.window
        clips = self.run.config.clips
        if clips is not None:
            return clips.frames * clips.rate / clips.fps
        return self.run.seconds or 10.0

    @property
    def stride(self) -> float:
        """Seconds from one window to the next, unless a setting says otherwise."""
        return self.run.config.data.stride if self.timed else self.window / 4

    @property
    def name(self) -> str:
        """Who speaks, in a few words."""
        about = self.run.about["dataset"]["name"]
        return f"{self.run.path.name}: {self.view} view, trained on {about}"

    def unbiased(self, video: str) -> "Speaker":
        """Of a video that the run's own dataset knows by this name: the network that tests it."""
        for name in self.networks:
            if video in runs.read_fold(self.run, name).test:
                return replace(self, networks={name: self.networks[name]})
        return self

    @torch.no_grad()
    def say(self, video: Video) -> Said:
        """What it says of a window, given as a video of its own.

        Raises:
            DataError: there is no box in it where a node needs one, or it cannot be decoded.
        """
        window = self._look(video)
        said = [self._ask(network, window, len(video.tracks)) for network in self.networks.values()]
        return Said(
            scores=np.mean([one.scores for one in said], 0),
            effects=np.mean([one.effects for one in said], 0),
            heard=np.mean([one.heard for one in said], 0),
            strength=np.mean([one.strength for one in said], 0),
        )

    def _look(self, video: Video) -> _Window:
        config = self.run.config
        label = torch.zeros(len(self.classes)) if self.many else torch.tensor(0)
        if config.backbone is None:
            inputs, real = features.look(
                video, Variation(), config.data.steps, config.nodes, self.categories, self.frozen
            )
            sample = Sample(video.name, "", label if self.many else 0, (inputs,), (real,))
            slots = torch.arange(real.shape[1]).expand(real.shape)
            return _Window(collate([sample]), torch.where(real, slots, -1)[None])
        assert config.clips is not None
        clips = replace(config.clips, test_clips=1, workers=0)
        cutter = cutter_of(config.backbone, clips, self.classes, self.many)
        prepared = cutter.test(video)
        batch = prepared.batch(range(len(prepared.looks)), label)
        tracks = [
            tracks_of(video, frames_of(video, look, clips)[cutter.steps], real.numpy(), clips)
            for look, real in zip(prepared.looks, prepared.real, strict=True)
        ]
        return _Window(batch, torch.from_numpy(np.stack(tracks)))

    def _ask(self, network: AnyNetwork, window: _Window, tracks: int) -> Said:
        batch = window.batch.to(next(network.parameters()).device)
        nothing = np.zeros((tracks, tracks))
        if not isinstance(network, Network):
            scores = self._fused(network.probabilities(batch))
            return Said(scores, np.zeros((tracks, len(scores))), nothing, nothing)
        seen = network.see(batch)
        whose = window.tracks.to(batch.real.device)
        scores = self._fused(self._probabilities(network.judge(seen, batch.real).logits))
        effects = np.zeros((tracks, len(scores)))
        views = len(batch.real)
        several = max(COPIES // views, 1)
        for start in range(0, tracks, several):
            some = torch.arange(start, min(start + several, tracks), device=whose.device)
            # (R, V, T, N): without one track in each copy
            real = batch.real & (whose != some[:, None, None, None])
            copies = replace(
                seen,
                nodes=seen.nodes.repeat(len(some), 1, 1, 1),
                scene=None if seen.scene is None else seen.scene.repeat(len(some), 1),
            )
            logits = network.judge(copies, real.flatten(0, 1)).logits.unflatten(0, (-1, views))
            for track, view_logits in zip(some.tolist(), logits, strict=True):
                effects[track] = scores - self._fused(self._probabilities(view_logits))
        if network.relate is None or not batch.real.any():
            return Said(scores, effects, nothing, nothing)
        middle = views // 2
        layers = [layer[middle].cpu().numpy() for layer in network.listen(seen, batch.real)]
        weights = graph.rollout(
            [np.moveaxis(layer, 1, 0) for layer in layers], self.run.config.view.residual
        )
        heard, even = graph.between(weights, window.tracks[middle].numpy(), tracks)
        return Said(scores, effects, heard, graph.above(heard, even))

    def _probabilities(self, logits: Tensor) -> Tensor:
        return logits.sigmoid() if self.many else logits.softmax(-1)

    def _fused(self, scores: Tensor) -> np.ndarray:
        clips = self.run.config.clips
        fused = fuse(scores.float().cpu(), clips.fuse if clips else "mean")
        return fused.numpy().astype(np.float64)


def load(path: Path, engine: Engine = "plain") -> Speaker:
    """Every trained fold of a run.

    Args:
        engine: what the networks that look at pixels are computed by.

    Raises:
        SettingError: the engine is unknown, or lacks something on this machine.
        RunError: it is no run, none of its folds is trained, or it does not fit this glidn.
    """
    check_engine(engine)
    several = sorted(path.glob("runs/seed*/*/run.json"))
    if several and not (path / "run.json").exists():
        raise RunError(
            f"{path} holds {len(several)} runs, and one is to speak; name it, for instance "
            f"{next((p for p in several if p.parent.name == 'local'), several[0]).parent}."
        )
    run = runs.read(path)
    done = [fold for fold in run.folds if run.is_done(fold)]
    if not done:
        raise RunError(
            f"{path} has no trained fold; give the command that trained it again, and it goes on "
            "where it stopped."
        )
    nodes = run.config.nodes
    widths = features.widths(nodes, tuple(run.about["dataset"]["categories"]))
    networks = {
        fold: experiment.trained(run, fold, run.views[0], widths).to(processes.device())
        for fold in done
    }
    if engine != "plain":
        for network in networks.values():
            for part in pixel_networks(network):
                install(part, engage(part, engine))
    frozen = features.FrozenFeatures(nodes, engine) if "crop" in nodes.kinds else None
    return Speaker(run, networks, frozen, engine)
