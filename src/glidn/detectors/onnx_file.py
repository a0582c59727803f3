"""A YOLOX detector in an ONNX file (Ge et al. 2021), run by onnxruntime.

One input, (n, 3, height, width): BGR, 0..255, the frame scaled to fit into the upper left corner
and 114 around it. One output, (n, P, 5 + K): for each cell of the grids of strides 8, 16 and 32,
row by row, a box, how likely it holds anything, and how likely each of K classes. The box is
either raw, where a cell at column j, row i of stride s means

    centre = ((x + j) · s, (y + i) · s)        size = (exp(w) · s, exp(h) · s)

or that very centre and size, where the file decodes it itself. Which of the two is seen from what
the network makes of one grey picture: a cell's box lies near the cell. Nothing of a file is run
but its graph, by onnxruntime, and only the file itself is read.
"""

import ast
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import batched_nms, clip_boxes_to_image

from glidn.detectors import Detections, Detector, faster_rcnn
from glidn.errors import DataError, GlidnError, SettingError
from glidn.types import PERSON

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

STRIDES = (8, 16, 32)
BORDER = 114  # YOLOX pads with it in training
SIDE = 640  # what YOLOX is trained on from its size S upwards
LISTED = "coco_classes.txt"
COCO = tuple(name for name in faster_rcnn.COCO if name not in ("__background__", "N/A"))
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
# An initializer's field external_data (13) with an entry that begins with the key "location".
OUTSIDE = re.compile(rb"j.{1,3}\n\x08location\x12", re.DOTALL)


@dataclass(frozen=True)
class OnnxModel:
    """A file that has shown that it is a YOLOX detector.

    Attributes:
        path: the file.
        sha256: of its bytes, hexadecimal.
        height, width: of the input, pixels.
        batch: frames that it takes at once; None for any number.
        dtype: of the input.
        decoded: whether boxes come out in pixels of the input.
        names: of the K classes.
    """

    path: Path
    sha256: str
    session: "InferenceSession"
    height: int
    width: int
    batch: int | None
    dtype: type
    decoded: bool
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path.name} (sha256 {self.sha256[:8]})"


def build(path: Path, side: int = SIDE) -> OnnxModel:
    """Read the file, look at one grey picture with it, and find the names of its classes.

    They are the lines of NAME.txt beside NAME.onnx, or of coco_classes.txt there if their number
    fits; else the file's own metadata "names"; else COCO's, for 80 classes; else "object 0", ...

    It computes with as many threads as torch does, or on the GPU where onnxruntime has one.

    Args:
        side: of the input where the file leaves it open, a multiple of 32; pixels.

    Raises:
        DataError: the file is missing, damaged, no detector of this kind, or not whole.
        SettingError: onnxruntime is missing, or the side cannot be.
    """
    if side < 32 or side % 32:
        raise SettingError(
            f"the side of a detector's input is {side}; it must be a multiple of 32."
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); give an ONNX file of a detector."
        ) from error
    session = _session(path, content)
    name, shape, dtype = _input(path, session)
    height, width = (number if isinstance(number, int) else side for number in shape[2:])
    batch = shape[0] if isinstance(shape[0], int) else None
    if batch not in (None, 1) or height % 32 or width % 32:
        raise _other(path, f"its input has the shape {_told(shape)}")
    grey: np.ndarray = np.full((1, 3, height, width), BORDER, dtype)
    found = _run(path, session, name, grey)
    grid = _grid(height, width)
    if found.ndim != 3 or found.shape[1] != len(grid) or found.shape[2] < 6:
        what = f"an input of {width}x{height} gives an output of the shape {_told(found.shape)}"
        raise _other(path, what)
    if not ((found[..., 4:] >= 0) & (found[..., 4:] <= 1)).all():
        raise _other(path, "its scores are not within 0 and 1 (export it with its sigmoids)")
    return OnnxModel(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        session=session,
        height=height,
        width=width,
        batch=batch,
        dtype=dtype,
        decoded=_is_decoded(found[0], grid),
        names=_names(path, session, found.shape[2] - 5),
    )


