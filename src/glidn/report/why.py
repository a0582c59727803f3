"""What the networks listened to in a few test videos: films, opinions, and maps of attention."""

from collections.abc import Callable, Sequence

import numpy as np

from glidn.errors import GlidnError
from glidn.report import cases, graph, video
from glidn.report.cases import Case, Look, Opinion
from glidn.report.markup import Html, listed, spaced, tag
from glidn.report.sources import Arm, Sources
from glidn.report.video import Clip, Film

Progress = Callable[[str, int, int], None]

# Of all films together, as base64; so that the page can be sent by mail.
MOST_BYTES = 7_000_000
TOP = 3


def section(sources: Sources, progress: Progress | None = None) -> Html:
    """A few cases with their films; in words where there is nothing to film."""
    arms = sources.related
    chosen = cases.choose(arms)
    missing = Html()
    try:
        shown = _films(cases.look(arms[0].runs[0], chosen), progress)
    except GlidnError as error:
        missing = tag("p", f"The videos are left out: {error}", class_="note")
        shown = [_case(case, [_opinion(opinion) for opinion in case.opinions]) for case in chosen]
    return tag(
        "section",
        tag("h2", "What they listened to"),
        tag("p", _introduction(sources, arms), class_="lead"),
        missing or _legend(arms),
        *shown,
        id="why",
    )


def _films(looks: Sequence[Look], progress: Progress | None) -> list[Html]:
    """As many cases as the page has room for, one at least."""
    shown: list[Html] = []
    size = 0
    for number, look in enumerate(looks):
        if progress:
            progress("drawing videos", number, len(looks))
        case = look.case
        film = video.read(look.video, case.opinions[0].arm.runs[0].config.data.steps)
        clips = [_clip(o, film, w) for o, w in zip(case.opinions, look.attention, strict=True)]
        size += sum(len(clip.film) + len(clip.still) for clip in clips)
        if size > MOST_BYTES and shown:
            break
        panels = [
            _opinion(opinion, clip, _map(film, weights))
            for opinion, clip, weights in zip(case.opinions, clips, look.attention, strict=True)
        ]
        shown.append(_case(case, panels))
    if progress:
        progress("drawing videos", len(looks), len(looks))
    return shown


def _introduction(sources: Sources, arms: Sequence[Arm]) -> str:
    seed = " of the first seed" if sources.is_reproduction else ""
    who = "Networks" if len(arms) > 1 else "A network"
    people = " of people never seen in training" if arms[0].unseen_people else ""
    return (
        f"{who}{seed} on test videos{people}. Cases are chosen by a rule, "
        "not by eye: every outcome in turn, then the classes and subjects shown least. Attention "
        "says what a network listened to, not that it was right to."
    )


def _legend(arms: Sequence[Arm]) -> Html:
    words = {
        "local": "An edge ends in a dot at the box that is listened to, in the same frame. The "
        "strip shows what each box of the frame contributes.",
        "global": "Edges run from the boxes of the frame to the moments that they listen to; the "
        "strip is the whole video from left to right, with the strongest node of each sixth.",
        "none": "Boxes alone: this network relates nothing.",
    }
    lines = [tag("p", tag("b", arm.name, class_=arm.view), " ", words[arm.view]) for arm in arms]
    common = tag(
        "p",
        "Lines are drawn only above an even share, and wider the further above it; weights are of "
        "all layers together (attention rollout). The map below a film shows how much each object "
        "is listened to at each step.",
    )
    return tag("div", *lines, common, class_="legend")


def _case(case: Case, panels: Sequence[Html]) -> Html:
    right = [opinion.arm for opinion in case.opinions if opinion.right]
    if len(right) == len(case.opinions):
        outcome = "right" if len(right) == 1 else "both right"
    elif right:
        outcome = f"only the {listed(arm.view for arm in right)} view is right"
    else:
        outcome = "wrong" if len(case.opinions) == 1 else "both wrong"
    who = f"{case.video}, {case.subject}" if case.subject else case.video
    return tag(
        "article",
        tag(
            "div",
            tag(
                "h3",
                spaced(case.opinions[0].arm.classes[case.truth]),
                tag("small", who, tag("span", outcome, class_="outcome")),
            ),
            class_="title",
        ),
        tag("div", *panels, class_="pair"),
        class_="case",
    )


