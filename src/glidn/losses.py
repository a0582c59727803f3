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
