"""Small ONNX detectors, made with onnx: one that says what it is told, one that sees red."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


def write(path: Path, nodes: list, shape, out_shape, weights=(), kind=FLOAT, **metadata) -> Path:
    """A graph from "images" to "output"; `weights` are (name, array) each."""
    graph = onnx.helper.make_graph(
        nodes,
        "detector",
        [onnx.helper.make_tensor_value_info("images", kind, shape)],
        [onnx.helper.make_tensor_value_info("output", kind, out_shape)],
        [onnx.numpy_helper.from_array(values, name) for name, values in weights],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def constant(path: Path, cells: np.ndarray, height: int, width: int, **metadata: str) -> Path:
    """It answers (P, 5 + K) `cells`, whatever it is shown."""
    kind = HALF if cells.dtype == np.float16 else FLOAT
    nodes = [onnx.helper.make_node("Identity", ["cells"], ["output"])]
    weights = [("cells", cells[None])]
    return write(path, nodes, [1, 3, height, width], [1, *cells.shape], weights, kind, **metadata)


def red(path: Path) -> Path:
    """Every cell finds a thing of its own place and size, as surely as it is red all over.

    Any number of pictures of any size; boxes are raw, and there is one class.
    """
    node = onnx.helper.make_node
    nodes = [
        node("Mul", ["images", "part"], ["small"]),
        node("Slice", ["small", "last", "end", "axis"], ["red"]),
    ]
    for stride in (8, 16, 32):
        sides = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            node("AveragePool", ["red"], [f"mean{stride}"], **sides),
            node("Reshape", [f"mean{stride}", "line"], [f"line{stride}"]),
        ]
    nodes += [
        node("Concat", ["line8", "line16", "line32"], ["objectness"], axis=1),
        node("Mul", ["objectness", "zero"], ["nothing"]),
        node("Add", ["nothing", "half"], ["middle"]),
        node("Add", ["nothing", "one"], ["certain"]),
        node(
            "Concat",
            ["middle", "middle", "nothing", "nothing", "objectness", "certain"],
            ["output"],
            axis=2,
        ),
    ]
    weights = [
        ("part", np.float32(1 / 255)),
        ("last", np.array([2])),  # B, G, R
        ("end", np.array([3])),
        ("axis", np.array([1])),
        ("line", np.array([0, -1, 1])),
        ("zero", np.float32(0)),
        ("half", np.float32(0.5)),
        ("one", np.float32(1)),
    ]
    sizes = [(name, np.array(value)) for name, value in weights]
    return write(path, nodes, ["n", 3, "h", "w"], ["n", "cells", 6], sizes)
