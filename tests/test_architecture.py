"""Imports run one way, files stay short, and what is slow to import is imported late."""

import ast
import subprocess
import sys
from pathlib import Path

import glidn

ROOT = Path(glidn.__file__).parent
MOST_LINES = 400

# Lowest first. A module imports only from floors below its own, or from its own package.
FLOORS: list[set[str]] = [
    {"errors", "memory"},
    {"types", "config", "files", "complete"},
    {"timeline", "video", "boxes", "attention", "losses", "metrics", "average_precision", "crops"}
    | {"processes", "checks", "graph", "store", "fleet"},
    {
        "geometry",
        "transforms",
        "windows",
        "clips",
        "protocol",
        "views",
        "distillation",
        "engines",
        "backbones",
        "recipes",
    },
    {"batch", "datasets", "detectors", "runs", "regions", "enough"},
    {"model", "sources", "tracking"},
    {"checkpoint", "features", "proposals"},
    {"many_labels", "timed", "best", "teachers"},
    {"evaluation", "learner", "multiview"},
    {"material", "training"},
    {"experiment"},
    {"prediction", "export"},
    {"report", "bench"},
    {"reproduction"},
    {"studio"},
    {"cli"},
    {"__main__"},
]
# The public names: they may be imported from anywhere, for the version.
TOP = "glidn"


def modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")
    }


def room(module: str) -> str:
    """The floor plan names files and packages directly below glidn."""
    return module.split(".")[0]


def imports(path: Path) -> set[str]:
    """Rooms that a file imports from, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    rooms = {name.split(".")[1] for name in found if name.startswith(TOP + ".")}
    return rooms & {room(module) for module in modules()}


def test_every_module_has_a_floor_and_imports_only_from_below():
    floor_of = {name: number for number, names in enumerate(FLOORS) for name in names}
    wrong = []
    for module, path in modules().items():
        here = room(module)
        if here == "__init__":
            continue
        assert here in floor_of, f"{path.name} has no floor yet: place it in FLOORS"
        wrong += [
            f"{module} imports {there}"
            for there in imports(path)
            if there != here and floor_of[there] >= floor_of[here]
        ]
    assert not wrong, wrong


def test_no_file_is_too_long_to_read():
    tests = Path(__file__).parent.rglob("*.py")
    pages = [path for kind in ("html", "css", "js") for path in ROOT.rglob(f"*.{kind}")]
    long = {
        path.name: lines
        for path in [*modules().values(), *tests, *pages]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MOST_LINES
    }
    assert not long, long


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_command_line_starts_without_torch():
    code = (
        "import sys, glidn.cli, glidn.cli.check, glidn.datasets, glidn.recipes\n"
        "print([name for name in ('torch', 'lightning', 'sklearn') if name in sys.modules])"
    )
    assert run_python(code).strip() == "[]"


def test_training_imports_without_video_and_command_line_libraries():
    """A machine with an accelerator may have neither av nor jsonargparse."""
    code = (
        "import sys\n"
        "sys.modules['av'] = sys.modules['jsonargparse'] = None\n"
        "import glidn.experiment, glidn.metrics\n"
        "print('ok')"
    )
    assert run_python(code).strip() == "ok"
