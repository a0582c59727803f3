"""The student's objective: labels and a teacher, in balance (eq. 4)."""

from torch import Tensor

from glidn.config import DistillConfig
from glidn.losses import cross_entropy, softened_kl


def objective(
    logits: Tensor,
    labels: Tensor,
    teacher_logits: Tensor | None,
    config: DistillConfig | None,
    smoothing: float = 0.0,
) -> dict[str, Tensor]:
    """L = λ1 L_CE + λ2 L_Distill (eq. 4); without a teacher, L_CE alone.

    The teacher is never trained by it, in deep mutual learning (Zhang et al. 2018) as little as
    with a frozen teacher.

    Args:
        logits: (B, K) of the network that is trained.
        labels: (B,) classes.
        teacher_logits: (B, K) for the same samples.

    Returns:
        "loss" to minimise, and its parts "labels" and "teacher" for the log.
    """
    from_labels = cross_entropy(logits, labels, smoothing)
    if config is None or teacher_logits is None:
        return {"loss": from_labels, "labels": from_labels}
    from_teacher = softened_kl(teacher_logits.detach(), logits, config.temperature)
    if config.squared_temperature:
        from_teacher = from_teacher * config.temperature**2
    loss = config.lambda1 * from_labels + config.lambda2 * from_teacher
    return {"loss": loss, "labels": from_labels, "teacher": from_teacher}
