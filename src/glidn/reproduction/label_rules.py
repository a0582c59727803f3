"""Which view can learn what: three rules that make a label, and every view trained on each.

A label that depends on who is near whom within a frame needs the local view; one that depends on
whether the same thing moves twice needs the global view; one that depends on the order of time
needs neither, but a node that knows the time (docs/concepts.md).
"""

import json
import signal
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from glidn import evaluation
from glidn.batch import Sample
from glidn.config import Context, NodesConfig, TrainConfig, ViewConfig
from glidn.datasets.synthetic import label_rules
from glidn.files import write_text
from glidn.learner import Lesson
from glidn.model import build, measure
from glidn.sources import InMemory
from glidn.training import fit, seeded

STEPS = 12
TITLES: dict[label_rules.Rule, str] = {
    "relation": "Which object is the hand at? (within a frame)",
    "identity": "Is the same object moved twice? (across frames)",
    "order": "Put on, or taken off? (order of time)",
}
# (training videos, epochs): what it takes to learn each rule, where it can be learnt at all.
EFFORT: dict[label_rules.Rule, tuple[int, int]] = {
    "relation": (1000, 20),
    "identity": (1000, 20),
    "order": (2000, 20),
}
VIEWS: tuple[tuple[str, Context, bool], ...] = (
    ("no relations", "none", False),
    ("local", "local", False),
    ("global", "global", False),
    ("local + time", "local", True),
    ("global + time", "global", True),
)


@dataclass(frozen=True)
class Learnt:
    """How well a view learnt a rule; accuracy and chance in 0..1."""

    rule: str
    title: str
    view: str
    accuracy: float
    chance: float = 0.5


def samples(rule: label_rules.Rule, videos: int, seed: int) -> list[Sample]:
    """Nodes of a rule's videos: place x, y, who moves, and what it is."""
    made = label_rules.sample(rule, videos, STEPS, np.random.default_rng(seed))
    kind = np.broadcast_to(np.eye(4, dtype=np.float32), (videos, STEPS, 4, 4))
    nodes = np.concatenate([made.positions, made.moving[..., None], kind], -1)
    geometry = torch.from_numpy(nodes.astype(np.float32))
    real = torch.ones(STEPS, 4, dtype=torch.bool)
    return [
        Sample(f"{rule}{number}", "", int(label), ({"geometry": x},), (real,))
        for number, (x, label) in enumerate(zip(geometry, made.labels, strict=True))
    ]


def learn(rule: label_rules.Rule, name: str, seed: int = 0) -> Learnt:
    """Train a view of `VIEWS` on a rule and test it on 1,000 other videos."""
    videos, epochs = EFFORT[rule]
    context, time = next((context, time) for view, context, time in VIEWS if view == name)
    train = samples(rule, videos, 2 * seed)
    test = samples(rule, 1000, 2 * seed + 1)
    # Residual layers let a node keep its own place and time beside what it hears.
    view = ViewConfig(context=context, embed=64, width=64, residual=True, time=time)
    seeded(seed, context)
    network = build(NodesConfig(kinds=("geometry",)), view, {"geometry": 7}, 2)
    measure([network], train)
    settings = TrainConfig(
        epochs=epochs, batch=50, lr=2e-3, schedule="cosine", checkpoint_every=epochs, seed=seed,
        threads=1,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        fit([Lesson({context: network}, Path(folder))], InMemory(train), settings)
    correct = evaluation.predict(network, test, batch=500).correct
    return Learnt(rule, TITLES[rule], name, round(float(correct.mean()), 3))


def _learn_pair(pair: tuple[label_rules.Rule, str]) -> Learnt:
    return learn(*pair)


def learn_all(
    out: Path, workers: int | None = None, progress: Callable[[int, int], None] | None = None
) -> Sequence[Learnt]:
    """Every view on every rule; written to `out` as JSON, and not learnt again if it is there."""
    if out.exists():
        return [Learnt(**entry) for entry in json.loads(out.read_text(encoding="utf-8"))]
    pairs = [(rule, view) for rule in TITLES for view, _, _ in VIEWS]
    found: list[Learnt] = []
    # Ctrl-C reaches every process of the terminal; the parent ends the others and says so once.
    with get_context("spawn").Pool(workers, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        for learnt in pool.imap(_learn_pair, pairs):
            found.append(learnt)
            if progress:
                progress(len(found), len(pairs))
    write_text(out, json.dumps([asdict(entry) for entry in found], indent=1) + "\n")
    return found
