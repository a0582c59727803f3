"""`glidn report`: a run or reproduction folder -> one HTML file that needs nothing else."""

import re
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from glidn.files import write_text
from glidn.report import confusion, curves, head, precision, rules, sources, tables, timelines, why
from glidn.report.markup import Html, tag
from glidn.report.sources import Sources

Progress = Callable[[str, int, int], None]

# The browser is told what the page keeps to anyway: nothing from outside.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; media-src data: blob:"
)


def write_report(path: Path, out: Path | None = None, progress: Progress | None = None) -> Path:
    """Write the page about a run or reproduction folder.

    Args:
        out: the file; default: report.html in the folder.
        progress: called with a description, the steps done and their number.

    Returns:
        The file that was written.

    Raises:
        RunError: the folder is neither, unfinished, or damaged.
    """
    found = sources.read(path)
    target = out or path / "report.html"
    write_text(target, page(found, progress))
    return target


def page(found: Sources, progress: Progress | None = None) -> str:
    """The whole page."""
    sections = [
        tables.differences(found.differences, found.measure) if found.differences else Html(),
        tables.section(found.tables, found.measure) if found.tables else Html(),
        rules.section(found.label_rules) if found.label_rules else Html(),
        timelines.section(found.related[0]) if found.is_timed else Html(),
        why.section(found, progress),
        precision.section(found.arms) if found.many else confusion.section(found.arms),
        curves.section(found.arms),
    ]
    # The style and the script are ours, and hold nothing of the user's.
    style, script = (Html(_text(name)) for name in ("style.css", "script.js"))
    title = head.title(found)
    top = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", f"{title} – glidn"),
        tag("style", style),
    )
    main = tag("main", head.section(found), _contents(sections), *sections)
    body = tag("body", main, _foot(found), tag("script", script))
    return f"<!doctype html>\n{tag('html', top, body, lang='en')}\n"


def _contents(sections: Sequence[Html]) -> Html:
    """Links to the sections that there are, by their headings."""
    found = (re.match(r"<section id=\"(\w+)\"><h2>(.*?)</h2>", part) for part in sections)
    links = [tag("a", Html(match[2]), href=f"#{match[1]}") for match in found if match]
    return tag("nav", *links, aria_label="Sections")


def _foot(found: Sources) -> Html:
    about = found.first.about
    return tag(
        "footer", f"Written by glidn {about['glidn']} from {found.path}, and from nothing else."
    )


def _text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
