"""A run from its config: every fold of the protocol trained, tested and written down."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from glidn import checkpoint, losses, processes, protocol, runs
from glidn.backbones import foreign
from glidn.config import Context, RunConfig, TrainConfig, ViewConfig
from glidn.errors import RunError, SettingError
from glidn.learner import Lesson
from glidn.material import AnyMaterial, prior
from glidn.model import AnyNetwork, BackboneAlone, build
from glidn.protocol import Fold
from glidn.runs import Run
from glidn.sources import Source
from glidn.teachers import Present, Teacher, consult
from glidn.training import fit, seeded

Progress = Callable[[int, int], None]


def train_fold(
    run: Run,
    name: str,
    material: AnyMaterial,
    progress: Progress | None = None,
    testing: Progress | None = None,
) -> None:
    """`train_together` of one run."""
    train_together([run], name, material, progress, testing)


def train_together(
    each: Sequence[Run],
    name: str,
    material: AnyMaterial,
    progress: Progress | None = None,
    testing: Progress | None = None,
) -> None:
    """Train and test one fold of a run, or of several, going on where an earlier call stopped.

    What several have in common is done once: batches, the spread of inputs, a teacher's answers.
    Each ends with the bits that it would end with alone.

    Args:
        each: one; or, on a CPU, several with the same videos in the fold and equal `train`.
        progress: called with the training steps done and their number.
        testing: the same for test videos, where they take long.

    Raises:
        LeakError: the teacher, or the first stage, was trained on a video that this fold tests.
        RunError: one of them is missing, not done, or does not fit; or the accelerator's memory
            is too small.
        ValueError: the fold or `train` of the runs differ.
    """
    todo = [run for run in each if not run.is_done(name)]
    if not todo:
        return
    fold, train = runs.read_fold(todo[0], name), todo[0].config.train
    if any((runs.read_fold(run, name), run.config.train) != (fold, train) for run in todo[1:]):
        raise ValueError("only runs of the same fold and equal training can share their batches")
    try:
        before = {run.path: _trained_before(run, name, material) for run in todo}
        made = {path: networks for path, networks in before.items() if networks}
        untrained = [run for run in todo if run.path not in made]
        if untrained:
            made |= _train(untrained, fold, material, progress)
        for run in todo:
            for view, network in made[run.path].items():
                material.test(run, fold, view, network, testing)
            if processes.is_first():
                (run.fold(name) / "checkpoint.pt").unlink(missing_ok=True)
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"{todo[0].fold(name)}: the accelerator's memory is full; give the same command with "
            "more parts of a step (--train.accumulate 2), or in the test with "
            "--clips.views_per_batch 1."
        ) from error


def _trained_before(run: Run, fold: str, material: AnyMaterial) -> dict[str, AnyNetwork] | None:
    """The networks of a fold whose training is done, though predictions are missing."""
    folder = run.fold(fold)
    kept = [(folder / f"{view}.safetensors").exists() for view in run.views]
    if (folder / "checkpoint.pt").exists() or not all(kept):
        return None
    return {
        view: trained(run, fold, view, material.widths).to(processes.device()) for view in run.views
    }


def _train(
    each: Sequence[Run], fold: Fold, material: AnyMaterial, progress: Progress | None
) -> dict[Path, dict[str, AnyNetwork]]:
    """The trained networks of each run's folder."""
    train, classes = each[0].config.train, each[0].classes
    fold, held = _hold_back(fold, material, train)
    source = material.source(fold.train, train.seed)
    judge = material.source(held, train.seed) if held else None
    weights = None
    if train.class_weights:
        labels = material.labels(fold.train)
        weights = losses.class_weights(labels, len(classes), train.class_weights)
    made: dict[Path, dict[str, AnyNetwork]] = {
        run.path: {view: fresh(run, fold, view, material) for view in run.views} for run in each
    }
    material.measure([one for networks in made.values() for one in networks.values()], fold.train)
    teachers = _teachers(each, fold, material, source)
    lessons = [
        Lesson(made[run.path], run.fold(fold.name), run.config.distill, teachers[run.path])
        for run in each
    ]
    fit(lessons, source, train, progress, judge, weights)
    for run in each:
        for view, network in made[run.path].items():
            # Statistics of batch normalisation that is not frozen differ between processes.
            processes.share(network)
            if processes.is_first():
                checkpoint.save(network, run.fold(fold.name) / f"{view}.safetensors")
    processes.wait()
    return made


def _hold_back(
    fold: Fold, material: AnyMaterial, train: TrainConfig
) -> tuple[Fold, tuple[str, ...]]:
    """The fold without the training videos that choose its best epoch, and those."""
    if not train.validation:
        return fold, ()
    each = [material.labels([video]) for video in fold.train]
    shown = [
        one.unique().tolist() if one.dim() == 1 else one[0].nonzero()[:, 0].tolist() for one in each
    ]
    kinds = protocol.strata(shown)
    kept, held = protocol.hold_back(fold.train, kinds, train.validation, train.seed)
    return replace(fold, train=kept), held


def fresh(run: Run, fold: Fold, view: Context, material: AnyMaterial) -> AnyNetwork:
    """The untrained network of a view, from the run's seed; its backbone as it was loaded.

    Raises:
        LeakError: the first stage was trained on a video that the fold tests.
        RunError, DataError: its weights are missing or do not fit.
    """
    network = _untrained(run, view, material.widths)
    if run.config.train.prior:
        network.expect(prior(material.labels(fold.train), len(run.classes)))
    _guard_first_stage(run.config, fold)
    if run.config.backbone is not None and run.config.backbone.weights is not None:
        _load_backbone(network, run.config.backbone.weights, fold, run.config.train.epochs)
    return network


