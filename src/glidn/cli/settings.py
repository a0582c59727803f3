"""A recipe's settings as options: --train.lr 0.1, --config file.yaml, --print_config."""

import difflib
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from glidn.checks import check
from glidn.config import (
    BackboneConfig,
    ClipsConfig,
    DistillConfig,
    RunConfig,
    as_dict,
    from_dict,
)
from glidn.errors import SettingError

# Groups of settings; those with a kind may be absent from a recipe.
GROUPS = ("data", "nodes", "backbone", "clips", "view", "train", "distill")
OPTIONAL = {"backbone": BackboneConfig, "clips": ClipsConfig, "distill": DistillConfig}


def add_settings(parser: ArgumentParser, defaults: RunConfig) -> None:
    """Every setting of a run as an option, with the recipe's values as defaults."""
    parser.add_argument("--config", action="config", help="a YAML file with settings")
    for name in GROUPS:
        value = getattr(defaults, name)
        kind = OPTIONAL.get(name, type(value))
        parser.add_argument(f"--{name}", type=kind if value is not None else kind | None)
    parser.add_argument("--folds", type=tuple[str, ...], help="subjects to leave out; all: []")
    parser.set_defaults(as_dict(defaults))


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse, or raise a SettingError of one sentence."""
    parser.exit_on_error = False
    for word in arguments:
        if word.startswith("--") and "." in word:
            _check_name(word[2:].split("=")[0])
    try:
        return parser.parse_args(list(arguments))
    except Exception as error:
        raise SettingError(_sentence(error)) from error


def to_config(found: Namespace) -> RunConfig:
    """The settings that were parsed.

    Raises:
        SettingError: one of them cannot be.
    """
    values = found.as_dict()
    config = from_dict(RunConfig, {name: values[name] for name in (*GROUPS, "folds")})
    check(config)
    return config


def _check_name(name: str) -> None:
    kind: Any = RunConfig
    done: list[str] = []
    for part in name.split("."):
        names = [field.name for field in fields(kind)]
        if part not in names:
            place = ".".join(done)
            where = f"at '{place}' a recipe has" if place else "a recipe has"
            close = difflib.get_close_matches(part, names, n=1)
            hint = f"; nearest: {close[0]}" if close else ""
            raise SettingError(f"no setting '{name}'; {where}: {', '.join(names)}{hint}.")
        done.append(part)
        found = OPTIONAL.get(part, getattr(kind, part, None))
        default = next(field for field in fields(kind) if field.name == part).default_factory
        kind = found if is_dataclass(found) else default
        if not is_dataclass(kind):
            return


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:1].lower() + text[1:]
