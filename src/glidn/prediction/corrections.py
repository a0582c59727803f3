"""What a person corrects about the boxes that were found, track by track."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from glidn.prediction.watch import Found, Rows

REMOVED = ""

# Track -> the category that it really is, or REMOVED.
Changes = Mapping[str, str]


def corrected(rows: Rows, changes: Changes) -> Iterator[tuple[int, Sequence[Found]]]:
    """The same rows with tracks renamed or left out."""
    for frame, boxes in rows:
        yield (
            frame,
            [
                replace(box, category=changes.get(box.track, box.category))
                for box in boxes
                if changes.get(box.track) != REMOVED
            ],
        )


def told(changes: Changes) -> str:
    """What was changed, for whoever reads the result later: "1 removed, 2 renamed by hand"."""
    removed = sum(category == REMOVED for category in changes.values())
    counts = {"removed": removed, "renamed": len(changes) - removed}
    words = [f"{count} {what}" for what, count in counts.items() if count]
    return f"{', '.join(words)} by hand" if words else ""
