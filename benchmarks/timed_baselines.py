"""What timed labels come to without a network, on the windows and folds of a timed recipe.

    python benchmarks/timed_baselines.py cad120.timed --data.root DIR [any setting]

"most frequent": every frame shows the class that most training windows show. "logistic
regression": scikit-learn's, on each window's mean person node beside its mean object node,
standardised, its scores spread over the frames as the network's are.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jsonargparse import ArgumentParser
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from glidn import datasets, evaluation, protocol, timeline, windows
from glidn.batch import Sample
from glidn.cli.settings import add_settings, parse, to_config
from glidn.material import Timed, prepare
from glidn.recipes import find

# (training samples, K) -> what gives samples their (n, K) scores.
Method = Callable[[Sequence[Sample], int], Callable[[Sequence[Sample]], np.ndarray]]


def most_frequent(trained: Sequence[Sample], classes: int) -> Callable:
    counts = np.bincount([int(sample.label) for sample in trained], minlength=classes)
    share = (counts + 1) / (len(trained) + classes)
    return lambda samples: np.tile(share, (len(samples), 1))


def logistic_regression(trained: Sequence[Sample], classes: int) -> Callable:
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    labels = np.array([int(sample.label) for sample in trained])
    fitted.fit(np.stack([mean_nodes(sample) for sample in trained]), labels)

    def scores(samples: Sequence[Sample]) -> np.ndarray:
        said = np.full((len(samples), classes), 1e-9)
        rows = np.stack([mean_nodes(sample) for sample in samples])
        said[:, fitted.classes_] = fitted.predict_proba(rows)
        return said

    return scores


def mean_nodes(sample: Sample) -> np.ndarray:
    """(2 D,) the mean person node beside the mean object node; zeros where there is none."""
    nodes, real = sample.variants[0]["geometry"].numpy(), sample.real[0].numpy()
    parts = [(nodes[:, :1], real[:, :1]), (nodes[:, 1:], real[:, 1:])]
    return np.concatenate([x.sum((0, 1)) / max(1, there.sum()) for x, there in parts])


METHODS: dict[str, Method] = {
    "most frequent": most_frequent,
    "logistic regression": logistic_regression,
}


def main(arguments: list[str]) -> None:
    parser = ArgumentParser(description=__doc__)
    add_settings(parser, find(arguments[0]))
    config = to_config(parse(parser, arguments[1:]))
    config = replace(config, data=replace(config.data, variants=1))
    dataset = windows.learnt(datasets.load(config.data.root, config.data.kind), config.data)
    material = prepare(dataset, config, None)
    assert isinstance(material, Timed), "a recipe with data.samples=windows"
    for name, method in METHODS.items():
        said, pairs = {}, []
        for fold in protocol.folds(dataset):
            scores = method(material.of(fold.train), len(dataset.classes))
            videos = [material.videos[video] for video in fold.test]
            over = {
                video.name: timeline.spread(
                    material.middles[video.name],
                    scores(material.windows[video.name]),
                    video.frames,
                    config.data.smooth * video.fps,
                )
                for video in videos
            }
            said[fold.name] = evaluation.segments(videos, over, dataset.classes)
            for one in evaluation.timelines(videos, over, dataset.classes).values():
                pairs.append((one.truth, one.predicted))
        known = evaluation.score(said, dataset.classes)
        folds = ", ".join(f"{100 * value:.1f}" for value in known.per_fold.values())
        print(f"{name}: segments {100 * known.pooled:.1f} (folds {folds}), ", end="")
        print(timeline.score(pairs).sentence)


if __name__ == "__main__":
    main(sys.argv[1:])
