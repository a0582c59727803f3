"""Attributes of boxes, or a column beside them -> actions with their frames."""

from collections.abc import Iterable

from glidn.datasets.importers.draft import Action

# What tools and people write where no action goes on.
NONE = ("", "none", "false", "__undefined__")


def runs(name: str, values: Iterable[tuple[int, str]]) -> list[Action]:
    """Runs of one track's boxes with the same value: the actions.

    A value holds until the next box. A ticked box ("true") is the action that its attribute names.

    Args:
        name: of the attribute.
        values: (frame, value) of every box of the track, by frame.
    """
    found: list[Action] = []
    label, first, last = "", 0, 0
    for frame, value in values:
        shown = _shown(name, value.strip())
        if shown != label:
            found.append(Action(label, first, frame))
            label, first = shown, frame
        last = frame + 1
    found.append(Action(label, first, last))
    return [action for action in found if action.label]


def _shown(name: str, value: str) -> str:
    if value.lower() in NONE:
        return ""
    return name if value.lower() == "true" else value
