"""The top of the page: what this is, how well it did, and how it was made."""

from collections.abc import Sequence

import numpy as np

from glidn.report import facts
from glidn.report.dots import bar
from glidn.report.markup import Html, count, join, tag
from glidn.report.sources import Arm, Sources
from glidn.runs import Run

WHAT = (
    "Which activity does a video show? People and objects are the nodes of a graph. The local view "
    "relates the nodes of each frame, the global view those of the whole video, and one can teach "
    "the other."
)
WHICH = "Which activity does a video show?"
WHICH_MANY = "Which actions does a video show?"
WHICH_TIMED = "What is done at every moment of a video?"


def section(sources: Sources) -> Html:
    """Title, one sentence, the main figures, and the facts."""
    run = sources.first
    return tag(
        "header",
        tag("p", "glidn", class_="brand"),
        tag("h1", title(sources)),
        tag("p", _what(sources), class_="lead"),
        tag("div", *(_tile(arm) for arm in sources.arms), class_="tiles"),
        tag("p", _how_measured(sources), class_="quiet"),
        *(tag("p", note, class_="note") for note in sources.notes),
        _unread(sources),
        tag("details", tag("summary", "How this was made"), facts.table(sources)),
        _left_out(run),
    )


def _what(sources: Sources) -> str:
    asked = WHICH_MANY if sources.many else WHICH_TIMED if sources.is_timed else WHICH
    return WHAT.replace(WHICH, asked)


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
    values = arm.percents
    below = _tile_many(arm) if arm.many else [tag("span", _spread(arm), class_="quiet")]
    return tag(
        "div",
        tag("span", arm.name, tag("small", arm.role), class_="name"),
        tag("span", f"{values.mean():.1f}", tag("small", _unit(arm)), class_="figure"),
        *below,
        class_=f"tile {arm.view}",
    )


def _unit(arm: Arm) -> str:
    return "% mAP" if arm.many else "%"


def _spread(arm: Arm) -> str:
    values = arm.percents
    if len(values) > 1:
        return f"± {np.std(values, ddof=1):.1f} over {len(values)} seeds"
    if arm.many:
        return ""
    return f"mean of folds {100 * arm.scores[0].mean:.1f} ± {100 * arm.scores[0].std:.1f}"


def _tile_many(arm: Arm) -> list[Html]:
    """A bar with chance marked, and the same ranking by other rules."""
    found = arm.precisions
    chance = float(np.mean([one.chance for one in found]))
    other = {
        "weighted": float(np.mean([one.weighted for one in found])),
        "scikit-learn’s rule": float(np.mean([one.sklearn for one in found])),
        "chance": chance,
    }
    words = [f"{name} {100 * value:.1f}" for name, value in other.items()]
    return [
        bar(float(arm.percents.mean()) / 100, chance, arm.view),
        tag("span", " · ".join([*filter(None, [_spread(arm)]), *words]), class_="quiet"),
    ]


def _how_measured(sources: Sources) -> str:
    """The circumstances that a figure means nothing without."""
    arm, train = sources.arms[0], sources.first.config.train
    about = sources.first.about
    seeds = max(len(arm.runs) for arm in sources.arms)
    who = (
        "each by a network that never saw its subject"
        if arm.unseen_people
        else "none of which was trained on"
    )
    if sources.many:
        measured = _how_ranked(arm, who)
    else:
        classes = len(sources.first.classes)
        measured = (
            f"Accuracy over {_tested(arm)}, {who}. "
            f"Guessing among {classes} classes gives about {100 / classes:.0f}%."
        )
    if views := _views(arm):
        measured = f"{measured} {views}"
    trained = (
        f"Trained on the other videos of {about['dataset']['name']} for "
        f"{count(train.epochs, 'epoch')}, with"
        if train.epochs
        else f"Tested on {about['dataset']['name']} with the weights that it began with,"
    )
    return f"{measured} {trained} {count(seeds, 'seed')}, on {str(about['started'])[:10]}."


def _tested(arm: Arm) -> str:
    if arm.is_timed:
        shown = f"{count(arm.videos, 'timed label')} of the test videos"
        return f"{shown}, told when each begins and ends"
    return count(arm.videos, "test video")


def _how_ranked(arm: Arm, who: str) -> str:
    found = arm.precisions[0]
    return (
        "Mean average precision (mAP) by the official rule of Charades, over "
        f"{count(len(found.per_class), 'class', 'classes')} that {count(arm.videos, 'test video')} "
        f"show, {who}. Weighted: each class counts as many times as videos show it. Random scores "
        f"get {100 * found.chance:.1f}%, the mark on the bar."
    )


def _views(arm: Arm) -> str:
    """What a test video is scored on; "" where that is the whole of it at once."""
    clips = arm.runs[0].config.clips
    if clips is None:
        return ""
    views = clips.test_clips * clips.test_crops
    how = {"max": "the largest", "mean": "the mean"}[clips.fuse]
    return (
        f"Each test video is seen in {count(views, 'view')} "
        f"({count(clips.test_clips, 'clip')} × {count(clips.test_crops, 'crop')}); its score for a "
        f"class is {how} of theirs."
    )


def _unread(sources: Sources) -> Html:
    """The test videos that could not be read, and why."""
    unread = sources.unread
    if not unread:
        return Html()
    return tag(
        "details",
        tag("summary", f"{count(len(unread), 'test video')} could not be read"),
        tag("p", "They count as found in no class: they rank last.", class_="quiet"),
        tag("ul", *(tag("li", tag("b", name), f": {why}") for name, why in unread.items())),
        open=True,
    )


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
