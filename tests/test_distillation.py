"""Equation 4 by hand, and what a teacher may and may not do."""

import math

import pytest
import torch

from glidn.config import DistillConfig
from glidn.distillation import objective
from glidn.losses import softened_kl

TEACHER = [[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]]
STUDENT = [[0.0, 1.0, 0.0], [1.0, -2.0, 0.5]]
LABELS = [0, 2]


def softmax(row: list[float], temperature: float = 1.0) -> list[float]:
    powers = [math.exp(value / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def kl(temperature: float) -> float:
    """KL(teacher || student), video by video, class by class."""
    total = 0.0
    for teacher, student in zip(TEACHER, STUDENT, strict=True):
        p, q = softmax(teacher, temperature), softmax(student, temperature)
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total / len(TEACHER)


def test_the_objective_is_equation_4():
    config = DistillConfig(temperature=3.0, lambda1=0.3, lambda2=0.7)
    parts = objective(torch.tensor(STUDENT), torch.tensor(LABELS), torch.tensor(TEACHER), config)
    labels = -sum(
        math.log(softmax(row)[label]) for row, label in zip(STUDENT, LABELS, strict=True)
    ) / len(LABELS)
    expected = 0.3 * labels + 0.7 * kl(3.0)
    assert math.isclose(parts["loss"].item(), expected, rel_tol=1e-5)
    assert math.isclose(parts["labels"].item(), labels, rel_tol=1e-5)
    assert math.isclose(parts["teacher"].item(), kl(3.0), rel_tol=1e-5)


def test_the_squared_temperature_is_a_factor_of_the_teachers_part():
    plain, scaled = (
        objective(
            torch.tensor(STUDENT),
            torch.tensor(LABELS),
            torch.tensor(TEACHER),
            DistillConfig(temperature=4.0, squared_temperature=on),
        )["teacher"]
        for on in (False, True)
    )
    torch.testing.assert_close(scaled, 16 * plain)


def test_the_divergence_is_from_the_teacher_to_the_student_and_zero_at_agreement():
    teacher, student = torch.tensor(TEACHER), torch.tensor(STUDENT)
    assert abs(softened_kl(teacher, student, 1) - softened_kl(student, teacher, 1)) > 0.01
    assert abs(softened_kl(teacher, teacher + 5, 2)) < 1e-6


def test_a_teacher_gets_no_gradient():
    teacher = torch.tensor(TEACHER, requires_grad=True)
    student = torch.tensor(STUDENT, requires_grad=True)
    objective(student, torch.tensor(LABELS), teacher, DistillConfig())["loss"].backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


MANY = [[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def pairs() -> list[tuple[float, float, float]]:
    """(teacher, student, label) of every video and class."""
    return [
        (t, s, y)
        for rows in zip(TEACHER, STUDENT, MANY, strict=True)
        for t, s, y in zip(*rows, strict=True)
    ]


@pytest.mark.parametrize("kind", ["auto", "l1", "bce"])
def test_many_labels_take_the_binary_losses_and_equation_3(kind):
    """Class by class, video by video; auto is eq. 3 with its square."""
    config = DistillConfig(temperature=3.0, lambda1=1.0, lambda2=4.0, loss=kind)
    parts = objective(torch.tensor(STUDENT), torch.tensor(MANY), torch.tensor(TEACHER), config)
    labels = [-math.log(sigmoid(s) if y else 1 - sigmoid(s)) for _, s, y in pairs()]
    soft = [(sigmoid(t / 3), sigmoid(s / 3)) for t, s, _ in pairs()]
    distances = {
        "auto": [(p - q) ** 2 for p, q in soft],
        "l1": [abs(p - q) for p, q in soft],
        "bce": [-p * math.log(q) - (1 - p) * math.log(1 - q) for p, q in soft],
    }
    from_teacher = sum(distances[kind]) / 6
    assert math.isclose(parts["labels"].item(), sum(labels) / 6, rel_tol=1e-5)
    assert math.isclose(parts["teacher"].item(), from_teacher, rel_tol=1e-5)
    assert math.isclose(parts["loss"].item(), sum(labels) / 6 + 4 * from_teacher, rel_tol=1e-5)


def test_how_loud_the_teacher_is_is_the_ratio_of_the_gradients():
    """By hand: d BCE / dz = (σ(z) - y) / n; d eq. 3 / dz = 2 (q - p) q (1 - q) / (T n)."""
    config = DistillConfig(temperature=2.0, lambda1=0.5, lambda2=4.0)
    student = torch.tensor(STUDENT, requires_grad=True)
    heard = objective(student, torch.tensor(MANY), torch.tensor(TEACHER), config)["heard"]
    ours = [sigmoid(s) - y for _, s, y in pairs()]
    theirs = [
        2 * (sigmoid(s / 2) - sigmoid(t / 2)) * sigmoid(s / 2) * (1 - sigmoid(s / 2)) / 2
        for t, s, _ in pairs()
    ]
    expected = 4.0 * math.hypot(*theirs) / (0.5 * math.hypot(*ours))
    assert math.isclose(heard.item(), expected, rel_tol=1e-4)
