"""Writing a table of boxes of any size, video by video: .csv, .csv.gz or .parquet."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from glidn.errors import SettingError
from glidn.files import replacing

HEADER = ("video", "frame", "track", "category", "x1", "y1", "x2", "y2", "score")
SUFFIXES = (".csv", ".csv.gz", ".parquet")
# Rows of a row group: readers hold one at a time, and its words are listed once.
GROUP = 500_000


@dataclass(frozen=True)
class BoxRows:
    """The boxes of one video, in the order of its frames.

    Attributes:
        frames: (n,) int64.
        categories: (n,) texts.
        xyxy: (n, 4) float32, pixels.
        scores: (n,) float32; NaN where a box has none.
        tracks: (n,) texts; None where it is unknown which boxes are one thing.
    """

    video: str
    frames: np.ndarray
    categories: np.ndarray
    xyxy: np.ndarray
    scores: np.ndarray
    tracks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)


def check_format(path: Path) -> None:
    """Say what cannot be written before hours are spent on it.

    Raises:
        SettingError: the name ends in no known way, or pyarrow is missing.
    """
    if not path.name.endswith(SUFFIXES):
        raise SettingError(f"{path}: a table of boxes is called {', '.join(SUFFIXES)} at its end.")
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise SettingError(
                f'{path}: Parquet needs pyarrow; install it with: pip install "glidn[parquet]", or '
                "write boxes.csv.gz."
            ) from error


def write_rows(path: Path, videos: Iterable[BoxRows]) -> int:
    """Write a whole table, or nothing; the number of boxes. Same boxes, same bytes."""
    with replacing(path) as temporary:
        return (_write_parquet if path.suffix == ".parquet" else _write_csv)(temporary, videos)


def _write_csv(path: Path, videos: Iterable[BoxRows]) -> int:
    count = 0
    with _text(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for rows in videos:
            n = len(rows)
            count += n
            # A float32's own text is the shortest that reads back as the same float32.
            scores = rows.scores.astype(str)
            scores[np.isnan(rows.scores)] = ""
            tracks = [""] * n if rows.tracks is None else rows.tracks
            columns = ([rows.video] * n, rows.frames, tracks, rows.categories)
            writer.writerows(zip(*columns, *rows.xyxy.astype(str).T, scores, strict=True))
    return count


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    if path.suffix != ".gz":
        with path.open("w", newline="", encoding="utf-8") as file:
            yield file
        return
    # Neither name nor time, so that the same boxes make the same bytes.
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as file,
    ):
        yield file


def _write_parquet(path: Path, videos: Iterable[BoxRows]) -> int:
    import pyarrow
    from pyarrow import parquet

    texts, numbers = pyarrow.string(), pyarrow.float32()
    kinds = (texts, pyarrow.int32(), texts, texts, *([numbers] * 5))
    schema = pyarrow.schema(list(zip(HEADER, kinds, strict=True)))
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:

        def write(waiting: list[BoxRows]) -> None:
            names = [rows.video for rows in waiting for _ in range(len(rows))]
            scores = np.concatenate([rows.scores for rows in waiting])
            tracks = [
                track
                for rows in waiting
                for track in ([None] * len(rows) if rows.tracks is None else rows.tracks.tolist())
            ]
            columns = [
                names,
                np.concatenate([rows.frames for rows in waiting]),
                pyarrow.array(tracks, texts),
                np.concatenate([rows.categories for rows in waiting]).astype(object),
                *np.concatenate([rows.xyxy for rows in waiting]).T,
                pyarrow.array(scores, numbers, mask=np.isnan(scores)),
            ]
            arrays = [
                pyarrow.array(column, kind) if not isinstance(column, pyarrow.Array) else column
                for column, kind in zip(columns, kinds, strict=True)
            ]
            writer.write_table(pyarrow.table(arrays, schema=schema))

        waiting: list[BoxRows] = []
        for rows in videos:
            waiting.append(rows)
            count += len(rows)
            if sum(map(len, waiting)) >= GROUP:
                write(waiting)
                waiting = []
        if waiting:
            write(waiting)
    return count
