"""What the networks listened to in a few test videos: films, opinions, and maps of attention."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from glidn import graph
from glidn.errors import GlidnError
from glidn.report import cases, video
from glidn.report.cases import Case, Look, Opinion
from glidn.report.markup import Html, class_name, count, listed, spaced, tag
from glidn.report.sources import Arm, Sources
from glidn.report.video import Clip, Film
from glidn.report.view import View

Progress = Callable[[str, int, int], None]

# Of all films together, as base64; so that the page can be sent by mail.
MOST_BYTES = 7_000_000
TOP = 3
# The same with many labels, and how many of the missed ones.
TOP_MANY, MISSED = 6, 4
CAUTION = " Attention says what a network listened to, not that it was right to."
# Lines of a map; with more tracks, the most listened to.
ROWS = 12


def section(sources: Sources, progress: Progress | None = None) -> Html:
    """A few cases with their films; in words where there is nothing to film."""
    arms = sources.related
    chosen = cases.choose(arms)
    missing = Html()
    try:
        looks = cases.look(sources.looked_at, chosen)
        shown = _films(looks, len(chosen), progress)
    except GlidnError as error:
        missing = tag("p", f"The videos are left out: {error}", class_="note")
        shown = [_case(case, [_opinion(opinion) for opinion in case.opinions]) for case in chosen]
    return tag(
        "section",
        tag("h2", "What it saw" if arms[0].alone else "What they listened to"),
        tag("p", _introduction(sources, arms), class_="lead"),
        missing or _legend(arms),
        *shown,
        id="why",
    )


def _films(looks: Iterable[Look], number: int, progress: Progress | None) -> list[Html]:
    """As many cases as the page has room for, one at least."""
    shown: list[Html] = []
    size = 0
    if progress:
        progress("drawing videos", 0, number)
    for done, look in enumerate(looks, start=1):
        case, film = look.case, look.film
        clips = [_clip(o, film, w) for o, w in zip(case.opinions, look.attention, strict=True)]
        size += sum(len(clip.film) + len(clip.still) for clip in clips)
        if size > MOST_BYTES and shown:
            break
        panels = [
            _opinion(opinion, clip, _map(film, weights))
            for opinion, clip, weights in zip(case.opinions, clips, look.attention, strict=True)
        ]
        shown.append(_case(case, panels, look.view))
        if progress:
            progress("drawing videos", done, number)
    if progress:
        progress("drawing videos", number, number)
    return shown


def _introduction(sources: Sources, arms: Sequence[Arm]) -> str:
    seed = " of the first seed" if sources.is_reproduction else ""
    who = "Networks" if len(arms) > 1 else "A network"
    people = " of people never seen in training" if arms[0].unseen_people else ""
    if arms[0].many:
        return (
            f"{who}{seed} on test videos{people}. Cases are chosen by a rule, not by eye: in turn "
            "those whose likeliest class is true and those in which it is not, then those whose "
            f"classes and subjects were shown least.{_part(arms[0])} The bars are test scores, of "
            f"the {TOP_MANY} likeliest classes and of those that are missed: shown by the video, "
            f"and not among them.{'' if arms[0].alone else CAUTION}"
        )
    videos = "windows of test videos" if arms[0].is_timed else "test videos"
    return (
        f"{who}{seed} on {videos}{people}. Cases are chosen by a rule, "
        f"not by eye: every outcome in turn, then the classes and subjects shown least.{CAUTION}"
    )


def _part(arm: Arm) -> str:
    clips = arm.runs[0].config.clips
    if clips is None:
        return ""
    views = clips.test_clips * clips.test_crops
    return (
        f" The film is one of the {count(views, 'view')} of the test, a picture per time step: of "
        "the clips that show most of the video’s classes the middle one, in its middle crop."
    )


def _legend(arms: Sequence[Arm]) -> Html:
    if all(arm.alone for arm in arms):
        words = "The picture alone: this network sees no boxes and relates nothing."
        return tag("div", tag("p", tag("b", arms[0].name), " ", words), class_="legend")
    whole = "clip" if arms[0].runs[0].config.clips else "video"
    words_of = {
        "local": "An edge ends in a dot at the box that is listened to, in the same frame. The "
        "strip shows what each box of the frame contributes.",
        "global": "Edges run from the boxes of the frame to the moments that they listen to; the "
        f"strip is the whole {whole} from left to right, with the strongest node of each sixth.",
        "none": "Boxes alone: this network relates nothing.",
    }
    lines = [tag("p", tag("b", arm.name, class_=arm.view), " ", words_of[arm.view]) for arm in arms]
    common = tag(
        "p",
        "Lines are drawn only above an even share, and wider the further above it; weights are of "
        "all layers together (attention rollout). The map below a film shows how much each object "
        "is listened to at each step.",
    )
    return tag("div", *lines, common, class_="legend")


def _case(case: Case, panels: Sequence[Html], view: View | None = None) -> Html:
    many = case.opinions[0].arm.many
    who = f"{case.video}, {case.subject}" if case.subject else case.video
    title = case.video if many else _classes(case, case.truth)
    known = case.subject if many else who
    outcome = _outcome_many(case) if many else _outcome(case)
    return tag(
        "article",
        tag(
            "div",
            tag("h3", title, tag("small", known, tag("span", outcome, class_="outcome"))),
            class_="title",
        ),
        _clip_words(case, view) if view else Html(),
        tag("div", *panels, class_="pair"),
        class_="case",
    )


def _classes(case: Case, numbers: Sequence[int]) -> str:
    names = case.opinions[0].arm.classes
    return "; ".join(class_name(names[number]) for number in numbers)


def _clip_words(case: Case, view: View) -> Html:
    """When the view is, and what is shown then."""
    start, end = view.seconds
    when = f"From {start:.1f} to {end:.1f} s of {view.video.seconds:.1f} s"
    if case.opinions[0].arm.many:
        when += f", which show: {_classes(case, view.shows) or 'no class'}"
    return tag("p", f"{when}.", class_="quiet when")


def _outcome_many(case: Case) -> str:
    right = [opinion.arm.view for opinion in case.opinions if opinion.right]
    if len(case.opinions) == 1:
        return "its likeliest class is true" if right else "its likeliest class is not shown"
    if len(right) == len(case.opinions):
        return "the likeliest class of both is true"
    if right:
        return f"only the {listed(right)} view’s likeliest class is true"
    return "the likeliest class of neither is shown"


def _outcome(case: Case) -> str:
    right = [opinion.arm for opinion in case.opinions if opinion.right]
    if len(right) == len(case.opinions):
        outcome = "right" if len(right) == 1 else "both right"
    elif right:
        outcome = f"only the {listed(arm.view for arm in right)} view is right"
    else:
        outcome = "wrong" if len(case.opinions) == 1 else "both wrong"
    return outcome


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
    classes = opinion.arm.classes
    true = "; ".join(class_name(classes[number]) for number in opinion.truth)
    words = (
        f"{opinion.arm.name}: boxes of people and objects with the strongest attention edges; "
        f"true {'classes' if opinion.arm.many else 'class'} {true}, "
        f"{'likeliest' if opinion.arm.many else 'predicted'} "
        f"{class_name(classes[opinion.predicted])}."
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
    """The likeliest classes; true ones are marked, and added where they are not among them."""
    many = opinion.arm.many
    order = [int(number) for number in np.argsort(-opinion.probabilities, kind="stable")]
    top = order[: TOP_MANY if many else TOP]
    missed = [number for number in order if number in opinion.truth and number not in top]
    shown = [*top, *missed[:MISSED]]
    rows = []
    for number in shown:
        share = 100 * float(opinion.probabilities[number])
        true = "" if number not in opinion.truth else "true"
        if many and number in missed:
            true = "missed"
        rows.append(
            tag(
                "li",
                tag("span", class_name(opinion.arm.classes[number]), class_="class"),
                tag("span", true, class_="true") if true else Html(),
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
    if more := missed[MISSED:]:
        rows.append(tag("li", tag("span", f"and {len(more)} more missed", class_="more")))
    return tag("ul", *rows, class_="bars many" if many else "bars")


def _clip(opinion: Opinion, film: Film, weights: np.ndarray | None) -> Clip:
    classes = opinion.arm.classes
    sure = 100 * opinion.probabilities.max()
    says = f"says {class_name(classes[opinion.predicted])} {sure:.0f}%"
    truth = "" if not opinion.truth else f"true: {class_name(classes[opinion.truth[0]])}"
    if opinion.arm.many:
        truth = "true" if opinion.right else "not shown"
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
    if len(seen) > ROWS:
        loudest = sorted(seen, key=lambda slot: -heard[:, slot].sum())[:ROWS]
        seen = sorted(loudest)
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