def _untrained(run: Run, view: Context, widths: Mapping[str, int]) -> AnyNetwork:
    seeded(run.config.train.seed, view)
    config = run.config
    view_config = _view_config(config, view)
    return build(config.nodes, view_config, widths, len(run.classes), config.backbone)


def trained(run: Run, fold: str, view: Context, widths: Mapping[str, int]) -> AnyNetwork:
    """The network that a fold ended with, in eval mode.

    Args:
        widths: features per node of each kind that arrives as features.

    Raises:
        RunError: there is none, or it does not fit.
    """
    path = run.fold(fold) / f"{view}.safetensors"
    return checkpoint.load(_untrained(run, view, widths), path)


def check_backbone(config: RunConfig, classes: Sequence[str], fold: Fold) -> None:
    """Refuse weights that cannot be gone on from, before a run folder is made for them.

    Raises:
        LeakError: the first stage was trained on a video that the fold tests.
        RunError: it is missing or not done, or there is nothing to train its classifier.
        DataError: the file is no checkpoint, or one of another network.
    """
    if config.backbone is None or config.backbone.weights is None:
        return
    _guard_first_stage(config, fold)
    network = build(config.nodes, config.view, {}, len(classes), config.backbone)
    _load_backbone(network, config.backbone.weights, fold, config.train.epochs)


def _guard_first_stage(config: RunConfig, fold: Fold) -> None:
    path = config.backbone.weights if config.backbone else None
    if path is None:
        return
    if not path.exists():
        raise RunError(
            f"backbone.weights: {path} does not exist; give a published checkpoint (see: glidn "
            "weights FILE), or the run folder of a first stage."
        )
    if path.is_dir():
        first = runs.read(path)
        saw = runs.read_fold(first, fold.name).train
        protocol.guard_teacher(fold, saw, f"the first stage {path}")
        if not first.is_done(fold.name):
            raise RunError(
                f"the first stage {path} has not finished fold {fold.name}; give the command that "
                "trained it again, and it goes on where it stopped."
            )


def _load_backbone(network: AnyNetwork, path: Path, fold: Fold, epochs: int) -> None:
    """A published checkpoint's weights, or those that a first stage ended with.

    The classifier is taken along where the classes are as many; else it is still to be trained.

    Raises:
        RunError: it is, and there is nothing to train it.
    """
    name = "backbone" if isinstance(network, BackboneAlone) else "encode.backbone"
    found = (
        checkpoint.read_backbone(path / "folds" / fold.name, runs.read(path).views[0])
        if path.is_dir()
        else foreign.read(path)
    )
    loaded = foreign.fit(found, network.get_submodule(name), without_head=True)
    untrained = [key for key in (*loaded.missing, *loaded.other_shape) if key.startswith("head.")]
    if untrained and not epochs:
        raise RunError(
            f"{path} has a classifier for {found.classes or 'no'} classes, which is not this "
            "dataset's number, and train.epochs=0 would test an untrained one; give weights for "
            "these classes, or train: --train.epochs 60."
        )


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
    if (teacher.classes, *_inputs(teacher.config)) != (tuple(classes), *_inputs(config)):
        raise RunError(
            f"the teacher {path} was trained on other classes, nodes, steps or clips; train it "
            "with the same data, nodes and clips settings."
        )
    _teaching_view(config, teacher)
    saw = runs.read_fold(teacher, fold.name).train
    protocol.guard_teacher(fold, saw, f"the teacher {path}")
    if not teacher.is_done(fold.name):
        raise RunError(
            f"the teacher {path} has not finished fold {fold.name}; give the command that trained "
            "it again, and it goes on where it stopped."
        )
    return teacher


def _inputs(config: RunConfig) -> tuple:
    """What a teacher and its student must share to be shown the same."""
    clips = config.clips
    return (
        config.nodes,
        (config.data.steps, config.data.samples, config.data.window, config.data.stride),
        config.backbone and config.backbone.name,
        clips and (clips.frames, clips.rate, clips.fps, clips.boxes, clips.box_frames, clips.gap),
    )


def _teachers(
    each: Sequence[Run], fold: Fold, material: AnyMaterial, source: Source
) -> dict[Path, Teacher | None]:
    """Who teaches each run, by its folder; a teacher of several is asked once."""
    found: dict[Path, Teacher | None] = {}
    asked: dict[tuple[Path, Context], Teacher] = {}
    for run in each:
        found[run.path] = None
        teacher = check_teacher(run.config, run.classes, fold)
        if teacher is None:
            continue
        view = _teaching_view(run.config, teacher)
        key = (teacher.path, view)
        if key not in asked:
            network = trained(teacher, fold.name, view, material.widths).to(processes.device())
            # Looks that come again are judged once.
            asked[key] = consult(network, source) if source.variants else Present(network)
        found[run.path] = asked[key]
    return found


def _teaching_view(config: RunConfig, teacher: Run) -> Context:
    """The view of the teacher's run that is not the student's own."""
    if "none" in teacher.views:
        raise SettingError(
            f"distill.teacher: {teacher.path} relates nothing (view.context=none), so it is no "
            "view that could teach another; name a run of the local or the global view."
        )
    others = [view for view in teacher.views if view != config.view.context]
    if not others:
        raise SettingError(
            f"distill.teacher: {teacher.path} holds the {config.view.context} view, which is the "
            "student's own; name a run of the other view, or set view.context."
        )
    return others[0]
