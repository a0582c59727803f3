"""A run from its config: every fold of the protocol trained, tested and written down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from glidn import checkpoint, evaluation, features, protocol, runs
from glidn.batch import Sample
from glidn.config import Context, RunConfig, ViewConfig
from glidn.errors import RunError, SettingError
from glidn.model import Network, build
from glidn.protocol import Fold
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
    teacher = _consult_teacher(run, fold, material, samples)
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


def check_teacher(config: RunConfig, classes: Sequence[str], fold: Fold) -> Run | None:
    """The run that teaches a fold; None where nobody does, or a peer.

    Raises:
        SettingError: a teacher is wanted and none is named.
        RunError: it is missing, not done, or was trained on other classes, nodes or steps.
        LeakError: it was trained on a video that the fold tests.
    """
    if config.distill is None or config.distill.mutual:
        return None
    path = config.distill.teacher
    if path is None:
        raise SettingError(
            "distill.teacher names no run; train one with the other view and give its folder."
        )
    teacher = runs.read(path)
    theirs = (teacher.classes, teacher.config.nodes, teacher.config.data.steps)
    if theirs != (tuple(classes), config.nodes, config.data.steps):
        raise RunError(
            f"the teacher {path} was trained on other classes, nodes or steps; train it with the "
            "same data and nodes settings."
        )
    _teaching_view(config, teacher)
    protocol.guard_teacher(fold, runs.read_fold(teacher, fold.name).train, str(path))
    if not teacher.is_done(fold.name):
        raise RunError(
            f"the teacher {path} has not finished fold {fold.name}; give the command that trained "
            "it again, and it goes on where it stopped."
        )
    return teacher


def _consult_teacher(
    run: Run, fold: Fold, material: Material, samples: Sequence[Sample]
) -> Teacher | None:
    teacher = check_teacher(run.config, run.classes, fold)
    if teacher is None:
        return None
    view = _teaching_view(run.config, teacher)
    return consult(trained(teacher, fold.name, view, material), samples)


def _teaching_view(config: RunConfig, teacher: Run) -> Context:
    """The view of the teacher's run that is not the student's own."""
    others = [view for view in teacher.views if view != config.view.context]
    if not others:
        raise SettingError(
            f"distill.teacher: {teacher.path} holds the {config.view.context} view, which is the "
            "student's own; name a run of the other view, or set view.context."
        )
    return others[0]
