"""What the networks listened to in a few test videos: films, opinions, and maps of attention."""

from collections.abc import Callable, Sequence

import numpy as np

from glidn.errors import GlidnError
from glidn.report import cases, graph, video
from glidn.report.cases import Case, Opinion
from glidn.report.markup import Html, listed, spaced, tag
from glidn.report.sources import Arm, Sources
from glidn.report.video import Clip, Film
from glidn.runs import Run

Progress = Callable[[str, int, int], None]

# Of all films together, as base64; so that the page can be sent by mail.
MOST_BYTES = 7_000_000
TOP = 3


def section(sources: Sources, progress: Progress | None = None) -> Html:
    """A few cases with their films; in words where there is nothing to film."""
    arms = sources.related
    run = arms[0].runs[0]
    chosen = cases.choose(arms)
    try:
        films = _films(run, chosen)
    except GlidnError as error:
        films, missing = {}, tag("p", f"The videos are left out: {error}", class_="note")
    else:
        missing = Html()
    shown: list[Html] = []
    size = 0
    for number, case in enumerate(chosen):
        if progress:
            progress("drawing videos", number, len(chosen))
        if case.video not in films:
            shown.append(_case(case, run, [_opinion(o, run, None, None) for o in case.opinions]))
            continue
        film, material = films[case.video]
        weights = [cases.attention(opinion, case.video, material) for opinion in case.opinions]
        clips = [_clip(o, run, film, w) for o, w in zip(case.opinions, weights, strict=True)]
        size += sum(len(clip.film) + len(clip.still) for clip in clips)
        if size > MOST_BYTES and shown:
            break
        panels = [
            _opinion(opinion, run, clip, _map(film, weight, opinion.arm))
            for opinion, weight, clip in zip(case.opinions, weights, clips, strict=True)
        ]
        shown.append(_case(case, run, panels))
    if progress:
        progress("drawing videos", len(chosen), len(chosen))
    return tag(
        "section",
        tag("h2", "What they listened to"),
        tag("p", _introduction(sources, arms), class_="lead"),
        missing,
        _legend(arms) if films else Html(),
        *shown,
        id="why",
    )


def _films(run: Run, chosen: Sequence[Case]) -> dict[str, tuple[Film, cases.Material]]:
    videos, material = cases.load(run, [case.video for case in chosen])
    steps = run.config.data.steps
    return {name: (video.read(found, steps), material) for name, found in videos.items()}


def _introduction(sources: Sources, arms: Sequence[Arm]) -> str:
    seed = " of the first seed" if sources.is_reproduction else ""
    who = "Networks" if len(arms) > 1 else "A network"
    return (
        f"{who}{seed} on test videos of people never seen in training. Cases are chosen by a rule, "
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


def _case(case: Case, run: Run, panels: Sequence[Html]) -> Html:
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
            "h3",
            spaced(run.classes[case.truth]),
            tag("small", who, tag("span", outcome, class_="outcome")),
        ),
        tag("div", *panels, class_="pair"),
        class_="case",
    )


def _opinion(opinion: Opinion, run: Run, clip: Clip | None, heard: Html | None) -> Html:
    head = tag("h4", opinion.arm.name, tag("small", opinion.arm.role), class_=opinion.arm.view)
    return tag(
        "div",
        head,
        _player(opinion, run, clip) if clip else Html(),
        _bars(opinion, run),
        heard or Html(),
        class_=f"panel {opinion.arm.view}",
    )


def _player(opinion: Opinion, run: Run, clip: Clip) -> Html:
    words = (
        f"{opinion.arm.name}: boxes of people and objects with the strongest attention edges; "
        f"true class {spaced(run.classes[opinion.truth])}, "
        f"predicted {spaced(run.classes[opinion.predicted])}."
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


def _bars(opinion: Opinion, run: Run) -> Html:
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
                tag("span", spaced(run.classes[number]), class_="class"),
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


def _clip(opinion: Opinion, run: Run, film: Film, weights: np.ndarray | None) -> Clip:
    says = f"says {spaced(run.classes[opinion.predicted])} {100 * opinion.probabilities.max():.0f}%"
    truth = f"true: {spaced(run.classes[opinion.truth])}"
    return video.clip(film, opinion.arm.view, weights, (says, truth))


CELL = 12


def _map(film: Film, weights: np.ndarray | None, arm: Arm) -> Html | None:
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
    return tag("div", *rows, tag("i", class_="head"), scale, class_="map", tabindex=0)
