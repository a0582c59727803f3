"""What is told of each of many videos: a line on the terminal, a row of a Parquet file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from glidn.files import replacing
from glidn.prediction.result import Action, Result

TABLE_FILE = "predictions.parquet"
BEST = 3  # labels that are told


@dataclass(frozen=True)
class Told:
    """A result, so short that those of many videos can be kept.

    Attributes:
        video: its name.
        source: its file or folder, as it was opened.
        folder: where its files are.
        seconds: how long it is.
        best: the likeliest labels of the whole video, with their scores.
        notes: what to doubt, and what could not be done; sentences.
        before: whether it had been said before.
        error: why nothing can be told; "" where something is.
    """

    video: str
    folder: Path
    source: str = ""
    seconds: float = 0.0
    best: tuple[tuple[str, float], ...] = ()
    actions: tuple[Action, ...] = ()
    notes: tuple[str, ...] = ()
    before: bool = False
    error: str = ""


def told(video: str, folder: Path, result: Result, before: bool) -> Told:
    """The short form of a result."""
    return Told(
        video,
        folder,
        result.video,
        result.seconds,
        tuple(result.scores.items())[:BEST],
        result.actions,
        tuple(note for note in (result.warning, *result.notes) if note),
        before,
    )


def write(path: Path, rows: Sequence[Told]) -> None:
    """A Parquet file with a row for each video.

    video, folder, source, error: text; error is null where there is none, and what follows is
    null where there is one. seconds: of the video. label, score: the likeliest of the whole video.
    actions: a list of label, start, end (seconds) and score.

    Raises:
        GlidnError: it cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    text, number = pyarrow.string(), pyarrow.float64()
    action = {"label": text, "start": number, "end": number, "score": number}
    schema = pyarrow.schema(
        dict.fromkeys(("video", "folder", "source", "error"), text)
        | {"seconds": number, "label": text, "score": number}
        | {"actions": pyarrow.list_(pyarrow.struct(list(action.items())))}
    )
    table = pyarrow.Table.from_pylist([_row(one) for one in rows], schema)
    with replacing(path) as temporary:
        parquet.write_table(table, temporary)


def _row(one: Told) -> dict[str, object]:
    row: dict[str, object] = {
        "video": one.video,
        "folder": str(one.folder),
        "source": one.source or None,
        "error": one.error or None,
    }
    if one.error:
        return row
    label, score = one.best[0] if one.best else (None, None)
    actions = [asdict(action) for action in one.actions]
    return row | {"seconds": one.seconds, "label": label, "score": score, "actions": actions}
