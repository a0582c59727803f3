"""torchvision's Faster R-CNN (ResNet-50, FPN): where objects may be, or which they are.

Proposals are what its region proposal network finds before any class is asked for: boxes that
hold something, which suits objects that no list of classes names.
"""

import contextlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import (
    FasterRCNN,
    FasterRCNN_ResNet50_FPN_Weights,
    fasterrcnn_resnet50_fpn,
)
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, concat_box_prediction_layers
from torchvision.ops import clip_boxes_to_image, nms, remove_small_boxes

from glidn.backbones import foreign
from glidn.config import Engine
from glidn.detectors import Detections, Detector
from glidn.engines import engage, install
from glidn.errors import DataError, GlidnError
from glidn.types import PERSON

TORCHVISION = "torchvision"  # in place of a file: the weights that torchvision publishes
PROPOSAL = "proposal"
SHORT_SIDE = 800  # torchvision's own
COCO = tuple(FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"])
# Thinner boxes hold nothing to look at, and may lose their area where coordinates are rounded.
SHORTEST_SIDE = 1.0  # pixels
LONGEST_OF_SHORTEST = 1333 / 800  # torchvision's limit of the long side, as a part of the short


def build(weights: str, short_side: int, engine: Engine = "plain") -> FasterRCNN:
    """The network in evaluation mode, on the accelerator if there is one.

    Args:
        weights: a file of any kind that `backbones.foreign` reads, or TORCHVISION, which
            downloads 160 MB once.
        short_side: frames are scaled to it before they are looked at, unless their long side
            would then be longer than 5/3 of it; pixels.
        engine: what its pyramid of maps and its layers over each box are computed by.

    Raises:
        SettingError: the engine is unknown, or lacks something on this machine.
        DataError: the file is none of a Faster R-CNN, or the download failed.
    """
    sizes = {"min_size": short_side, "max_size": round(short_side * LONGEST_OF_SHORTEST)}
    if weights == TORCHVISION:
        published = FasterRCNN_ResNet50_FPN_Weights.COCO_V1
        try:
            model = fasterrcnn_resnet50_fpn(weights=published, **sizes)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"torchvision's weights could not be downloaded ({error}); download "
                f"{published.url} elsewhere and give the file (glidn boxes: --weights FILE, else "
                "--detector FILE), or an ONNX file of another detector (--detector FILE.onnx)."
            ) from error
    else:
        model = _from_file(Path(weights), sizes)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return engaged(model.eval().to(device), engine)


def untrained(short_side: int) -> FasterRCNN:
    """The same network with random weights, to measure how fast it is."""
    sizes = {"min_size": short_side, "max_size": round(short_side * LONGEST_OF_SHORTEST)}
    model = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None, **sizes)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return model.eval().to(device)


def engaged(model: FasterRCNN, engine: Engine) -> FasterRCNN:
    """The same network, what costs most in it computed by an engine."""
    if engine != "plain":
        for part in (model.backbone, model.roi_heads.box_head):
            install(part, engage(part, engine))
    return model


def proposals(model: FasterRCNN, top: int, overlap: float, score: float) -> Detector:
    """Boxes of whatever there is, all of the category PROPOSAL.

    Args:
        top: most boxes of one frame.
        overlap: of two boxes with a larger intersection over union, the surer stays.
        score: least objectness (after the sigmoid) of a box.
    """
    # Within each level of the pyramid first: else its 0.7 would undercut a larger overlap.
    model.rpn.nms_thresh = overlap

    def detect(frames: np.ndarray) -> list[Detections]:
        height, width = frames.shape[1:3]
        images, _ = model.transform(_images(model, frames))
        features = model.backbone(images.tensors)
        found = []
        for boxes, scores, (high, wide) in zip(
            *_propose(model.rpn, images, features), images.image_sizes, strict=True
        ):
            boxes = boxes * boxes.new_tensor([width / wide, height / high] * 2)
            boxes, scores = _tidy(boxes, scores, (height, width), score)
            kept = nms(boxes, scores, overlap)[:top]
            found.append(_detections(boxes[kept], scores[kept], (PROPOSAL,) * len(kept)))
        return found

    return _guarded(detect)


