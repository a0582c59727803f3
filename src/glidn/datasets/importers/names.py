"""Names: of classes by number, one a line or in a YOLO data.yaml; of videos by their files."""

import re
from pathlib import Path, PurePosixPath

import yaml

from glidn.datasets.importers.draft import read_lines
from glidn.errors import DataError


def video_name(file: str) -> str:
    """films/kitchen 1.2.mp4 -> kitchen 1.2; what is no ending of a file stays."""
    return re.sub(r"\.[A-Za-z][A-Za-z0-9]{1,3}$", "", PurePosixPath(file).name)


def read_names(path: Path) -> tuple[str, ...]:
    """The names in the order of their numbers.

    Raises:
        DataError: there is none, or one is empty.
    """
    if path.suffix in (".yaml", ".yml"):
        names = _of_yaml(path)
    else:
        names = tuple(text for _, text in read_lines(path))
    if not names or not all(names):
        raise DataError(f"{path.name} names no class; write one name a line.")
    return names


def _of_yaml(path: Path) -> tuple[str, ...]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8-sig"))["names"]
        listed = [found[n] for n in range(len(found))] if isinstance(found, dict) else found
        if not isinstance(listed, list):
            raise TypeError
        return tuple(str(name) for name in listed)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(
            f"{path.name} has no list of names; write names: [person, cup, ...]."
        ) from error
