"""Datasets on disk -> `Dataset`. A new kind of dataset is one file here and one line below."""

from pathlib import Path

from glidn.datasets import cad120, charades, table
from glidn.datasets.problems import Reader, Report, raise_first
from glidn.errors import DataError, nearest
from glidn.types import Dataset

READERS: dict[str, Reader] = {
    "table": table.READER,
    "cad120": cad120.READER,
    "charades": charades.READER,
}


def load(root: Path, kind: str = "auto") -> Dataset:
    """Read a dataset.

    Args:
        kind: a name in `READERS`, or "auto" to recognise the dataset by its files.

    Raises:
        DataError: it is not a dataset, or the first thing in it that must be mended.
    """
    return READERS[recognise(root, kind)].read(root, raise_first)


def load_videos(root: Path, kind: str, report: Report) -> Dataset:
    """The videos of a dataset that has neither boxes nor labels yet, or as if it had none.

    Args:
        kind: as for `load`.
        report: told everything that is wrong; what can be read is returned.

    Raises:
        DataError: it is not a dataset, or of a kind that brings its own boxes.
    """
    kind = recognise(root, kind)
    read = READERS[kind].videos
    if read is None:
        raise DataError(f"{root} is {kind}, whose annotations bring their own boxes.")
    return read(root, report)


def recognise(root: Path, kind: str = "auto") -> str:
    """The name of the reader for a folder; a `kind` other than "auto" is taken at its word."""
    if kind != "auto" and kind not in READERS:
        raise DataError(f"{kind!r} is no kind of dataset{nearest(kind, READERS)}.")
    if not root.is_dir():
        raise DataError(f"{root} does not exist, or is not a folder; a dataset is a folder.")
    if kind != "auto":
        return kind
    for name, reader in READERS.items():
        if reader.recognises(root):
            return name
    looked_for = "; ".join(
        f"{' or '.join(reader.marks)} ({name})" for name, reader in READERS.items()
    )
    raise DataError(f"{root} is not a dataset: it holds none of {looked_for}.")
