"""Run the benchmarks and write their page, benchmarks/README.md.

    python benchmarks/page.py [NAME ...] [--run RUN] [--video FILE --detector FILE.onnx]

Every section is what its script prints, below the command, the machine and the date. Sections that
are not run stay as they are. Nothing else should run meanwhile.
"""

import argparse
import os
import platform
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
HEAD = """# Benchmarks

Ratios, each of things that were measured in turn in one run: times on one machine mean little on
another. Written by `make bench`, section by section; what was tried, and what failed, is in
[LOG.md](LOG.md). Scores that choose settings are made by two scripts without timing,
`inner_cross_validation.py` and `timed_baselines.py` (figures in [results](../results)). No GPU was
at hand: nothing here is measured on one.
"""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        command: the script and its arguments; {data}, {run}, {video} and {detector}
            are filled in.
    """

    title: str
    command: str
    about: str


SECTIONS = {
    "attention": Section(
        "Attention over a complete graph",
        "complete_graph.py sizes",
        "One layer of 512 features, one head; ours is dense below 1,024 nodes. The columns behind "
        "it say how many times as long the others take: the dense form in plain PyTorch, "
        "torch_geometric's GATConv with an edge for every pair, and scaled dot-product attention "
        "with its three projections, which is another function of the same size.",
    ),
    "choice": Section(
        "From which size the matrix is left out",
        "complete_graph.py batches",
        "512 features; dense time over ours: above 1 ours is faster. `attention.MANY` is set by "
        "it.",
    ),
    "small": Section(
        "Graphs of a few nodes",
        "small_graphs.py layers",
        "A layer with its backward pass: PyTorch's kernels over ours, above 1 ours is faster. "
        "They work number by number at products of fewer than 400 multiplications, and at a "
        "softmax over fewer scores than fill a vector register (16 with AVX-512, else 8).",
    ),
    "hour": Section(
        "An hour of video in one graph",
        "complete_graph.py hour",
        "54,000 nodes of 512 features against the projection `x @ W` alone, which both need. Aim: "
        "at most 6 times, forward and with the backward pass, within 2 GB.",
    ),
    "views": Section(
        "The 30-view test of one video",
        "thirty_views.py",
        "Generated H.264 video of 854x480 pixels and 30 s; aim: the whole test at most 1.15 times "
        "the bare backbone.",
    ),
    "head": Section(
        "A training step with the graph head",
        "graph_head.py",
        "One clip of 32 frames of 224x224 pixels, 240 boxes; aim: at most 1.05 times. A ratio "
        "below 1 says how exact this is.",
    ),
    "cache": Section(
        "Cached and uncached epochs", "cached_epochs.py", "The paper's CAD-120 settings."
    ),
    "waiting": Section("Waiting for input", "waiting.py", "Aim: below 5 % of a training."),
    "training": Section(
        "Many small trainings",
        "many_trainings.py --data {data}",
        "Trainings of `cad120.tracks`, on the generated demo's boxes.",
    ),
    "products": Section(
        "A small training step against its operations",
        "small_graphs.py step --data {data}",
        "What the arithmetic allows. Every operation of a step, forward and backward, noted and "
        "repeated alone, without a model, a gradient or a batch around it: above 100%, because "
        "here each is called from Python and nothing that they were computed from is freed. Its "
        "matrix products, repeated alone: nothing that learns this network can be quicker.",
    ),
    "stacked": Section(
        "Models trained as a stack",
        "stacked_models.py --data {data}",
        "Time of a step for each model of a stack (torch.func, vmap), against that of a model "
        "alone: why many small trainings are shared out to processes, and not stacked.",
    ),
    "predict": Section(
        "Predict and its parts",
        "predict_parts.py --run {run} --video {video} --detector {detector}",
        "A real video, a detector of YOLOX-nano's size.",
    ),
    "growth": Section(
        "How time and memory grow",
        "growth.py --run {run} --plots benchmarks",
        "![nodes](nodes.svg) ![length](length.svg) ![videos](videos.svg)",
    ),
    "generate": Section(
        "Generated videos", "generate.py", "The median of three runs of 8 videos of 60 frames."
    ),
}

# In the commands that the page shows.
SHOWN = {
    "data": "demo/data",
    "run": "demo/runs/seed0/local",
    "video": "VIDEO",
    "detector": "FILE.onnx",
}


def machine() -> str:
    """What it ran on."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    name = names[0] if names else platform.processor()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {os.cpu_count()} cores{gpu}, {platform.system()}, torch {torch.__version__}"


def run(section: Section, given: dict[str, str]) -> str:
    """The section as text."""
    script, *words = shlex.split(section.command)
    filled = [word.format(**given) for word in words]
    done = subprocess.run(
        [sys.executable, str(HERE / script), *filled], stdout=subprocess.PIPE, text=True, check=True
    )
    today = datetime.now(tz=UTC).date()
    return (
        f"## {section.title}\n\n    python benchmarks/{section.command.format(**SHOWN)}\n\n"
        f"{machine()}, {today}. {section.about}\n\n{done.stdout.strip()}\n"
    )


def parts(text: str) -> dict[str, str]:
    """A page's sections by title."""
    found = [f"## {part.strip()}\n" for part in text.split("\n## ")[1:]]
    return {part.splitlines()[0].removeprefix("## "): part for part in found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *SECTIONS], help="default: all")
    parser.add_argument("--data", default=SHOWN["data"], help="the demo's dataset")
    parser.add_argument("--run", default=SHOWN["run"], help="a trained run")
    parser.add_argument("--video", default="", help="a real video, for predict")
    parser.add_argument("--detector", default="", help="a YOLOX-style ONNX file, for predict")
    asked = parser.parse_args()
    given = {
        "data": asked.data,
        "run": asked.run,
        "video": asked.video,
        "detector": asked.detector,
    }
    found = parts(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for name in asked.names or SECTIONS:
        if name == "predict" and not (asked.video and asked.detector):
            print("predict: left out; it wants --video and --detector.")
            continue
        began = time.monotonic()
        found[SECTIONS[name].title] = run(SECTIONS[name], given)
        print(f"{name}: {time.monotonic() - began:.0f} s")
        kept = [found[s.title] for s in SECTIONS.values() if s.title in found]
        PAGE.write_text("\n".join([HEAD, *kept]), encoding="utf-8")


if __name__ == "__main__":
    main()
