"""glidn reproduce cad120 --data.root DIR [--seeds N] [--nodes KIND] [--out DIR] [any setting]"""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from glidn.cli.progress import progress_bar
from glidn.cli.settings import add_settings, parse, to_config
from glidn.cli.train import say_left_out
from glidn.config import RunConfig
from glidn.errors import SettingError, nearest
from glidn.recipes import find

TABLES = ("2", "3", "8", "9")
# The recipe behind each kind of node.
RECIPES = {"crop": "cad120.baseline", "geometry": "cad120.tracks", "small": "demo"}


def main(arguments: list[str]) -> int:
    """Train every row of the paper's CAD-120 tables and set ours beside the paper's figures."""
    nodes = _value(arguments, "--nodes") or "crop"
    if nodes not in RECIPES:
        raise SettingError(f"--nodes: {nodes} is no kind of node{nearest(nodes, RECIPES)}.")
    parser = ArgumentParser(prog="glidn reproduce", description=main.__doc__)
    parser.add_argument("paper", choices=["cad120"], help="whose tables")
    parser.add_argument("--seeds", type=int, default=3, help="runs per row")
    parser.add_argument("--nodes", default="crop", help="crop (the paper's), geometry or small")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="where to")
    parser.add_argument("--workers", type=int | None, help="processes; default: one per core")
    parser.add_argument("--tables", type=list[str], default=list(TABLES), help="which tables")
    add_settings(parser, find(RECIPES[nodes]))
    found = parse(parser, arguments)
    return _reproduce(found, to_config(found))


def _value(arguments: list[str], option: str) -> str:
    """An option's value before the parser is built: the defaults of the others depend on it."""
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == option:
            return following
        if word.startswith(option + "="):
            return word.partition("=")[2]
    return ""


def _reproduce(found: Namespace, base: RunConfig) -> int:
    # Imported here because torch takes seconds: a wrong setting is told at once.
    from glidn import datasets
    from glidn.reproduction.reproduce import Reproduction, reproduce

    for table in found.tables:
        if table not in TABLES:
            raise SettingError(f"--tables: there is no table {table}{nearest(table, TABLES)}.")
    dataset = datasets.load(base.data.root, base.data.kind)
    say_left_out(dataset)
    what = Reproduction(found.out, base, found.seeds, tuple(found.tables))
    with progress_bar() as report:
        reproduce(dataset, what, found.workers, report)
    print((found.out / "tables.md").read_text(encoding="utf-8"))
    print(f"look at it: glidn report {found.out}")
    return 0
