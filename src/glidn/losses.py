"""How far logits are from labels, and softened logits from softened logits."""

from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """L_CE of eq. 4: mean over the batch.

    Args:
        logits: (B, K).
        labels: (B,) int64, the class of each video.
    """
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def binary_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """L_CE for many labels (section 4.2): mean over classes and the batch.

    Args:
        logits: (B, K), before sigmoid.
        labels: (B, K) float32, 1 for every class that is shown.
    """
    return F.binary_cross_entropy_with_logits(logits, labels * (1 - smoothing) + smoothing / 2)


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
