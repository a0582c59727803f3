"""glidn export RUN [--to onnx|torch] [--fold NAME] [--out FILE]"""

import argparse
from importlib import import_module
from pathlib import Path

from glidn import runs
from glidn.errors import SettingError, nearest

SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}


def main(arguments: list[str]) -> int:
    """Write a trained network as one file that runs without glidn.

    Returns:
        0; the file is written, and says what the network says.
    """
    parser = argparse.ArgumentParser(
        prog="glidn export",
        description="Write a trained network as one file that runs without glidn, from nodes or "
        "clips to the probability of each class (docs/export.md). The file is run and compared "
        "with the network before it is kept.",
    )
    parser.add_argument("run", type=Path, help="a trained run's folder")
    parser.add_argument(
        "--to",
        default="onnx",
        help="onnx (default; needs pip install glidn[onnx]), or torch: a .pt2 file, which needs "
        "torch alone",
    )
    parser.add_argument("--fold", help="whose network; may be left out where one is trained")
    parser.add_argument("--out", type=Path, help="the file; default: the run's name, here")
    asked = parser.parse_args(arguments)
    if asked.to not in SUFFIXES:
        raise SettingError(f"--to {asked.to} is unknown{nearest(asked.to, SUFFIXES)}.")
    suffix = SUFFIXES[asked.to]
    if asked.out is not None and asked.out.suffix != suffix:
        raise SettingError(f"--out {asked.out}: give a name that ends in {suffix}.")
    _check_packages(asked.to)
    run = runs.read(asked.run)

    # After what can be told at once, because torch takes seconds.
    from glidn.export.file import choose_fold, export

    fold = choose_fold(run, asked.fold)
    name = run.path.resolve().name
    out = asked.out or Path(f"{name}.{fold}{suffix}" if len(run.folds) > 1 else name + suffix)
    written = export(run, fold, asked.to, out)
    print(f"Written: {out}, {out.stat().st_size / 1e6:.1f} MB.")
    for title, ports in (("in", written.whole.inputs), ("out", written.whole.outputs)):
        for port in ports:
            print(f"  {title + ':':4} {port}")
    print(
        f"  Two random batches of other sizes: at most {written.difference:.1e} from the network."
    )
    return 0


def _check_packages(to: str) -> None:
    for package in PACKAGES[to]:
        try:
            import_module(package)
        except ImportError as error:
            raise SettingError(
                f"--to {to} needs {package}; install it with: pip install glidn[onnx]. A file for "
                "torch alone needs nothing more: --to torch."
            ) from error
