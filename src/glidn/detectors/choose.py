"""A detector by one name, and who it is."""

import hashlib
from pathlib import Path

from glidn.config import Engine
from glidn.detectors import Detector, faster_rcnn, onnx_file
from glidn.types import PERSON

ONNX = ".onnx"  # how such a file is called at its end


def load_detector(
    name: str,
    score: float,
    top: int = 100,
    overlap: float = 0.5,
    person: str = PERSON,
    side: int | None = None,
    engine: Engine = "plain",
) -> tuple[Detector, str]:
    """The detector of that name, and one line that says which it is.

    Args:
        name: "torchvision" for its Faster R-CNN, whose COCO weights it downloads once; a file of
            weights of that; or FILE.onnx, a YOLOX detector.
        score: least score of a box.
        top: most boxes of one frame.
        overlap: of two boxes of one class that overlap more, the surer stays.
        person: what to call a person.
        side: pixels; of a Faster R-CNN the side that a frame's shorter one is scaled to (800), of
            an ONNX file its input's, where it leaves that open (640).
        engine: what a Faster R-CNN is computed by; an ONNX file is computed by onnxruntime.

    Raises:
        DataError: the file is missing, damaged or of another kind, or the download failed.
        SettingError: onnxruntime is missing, or the engine is unknown or lacks something here.
    """
    if name.lower().endswith(ONNX):
        onnx = onnx_file.build(Path(name), side or onnx_file.SIDE)
        return onnx_file.detections(onnx, top, overlap, score, person), str(onnx)

    model = faster_rcnn.build(name, side or faster_rcnn.SHORT_SIDE, engine)
    detect = faster_rcnn.detections(model, top, overlap, score, person)
    if name == faster_rcnn.TORCHVISION:
        return detect, "torchvision's Faster R-CNN (COCO)"
    with Path(name).open("rb") as file:
        digits = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    return detect, f"Faster R-CNN {Path(name).name} (sha256 {digits})"
