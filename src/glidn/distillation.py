"""The student's objective: labels and a teacher, in balance (eq. 4)."""

import torch
from torch import Tensor

from glidn import losses
from glidn.config import DistillConfig

LOSSES = {
    "kl": losses.softened_kl,
    "l2": losses.softened_l2,
    "l1": losses.softened_l1,
    "bce": losses.softened_bce,
}


def objective(
    logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | None,
    config: DistillConfig | None,
    smoothing: float = 0.0,
    weights: Tensor | None = None,
) -> dict[str, Tensor]:
    """L = λ1 L_CE + λ2 L_Distill (eq. 4); without a teacher, L_CE alone.

    The teacher is never trained by it, in deep mutual learning (Zhang et al. 2018) as little as
    with a frozen teacher.

    Args:
        logits: (B, K) of the network that is trained.
        labels: (B,) classes, or (B, K) where a video has many.
        teacher_logits: (B, K) for the same samples.
        weights: (K,) of classes, in L_CE.

    Returns:
        "loss" to minimise, and its parts "labels" and "teacher" for the log. With a teacher also
        "heard": how large the gradient of λ2 L_Distill at the logits is beside that of λ1 L_CE;
        at a high temperature it falls to nothing unless the loss is multiplied by T².
    """
    many = labels.dim() == 2
    measure = losses.binary_cross_entropy if many else losses.cross_entropy
    from_labels = measure(logits, labels, smoothing, weights)
    if config is None or teacher_logits is None:
        return {"loss": from_labels, "labels": from_labels}
    kind = ("l2" if many else "kl") if config.loss == "auto" else config.loss
    from_teacher = LOSSES[kind](teacher_logits.detach(), logits, config.temperature)
    if config.squared_temperature:
        from_teacher = from_teacher * config.temperature**2
    loss = config.lambda1 * from_labels + config.lambda2 * from_teacher
    heard = _heard(logits, config.lambda1 * from_labels, config.lambda2 * from_teacher)
    return {"loss": loss, "labels": from_labels, "teacher": from_teacher, "heard": heard}


def _heard(logits: Tensor, from_labels: Tensor, from_teacher: Tensor) -> Tensor:
    if not logits.requires_grad:
        return torch.zeros(())
    ours, theirs = (
        torch.autograd.grad(part, logits, retain_graph=True)[0].norm()
        for part in (from_labels, from_teacher)
    )
    return theirs / ours.clamp(min=1e-12)
