"""How a network that looks at pixels is computed where nothing is trained.

An engine computes the same function of the same weights by other means. What it says is compared
with float32 on the first input of a network, and each time it had to be built anew; too far off, it
is refused.
"""

import copy
import dataclasses
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from glidn.checks import check_engine_name
from glidn.config import Engine
from glidn.errors import GlidnError, SettingError

# Of the norm of an output, how far an engine may be from float32.
BOUNDS: dict[Engine, float] = {
    "plain": 0.0,
    "channels-last": 1e-3,
    "bf16": 3e-2,
    "compile": 1e-3,
    "onnx": 1e-3,
}
KEPT = 4  # graphs of onnxruntime, one for each size of input, each with its own weights

# A tensor of any number of rows -> a tensor, or a dataclass or mapping of tensors.
Forward = Callable[[Tensor], Any]


def check_engine(engine: str) -> None:
    """Refuse an engine that is unknown, or that lacks something on this machine.

    Raises:
        SettingError: it is.
    """
    check_engine_name(engine)
    if engine == "onnx":
        for package in ("onnx", "onnxscript", "onnxruntime"):
            if find_spec(package) is None:
                raise SettingError(
                    f"engine onnx needs {package}; install it with: pip install glidn[onnx]."
                )
    if engine == "compile":
        if torch.cuda.is_available():
            if find_spec("triton") is None:
                raise SettingError("engine compile needs triton here; pip install triton.")
        elif not any(map(shutil.which, (os.environ.get("CXX") or "g++", "clang++"))):
            raise SettingError(
                "engine compile needs a C++ compiler, and neither g++ nor clang++ is here; install "
                "one, or name one in the variable CXX."
            )


def engage(module: nn.Module, engine: Engine, compared: bool = True) -> Forward:
    """What `module` computes, by an engine; the module itself stays as it is.

    Args:
        module: in evaluation mode, of one tensor whose first axis may have any length.
        compared: whether answers that are too far off are refused.

    Returns:
        For `module(x)`, without gradients; what it returns is float32, as the module's.

    Raises:
        SettingError: the engine is unknown, or lacks something on this machine.
        GlidnError: when called: it fails, or says something else than float32.
    """
    check_engine(engine)
    if module.training or "forward" in module.__dict__:
        raise ValueError("an engine is for a network in evaluation mode that has none yet")
    # The class's, so that a module may be given what is made here in place of its own.
    plain: Forward = torch.no_grad()(MethodType(type(module).forward, module))
    if engine == "plain":
        return plain
    made: dict[str, Callable[[nn.Module], Forward]] = {
        "channels-last": _channels_last,
        "bf16": _bf16,
        "compile": _compiled,
        "onnx": _Onnx,
    }
    fast = made[engine](module)
    return _Compared(plain, fast, engine) if compared else torch.no_grad()(fast)


def install(module: nn.Module, forward: Forward) -> None:
    """Let a network compute a part of it by what `engage` made of that part."""
    module.__dict__["forward"] = forward


@contextmanager
def installed(module: nn.Module, forward: Forward) -> Iterator[None]:
    """`install`, for a while."""
    install(module, forward)
    try:
        yield
    finally:
        del module.__dict__["forward"]


@torch.no_grad()
def difference(found: object, expected: object) -> float:
    """The norm of what two outputs differ by, relative to the expected one's; the largest of all.

    Infinite where either holds what is no number.
    """
    largest = 0.0
    for one, other in zip(_tensors(found), _tensors(expected), strict=True):
        apart = (one.double() - other.double()).norm()
        relative = float(apart / other.double().norm().clamp(min=1e-30))
        largest = max(largest, relative if relative == relative else float("inf"))
    return largest


class _Compared:
    """An engine whose first answer on each shape of input is compared with float32.

    The number of rows is no part of a shape.
    """

    def __init__(self, plain: Forward, fast: Forward, engine: Engine) -> None:
        self.plain = plain
        self.fast = fast
        self.engine = engine
        self.seen: set[torch.Size] = set()

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Any:
        if not len(x):
            return self.plain(x)
        said = self.fast(x)
        if x.shape[1:] not in self.seen:
            apart = difference(said, self.plain(x))
            if not apart <= BOUNDS[self.engine]:
                raise GlidnError(
                    f"engine {self.engine} says something else than float32 does of an input of "
                    f"{tuple(x.shape)}, by {apart:.1e} where {BOUNDS[self.engine]:g} is allowed; "
                    "use the engine plain."
                )
            self.seen.add(x.shape[1:])
        return said


