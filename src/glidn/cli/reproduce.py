"""glidn reproduce cad120|charades --data.root DIR [--seeds N] [--out DIR] [any setting]"""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from glidn.cli.progress import progress_bar
from glidn.cli.settings import add_settings, parse, to_config
from glidn.cli.train import say_left_out
from glidn.config import RunConfig
from glidn.errors import SettingError, nearest
from glidn.recipes import find

DATASETS = ("cad120", "charades")
TABLES = ("2", "3", "8", "9")
# The recipe behind each kind of node.
RECIPES = {"crop": "cad120.baseline", "geometry": "cad120.tracks", "small": "demo"}


def main(arguments: list[str]) -> int:
    """Train every row of the paper's tables on a dataset and set ours beside the paper's."""
    named = next((word for word in arguments if word in DATASETS), "")
    if named == "charades":
        from glidn.cli import reproduce_charades

        return reproduce_charades.main(*_take(arguments, "--backbone", "full"))
    return _cad120(arguments)


def _cad120(arguments: list[str]) -> int:
    """Train every row of the paper's CAD-120 tables and set ours beside the paper's figures."""
    nodes, arguments = _take(arguments, "--nodes", "crop")
    if nodes not in RECIPES:
        raise SettingError(f"--nodes: {nodes} is no kind of node{nearest(nodes, RECIPES)}.")
    parser = ArgumentParser(
        prog="glidn reproduce",
        description=f"{_cad120.__doc__} --nodes crop (the paper's; default), geometry or small "
        "chooses the recipe whose settings are the defaults below. For Charades: glidn reproduce "
        "charades --help",
    )
    parser.add_argument("paper", choices=DATASETS, help="whose tables")
    parser.add_argument("--seeds", type=int, default=3, help="runs per row")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="where to")
    parser.add_argument("--workers", type=int | None, help="processes; default: one per core")
    parser.add_argument("--tables", type=str, default=",".join(TABLES), help="which tables")
    add_settings(parser, find(RECIPES[nodes]))
    found = parse(parser, arguments)
    return _reproduce(found, to_config(found))


def _take(arguments: list[str], option: str, default: str) -> tuple[str, list[str]]:
    """An option's value, and the other words: the defaults of the others depend on it."""
    words = [part for word in arguments for part in _split(word, option)]
    if option not in words:
        return default, words
    place = words.index(option)
    return "".join(words[place + 1 : place + 2]), words[:place] + words[place + 2 :]


def _split(word: str, option: str) -> list[str]:
    return word.split("=", 1) if word.startswith(f"{option}=") else [word]


def _reproduce(found: Namespace, base: RunConfig) -> int:
    # Imported here because torch takes seconds: a wrong setting is told at once.
    from glidn import datasets
    from glidn.reproduction.cad120 import Cad120
    from glidn.reproduction.reproduce import Reproduction, reproduce

    tables = tuple(str(found.tables).split(","))
    for table in tables:
        if table not in TABLES:
            raise SettingError(f"--tables: there is no table {table}{nearest(table, TABLES)}.")
    dataset = datasets.load(base.data.root, base.data.kind)
    say_left_out(dataset)
    what = Reproduction(found.out, Cad120(base), found.seeds, tables)
    with progress_bar() as report:
        reproduce(dataset, what, found.workers, report)
    print((found.out / "tables.md").read_text(encoding="utf-8"))
    print(f"look at it: glidn report {found.out}")
    return 0
