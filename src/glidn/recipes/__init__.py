"""Experiments: functions that return a frozen config. A new one is a function and a line here."""

from collections.abc import Callable

from glidn.config import RunConfig
from glidn.errors import SettingError, nearest
from glidn.recipes import cad120, charades, demo, own

RECIPES: dict[str, Callable[[], RunConfig]] = {
    "cad120.baseline": cad120.baseline,
    "cad120.teacher": cad120.teacher,
    "cad120.student": cad120.student,
    "cad120.student_without_distillation": cad120.student_without_distillation,
    "cad120.local_teacher": cad120.local_teacher,
    "cad120.global_student": cad120.global_student,
    "cad120.mutual": cad120.mutual,
    "cad120.tracks": cad120.tracks,
    "cad120.timed": cad120.timed,
    "charades.i3d": charades.i3d,
    "charades.i3d_baseline": charades.i3d_baseline,
    "charades.i3d_local": charades.i3d_local,
    "charades.i3d_global": charades.i3d_global,
    "charades.i3d_student": charades.i3d_student,
    "charades.slowfast": charades.slowfast,
    "charades.slowfast_local": charades.slowfast_local,
    "charades.slowfast_global": charades.slowfast_global,
    "charades.slowfast_student": charades.slowfast_student,
    "charades.small_i3d": charades.small_i3d,
    "charades.small_slowfast": charades.small_slowfast,
    "demo": demo.base,
    "own": own.base,
}


def find(name: str) -> RunConfig:
    """The recipe of that name.

    Raises:
        SettingError: there is none.
    """
    if name not in RECIPES:
        raise SettingError(f"{name} is no recipe{nearest(name, RECIPES)}.")
    return RECIPES[name]()