_FORMATS = {4: torch.channels_last, 5: torch.channels_last_3d}


def _channels_last(module: nn.Module) -> Forward:
    own = copy.deepcopy(module)
    for weight in own.parameters():
        if weight.dim() in _FORMATS:
            weight.data = weight.data.contiguous(memory_format=_FORMATS[weight.dim()])
    return lambda x: own(x.contiguous(memory_format=_FORMATS[x.dim()]))


def _bf16(module: nn.Module) -> Forward:
    # In channels-last: in either layout alone it is slower on a CPU.
    fast = _channels_last(module)

    def forward(x: Tensor) -> Any:
        with torch.autocast(x.device.type, torch.bfloat16):
            said = fast(x)
        return _rebuilt(said, iter([tensor.float() for tensor in _tensors(said)]))

    return forward


def _compiled(module: nn.Module) -> Forward:
    fast = torch.compile(MethodType(type(module).forward, module))

    def forward(x: Tensor) -> Any:
        try:
            return fast(x)
        except torch._dynamo.exc.TorchDynamoException as error:
            reason = next((line for line in str(error).splitlines() if line.strip()), "")
            raise GlidnError(
                f"engine compile failed ({reason[:200]}); torch.compile needs a C++ compiler and "
                "Python's headers on a CPU. Use another engine."
            ) from error

    return forward


class _Onnx:
    """A graph of onnxruntime for each size of input, made when it is first met."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.graphs: dict[torch.Size, tuple[Any, Any]] = {}

    def __call__(self, x: Tensor) -> Any:
        found = self.graphs.pop(x.shape[1:], None) or self._graph(x)
        self.graphs[x.shape[1:]] = found
        for shape in list(self.graphs)[:-KEPT]:
            del self.graphs[shape]
        session, shape_of_output = found
        said = session.run(None, {"x": x.cpu().contiguous().numpy()})
        tensors = (torch.from_numpy(value).to(x.device) for value in said)
        return _rebuilt(shape_of_output, tensors)

    def _graph(self, x: Tensor) -> tuple[Any, Any]:
        import onnxruntime

        # Two rows, because an exporter takes one for granted; tensors of an inference mode cannot
        # be traced.
        with torch.inference_mode(False), torch.no_grad():
            rows = x[:1].clone().expand(2, *x.shape[1:]).clone()
            said = type(self.module).forward(self.module, rows)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = torch.get_num_threads()
            options.log_severity_level = 4
            available = onnxruntime.get_available_providers()
            wanted = ["CUDAExecutionProvider"] if x.is_cuda else []
            providers = [name for name in (*wanted, "CPUExecutionProvider") if name in available]
            with tempfile.TemporaryDirectory(prefix="glidn-") as folder:
                path = Path(folder) / "network.onnx"
                _write(self.module, rows, path)
                session = onnxruntime.InferenceSession(path, options, providers=providers)
        return session, said


def _write(module: nn.Module, rows: Tensor, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the exporter uses itself
        try:
            made = torch.onnx.export(
                _Flat(module).eval(),
                (rows,),
                dynamo=True,
                verbose=False,
                input_names=["x"],
                dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = " ".join(str(error).split())[:200]
            raise GlidnError(
                f"engine onnx: torch {torch.__version__} cannot export {type(module).__name__} "
                f"({reason}); use another engine."
            ) from error
    assert made is not None
    made.save(path, external_data=False)


class _Flat(nn.Module):
    """A module whose output is its tensors, for an exporter knows no dataclass."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(_tensors(type(self.module).forward(self.module, x)))


def _tensors(output: Any) -> list[Tensor]:
    """Those of a tensor, a dataclass or a mapping, in order."""
    if isinstance(output, Tensor):
        return [output]
    return [value for value in _fields(output).values() if value is not None]


def _rebuilt(output: Any, tensors: Iterator[Tensor]) -> Any:
    """What is like `output`, of other tensors."""
    if isinstance(output, Tensor):
        return next(tensors)
    fields = _fields(output).items()
    return type(output)(
        **{name: None if value is None else next(tensors) for name, value in fields}
    )


def _fields(output: Any) -> dict[str, Tensor | None]:
    if dataclasses.is_dataclass(output):
        return {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    return dict(output)
