"""The top of the page: what this is, how well it did, and how it was made."""

from collections.abc import Sequence

import numpy as np

from glidn.report.markup import Html, count, join, listed, spaced, tag
from glidn.report.sources import Arm, Sources
from glidn.runs import Run

WHAT = (
    "Which activity does a video show? People and objects are the nodes of a graph. The local view "
    "relates the nodes of each frame, the global view those of the whole video, and one can teach "
    "the other."
)
KINDS = {
    "crop": "frozen ResNet features of each box",
    "small": "a small network on each box",
    "geometry": "place, size, motion and category of each box",
}


def section(sources: Sources) -> Html:
    """Title, one sentence, the main figures, and the facts."""
    run = sources.first
    return tag(
        "header",
        tag("p", "glidn", class_="brand"),
        tag("h1", title(sources)),
        tag("p", WHAT, class_="lead"),
        tag("div", *(_tile(arm) for arm in sources.arms), class_="tiles"),
        tag("p", _how_measured(sources), class_="quiet"),
        *(tag("p", note, class_="note") for note in sources.notes),
        tag("details", tag("summary", "How this was made"), _facts(sources)),
        _left_out(run),
    )


def title(sources: Sources) -> str:
    """What was done on which data."""
    data = sources.first.about["dataset"]["name"]
    if sources.is_reproduction:
        return f"The paper’s tables, made again on {data}"
    arm = sources.related[0]
    if sources.first.config.distill is not None and len(sources.arms) > 1:
        taught = next((a for a in sources.arms if a.role.startswith(("taught", "learning"))), arm)
        return f"{taught.name} {taught.role}, on {data}"
    return f"{arm.name} on {data}"


def _tile(arm: Arm) -> Html:
    values = arm.accuracies
    spread = (
        f"± {np.std(values, ddof=1):.1f} over {len(values)} seeds"
        if len(values) > 1
        else f"mean of folds {100 * arm.scores[0].mean:.1f} ± {100 * arm.scores[0].std:.1f}"
    )
    return tag(
        "div",
        tag("span", arm.name, tag("small", arm.role), class_="name"),
        tag("span", f"{values.mean():.1f}", tag("small", "%"), class_="figure"),
        tag("span", spread, class_="quiet"),
        class_=f"tile {arm.view}",
    )


def _how_measured(sources: Sources) -> str:
    """The circumstances that a figure means nothing without."""
    about, train = sources.first.about, sources.first.config.train
    seeds = max(len(arm.runs) for arm in sources.arms)
    videos = sources.arms[0].scores[0].videos
    who = (
        "each by a network that never saw its subject"
        if sources.arms[0].unseen_people
        else "none of which was trained on"
    )
    classes = len(sources.first.classes)
    return (
        f"Accuracy over {count(videos, 'test video')}, {who}. "
        f"Guessing among {classes} classes gives about {100 / classes:.0f}%. Trained on the other "
        f"videos of {about['dataset']['name']} for {count(train.epochs, 'epoch')}, with "
        f"{count(seeds, 'seed')}, on {str(about['started'])[:10]}."
    )


def _facts(sources: Sources) -> Html:
    run = sources.first
    about, config, data = run.about, run.config, run.about["dataset"]
    seeds = sorted({found.config.train.seed for arm in sources.arms for found in arm.runs})
    train = config.train
    facts = {
        "Dataset": f"{data['name']}: {count(data['videos'], 'video')}",
        "Subjects": listed(data["subjects"]) or "not named",
        "Classes": listed(spaced(name) for name in data["classes"]),
        "Objects": listed(spaced(name) for name in data["categories"] if name != data["person"]),
        "Nodes": " + ".join(KINDS[kind] for kind in config.nodes.kinds),
        "Time": f"{count(config.data.steps, 'step')} per video",
        "Network": _network(sources),
        "Teaching": _teaching(run),
        "Training": f"{count(train.epochs, 'epoch')}, batches of {train.batch}, learning rate "
        f"{train.lr:g}; the last epoch is tested",
        "Seeds": listed(map(str, seeds)),
        "Machine": f"{about['machine']}; {about['device']}",
        "Software": f"glidn {about['glidn']}"
        f" (commit {about['commit'] or 'unknown'}), torch {about['torch']}, "
        f"Python {about['python']}",
        "Started": str(about["started"]).replace("T", " ").replace("+00:00", " UTC"),
    }
    pairs = [
        tag("div", tag("dt", name), tag("dd", value)) for name, value in facts.items() if value
    ]
    command = tag("div", tag("dt", "Command"), tag("dd", tag("code", about["command"])))
    return tag("dl", *pairs, command, class_="facts")


def _network(sources: Sources) -> str:
    view = sources.related[0].runs[0].config.view
    parts = [
        f"{count(view.layers, 'graph attention layer')} of width {view.width}, "
        f"{count(view.heads, 'head')}",
        f"readout: {view.readout}",
    ]
    if view.time:
        parts.append("nodes know their time")
    return "; ".join(parts)


def _teaching(run: Run) -> str:
    distill = run.config.distill
    if distill is None:
        return ""
    who = "mutual" if distill.mutual else f"teacher {distill.teacher}"
    return f"{who}; T = {distill.temperature:g}, λ1 = {distill.lambda1:g}, λ2 = {distill.lambda2:g}"


def _left_out(run: Run) -> Html:
    """What could not be used, and why."""
    rows: Sequence[dict] = run.about["dataset"]["left_out"]
    if not rows:
        return Html()
    return tag(
        "details",
        tag("summary", f"{count(len(rows), 'video')} left out"),
        tag(
            "ul", *(tag("li", join([tag("b", row["video"]), ": ", row["reason"]])) for row in rows)
        ),
    )