def detections(
    model: OnnxModel, top: int, overlap: float, score: float, person: str = PERSON
) -> Detector:
    """Boxes of the file's classes, in its names.

    Args:
        top: most boxes of one frame.
        overlap: of two boxes of one class with a larger intersection over union, the surer stays.
        score: least score: how likely a cell holds anything, times its likeliest class.
        person: what to call a "person".
    """
    names = tuple(person if name == "person" else name for name in model.names)
    grid = torch.from_numpy(_grid(model.height, model.width))  # (P, 3)
    name = model.session.get_inputs()[0].name

    def detect(frames: np.ndarray) -> list[Detections]:
        size = frames.shape[1:3]
        images, scale = letterbox(frames, model.height, model.width)  # (n, 3, height, width)
        found = []
        for part in _parts(images.astype(model.dtype), model.batch):
            for cells in _run(model.path, model.session, name, part):  # (P, 5 + K)
                boxes, scores, labels = _decode(torch.from_numpy(cells), grid, model.decoded)
                boxes = clip_boxes_to_image(boxes / scale, size)
                # Boxes that are not numbers are not longer than a pixel either.
                good = (boxes[:, 2:] - boxes[:, :2] >= faster_rcnn.SHORTEST_SIDE).all(dim=1)
                good &= scores >= score
                boxes, scores, labels = boxes[good], scores[good], labels[good]
                kept = batched_nms(boxes, scores, labels, overlap)[:top]
                categories = tuple(names[label] for label in labels[kept].tolist())
                found.append(Detections(boxes[kept].numpy(), scores[kept].numpy(), categories))
        return found

    return detect


def letterbox(frames: np.ndarray, height: int, width: int) -> tuple[np.ndarray, Tensor]:
    """Scale frames into the upper left corner of the network's input, as YOLOX is trained.

    Args:
        frames: (n, h, w, 3) uint8, RGB.

    Returns:
        (n, 3, height, width) float32, BGR, 0..255; and (4,) float32: pixels of the input to a
        pixel of the frame, for x1, y1, x2, y2. Rounding makes the two sides' differ a little.
    """
    high, wide = frames.shape[1:3]
    ratio = min(height / high, width / wide)
    size = (max(int(high * ratio), 1), max(int(wide * ratio), 1))
    pictures = torch.from_numpy(frames).permute(0, 3, 1, 2)
    if size != (high, wide):
        pictures = F.interpolate(pictures, size, mode="bilinear", align_corners=False)
    out = np.full((len(frames), 3, height, width), BORDER, np.float32)
    out[:, :, : size[0], : size[1]] = pictures.numpy()[:, ::-1]
    return out, torch.tensor([size[1] / wide, size[0] / high] * 2)


def _decode(cells: Tensor, grid: Tensor, decoded: bool) -> tuple[Tensor, Tensor, Tensor]:
    """(P, 5 + K) -> (P, 4) boxes in pixels of the input, (P,) scores, (P,) classes."""
    centre, size = cells[:, :2], cells[:, 2:4]
    if not decoded:
        corner, stride = grid[:, :2], grid[:, 2:]
        centre, size = (centre + corner) * stride, size.exp() * stride
    scores, labels = cells[:, 5:].max(dim=1)
    boxes = torch.cat([centre - size / 2, centre + size / 2], dim=1)
    return boxes, scores * cells[:, 4], labels


