"""Annotations of other tools -> our dataset folder. A new format is one file and one line below.

An importer reads what its format says; `complete` finds the rest (from the video, or as asked) and
checks it; `labelled` adds labels where the format has none; `add` writes.
"""

from collections.abc import Callable
from pathlib import Path

from glidn.datasets.importers import charades_style, coco, cvat, mot, plain, yolo
from glidn.datasets.importers.add import add
from glidn.datasets.importers.draft import Asked, Imported
from glidn.datasets.importers.labels import labelled

Importer = Callable[[Path, Asked], Imported]

IMPORTERS: dict[str, Importer] = {
    "cvat": cvat.read,
    "coco": coco.read,
    "mot": mot.read,
    "yolo": yolo.read,
    "charades-style": charades_style.read,
    "csv": plain.read,
}


def import_into(root: Path, kind: str, source: Path, asked: Asked, force: bool = False) -> Imported:
    """Read SOURCE and write its videos into the dataset folder `root`.

    Args:
        kind: a name in `IMPORTERS`.
        force: replace videos that are there already.

    Raises:
        DataError: something is wrong with the source; nothing was written.
    """
    found = labelled(IMPORTERS[kind](source, asked), asked)
    add(found, root, asked.person, force)
    return found
