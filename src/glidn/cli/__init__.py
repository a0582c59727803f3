"""The command line: one file per command, imported only when it is asked for."""

import importlib
import keyword
import os
import signal
import sys
import threading

from glidn import __version__, memory
from glidn.errors import GlidnError, nearest

# command: (what it does, shown by glidn --help)
COMMANDS = {
    "demo": "generate videos, train every variant on them, write a report",
    "generate": "write generated videos in the official layout of CAD-120 or Charades",
    "import": "own labels of CVAT, COCO, MOT, YOLO or csv, into a dataset folder",
    "check": "the data doctor: what is wrong with a dataset, and the mend",
    "boxes": "find boxes in a dataset's videos, or take over Action Genome's",
    "features": "compute the frozen features of crop nodes before training, on many machines",
    "train": "train a recipe: a view alone, a student, or two peers",
    "evaluate": "score a run under its dataset's protocol",
    "reproduce": "the paper's tables, ours beside the paper's",
    "predict": "what is done in videos of your own, when, and why",
    "studio": "a page in the browser: drop a video, scrub, click a box, correct it",
    "report": "one self-contained HTML page about a run",
    "export": "a trained network as one file that runs without glidn: ONNX, or torch's own",
    "bench": "what computes the networks fastest on this machine, and frames a second of each part",
    "weights": "what a checkpoint file is, what fits, and its conversion to safetensors",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code.

    0: done. 1: done, and problems were found. 2: the input was wrong; one sentence says how.
    130: interrupted.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if threading.current_thread() is threading.main_thread():
        # Schedulers end jobs so: as with Ctrl-C, nothing half-written is to stay.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    memory.keep()
    if not words or words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"glidn {__version__}")
        return 0
    try:
        if words[0] not in COMMANDS:
            raise GlidnError(f"no command '{words[0]}'{nearest(words[0], COMMANDS)}.")
        if int(os.environ.get("WORLD_SIZE", 1)) > 1 and words[0] != "train":
            raise GlidnError(f"torchrun is for glidn train; start glidn {words[0]} without it.")
        # A file cannot be called like a word of the language: cli/import_.py.
        module = words[0] + "_" * keyword.iskeyword(words[0])
        return importlib.import_module(f"glidn.cli.{module}").main(words[1:])
    except GlidnError as error:
        print(f"glidn: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nglidn: interrupted; the same command goes on where this one stopped.",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; that is no failure of ours.
        sys.stderr.close()
        return 0


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"    {name:{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            f"glidn {__version__}: human-object interactions in video, by graph attention.",
            "",
            "    glidn COMMAND --help   its options",
            "",
            *lines,
        ]
    )
