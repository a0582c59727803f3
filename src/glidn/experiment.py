"""A run from its config: every fold of the protocol trained, tested and written down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from glidn import checkpoint, evaluation, features, protocol, runs
from glidn.batch import Sample
from glidn.config import Context, RunConfig, ViewConfig
from glidn.errors import RunError, SettingError
from glidn.model import Network, build
from glidn.runs import Run
from glidn.training import Teacher, consult, fit, seeded
from glidn.types import Dataset

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Material:
    """A dataset's samples by video name; shared by all runs over the same data and nodes."""

    samples: Mapping[str, Sample]

    def of(self, videos: Sequence[str]) -> list[Sample]:
        return [self.samples[video] for video in videos]

    @property
    def widths(self) -> dict[str, int]:
        """Features per node of the kinds that arrive as features."""
        first = next(iter(self.samples.values())).variants[0]
        return {kind: value.shape[-1] for kind, value in first.items() if kind != "small"}


def load(dataset: Dataset, config: RunConfig, progress: features.Progress | None) -> Material:
    """Every video of the dataset as a sample for networks of these settings."""
    samples = features.prepare(dataset, config.data, config.nodes, dataset.categories, progress)
    return Material({sample.video: sample for sample in samples})


def train_fold(run: Run, name: str, material: Material, progress: Progress | None = None) -> None:
    """Train and test one fold of a run, going on where an earlier call stopped.

    Raises:
        LeakError: the teacher was trained on a video that this fold tests.
        RunError: the teacher is missing, not done, or does not fit.
    """
    if run.is_done(name):
        return
    fold = runs.read_fold(run, name)
    folder = run.fold(name)
    samples = material.of(fold.train)
    networks: dict[str, Network] = {view: fresh(run, view, material) for view in run.views}
    for network in networks.values():
        network.measure(samples)
    teacher = _teacher(run, fold, material, samples)
    fit(networks, samples, run.config.train, run.config.distill, teacher, folder, progress)
    for view, network in networks.items():
        checkpoint.save(network, folder / f"{view}.safetensors")
        said = evaluation.predict(network, material.of(fold.test))
        evaluation.write(folder / f"{view}.csv", said, run.classes)
    (folder / "checkpoint.pt").unlink(missing_ok=True)


def fresh(run: Run, view: Context, material: Material) -> Network:
    """The untrained network of a view, from the run's seed."""
    seeded(run.config.train.seed, view)
    return build(
        run.config.nodes, _view_config(run.config, view), material.widths, len(run.classes)
    )


def trained(run: Run, fold: str, view: Context, material: Material) -> Network:
    """The network that a fold ended with, in eval mode.

    Raises:
        RunError: there is none, or it does not fit.
    """
    path = run.fold(fold) / f"{view}.safetensors"
    return checkpoint.load(fresh(run, view, material), path)


def _view_config(config: RunConfig, view: Context) -> ViewConfig:
    return config.view if view == config.view.context else replace(config.view, context=view)


def _teacher(
    run: Run, fold: protocol.Fold, material: Material, samples: Sequence[Sample]
) -> Teacher | None:
    distill = run.config.distill
    if distill is None or distill.mutual:
        return None
    if distill.teacher is None:
        raise SettingError(
            "distill.teacher names no run; train one with the other view and give its folder."
        )
    taught_by = runs.read(distill.teacher)
    protocol.guard_teacher(fold, runs.read_fold(taught_by, fold.name).train, str(distill.teacher))
    theirs, ours = taught_by.config, run.config
    if (taught_by.classes, theirs.nodes, theirs.data.steps) != (
        run.classes,
        ours.nodes,
        ours.data.steps,
    ):
        raise RunError(
            f"the teacher {distill.teacher} was trained on other classes, nodes or steps than "
            f"{run.path}; train it with the same data and nodes settings."
        )
    view = taught_by.views[0]
    return consult(trained(taught_by, fold.name, view, material), samples)