def _grid(height: int, width: int) -> np.ndarray:
    """(P, 3) float32: the column, the row and the stride of every cell."""
    parts = []
    for stride in STRIDES:
        rows, columns = np.indices((height // stride, width // stride)).reshape(2, -1)
        parts.append(np.stack([columns, rows, np.full_like(rows, stride)], axis=-1))
    return np.concatenate(parts).astype(np.float32)


def _is_decoded(cells: np.ndarray, grid: np.ndarray) -> bool:
    """Read (P, 5 + K) both ways: a box lies near its cell in one, all over the frame in the other.

    Raw centres are their distance from the cell, in strides, and of decoded ones it is what is
    left when the cell is taken away; so the reading with the smaller median is the right one.
    """
    centres, corners, strides = cells[:, :2], grid[:, :2], grid[:, 2:]
    as_raw = np.median(np.abs(centres))
    as_decoded = np.median(np.abs(centres / strides - corners))
    return bool(as_decoded < as_raw)


def _session(path: Path, content: bytes) -> "InferenceSession":
    try:
        import onnxruntime
    except ImportError as error:
        raise SettingError(
            f'{path}: ONNX files need onnxruntime; install it with: pip install "glidn[onnx]".'
        ) from error
    # onnxruntime would look for that other file in the folder that the user happens to be in.
    if OUTSIDE.search(content):
        raise DataError(
            f"{path} keeps its weights in another file; write both into one with the package onnx: "
            "onnx.save(onnx.load(FILE), NEW_FILE)."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what goes wrong is said once, by us
    available = onnxruntime.get_available_providers()
    providers = [
        name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available
    ]
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # its errors have no base of their own
        raise DataError(
            f"{path} is no ONNX file that onnxruntime {onnxruntime.__version__} can load: empty, "
            f"cut off, or of another kind ({_reason(error)})."
        ) from error


def _run(path: Path, session: "InferenceSession", name: str, images: np.ndarray) -> np.ndarray:
    """(n, 3, height, width) -> (n, P, 5 + K) float32, whatever its shape."""
    try:
        (found,) = session.run(None, {name: images})
    except Exception as error:
        raise GlidnError(
            f"{path} failed on {len(images)} pictures of {images.shape[3]}x{images.shape[2]} "
            f"({_reason(error)}); if memory ran out, use a smaller --batch."
        ) from error
    return np.asarray(found, np.float32)


def _input(path: Path, session: "InferenceSession") -> tuple[str, list, type]:
    """The name, shape and type of the one input: (n, 3, height, width)."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise _other(path, f"it has {len(inputs)} inputs and {len(outputs)} outputs")
    (one,) = inputs
    if len(one.shape) != 4 or one.shape[1] != 3 or one.type not in TYPES:
        raise _other(path, f"its input is a {one.type} of the shape {_told(one.shape)}")
    if not outputs[0].type.startswith("tensor(float"):
        raise _other(path, f"its output is a {outputs[0].type}")
    return one.name, one.shape, TYPES[one.type]


def _names(path: Path, session: "InferenceSession", classes: int) -> tuple[str, ...]:
    own, listed = path.with_suffix(".txt"), path.with_name(LISTED)
    if own.exists():
        names = _lines(own)
        if len(names) != classes:
            raise DataError(
                f"{own} names {len(names)} classes, one a line, and {path.name} has {classes}."
            )
        return names
    if listed.exists() and len(names := _lines(listed)) == classes:
        return names
    names = _listed(session.get_modelmeta().custom_metadata_map.get("names", ""))
    if len(names) == classes:
        return names
    return COCO if classes == len(COCO) else tuple(f"object {k}" for k in range(classes))


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as names, one a line: {error}.") from error
    return tuple(line.strip() for line in lines if line.strip())


def _listed(text: str) -> tuple[str, ...]:
    """The names in a list, or in a dictionary by number, written as JSON or Python writes them."""
    try:
        found = ast.literal_eval(text)  # reads literals; runs nothing
        if isinstance(found, dict):
            found = [found[key] for key in sorted(found, key=int)]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return ()
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def _parts(images: np.ndarray, batch: int | None) -> Iterator[np.ndarray]:
    step = batch or max(len(images), 1)
    for start in range(0, len(images), step):
        yield images[start : start + step]


def _other(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} is no YOLOX detector: {what}; expected one input (1 or any, 3, height, width), "
        f"sides in multiples of {STRIDES[-1]}, and one output (1 or any, cells of the strides "
        f"{', '.join(map(str, STRIDES))}, 5 + classes)."
    )


def _told(shape: Sequence[object]) -> str:
    return f"({', '.join(map(str, shape))})"


def _reason(error: Exception) -> str:
    """onnxruntime's own words, on one line and without its prefix."""
    words = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", words)[:200].rstrip(".")
