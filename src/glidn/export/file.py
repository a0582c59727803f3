"""A network -> a file of ONNX, or of torch.export, which is run and compared before it counts."""

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, fx
from torch.export import Dim, ExportedProgram

import glidn
from glidn.errors import GlidnError, RunError, SettingError, few, nearest
from glidn.export.ports import LEAST_SIDE, OPEN, draw
from glidn.export.whole import Whole, load
from glidn.files import replacing
from glidn.runs import Run

Format = Literal["onnx", "torch"]
MOST = 1e-4  # more than rounding
ABOUT = "glidn.json"  # the part of a torch file that an ONNX file has as its metadata
# The settings of clips that whoever cuts them must know.
CLIPS = ("frames", "rate", "fps", "boxes", "box_frames", "gap", "test_size", "fuse")
# No 1, which an exporter takes for granted, and no two alike, which it takes for one.
TRACED = {"B": 2, "T": 5, "N": 3, "H": 64, "W": 96}


@dataclass(frozen=True)
class Written:
    """An exported file.

    Attributes:
        difference: the largest between what the file and the network said of random inputs.
    """

    path: Path
    whole: Whole
    difference: float


def export(run: Run, fold: str, to: Format, path: Path) -> Written:
    """Write the network of a fold, whole and checked or not at all.

    Raises:
        RunError: the fold is not trained, or does not fit this glidn.
        GlidnError: the file says something else than the network, or cannot be written.
    """
    whole = load(run, fold)
    program = trace(whole)
    with replacing(path) as temporary:
        if to == "onnx":
            write_onnx(program, whole, about(run, fold, whole), temporary)
            said = run_onnx(temporary)
        else:
            write_torch(program, about(run, fold, whole), temporary)
            said = run_torch(temporary)
        difference = compare(said, whole, run.config.clips.test_size if run.config.clips else 0)
        if not difference <= MOST:  # so that NaN is told, too
            raise GlidnError(
                f"{path} was not kept: it says something else than the network, by "
                f"{difference:.1e} where {MOST:g} is allowed; this may be torch "
                f"{torch.__version__}'s exporter, so try another version, or another --to."
            )
    return Written(path, whole, difference)


def choose_fold(run: Run, name: str | None) -> str:
    """The fold to export: the one that is named, or the only one that is trained.

    Raises:
        RunError: there is no such fold, or none is trained.
        SettingError: several are, and none is named.
    """
    if name is not None and name not in run.folds:
        raise RunError(f"{run.path} has no fold {name}{nearest(name, run.folds)}.")
    done = [fold for fold in run.folds if run.is_done(fold)]
    if not done or (name is not None and name not in done):
        raise RunError(
            f"{run.path} has not finished {f'fold {name}' if name else 'any fold'}; give the "
            "command that trained it again, and it goes on where it stopped."
        )
    if name is None and len(done) > 1:
        raise SettingError(
            f"{run.path} has {len(done)} trained folds, each with a network of its own "
            f"({few(done, 12)}); name one, as in: --fold {done[0]}."
        )
    return name or done[0]


def about(run: Run, fold: str, whole: Whole) -> dict[str, str]:
    """What the file says of itself; lists and mappings are JSON."""
    config = run.config
    letters = {size for port in whole.inputs for size in port.open.values()}
    warning = "Trained on generated videos: a real one is out of its training data. Do not trust it"
    known: dict[str, Any] = {
        "glidn": glidn.__version__,
        "run": run.path.resolve().name,
        "fold": fold,
        "trained_on": str(run.about["dataset"]["name"]),
        "warning": f"{warning}." if run.generated else "",
        "view": "backbone alone" if config.view.scene == "only" else run.views[0],
        "task": run.task,
        "classes": run.classes,
        "categories": run.about["dataset"]["categories"],
        "person": str(run.about["dataset"]["person"]),
        "nodes": config.nodes.kinds,
        "inputs": [asdict(port) for port in whole.inputs],
        "outputs": [asdict(port) for port in whole.outputs],
        "dynamic": {letter: what for letter, what in OPEN.items() if letter in letters},
    }
    if config.clips is not None:
        known["clips"] = {name: getattr(config.clips, name) for name in CLIPS}
    else:
        known["steps"] = config.data.steps
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in known.items()
    }


def trace(whole: Whole) -> ExportedProgram:
    """The network as a graph of torch's operators; what is a letter in its inputs stays open."""
    sizes = dict.fromkeys(OPEN, Dim.DYNAMIC)
    sizes["H"] = sizes["W"] = Dim.DYNAMIC(min=LEAST_SIDE)
    shapes = {
        port.name: {axis: sizes[letter] for axis, letter in port.open.items()}
        for port in whole.inputs
    }
    example = draw(whole.inputs, TRACED)
    with torch.no_grad():
        program = torch.export.export(whole, (), example, dynamic_shapes=shapes)
    for module in program.graph_module.modules():
        if isinstance(module, fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)  # where glidn lies on this machine
    return program


def write_onnx(program: ExportedProgram, whole: Whole, about: dict[str, str], path: Path) -> None:
    """One file, with its weights inside; the sizes that are open have their letters as names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the exporter uses itself
        found = torch.onnx.export(
            program,
            (),
            dynamo=True,
            verbose=False,
            input_names=[port.name for port in whole.inputs],
            output_names=[port.name for port in whole.outputs],
            dynamic_shapes={port.name: port.open for port in whole.inputs},
        )
    assert found is not None
    for node in found.model.graph:
        node.metadata_props.clear()
    for value, port in zip(found.model.graph.outputs, whole.outputs, strict=True):
        assert value.shape is not None
        value.shape = type(value.shape)(port.shape)  # T*N, which may be called N*T till here
    found.model.metadata_props.update(about)
    found.save(path, external_data=False)


def write_torch(program: ExportedProgram, about: dict[str, str], path: Path) -> None:
    """One file that needs nothing but torch; what it says of itself is its part ABOUT."""
    torch.export.save(program, path, extra_files={ABOUT: json.dumps(about)})


Said = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def run_onnx(path: Path) -> Said:
    """What an ONNX file says, by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def said(inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        found = session.run(names, {name: value.numpy() for name, value in inputs.items()})
        return dict(zip(names, map(torch.from_numpy, found), strict=True))

    return said


def run_torch(path: Path) -> Said:
    """What a torch file says."""
    module = torch.export.load(path).module()
    return lambda inputs: module(**inputs)


@torch.no_grad()
def compare(said: Said, whole: Whole, side: int) -> float:
    """The largest difference between two batches' outputs in a file and in the network.

    Args:
        side: of the clips, pixels.
    """
    found = []
    for sizes in (
        {"B": 1, "T": 7, "N": 4, "H": side, "W": side},
        {"B": 3, "T": 1, "N": 1, "H": side + 32, "W": side},
    ):
        inputs = draw(whole.inputs, sizes, seed=1)
        theirs, ours = said(inputs), whole(**inputs)
        found += [(theirs[name] - ours[name]).abs().max() for name in ours]
    return float(torch.stack(found).max())