def _opinion(opinion: Opinion, clip: Clip | None = None, heard: Html | None = None) -> Html:
    head = tag("h4", opinion.arm.name, tag("small", opinion.arm.role), class_=opinion.arm.view)
    return tag(
        "div",
        head,
        _player(opinion, clip) if clip else Html(),
        _bars(opinion),
        heard or Html(),
        class_=f"panel {opinion.arm.view}",
    )


def _player(opinion: Opinion, clip: Clip) -> Html:
    words = (
        f"{opinion.arm.name}: boxes of people and objects with the strongest attention edges; "
        f"true class {spaced(opinion.arm.classes[opinion.truth])}, "
        f"predicted {spaced(opinion.arm.classes[opinion.predicted])}."
    )
    return tag(
        "video",
        src=clip.film,
        poster=clip.still,
        width=clip.width,
        height=clip.height,
        aria_label=words,
        controls=True,
        muted=True,
        loop=True,
        playsinline=True,
        preload="metadata",
    )


def _bars(opinion: Opinion) -> Html:
    """The likeliest classes; the true one is marked, and added where it is not among them."""
    order = list(np.argsort(-opinion.probabilities, kind="stable"))
    shown = order[:TOP]
    if opinion.truth not in shown:
        shown.append(opinion.truth)
    rows = []
    for number in shown:
        share = 100 * float(opinion.probabilities[number])
        true = number == opinion.truth
        rows.append(
            tag(
                "li",
                tag("span", spaced(opinion.arm.classes[number]), class_="class"),
                tag("span", "true", class_="true") if true else Html(),
                tag(
                    "svg",
                    tag("rect", class_="empty", width="100%", height=8, rx=2),
                    tag("rect", class_="bar", width=f"{share:.1f}%", height=8, rx=2),
                    width="100%",
                    height=8,
                    aria_hidden="true",
                ),
                tag("span", f"{share:.0f}%", class_="number"),
            )
        )
    return tag("ul", *rows, class_="bars")


def _clip(opinion: Opinion, film: Film, weights: np.ndarray | None) -> Clip:
    classes = opinion.arm.classes
    sure = 100 * opinion.probabilities.max()
    says = f"says {spaced(classes[opinion.predicted])} {sure:.0f}%"
    truth = f"true: {spaced(classes[opinion.truth])}"
    return video.clip(film, opinion.arm.view, weights, (says, truth))


CELL = 12  # height of a row of the map, in pixels
MAP = "How much each object is listened to, step by step; the arrow keys move the film."


def _map(film: Film, weights: np.ndarray | None) -> Html | None:
    """Objects down, steps across: how much each node is listened to."""
    if weights is None:
        return None
    heard = graph.heard(weights, film.steps.real)  # (T, N), in even shares
    top = max(2.0, float(heard.max()))
    steps, slots = heard.shape
    seen = [slot for slot in range(slots) if film.steps.real[:, slot].any()]
    rows = []
    for slot in seen:
        cells = [
            tag(
                "rect",
                x=f"{100 * step / steps:.2f}%",
                width=f"{100 / steps - 0.25:.2f}%",
                height=CELL,
                fill_opacity=0.08 + 0.92 * heard[step, slot] / top,
            )
            for step in np.flatnonzero(film.steps.real[:, slot])
        ]
        name = spaced(film.steps.categories[slot])
        most = float(heard[:, slot].max())
        label = f"{name}: at most {most:.1f} even shares"
        rows.append(
            tag(
                "div",
                tag("span", name),
                tag("svg", *cells, width="100%", height=CELL, role="img", aria_label=label),
            )
        )
    scale = tag(
        "p",
        "most listened to: ",
        f"{heard.max():.1f} even shares" if heard.max() > 1.005 else "every node alike",
        class_="quiet",
    )
    return tag(
        "div",
        *rows,
        tag("i", class_="head"),
        scale,
        class_="map",
        role="group",
        tabindex=0,
        aria_label=MAP,
    )
