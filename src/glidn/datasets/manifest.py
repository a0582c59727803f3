"""dataset.yaml: what the tables of a dataset do not say. All of it, and the file, may be absent.

name: my kitchen                       otherwise the folder's name
task: single                           or multi; otherwise single if videos.csv has labels
classes: [drinking, pouring]           the order of the logits; otherwise sorted labels
person: person                         the category of the people's boxes
protocol: subjects                     or split; otherwise subjects if videos.csv has them
licence: CC-BY-4.0
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from glidn.datasets.columns import read_text
from glidn.datasets.problems import Problem, Report
from glidn.errors import nearest
from glidn.files import write_text
from glidn.types import PERSON, Dataset

FILE = "dataset.yaml"
# Written beside generated copies of a dataset, so that their figures are never taken for its own.
GENERATED = "synthetic.json"
CHOICES = {"task": ("single", "multi"), "protocol": ("subjects", "split")}
KEYS = ("name", "task", "classes", "person", "protocol", "licence")


def true_name(root: Path, official: str) -> str:
    """What a dataset in an official layout is to be called."""
    return f"generated {official}" if (root / GENERATED).exists() else official


@dataclass(frozen=True)
class Manifest:
    """The values of dataset.yaml; None where the tables decide."""

    name: str | None = None
    task: str | None = None
    classes: tuple[str, ...] | None = None
    person: str = PERSON
    protocol: str | None = None
    licence: str = ""


def read_manifest(root: Path, report: Report) -> Manifest:
    """Read dataset.yaml; a value that cannot be is reported and left to the tables."""
    if not (root / FILE).exists():
        return Manifest()
    text = read_text(root / FILE, FILE, report)
    try:
        values = yaml.safe_load(text or "") or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = f"this is not YAML: {getattr(error, 'problem', None) or error}"
        report(Problem(FILE, mark.line + 1 if mark else None, what, "Correct the line"))
        return Manifest()
    if not isinstance(values, dict):
        report(Problem(FILE, None, "this is not a list of keys", f"It may hold {', '.join(KEYS)}"))
        return Manifest()
    lines = _key_lines(text or "")
    good: dict[str, Any] = {}
    for key, value in values.items():
        wrong = _wrong(key, value)
        if wrong:
            mend = f"dataset.yaml may hold {', '.join(KEYS)}"
            report(Problem(FILE, lines.get(str(key)), wrong, mend))
        else:
            good[key] = tuple(value) if key == "classes" else value
    return Manifest(**good)


def write_manifest(dataset: Dataset, root: Path) -> None:
    values = {
        "name": dataset.name,
        "task": dataset.task,
        "classes": list(dataset.classes),
        "person": dataset.person,
        "protocol": dataset.protocol,
        "licence": dataset.licence,
    }
    write_text(root / FILE, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def _wrong(key: Any, value: Any) -> str:
    """What is wrong with one value; "" if nothing."""
    if key not in KEYS:
        return f"{key!r} is no key of dataset.yaml{nearest(str(key), KEYS)}"
    if key == "classes":
        if not isinstance(value, list) or not value:
            return f"classes is {value!r}, and a list of names was expected"
        if not all(isinstance(name, str) and name for name in value):
            return "classes holds something that is no name; put names like yes or 12 in quotes"
        if len(set(value)) < len(value):
            twice = next(name for name in value if value.count(name) > 1)
            return f"the class {twice!r} is listed twice"
        return ""
    if not isinstance(value, str):
        return f"{key} is {value!r}, and a text was expected; put it in quotes"
    if key in CHOICES and value not in CHOICES[key]:
        return f"{key} is {value!r}, which is not {' or '.join(CHOICES[key])}"
    return ""


def _key_lines(text: str) -> dict[str, int]:
    """The line of each top-level key."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return {key.value: key.start_mark.line + 1 for key, _ in node.value} if node else {}
