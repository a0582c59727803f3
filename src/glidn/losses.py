"""How far logits are from labels, and softened logits from softened logits."""

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(
    logits: Tensor, labels: Tensor, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """L_CE of eq. 4: mean over the batch.

    Args:
        logits: (B, K).
        labels: (B,) int64, the class of each video.
        weights: (K,) how much a video of each class counts; None: all alike.
    """
    if weights is not None:
        # Not torch's own weights, which divide by a batch's sum of them: a step's loss must be
        # the mean of its parts'.
        each = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
        return (each * weights[labels]).mean()
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def binary_cross_entropy(
    logits: Tensor, labels: Tensor, smoothing: float = 0.0, weights: Tensor | None = None
) -> Tensor:
    """L_CE for many labels (section 4.2): mean over classes and the batch.

    Args:
        logits: (B, K), before sigmoid.
        labels: (B, K) float32, 1 for every class that is shown.
        weights: (K,) how much a video that shows each class counts; None: as one that does not.
    """
    target = labels * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights)


def class_weights(labels: Tensor, classes: int, most: float) -> Tensor:
    """(K,) weights of rare classes: the inverse of how often they are shown, at most `most`.

    One label a video: the commonest class weighs least, and the mean over the videos is 1. Many:
    what a video that shows a class counts beside one that does not, at least 1.

    Args:
        labels: (V,) classes, or (V, K) of 0 and 1.
    """
    if labels.dim() == 2:
        shown = labels.sum(0).float()
        return ((len(labels) - shown) / shown.clamp(min=1)).clamp(1, most)
    shown = torch.bincount(labels, minlength=classes).float()
    weights = (shown.max() / shown.clamp(min=1)).clamp(max=most)
    return weights * len(labels) / (weights * shown).sum()


def softened_kl(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """KL(teacher ‖ student) of softmax(logits / T), mean over the batch (section 3.3, CAD-120).

    Args:
        teacher, student: (B, K) logits.
    """
    return F.kl_div(
        F.log_softmax(student / temperature, -1),
        F.log_softmax(teacher / temperature, -1),
        reduction="batchmean",
        log_target=True,
    )


def softened_l2(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Mean over classes and the batch of (P_t - P_s)², P = sigmoid(logits / T) (eq. 3).

    As printed, eq. 3 lacks the square, and without it has no minimum at agreement; under the
    square the sign of its exponent makes no difference.

    Args:
        teacher, student: (B, K) logits.
    """
    return F.mse_loss((student / temperature).sigmoid(), (teacher / temperature).sigmoid())


def softened_l1(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Mean over classes and the batch of |P_t - P_s|: the other reading of eq. 3."""
    return F.l1_loss((student / temperature).sigmoid(), (teacher / temperature).sigmoid())


def softened_bce(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Mean over classes and the batch of the cross-entropy of P_s with P_t as soft labels."""
    soft = (teacher / temperature).sigmoid()
    return F.binary_cross_entropy_with_logits(student / temperature, soft)
