"""Unpickling arrays out of files that nobody vouches for.

A pickle is a program: it may name any function of any module and call it. This unpickler
resolves a dozen names to functions of our own and refuses every other, so the worst that a
file can do is to be refused. Not even NumPy's own array type takes part, whose `__setstate__`
was written for friends: arrays are put together from their bytes here.
"""

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any

import numpy as np


class RefusedError(Exception):
    """The pickle names something that is no array, number, text or container of these."""


class ArrayState:
    """An array while it is unpickled: made empty, then told its shape, type and bytes."""

    def __init__(self) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        # Python 2 wrote bytes as text; latin1 gives back byte for byte.
        raw = data.encode("latin1") if isinstance(data, str) else data
        self.array = _array(raw, dtype, shape, "F" if fortran else "C")


def load(file: IO[bytes]) -> Any:
    """The content of a pickle: dicts of tensors, and what numbers and texts lie beside them.

    Raises:
        RefusedError: it names something else.
        Exception: whatever a damaged pickle raises (a dozen types, among them EOFError,
            UnpicklingError, KeyError and MemoryError).
    """
    return _finished(_Unpickler(file, encoding="latin1").load())


def load_plain(file: IO[bytes]) -> Any:
    """The content of a pickle of dicts, lists, texts, numbers and arrays, as it stands.

    Its arrays are found with `as_array`, where the caller expects one.

    Raises:
        RefusedError, Exception: as for `load`.
    """
    return _Unpickler(file, encoding="latin1").load()


def as_array(value: Any) -> np.ndarray:
    """An array that `load_plain` read.

    Raises:
        ValueError: it is none.
    """
    array = value.array if isinstance(value, ArrayState) else value
    if not isinstance(array, np.ndarray):
        raise ValueError(f"a {type(value).__name__} where an array belongs")
    return array


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise RefusedError(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise RefusedError("a persistent id")


def _array(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf":
        raise RefusedError(f"an array of {dtype}")
    if not isinstance(shape, tuple):
        shape = (shape,)
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ValueError(f"{len(raw)} bytes for an array of shape {shape}, {dtype}")
    flat = np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
    return flat.reshape(shape, order=order)


def _reconstruct(*_: Any) -> ArrayState:
    return ArrayState()


def _frombuffer(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    return _array(bytes(raw), dtype, shape, order)


def _scalar(dtype: Any, raw: Any) -> float:
    return _array(raw.encode("latin1") if isinstance(raw, str) else raw, dtype, (), "C").item()


def _encode(text: str, _: str = "latin1") -> bytes:
    return text.encode("latin1")


def _empty() -> bytes:
    """Protocol 2 has no other way to write b"", the content of an array without rows."""
    return b""


def _nothing(*_: Any) -> None:
    """Stands where a pickle names the array type only to hand it on."""


# (module, name) as a pickle spells them: what is called in its place.
_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy", "ndarray"): _nothing,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty,
    ("collections", "OrderedDict"): OrderedDict,
}


def _finished(value: Any, depth: int = 2) -> Any:
    """The same, with a tensor for every array in a dict, or in a dict of dicts.

    No deeper, and into no list: weights lie no deeper, and a small file can nest one list in
    itself so often that walking it would take for ever.
    """
    if isinstance(value, (ArrayState, np.ndarray)):
        import torch  # here, because boxes are read without it

        return torch.from_numpy(as_array(value))
    if isinstance(value, dict) and depth > 0:
        return {key: _finished(item, depth - 1) for key, item in value.items()}
    return value
