"""HTML and SVG from small functions that escape whatever is not markup already."""

import re
from collections.abc import Iterable
from html import escape


class Html(str):
    """Markup, inserted as it is. Any other string is text, and is escaped on its way in."""


Attribute = str | float | bool | None

# Elements without content: they have no end tag in HTML.
VOID = {"meta", "img", "br", "input"}

# Said again, because a table that is laid out as a grid, as on a phone, loses its meaning.
ROLES = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
HEADERS = {"row": "rowheader", "col": "columnheader"}


def tag(name: str, *children: str, **attributes: Attribute) -> Html:
    """An element. `class_` becomes class, `stroke_width` stroke-width; True stands alone."""
    role = HEADERS.get(str(attributes.get("scope"))) if name == "th" else ROLES.get(name)
    if role:
        attributes["role"] = role
    opening = name + "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{join(children)}</{name}>")


def join(children: Iterable[str], between: str = "") -> Html:
    """Pieces of markup and text, one after the other."""
    return Html(as_html(between).join(as_html(child) for child in children))


def as_html(text: str) -> Html:
    """Text escaped; markup as it is."""
    return text if isinstance(text, Html) else Html(escape(text))


def spaced(name: str) -> str:
    """A class or category as it reads: picking_objects -> picking objects."""
    return name.replace("_", " ")


def class_name(name: str) -> str:
    """A class as it reads; the codes of Charades are left out: c000 Holding a cup."""
    return re.sub(r"^c\d{3} (?=\S)", "", spaced(name))


def signed(value: float) -> str:
    """+1.2, −0.5 or 0.0, with a true minus sign."""
    text = f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
    return text[1:] if float(f"{value:.1f}") == 0 else text


def count(number: int, one: str, many: str = "") -> str:
    """1 video, 12 videos."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(words: Iterable[str]) -> str:
    """a, b and c."""
    every = list(words)
    if len(every) < 2:
        return "".join(every)
    return f"{', '.join(every[:-1])} and {every[-1]}"


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
    return f' {name}="{escape(text)}"'
