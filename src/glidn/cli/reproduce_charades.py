"""glidn reproduce charades --data.root DIR [--seeds N] [--backbone full|small] [any setting]"""

from dataclasses import replace
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from glidn.cli.progress import progress_bar
from glidn.cli.settings import add_settings, parse, to_config
from glidn.cli.train import say_left_out, say_unread
from glidn.config import RunConfig
from glidn.errors import SettingError, nearest
from glidn.recipes import find

TABLES = ("1", "5", "6", "7")
# The recipes behind --backbone, and the epochs of the second stage.
RECIPES = {
    "full": {"i3d": "charades.i3d", "slowfast": "charades.slowfast"},
    "small": {"i3d": "charades.small_i3d", "slowfast": "charades.small_slowfast"},
}
SECOND_EPOCHS = {"full": 30, "small": 13}


def main(size: str, words: list[str]) -> int:
    """Train every row of the paper's Charades tables and set ours beside the paper's figures.

    Args:
        size: full or small.
        words: the other words of the command line.

    Returns:
        0: done; 1: done, but test videos could not be read, or with --dry-run something is
        missing.

    Raises:
        GlidnError: a wrong setting, or something is missing; nothing was started.
    """
    if size not in RECIPES:
        raise SettingError(f"--backbone: {size} is no size{nearest(size, RECIPES)}.")
    # Imported here because torch takes seconds, and after the first wrong word.
    from glidn.reproduction.charades import settings

    # The same words on top of both recipes.
    parsed = {
        name: parse(_parser(settings(find(recipe)), SECOND_EPOCHS[size]), words)
        for name, recipe in RECIPES[size].items()
    }
    found = next(iter(parsed.values()))
    tables = tuple(str(found.tables).split(","))
    for table in tables:
        if table not in TABLES:
            raise SettingError(f"--tables: there is no table {table}{nearest(table, TABLES)}.")
    if found.seeds < 1:
        raise SettingError(f"--seeds is {found.seeds}; at least one is needed.")
    bases = {name: _base(name, one) for name, one in parsed.items()}
    return _reproduce(found, bases, tables, published=size == "full")


def _parser(defaults: RunConfig, second_epochs: int) -> ArgumentParser:
    parser = ArgumentParser(
        prog="glidn reproduce",
        description="Train every row of the paper's Charades tables (1, 5, 6 and 7) and set ours "
        "beside the paper's figures. --backbone full (the paper's; default) or small (miniatures "
        "from random weights, for generated videos) chooses the two recipes. Settings hold for "
        "both, and their defaults below are those of I3D; train is of the first stage, view of "
        "the views on top of it, distill of the students.",
    )
    parser.add_argument("dataset", choices=["charades"], help="whose tables")
    parser.add_argument("--seeds", type=int, default=3, help="runs per row")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce_charades"), help="where")
    parser.add_argument(
        "--workers", type=int | None, help="processes; default: one with a GPU, else one per core"
    )
    parser.add_argument("--tables", type=str, default=",".join(TABLES), help="which tables")
    parser.add_argument("--i3d-weights", type=Path | None, help="a published checkpoint of I3D")
    parser.add_argument("--slowfast-weights", type=Path | None, help="the same of SlowFast")
    parser.add_argument("--i3d-epochs", type=int | None, help="of I3D's first stage alone")
    parser.add_argument("--slowfast-epochs", type=int | None, help="of SlowFast's; published: 0")
    parser.add_argument(
        "--second-epochs", type=int, default=second_epochs, help="of the second stage"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what is needed, and stop")
    add_settings(parser, defaults)
    return parser


def _base(name: str, found: Namespace) -> RunConfig:
    """The settings of one backbone, with what is for it alone."""
    base = to_config(found)
    assert base.backbone is not None
    if base.backbone.weights is not None:
        raise SettingError(
            "--backbone.weights would be for both backbones; give --i3d-weights and "
            "--slowfast-weights."
        )
    weights, epochs = found[f"{name}_weights"], found[f"{name}_epochs"]
    base = replace(base, backbone=replace(base.backbone, weights=weights))
    return base if epochs is None else replace(base, train=replace(base.train, epochs=epochs))


def _reproduce(
    found: Namespace, bases: dict[str, RunConfig], tables: tuple[str, ...], published: bool
) -> int:
    from glidn.reproduction import needs, reproduce
    from glidn.reproduction.charades import Charades

    paper = Charades(bases, found.second_epochs)
    what = reproduce.Reproduction(found.out, paper, found.seeds, tables)
    plans = [(path, config) for path, _, config in reproduce.configs(what)]
    used = {
        name: base
        for name, base in bases.items()
        if any(plan.name.startswith(name) for plan in what.plans)
    }
    survey = needs.survey(used, plans, found.out, published)
    print(needs.text(survey, published))
    if found.dry_run:
        return 1 if survey.missing else 0
    needs.refuse(survey)
    assert survey.dataset is not None
    say_left_out(survey.dataset)
    with progress_bar() as report:
        reproduce.reproduce(survey.dataset, what, found.workers, report)
    print((found.out / "tables.md").read_text(encoding="utf-8"))
    print(f"look at it: glidn report {found.out}")
    unread = reproduce.unread(what)
    if unread:
        print(f"glidn: {len(unread):,} of the test videos could not be read; they rank last:")
    return say_unread([unread])