def detections(
    model: FasterRCNN, top: int, overlap: float, score: float, person: str = PERSON
) -> Detector:
    """Boxes of the classes of COCO, in its names.

    Args:
        top, score: as for `proposals`; `score` is the class's.
        overlap: as for `proposals`, among the boxes of one class.
        person: what to call a person.

    Raises:
        DataError: the network knows other classes than COCO's.
    """
    classes = model.roi_heads.box_predictor.cls_score.out_features
    if classes != len(COCO):
        raise DataError(
            f"these weights know {classes} classes and COCO has {len(COCO)}, so their names are "
            "unknown; proposals need none: --detector proposals."
        )
    names = tuple(person if name == "person" else name for name in COCO)
    model.roi_heads.nms_thresh, model.roi_heads.score_thresh = overlap, score
    model.roi_heads.detections_per_img = max(top, model.roi_heads.detections_per_img)

    def detect(frames: np.ndarray) -> list[Detections]:
        found = []
        for output in model(_images(model, frames)):
            boxes, scores = output["boxes"], output["scores"]
            big = remove_small_boxes(boxes, SHORTEST_SIDE)[:top]
            categories = tuple(names[label] for label in output["labels"][big].tolist())
            found.append(_detections(boxes[big], scores[big], categories))
        return found

    return _guarded(detect)


def _from_file(path: Path, sizes: dict[str, int]) -> FasterRCNN:
    checkpoint = foreign.read(path)
    if checkpoint.network != "fasterrcnn":
        raise DataError(
            f"{path} holds weights of {checkpoint.network} ({checkpoint.kind}), not of a Faster "
            "R-CNN; see what it is with: glidn weights."
        )
    classes = checkpoint.classes or len(COCO)
    model = fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=classes, **sizes
    )
    foreign.fit(checkpoint, model)
    if not any(key.endswith("num_batches_tracked") for key in checkpoint.tensors):
        # Trained with frozen batch norms, as torchvision's own, which add nothing to the variance.
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0
    return model


def _images(model: FasterRCNN, frames: np.ndarray) -> list[Tensor]:
    """(n, height, width, 3) uint8 -> n of (3, height, width) float32 in 0..1."""
    device = next(model.parameters()).device
    return list(torch.from_numpy(frames).to(device).permute(0, 3, 1, 2).float() / 255)


def _propose(
    rpn: RegionProposalNetwork, images: ImageList, features: dict[str, Tensor]
) -> tuple[list, list]:
    """What rpn(images, features) does; it keeps the scores to itself, and here they are wanted.

    Returns:
        Per image: (m, 4) boxes in pixels of the scaled image, and (m,) scores.
    """
    levels = list(features.values())
    objectness, deltas = rpn.head(levels)
    anchors = rpn.anchor_generator(images, levels)
    counts = [score[0].numel() for score in objectness]
    objectness, deltas = concat_box_prediction_layers(objectness, deltas)
    boxes = rpn.box_coder.decode(deltas, anchors).view(len(anchors), -1, 4)
    return rpn.filter_proposals(boxes, objectness, images.image_sizes, counts)


def _tidy(
    boxes: Tensor, scores: Tensor, size: tuple[int, int], score: float
) -> tuple[Tensor, Tensor]:
    """Boxes within the frame of (height, width), without the thin and the unsure ones."""
    boxes = clip_boxes_to_image(boxes, size)
    big = remove_small_boxes(boxes, SHORTEST_SIDE)
    boxes, scores = boxes[big], scores[big]
    return boxes[scores >= score], scores[scores >= score]


def _detections(boxes: Tensor, scores: Tensor, categories: tuple[str, ...]) -> Detections:
    return Detections(boxes.cpu().numpy(), scores.cpu().numpy(), categories)


def _repeatable() -> contextlib.AbstractContextManager:
    # Without `enabled`, these flags would switch cuDNN off.
    return torch.backends.cudnn.flags(enabled=True, deterministic=True)


def _guarded(detect: Detector) -> Detector:
    """The same bits for the same frames, and one sentence where memory runs out."""

    def run(frames: np.ndarray) -> list[Detections]:
        try:
            with torch.inference_mode(), _repeatable():
                return detect(frames)
        except torch.OutOfMemoryError as error:
            raise GlidnError(
                f"the accelerator's memory does not hold {len(frames)} frames at once; use a "
                "smaller --batch or --short-side."
            ) from error

    return run
