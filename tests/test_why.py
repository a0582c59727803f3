"""Why: what deletion names, against what the generator knows to have been used."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from glidn import datasets, protocol, runs
from glidn.config import NodesConfig
from glidn.datasets.synthetic import SyntheticConfig, write_cad120
from glidn.experiment import train_fold
from glidn.material import prepare
from glidn.prediction import speaker
from glidn.recipes import demo

UNTOUCHED = "stationary"


def used_objects(root: Path) -> dict[str, set[str]]:
    """Per video the objects, "1" being the first, that some sub-activity does something with."""
    used: dict[str, set[str]] = {}
    for path in root.glob("*_annotations/*/labeling.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            video, _, _, _, *affordances = line.split(",")
            numbered = enumerate(affordances, start=1)
            found = {str(number) for number, what in numbered if what != UNTOUCHED}
            used.setdefault(video, set()).update(found)
    return used


def test_the_object_that_is_used_is_named_first(tmp_path):
    """Of five on the table, for nine of ten right verdicts; a guess names one in 42 of 100.

    Would catch: effects of the wrong sign, class or track, and a window that is looked at anew
    without the box, and so at other frames.
    """
    root = tmp_path / "data"
    write_cad120(root, SyntheticConfig(repetitions=2, frames=24, width=64, height=64), workers=2)
    data = datasets.load(root)
    base = demo.base()
    config = replace(
        base,
        data=replace(base.data, root=root),
        nodes=NodesConfig(kinds=("geometry",)),
        train=replace(base.train, epochs=30),
        folds=("subject5",),
    )
    folds = protocol.folds(data, config.folds)
    runs.create(tmp_path / "run", config, data, folds)
    train_fold(runs.read(tmp_path / "run"), folds[0].name, prepare(data, config, None))
    asked = speaker.load(tmp_path / "run")

    used, named = used_objects(root), []
    for video in data.videos:
        if video.name not in folds[0].test:
            continue
        said = asked.say(video)
        verdict = int(said.scores.argmax())
        if data.classes[verdict] == video.label:
            things = [row for row, track in enumerate(video.tracks) if track.category != "person"]
            first = things[int(np.argmax(said.effects[things, verdict]))]
            named.append(video.tracks[first].name in used[video.name])
    assert len(named) >= len(folds[0].test) / 2
    assert np.mean(named) >= 0.9, f"{np.mean(named):.2f} of {len(named)}"
